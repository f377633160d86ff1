// What a guest meets, whatever stands between it and its services. Every case runs twice: with the services called
// directly, and with every message encoded and decoded on its way (HostOptions::Channel::kCodec). Results, denials and
// audit records must be the same.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/text.h"
#include "runtime/host.h"

namespace cordon {
namespace {

namespace fs = std::filesystem;
using runtime::HostOptions;

class KeptLog final : public services::LogSink {
 public:
  void Write(const services::LogLine& line) override { lines.push_back(line.source + ": " + line.message); }
  std::vector<std::string> lines;
};

// What one call came to, in a form that can be compared.
struct Seen {
  std::string output, code, stdout_text;
  std::vector<std::string> audit, log;
  friend bool operator==(const Seen&, const Seen&) = default;
};

struct Case {
  std::string guest, action, input;
  std::string output;  // JSON, or "" when `code` is expected
  std::string code;    // "E_TRAP", or ""
  Duration timeout{std::chrono::seconds(20)};
};

std::string Line(const audit::Record& record) {
  std::string line = std::string(audit::EventName(record.event)) + " " + record.capability + " " + record.target + " " +
                     record.rule + " " + record.action;
  if (record.decision) line += *record.decision == policy::Verdict::kAllow ? " allow" : " deny";
  if (record.code) line += " " + std::string(CodeName(*record.code));
  return line;
}

// A plugin in a host of its own, loaded once: compiling is most of the time.
struct Loaded {
  std::shared_ptr<audit::MemoryObserver> observer = std::make_shared<audit::MemoryObserver>();
  std::shared_ptr<KeptLog> log = std::make_shared<KeptLog>();
  std::unique_ptr<runtime::Host> host;
  Result<std::shared_ptr<const runtime::Plugin>> plugin = Fail(Code::kInternal, "not loaded");
};

class Conformance : public testing::TestWithParam<HostOptions::Channel> {
 protected:
  static void SetUpTestSuite() {
    std::string name = (fs::temp_directory_path() / "cordon-conformance-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    std::ofstream(folder_ / "inside.txt") << "inside";
    fs::create_symlink("/etc/passwd", folder_ / "out");
  }
  static void TearDownTestSuite() {
    loaded_.clear();
    fs::remove_all(folder_);
  }

  // The folder is mounted at /data, read-only.
  static Loaded& Load(const std::string& guest, HostOptions::Channel channel) {
    auto [entry, is_new] = loaded_.try_emplace({guest, channel});
    Loaded& loaded = entry->second;
    if (!is_new) return loaded;
    HostOptions options;
    options.observer = loaded.observer;
    options.log_sink = loaded.log;
    options.channel = channel;
    loaded.host = *runtime::Host::Create(std::move(options));
    runtime::LoadRequest request;
    request.source = fs::path(CORDON_GUESTS_DIR) / (guest + ".wasm");
    if (guest == "conformance") request.mounts = {{folder_, "/data", policy::Access::kRead}};
    request.environment = {{"GREETING", "hello"}};
    loaded.plugin = loaded.host->Load(request);
    return loaded;
  }

  static Seen Run(const Case& one, HostOptions::Channel channel) {
    Loaded& loaded = Load(one.guest, channel);
    Seen seen;
    const std::size_t before = loaded.plugin ? loaded.observer->records().size() : 0;
    loaded.log->lines.clear();
    if (!loaded.plugin) {
      seen.code = CodeName(loaded.plugin.error().code);
    } else {
      runtime::CallReport report;
      runtime::CallOptions options;
      options.timeout = one.timeout;
      const Status done = (*loaded.plugin)->Call(one.action, one.input, options, report);
      seen.output = done ? report.output : "";
      seen.code = done ? "" : std::string(CodeName(done.error().code));
      seen.stdout_text = report.stdout_text;
    }
    const std::vector<audit::Record> records = loaded.observer->records();
    for (std::size_t i = before; i < records.size(); ++i) {
      // Calls that went well have a record each up to a pace, so whether this one has depends on the machine.
      if (records[i].event == audit::Event::kCall && !records[i].code) continue;
      seen.audit.push_back(Line(records[i]));
    }
    seen.log = loaded.log->lines;
    return seen;
  }

  void Check(const Case& one) const {
    const Seen seen = Run(one, GetParam());
    EXPECT_EQ(seen.code, one.code) << one.action << " " << one.input;
    if (one.code.empty()) {
      EXPECT_EQ(json::Parse(seen.output).value_or(Json("bad")), json::Parse(one.output).value_or(Json("worse")))
          << one.action << " " << seen.output;
    }
    EXPECT_EQ(seen, Run(one, HostOptions::Channel::kDirect)) << one.action;
  }

  void CheckEcho(const std::string& action, const std::string& value) const {
    Check({"conformance", "cordon:conformance/echo#" + action, "{\"value\":" + value + "}", value, ""});
  }

  inline static fs::path folder_;
  inline static std::map<std::pair<std::string, HostOptions::Channel>, Loaded> loaded_;
};

TEST_P(Conformance, EveryKindOfValueGoesInAndComesBack) {
  const std::pair<const char*, const char*> values[] = {
      {"echo-bool", "true"},
      {"echo-s8", "-128"},
      {"echo-u8", "255"},
      {"echo-s16", "-32768"},
      {"echo-u16", "65535"},
      {"echo-s32", "-2147483648"},
      {"echo-u32", "4294967295"},
      {"echo-s64", "\"-9223372036854775808\""},
      {"echo-u64", "\"18446744073709551615\""},
      {"echo-u64", "9007199254740991"},
      {"echo-f32", "0.5"},
      {"echo-f64", "\"NaN\""},
      {"echo-f64", "1e300"},
      {"echo-char", "\"é\""},
      {"echo-string", "\"a\\u0000b \\ud83d\\ude00\""},
      {"echo-list-u8", "\"AP8B\""},
      {"echo-list-s16", "[-1,0,1]"},
      {"echo-list-u64", "[1,\"18446744073709551615\"]"},
      {"echo-list-f64", "[0.25,\"Infinity\"]"},
      {"echo-list-bool", "[true,false]"},
      {"echo-list-char", "[\"a\",\"é\"]"},
      {"echo-list-string", "[\"\",\"x\"]"},
      {"echo-list-list", "[[],[\"a\"],[\"b\",\"c\"]]"},
      {"echo-pairs", "[[\"a\",1],[\"b\",2]]"},
      {"echo-option", "null"},
      {"echo-option", "7"},
      {"echo-option-option", "{\"some\":null}"},
      {"echo-result", "{\"ok\":1}"},
      {"echo-result", "{\"err\":\"no\"}"},
      {"echo-result-nested", "{\"ok\":{\"err\":\"x\"}}"},
      {"echo-tuple", "[1,\"two\",3.5]"},
      {"echo-tuple-nested", "[[1,-2],\"x\"]"},
      {"echo-flags", "[\"read\",\"execute\"]"},
      {"echo-many-flags", "[\"f0\",\"f31\"]"},
      {"echo-enum", "\"blue\""},
      {"echo-variant", "{\"tag\":\"nothing\"}"},
      {"echo-variant", "{\"tag\":\"labelled\",\"val\":[\"x\",9]}"},
      {"echo-variant", "{\"tag\":\"polygon\",\"val\":[{\"x\":1,\"y\":2}]}"},
      {"echo-point", "{\"x\":-1,\"y\":1}"},
      {"echo-blob", "{\"name\":\"n\",\"content\":\"AAEC\"}"},
      {"echo-wide",
       "{\"a0\":1,\"a1\":-2,\"a2\":3,\"a3\":-4,\"a4\":0.5,\"a5\":0.25,\"a6\":\"z\",\"a7\":true,\"a8\":\"s\",\"a9\":9,"
       "\"b0\":1,\"b1\":-2,\"b2\":3,\"b3\":-4,\"b4\":0.5,\"b5\":0.25,\"b6\":\"z\",\"b7\":true,\"b8\":\"s\",\"b9\":9}"},
      {"echo-tree",
       "{\"label\":\"l\",\"outcome\":{\"ok\":\"AQI=\"},\"shapes\":[{\"tag\":\"circle\",\"val\":1.5}],"
       "\"access\":[\"write\"],\"color\":\"red\",\"pairs\":[[\"k\",{\"id\":1,\"bytes\":[-1],"
       "\"shorts\":[2],\"ints\":[3],\"longs\":[4],\"singles\":[0.5],"
       "\"doubles\":[0.25],\"rows\":[[1],[]],\"maybe\":[1.5],\"switches\":[true],"
       "\"letters\":[\"x\"]}]]}"},
  };
  for (const auto& [action, value] : values) CheckEcho(action, value);
}

TEST_P(Conformance, WhatAGuestMeets) {
  const Case cases[] = {
      {"conformance", "fail", R"({"message":"no"})", R"({"err":"no"})", ""},
      {"conformance", "environment", "{}", R"([["GREETING","hello"]])", ""},
      {"conformance", "arguments", "{}", "[]", ""},
      {"conformance", "print", R"({"text":"shown"})", "null", ""},
      {"conformance", "read-file", R"({"path":"/data/inside.txt"})", R"({"ok":"aW5zaWRl"})", ""},
      {"conformance", "read-file", R"({"path":"/data/out"})", R"j({"err":"Operation not permitted (os error 63)"})j",
       ""},
      {"conformance", "read-file", R"({"path":"/etc/passwd"})",
       R"j({"err":"No such file or directory (os error 44)"})j", ""},
      {"conformance", "write-file", R"({"path":"/data/new","content":"AA=="})",
       R"j({"err":"Read-only file system (os error 69)"})j", ""},
      {"conformance", "list-folder", R"({"path":"/data"})", R"({"ok":["inside.txt","out"]})", ""},
      {"conformance", "trap", "{}", "", "E_TRAP"},
      {"conformance", "exit", R"({"code":0})", "", "E_EXIT"},
      {"conformance", "recurse", R"({"depth":100000000})", "", "E_STACK_OVERFLOW"},
      {"conformance", "spin", "{}", "", "E_TIMEOUT", std::chrono::milliseconds(60)},
      {"conformance", "sleep", R"({"milliseconds":60000})", "", "E_TIMEOUT", std::chrono::milliseconds(60)},
      {"conformance", "count", "{}", "1", ""},
      {"logging", "say", R"({"level":"warn","context":"c","message":"careful\n\u001b[31m"})", "null", ""},
      {"a01_sockets", "run", "{}", "", "E_LINK"},
      {"conformance", "echo-u8", R"({"value":256})", "", "E_INPUT_SCHEMA"},
      {"conformance", "no-such-action", "{}", "", "E_NOT_FOUND"},
  };
  for (const Case& one : cases) Check(one);
}

TEST_P(Conformance, ALogLineArrivesEscaped) {
  const Seen seen =
      Run({"logging", "say", R"({"level":"warn","context":"c","message":"a\n\u001b[31m"})", "", ""}, GetParam());
  ASSERT_EQ(seen.log.size(), 1u);
  EXPECT_EQ(seen.log[0], "c: a\\u000a\\u001b[31m");
}

TEST_P(Conformance, ADenialIsAuditedOnce) {
  const Seen seen = Run({"conformance", "read-file", R"({"path":"/data/out"})", "", ""}, GetParam());
  EXPECT_EQ(std::ranges::count_if(seen.audit, [](const std::string& l) { return l.find(" deny") != l.npos; }), 1);
  EXPECT_TRUE(std::ranges::any_of(seen.audit, [](const std::string& l) { return l.find("fs:beneath") != l.npos; }));
}

INSTANTIATE_TEST_SUITE_P(Channels, Conformance,
                         testing::Values(HostOptions::Channel::kDirect, HostOptions::Channel::kCodec),
                         [](const auto& param) {
                           return param.param == HostOptions::Channel::kDirect ? "Direct" : "EveryMessageAsBytes";
                         });

}  // namespace
}  // namespace cordon
