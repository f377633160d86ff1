#include "cli/doctor_checks.h"

#include <gtest/gtest.h>

#include "cli/security_floor.h"
#include "engine/engine.h"

namespace cordon::cli {
namespace {

using Grade = Finding::Grade;

TEST(Doctor, EnginesBelowTheFloorFail) {
  const struct {
    const char* version;
    Grade grade;
  } kCases[] = {
      {"wasmtime 48.0.9", Grade::kPass}, {"wasmtime 48.0.10", Grade::kPass},
      {"wasmtime 49.0.0", Grade::kPass}, {"wasmtime 48.0.8", Grade::kWarn},
      {"wasmtime 48.0.7", Grade::kFail}, {"wasmtime 47.9.99", Grade::kFail},
      {"wasmtime 9.0.10", Grade::kFail}, {"", Grade::kFail},
      {"wasmtime", Grade::kFail},        {"wasmtime 48", Grade::kFail},
  };
  for (const auto& one : kCases) {
    const Finding finding = CheckEngineFloor(one.version, "48.0.8", "48.0.9");
    EXPECT_EQ(finding.grade, one.grade) << one.version;
    EXPECT_EQ(finding.hint.empty(), one.grade == Grade::kPass) << one.version;
  }
  EXPECT_NE(CheckEngineFloor(engine::EngineVersion(), kMitigatedFloor, kSecurityFloor).grade, Grade::kFail);
}

TEST(Doctor, ACacheKeyThatIgnoresTheBuildFails) {
  std::array<std::uint8_t, 32> one{1}, other{2}, zero{};
  EXPECT_EQ(CheckCacheKey(one, other).grade, Grade::kPass);
  EXPECT_EQ(CheckCacheKey(one, one).grade, Grade::kFail);
  EXPECT_EQ(CheckCacheKey(zero, other).grade, Grade::kFail);
}

TEST(attack_80, FoldersAndFilesThatOthersReachFail) {
  using Type = Access::Type;
  const struct {
    Access access;
    Type expected;
    Secrecy secrecy;
    Grade grade;
  } kCases[] = {
      {{Type::kAbsent, 0, 0, 7}, Type::kFile, Secrecy::kSecret, Grade::kPass},
      {{Type::kFile, 0600, 7, 7}, Type::kFile, Secrecy::kSecret, Grade::kPass},
      {{Type::kFile, 0640, 7, 7}, Type::kFile, Secrecy::kSecret, Grade::kFail},
      {{Type::kFile, 0604, 7, 7}, Type::kFile, Secrecy::kSecret, Grade::kFail},
      {{Type::kFile, 0644, 7, 7}, Type::kFile, Secrecy::kTrusted, Grade::kPass},
      {{Type::kFile, 0664, 7, 7}, Type::kFile, Secrecy::kTrusted, Grade::kFail},
      {{Type::kFolder, 0770, 7, 7}, Type::kFolder, Secrecy::kTrusted, Grade::kFail},
      {{Type::kFolder, 0700, 8, 7}, Type::kFolder, Secrecy::kSecret, Grade::kFail},
      {{Type::kLink, 0777, 7, 7}, Type::kFolder, Secrecy::kTrusted, Grade::kFail},
      {{Type::kOther, 0600, 7, 7}, Type::kFile, Secrecy::kSecret, Grade::kFail},
      {{Type::kFolder, 0700, 7, 7}, Type::kFile, Secrecy::kSecret, Grade::kFail},
  };
  for (const auto& one : kCases) {
    const Finding finding = CheckAccess("state", "x", "/state/x", one.access, one.expected, one.secrecy);
    EXPECT_EQ(finding.grade, one.grade) << finding.message;
    EXPECT_EQ(finding.hint.empty(), one.grade == Grade::kPass);
  }
}

TEST(attack_102, AnAuditThatIsNotWholeFails) {
  audit::Verification whole;
  whole.records = 3;
  EXPECT_EQ(CheckTrail(whole).grade, Grade::kPass);
  audit::Verification broken = whole;
  broken.bad = audit::BadRecord{"audit.jsonl", 2, 2, "it is not a record"};
  const Finding finding = CheckTrail(broken);
  EXPECT_EQ(finding.grade, Grade::kFail);
  EXPECT_NE(finding.message.find("line 2 of audit.jsonl"), std::string::npos);
  EXPECT_EQ(CheckTrail(Fail(Code::kNotFound, "no log")).grade, Grade::kPass);
  EXPECT_EQ(CheckTrail(Fail(Code::kIo, "cannot read")).grade, Grade::kFail);
}

TEST(Doctor, WarnsOfWhatMakesAMachineSlowOrWeaker) {
  EXPECT_EQ(CheckMemory(8ull << 30, ~0ull, 256 << 20).grade, Grade::kPass);
  EXPECT_EQ(CheckMemory(256 << 20, ~0ull, 256 << 20).grade, Grade::kWarn);
  EXPECT_EQ(CheckMemory(8ull << 30, 4ull << 30, 256 << 20).grade, Grade::kWarn);
  EXPECT_EQ(CheckLandlock(4).grade, Grade::kPass);
  EXPECT_EQ(CheckLandlock(-1).grade, Grade::kWarn);
  const std::string confined =
      R"({"schema":"cordon.worker/1","namespaces":["user","net","mount","ipc","uts","pid"],"no_new_privs":true,)"
      R"("empty_root":true,"landlock":4,"seccomp":true,"sockets":)";
  EXPECT_EQ(CheckConfinement(confined + "true}").grade, Grade::kPass);
  EXPECT_EQ(CheckConfinement(confined + "false}").message, "plugins that may use sockets do not run in workers here");
  EXPECT_EQ(CheckConfinement(R"({"schema":"cordon.worker/1","namespaces":[],"landlock":4,"seccomp":true})").grade,
            Grade::kWarn);
  EXPECT_EQ(CheckConfinement(R"({"schema":"cordon.worker/1","seccomp":false})").grade, Grade::kFail);
  for (const char* nonsense : {"", "{", "[]", R"({"schema":"other/1"})"}) {
    EXPECT_EQ(CheckConfinement(nonsense).grade, Grade::kFail) << nonsense;
  }
}

TEST(Doctor, NamesWhatNoControlGroupBounds) {
  EXPECT_EQ(CheckGroups({.memory_bytes = 1, .threads = 1, .processors = 1}).grade, Finding::Grade::kPass);
  const Finding some = CheckGroups({.memory_bytes = 1});
  EXPECT_EQ(some.grade, Finding::Grade::kWarn);
  EXPECT_NE(some.message.find("bounds threads, processors here"), std::string::npos) << some.message;
  EXPECT_NE(CheckGroups({}).message.find("bounds memory, threads, processors here"), std::string::npos);
}

TEST(Doctor, SaysWhenNothingCouldConfineANativePlugin) {
  using Native = manifest::Config::Native;
  EXPECT_EQ(CheckNative(Native::kRefuse, "/nowhere/bwrap").grade, Finding::Grade::kPass);
  const Finding absent = CheckNative(Native::kAllow, "/nowhere/bwrap");
  EXPECT_EQ(absent.grade, Finding::Grade::kWarn);
  EXPECT_EQ(absent.hint, "install the package bubblewrap");
}

}  // namespace
}  // namespace cordon::cli
