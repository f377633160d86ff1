#include "policy/grants_file.h"

#include <gtest/gtest.h>

#include "formats/json.h"

namespace cordon::policy {
namespace {

const std::string kA = "sha256:" + std::string(64, 'a');
const std::string kB = "sha256:" + std::string(64, 'b');

std::string OneSet(const std::string& rest) {
  return "plugin: acme/linkcheck\nartifact: " + kA + "\nmanifest: " + kB + "\n" + rest;
}

Error ErrorOf(const std::string& text) {
  const auto book = GrantBook::Parse(text, "grants.yaml");
  EXPECT_FALSE(book) << text;
  return book ? Error() : book.error();
}

TEST(GrantsFile, IsReadAndWrittenBack) {
  const auto book = GrantBook::Parse(OneSet("publisher: ana\nroots: {workspace: /srv/work}\n"
                                            "granted:\n  - fs:read:/data=workspace\n  - env:TOKEN\n"
                                            "deny: [clock]\nby: ana\nat: \"2026-01-02T03:04:05Z\"\n"),
                                     "grants.yaml");
  ASSERT_TRUE(book) << book.error().message;
  ASSERT_EQ(book->sets().size(), 1u);
  const GrantSet& set = book->sets()[0];
  EXPECT_EQ(set.roots.at("workspace"), "/srv/work");
  EXPECT_EQ(set.granted[0].ToString(), "fs:read:/data=workspace");
  EXPECT_EQ(set.denied, std::vector<Kind>{Kind::kClock});
  const auto again = GrantBook::Parse(book->ToYaml(), "grants.yaml");
  ASSERT_TRUE(again) << again.error().message << "\n" << book->ToYaml();
  EXPECT_EQ(again->sets(), book->sets());
  EXPECT_EQ(again->ToYaml(), book->ToYaml());
}

TEST(GrantsFile, HoldsManyPlugins) {
  GrantBook book;
  for (const char* name : {"b/two", "a/one"}) {
    GrantSet set;
    set.plugin = name;
    set.artifact = *Digest::Parse(kA);
    set.granted = {*Grant::Parse("env:A"), *Grant::Parse("env:B; session")};
    set.programs["git"] = {"/usr/bin/git", {2049, 131}, Digest::Of("git")};
    set.roots["workspace"] = "/srv/with \"quotes\" and \\";
    book.Put(set);
    book.Put(set);
  }
  const auto again = GrantBook::Parse(book.ToYaml(), "grants.yaml");
  ASSERT_TRUE(again) << again.error().message << "\n" << book.ToYaml();
  ASSERT_EQ(again->sets().size(), 2u);
  EXPECT_EQ(again->sets(), book.sets());
  EXPECT_EQ(again->sets()[0].plugin, "a/one");
  EXPECT_EQ(again->sets()[0].granted.size(), 1u);  // the session's grant stayed off the disk
  EXPECT_TRUE(book.Remove("a/one"));
  EXPECT_EQ(book.Remove("a/one").error().code, Code::kNotFound);
}

TEST(GrantsFile, BindsToContent) {
  const auto book = GrantBook::Parse(OneSet("granted: [env:TOKEN]"), "grants.yaml");
  const Request requests[] = {{*Capability::Parse("env:TOKEN"), Need::kRequired, ""},
                              {*Capability::Parse("fs:write:/out=workspace"), Need::kRequired, ""}};
  Subject subject{"acme/linkcheck", *Digest::Parse(kA), *Digest::Parse(kB), requests};
  EXPECT_TRUE(book->Find(subject)->has_value());
  subject.artifact = *Digest::Parse(kB);
  const Error changed = book->Find(subject).error();
  EXPECT_EQ(changed.code, Code::kChanged);
  EXPECT_EQ(changed.message,
            "acme/linkcheck has changed since it was granted anything: its artifact differs; "
            "it now asks for fs:write:/out=workspace");
  EXPECT_EQ(changed.Detail("grant"), "fs:write:/out=workspace");
  EXPECT_EQ(changed.Detail("was"), kA);
  EXPECT_NE(changed.remedy.find("--grant 'fs:write:/out=workspace' --root workspace=PATH"), std::string::npos);
  subject.plugin = "acme/other";
  EXPECT_FALSE(book->Find(subject)->has_value());
}

TEST(GrantsFile, LimitsThatNothingEnforcesAreRefused) {
  for (const char* option : {"once", "uses=3", "rate=60/min", "bytes=10MiB"}) {
    EXPECT_EQ(Grant::Parse("env:A; " + std::string(option)).error().code, Code::kUnenforceable) << option;
    EXPECT_EQ(Grant::Parse("clock:fine; " + std::string(option)).error().code, Code::kUnenforceable) << option;
  }
  EXPECT_EQ(Grant::Parse("secret:key; bytes=10MiB").error().code, Code::kUnenforceable);
  EXPECT_EQ(Grant::Parse("env:A; uzes=3").error().remedy, "did you mean 'uses'?");
  EXPECT_EQ(Grant::Parse("env:A;session")->ToString(), "env:A; session");
  EXPECT_EQ(ErrorOf(OneSet("granted: ['env:A; session']")).code, Code::kUnenforceable);
}

TEST(Grant, LimitsHaveOneSpelling) {
  const auto spelled = [](const std::string& text) {
    const auto grant = Grant::Parse(text);
    return grant ? grant->ToString() : std::string(CodeName(grant.error().code));
  };
  EXPECT_EQ(spelled("env:A; until=2026-01-01T00:00:00Z"), "env:A; until=2026-01-01T00:00:00Z");
  EXPECT_EQ(spelled("secret:key; uses=1"), "secret:key; once");
  EXPECT_EQ(spelled("kv:write:c; bytes=1024KiB; rate=60/min; uses=3; quota=1MiB"),
            "kv:write:c; quota=1MiB; uses=3; rate=60/min; bytes=1MiB");
  const std::pair<const char*, const char*> wrong[] = {
      {"uses", "E_SYNTAX"},
      {"uses=0", "E_RANGE"},
      {"uses=-1", "E_TYPE"},
      {"uses=3x", "E_TYPE"},
      {"uses=99999999999999999999", "E_RANGE"},
      {"once; uses=2", "E_INVALID"},
      {"once; once", "E_INVALID"},
      {"rate=60", "E_TYPE"},
      {"rate=0/s", "E_RANGE"},
      {"until=tomorrow", "E_TYPE"},
      {"until=2026-02-30T00:00:00Z", "E_TYPE"},
  };
  for (const auto& [option, code] : wrong) EXPECT_EQ(spelled("secret:key; " + std::string(option)), code) << option;
}

TEST(Grant, OneWhoseTimeIsOverGivesNothing) {
  const Grant grants[] = {*Grant::Parse("secret:key; until=2026-01-01T00:00:00Z")};
  const Request requests[] = {{grants[0].capability, Need::kRequired, "", {}}};
  const Timestamp end = *grants[0].limits.until;
  const auto at = [&](Timestamp now) {
    return *Authority::Evaluate(requests, grants, Ceiling::Default(), LinkMode::kLenient, {}, now);
  };
  EXPECT_TRUE(at(end - std::chrono::seconds(1)).CheckRequired());
  const Error error = at(end).CheckRequired().error();
  EXPECT_EQ(error.code, Code::kDenied);
  EXPECT_EQ(error.causes[0].Detail("rule"), "limit:until");
  EXPECT_EQ(error.remedy, "grant what is missing: --grant 'secret:key'");
}

TEST(GrantsFile, ErrorsSayWhere) {
  const Error error = ErrorOf(OneSet("granted:\n  - env:A\n  - env:1\n"));
  EXPECT_EQ(error.code, Code::kName);
  ASSERT_TRUE(error.place);
  EXPECT_EQ(error.place->line, 6u);
  EXPECT_EQ(ErrorOf("plugin: acme/x").code, Code::kMissing);
  EXPECT_EQ(ErrorOf("plugin: Acme\nartifact: " + kA).code, Code::kName);
  EXPECT_EQ(ErrorOf("plugin: acme/x\nartifact: sha256:zz").code, Code::kDigest);
  EXPECT_EQ(ErrorOf(OneSet("granted: env:A")).code, Code::kType);
  EXPECT_EQ(ErrorOf(OneSet("deny: [files]")).code, Code::kInvalid);
  const std::string digest = ", digest: \"" + Digest::Of("x").ToString() + "\"";
  const auto pin = [](const std::string& fields) { return OneSet("programs: {git: {" + fields + "}}"); };
  EXPECT_TRUE(GrantBook::Parse(pin("path: /usr/bin/git, inode: \"1:2\"" + digest), "g").has_value());
  EXPECT_EQ(ErrorOf(pin("path: /usr/bin/git" + digest)).code, Code::kMissing);
  EXPECT_EQ(ErrorOf(pin("path: git, inode: \"1:2\"" + digest)).code, Code::kInvalid);
  EXPECT_EQ(ErrorOf(pin("path: /usr/bin/git, inode: \"1\"" + digest)).code, Code::kInvalid);
  EXPECT_EQ(ErrorOf(pin("path: /usr/bin/git, inode: \"1:2\", digest: x")).code, Code::kDigest);
  EXPECT_EQ(ErrorOf(pin("path: /usr/bin/git, inode: \"1:2\", hash: x")).code, Code::kUnknownKey);
  EXPECT_EQ(ErrorOf(OneSet("programs: {/usr/bin/git: {}}")).code, Code::kName);
  EXPECT_EQ(ErrorOf(OneSet("roots: {workspace: ~/x}")).code, Code::kGrantForbidden);
  const std::string item = "  - {plugin: a/b, artifact: '" + kA + "'}\n";
  EXPECT_EQ(ErrorOf("grants:\n" + item + item).code, Code::kDuplicateKey);
  EXPECT_EQ(ErrorOf("grants: []\nplugin: a/b").code, Code::kInvalid);
  EXPECT_EQ(ErrorOf("[]").code, Code::kType);
  EXPECT_TRUE(GrantBook::Parse("", "grants.yaml")->sets().empty());
}

TEST(attack_29, MisspelledKeyOfGrantsIsUnknown) {
  const Error error = ErrorOf(OneSet("grantd: [env:A]"));
  EXPECT_EQ(error.code, Code::kUnknownKey);
  EXPECT_EQ(error.remedy, "did you mean 'granted'?");
  EXPECT_EQ(error.place->line, 4u);
}

TEST(attack_30, DuplicateKeyOfGrantsIsRefused) {
  EXPECT_EQ(ErrorOf(OneSet("granted: [env:A]\ngranted: [env:B]")).code, Code::kDuplicateKey);
}

TEST(attack_37, AbsentEmptyAndNullGrantNothing) {
  for (const char* text : {"", "granted: []", "granted: null", "granted:", "granted: ~", "roots: {}\ndeny: []"}) {
    const auto book = GrantBook::Parse(OneSet(text), "grants.yaml");
    ASSERT_TRUE(book) << text << ": " << book.error().message;
    EXPECT_TRUE(book->sets()[0].granted.empty());
    const Request asked[] = {{*Capability::Parse("env:A"), Need::kOptional, ""}};
    const auto authority = Authority::Compute(asked, book->sets()[0].granted, Ceiling::Default(), LinkMode::kLenient);
    EXPECT_FALSE(authority->Allows(Kind::kEnvironment));
  }
}

TEST(GrantsFile, TheSchemaIsJson) {
  const Json schema = Json::parse(GrantsSchemaText(), nullptr, false);
  ASSERT_FALSE(schema.is_discarded());
  EXPECT_EQ(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

}  // namespace
}  // namespace cordon::policy
