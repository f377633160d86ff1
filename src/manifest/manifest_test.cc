#include "manifest/manifest.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <map>

#include "manifest/name.h"
#include "manifest/refs.h"

namespace cordon::manifest {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHead =
    "manifest: 1\nname: acme/linkcheck\nversion: 1.4.0\n"
    "runtime: { abi: component, artifact: dist/linkcheck.wasm }\n";

using Files = std::map<std::string, std::string>;

Result<Manifest> Parse(std::string_view extra, const Files& files = {}) {
  return ParseManifest(std::string(kHead) + std::string(extra), "plugin.yaml",
                       [&](const std::string& path) -> Result<std::string> {
                         const auto found = files.find(path);
                         if (found == files.end()) return Fail(Code::kNotFound, "no file " + path);
                         return found->second;
                       });
}

Code CodeOf(const Result<Manifest>& manifest) { return manifest ? Code::kInternal : manifest.error().code; }

// A folder of its own under the temporary one, removed afterwards.
class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "cordon-manifest-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path_); }
  fs::path Write(const fs::path& name, std::string_view text) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << text;
    return path_ / name;
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

TEST(Manifest, AnActionOfACommandSaysHowItIsRun) {
  const std::string text =
      "manifest: 1\nname: acme/words\nversion: 1.0.0\nruntime: { abi: command, artifact: words.wasm }\n"
      "actions:\n  count:\n    command:\n"
      "      args: [count, { input: path }, { flag: --max=, input: max }]\n"
      "      stdin: { input: text }\n      output: lines\n"
      "  all: { command: { stdin: json, output: json } }\n  plain: {}\n";
  const auto none = [](const std::string&) -> Result<std::string> { return Fail(Code::kNotFound, "none"); };
  const Result<Manifest> manifest = ParseManifest(text, "plugin.yaml", none);
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(AbiName(manifest->runtime.abi), "command");
  const CommandShape& count = manifest->actions.at("count").command;
  ASSERT_EQ(count.arguments.size(), 3u);
  EXPECT_EQ(count.arguments[0].text + "|" + count.arguments[0].input, "count|");
  EXPECT_EQ(count.arguments[1].text + "|" + count.arguments[1].input, "|path");
  EXPECT_EQ(count.arguments[2].text + "|" + count.arguments[2].input, "--max=|max");
  EXPECT_EQ(count.standard_input, CommandShape::Stdin::kProperty);
  EXPECT_EQ(count.stdin_property, "text");
  EXPECT_EQ(count.output, CommandShape::Output::kLines);
  const CommandShape& all = manifest->actions.at("all").command;
  EXPECT_EQ(all.standard_input, CommandShape::Stdin::kJson);
  EXPECT_EQ(all.output, CommandShape::Output::kJson);
  const CommandShape& plain = manifest->actions.at("plain").command;
  EXPECT_TRUE(plain.arguments.empty());
  EXPECT_EQ(plain.standard_input, CommandShape::Stdin::kNone);
  EXPECT_EQ(plain.output, CommandShape::Output::kText);
  // Who grants, grants this mapping.
  const auto digest = CanonicalDigest(*manifest);
  const Result<Manifest> other =
      ParseManifest(text.substr(0, text.find("output: lines")) + "output: text\n", "plugin.yaml", none);
  ASSERT_TRUE(other);
  EXPECT_NE(CanonicalDigest(*other), digest);
}

TEST(Manifest, KeepsWhatIsWritten) {
  const Result<Manifest> manifest = Parse(
      "description: Finds dead links.\nlicense: Apache-2.0\nauthors: [A, B]\n"
      "requires: { cordon: '>=0.1 <2' }\n"
      "actions:\n  check: { export: 'acme:linkcheck/checker#check', timeout: 5s, idempotent: true, risk: high }\n"
      "  other: {}\n"
      "limits: { memory: 64MiB, timeout: 2s, cpu: 500ms, fuel: 5000000 }\nlink: strict\n");
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->name, "acme/linkcheck");
  EXPECT_EQ(manifest->version, "1.4.0");
  EXPECT_EQ(manifest->runtime.abi, Abi::kComponent);
  EXPECT_EQ(manifest->runtime.artifact, "dist/linkcheck.wasm");
  EXPECT_EQ(manifest->authors, (std::vector<std::string>{"A", "B"}));
  const Action& check = manifest->actions.at("check");
  EXPECT_EQ(check.export_name, "acme:linkcheck/checker#check");
  EXPECT_EQ(check.timeout, Duration(std::chrono::seconds(5)));
  EXPECT_TRUE(check.idempotent);
  EXPECT_EQ(check.risk, policy::RiskLevel::kHigh);
  EXPECT_EQ(manifest->actions.at("other").export_name, "other");
  EXPECT_EQ(manifest->limits.memory, MiB(64));
  EXPECT_EQ(manifest->limits.cpu, Duration(std::chrono::milliseconds(500)));
  EXPECT_EQ(manifest->limits.fuel, 5'000'000u);
  EXPECT_EQ(manifest->link, policy::LinkMode::kStrict);
}

TEST(Manifest, PermissionsBecomeRequestsInOrder) {
  const Result<Manifest> manifest = Parse(
      "permissions:\n"
      "  required:\n"
      "    - files: { mount: /data, from: workspace/data, access: write }\n"
      "      reason: To keep the index.\n"
      "    - http: { url: 'https://*.example.org/*', methods: [HEAD, GET] }\n"
      "  optional:\n"
      "    - environment: [LANG, TOKEN]\n"
      "    - clocks: fine\n"
      "    - random: none\n"
      "    - arguments: true\n");
  ASSERT_TRUE(manifest) << manifest.error().message;
  std::vector<std::string> texts;
  for (const policy::Request& request : manifest->permissions) texts.push_back(request.capability.ToString());
  EXPECT_EQ(texts, (std::vector<std::string>{"fs:write:/data=workspace/data", "http:GET,HEAD:https://*.example.org/*",
                                             "env:LANG", "env:TOKEN", "clock:fine", "args"}));
  EXPECT_EQ(manifest->permissions[0].reason, "To keep the index.");
  EXPECT_EQ(manifest->permissions[1].reason, "");
  EXPECT_EQ(manifest->permissions[1].need, policy::Need::kRequired);
  EXPECT_EQ(manifest->permissions[2].need, policy::Need::kOptional);
  EXPECT_EQ(manifest->withdrawn, std::vector<policy::Kind>{policy::Kind::kRandom});
}

TEST(Manifest, EveryKindOfPermissionIsRead) {
  const Result<Manifest> manifest = Parse(
      "permissions:\n"
      "  optional:\n"
      "    - sockets: { connect: 'tcp://db.internal:5432', listen: 'tcp://127.0.0.1:8080' }\n"
      "    - secrets: [api-key]\n"
      "    - config: true\n"
      "    - exec: { program: git, args: [log, --oneline, { pattern: '[0-9a-f]{7,40}' }] }\n"
      "    - storage: { bucket: cache, access: write }\n"
      "    - memory: { access: recall, scope: session }\n"
      "    - messaging: { channel: alerts, access: send }\n"
      "    - call: acme/geocode#lookup\n"
      "    - context: [session, user]\n"
      "    - stdio: true\n"
      "    - log: true\n");
  ASSERT_TRUE(manifest) << manifest.error().message;
  std::vector<std::string> texts;
  for (const policy::Request& request : manifest->permissions) texts.push_back(request.capability.ToString());
  EXPECT_EQ(texts, (std::vector<std::string>{"net:tcp:db.internal:5432", "net:listen-tcp:127.0.0.1:8080",
                                             "secret:api-key", "config", "exec:git log --oneline <re:[0-9a-f]{7,40}>",
                                             "kv:write:cache", "memory:recall:session", "msg:send:alerts",
                                             "call:acme/geocode#lookup", "ctx:session", "ctx:user", "stdio", "log"}));
}

TEST(Manifest, AllErrorsOfAFileAreReportedInItsOrder) {
  const Result<Manifest> manifest = Parse("descripton: x\nlimits:\n  memory: 64\n  fuel: 0\nlicense: 5\n");
  ASSERT_FALSE(manifest);
  const Error& error = manifest.error();
  EXPECT_EQ(error.code, Code::kUnknownKey);
  EXPECT_EQ(error.Detail("suggestion"), "description");
  ASSERT_EQ(error.causes.size(), 3u);
  EXPECT_EQ(error.causes[0].code, Code::kType);
  EXPECT_EQ(error.causes[1].code, Code::kRange);
  EXPECT_EQ(error.causes[2].code, Code::kType);
  EXPECT_EQ(error.causes[2].place->line, 9u);
  EXPECT_EQ(error.causes[2].place->excerpt, "license: 5");
}

TEST(Manifest, ErrorsOfAFileAreBounded) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "unknown" + std::to_string(i) + ": 1\n";
  const Result<Manifest> manifest = Parse(text);
  ASSERT_FALSE(manifest);
  EXPECT_EQ(manifest.error().causes.size(), kErrorsMax - 1);
}

TEST(Manifest, AFileOfAnotherProgramSaysHowToImportIt) {
  const Result<Manifest> manifest =
      ParseManifest("name: x\nnamespace: acme\nactions: [{ name: a }]\n", "plugin.yaml", {});
  ASSERT_FALSE(manifest);
  EXPECT_EQ(manifest.error().code, Code::kMissing);
  EXPECT_NE(manifest.error().remedy.find("cordon plugin import"), std::string::npos);
}

TEST(ManifestRefs, ASchemaFileTakesThePlaceOfItsReference) {
  const Result<Manifest> manifest = Parse(
      "actions: { check: { input: { $ref: ./schemas/in.json } } }\n",
      {{"schemas/in.json", R"({"type":"object","properties":{"link":{"$ref":"./link.json"}}})"},
       {"schemas/link.json", R"({"$id":"https://x.example/","$defs":{"u":{"type":"string"}},"$ref":"#/$defs/u"})"}});
  ASSERT_TRUE(manifest) << manifest.error().message;
  const Json expected = Json::parse(R"({"type":"object","properties":{"link":
      {"$defs":{"u":{"type":"string"}},"$ref":"#/properties/link/$defs/u"}}})");
  EXPECT_EQ(manifest->actions.at("check").input, expected);
  EXPECT_EQ(manifest->canonical["actions"]["check"]["input"], expected);
}

TEST(ManifestRefs, ValuesThatLookLikeReferencesAreLeftAlone) {
  const Result<Manifest> manifest = Parse(
      "actions: { check: { input: { const: { $ref: ./secret.json }, properties: { $ref: { type: string } } } } }\n");
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->actions.at("check").input->dump(),
            R"({"const":{"$ref":"./secret.json"},"properties":{"$ref":{"type":"string"}}})");
}

TEST(ManifestRefs, NoReferenceLeavesTheFolder) {
  const Files files = {{"in.json", R"({"$ref":"../../etc/passwd"})"}, {"etc/passwd", "{}"}, {"../x.json", "{}"}};
  for (const char* target : {"../x.json", "/etc/passwd", "./a/../../x.json", "in.json", "https://example.org/s.json",
                             "file:///etc/passwd", "a\\\\b.json", "C:/x.json", "./in.json#/x", "//host/x.json"}) {
    const Result<Manifest> manifest =
        Parse("actions: { check: { input: { $ref: \"" + std::string(target) + "\" } } }\n", files);
    EXPECT_EQ(CodeOf(manifest), Code::kInvalid) << target;
  }
}

TEST(ManifestRefs, AReferenceStandsAlone) {
  const Result<Manifest> manifest =
      Parse("actions: { check: { input: { $ref: ./in.json, type: object } } }\n", {{"in.json", "{}"}});
  EXPECT_EQ(CodeOf(manifest), Code::kInvalid);
}

TEST(ManifestRefs, ASchemaThatReachesItselfIsRefused) {
  const Result<Manifest> manifest =
      Parse("actions: { check: { input: { $ref: ./a.json } } }\n",
            {{"a.json", R"({"items":{"$ref":"b.json"}})"}, {"b.json", R"({"items":{"$ref":"./a.json"}})"}});
  EXPECT_EQ(CodeOf(manifest), Code::kInvalid);
}

TEST(ManifestRefs, ManySmallReferencesDoNotAddUp) {
  Files files;
  for (int i = 0; i < 7; ++i) {
    const std::string next = "{\"$ref\":\"" + std::to_string(i + 1) + ".json\"}";
    files[std::to_string(i) + ".json"] = "{\"allOf\":[" + next + "," + next + "," + next + "]}";
  }
  files["7.json"] = "{}";
  EXPECT_EQ(CodeOf(Parse("actions: { check: { input: { $ref: 0.json } } }\n", files)), Code::kLimit);
  const std::string large = R"({"description":")" + std::string(kSchemaBytesMax, 'x') + R"("})";
  EXPECT_EQ(CodeOf(Parse("actions: { check: { input: { $ref: a.json } } }\n", {{"a.json", large}})), Code::kLimit);
}

TEST(ManifestRefs, AnErrorInASchemaFileHasItsPlace) {
  const Result<Manifest> manifest =
      Parse("actions: { check: { input: { $ref: ./in.json } } }\n", {{"in.json", "{\n  \"type\": object\n}"}});
  ASSERT_EQ(CodeOf(manifest), Code::kSyntax);
  EXPECT_EQ(manifest.error().place->file, "in.json");
  EXPECT_EQ(manifest.error().place->line, 2u);
}

TEST(ManifestRefs, ASchemaThatMeansNothingIsRefused) {
  EXPECT_FALSE(Parse("actions: { check: { input: { type: objekt } } }\n"));
}

TEST(CanonicalManifest, DoesNotDependOnSpellingOrDigest) {
  const auto parse = [](std::string_view text) {
    return ParseManifest(text, "plugin.yaml",
                         [](const std::string&) { return Result<std::string>("{\"type\":\"object\"}"); });
  };
  const std::string digest = "sha256:" + std::string(64, 'a');
  const auto a = parse(
      "manifest: 1\nname: x\nversion: 1.0.0\nruntime: { abi: core, artifact: x.wasm }\n"
      "actions: { run: { input: { $ref: ./in.json } } }\n");
  const auto b = parse("# a comment\nversion: \"1.0.0\"\nname: local/x\nmanifest: 1\nruntime:\n  digest: " + digest +
                       "\n  artifact: x.wasm\n  abi: core\nactions: { run: { input: { type: object } } }\n");
  ASSERT_TRUE(a && b);
  EXPECT_EQ(CanonicalText(*a), CanonicalText(*b));
  EXPECT_EQ(CanonicalDigest(*a), CanonicalDigest(*b));
  EXPECT_EQ(CanonicalText(*a), R"({"actions":{"run":{"input":{"type":"object"}}},"manifest":1,"name":"local/x",)"
                               R"("runtime":{"abi":"core","artifact":"x.wasm"},"version":"1.0.0"})");
  const auto again = parse(CanonicalText(*a));
  ASSERT_TRUE(again);
  EXPECT_EQ(CanonicalText(*again), CanonicalText(*a));
}

TEST(CanonicalManifest, ChangesWithWhatAReferenceNames) {
  const std::string action = "actions: { check: { input: { $ref: ./in.json } } }\n";
  const auto a = Parse(action, {{"in.json", R"({"type":"object"})"}});
  const auto b = Parse(action, {{"in.json", R"({"type":"string"})"}});
  ASSERT_TRUE(a && b);
  EXPECT_NE(CanonicalDigest(*a), CanonicalDigest(*b));
}

TEST(LoadManifest, ReadsAFolderOrTheFile) {
  const Folder folder;
  folder.Write("plugin.yaml", std::string(kHead) + "actions: { check: { input: { $ref: ./schemas/in.json } } }\n");
  folder.Write("schemas/in.json", R"({"type":"object"})");
  for (const fs::path& path : {folder.path(), folder.path() / "plugin.yaml"}) {
    const Result<Manifest> manifest = LoadManifest(path);
    ASSERT_TRUE(manifest) << manifest.error().message;
    EXPECT_EQ(manifest->ArtifactPath(), folder.path() / "dist/linkcheck.wasm");
    EXPECT_EQ(manifest->actions.at("check").input->dump(), R"({"type":"object"})");
  }
}

TEST(LoadManifest, NothingThereSaysWhatToName) {
  const Folder folder;
  const Result<Manifest> manifest = LoadManifest(folder.path());
  EXPECT_EQ(CodeOf(manifest), Code::kNotFound);
  EXPECT_FALSE(manifest.error().remedy.empty());
}

TEST(LoadManifest, NoSymbolicLinkLeavesTheFolder) {
  const Folder outside;
  outside.Write("in.json", "{}");
  const Folder folder;
  folder.Write("plugin.yaml", std::string(kHead) + "actions: { check: { input: { $ref: ./s/in.json } } }\n");
  fs::create_directory_symlink(outside.path(), folder.path() / "s");
  EXPECT_EQ(CodeOf(LoadManifest(folder.path())), Code::kNotRegular);
  fs::remove(folder.path() / "s");
  fs::create_directory(folder.path() / "s");
  fs::create_symlink(outside.path() / "in.json", folder.path() / "s/in.json");
  EXPECT_EQ(CodeOf(LoadManifest(folder.path())), Code::kNotRegular);
}

TEST(LoadManifest, TheDigestBesideTheArtifactIsRead) {
  const Folder folder;
  folder.Write("plugin.yaml", kHead);
  const std::string hex(64, 'a');
  folder.Write("dist/linkcheck.wasm.sha256", hex + "  linkcheck.wasm\n");
  const Result<Manifest> manifest = LoadManifest(folder.path());
  ASSERT_TRUE(manifest) << manifest.error().message;
  ASSERT_TRUE(manifest->runtime.digest);
  EXPECT_EQ(manifest->runtime.digest->Hex(), hex);
  folder.Write("dist/linkcheck.wasm.sha256", "none\n");
  EXPECT_EQ(CodeOf(LoadManifest(folder.path())), Code::kDigest);
}

TEST(LoadManifest, TwoDigestsMustAgree) {
  const Folder folder;
  folder.Write("plugin.yaml",
               "manifest: 1\nname: x\nversion: 1.0.0\nruntime: { abi: core, artifact: x.wasm, digest: 'sha256:" +
                   std::string(64, 'a') + "' }\n");
  folder.Write("x.wasm.sha256", "sha256:" + std::string(64, 'b') + "\n");
  EXPECT_EQ(CodeOf(LoadManifest(folder.path())), Code::kDigest);
}

TEST(Names, ABareNameIsLocal) {
  EXPECT_EQ(ParsePluginName("linkcheck"), "local/linkcheck");
  EXPECT_EQ(ParsePluginName("0/9"), "0/9");
  EXPECT_EQ(ParsePluginName(std::string(64, 'a') + "/b"), std::string(64, 'a') + "/b");
  EXPECT_FALSE(ParsePluginName(std::string(65, 'a')));
}

TEST(Manifest, WhatKeepsAResidentAlive) {
  const auto parsed = [](const std::string& lifecycle) {
    return ParseManifest(
        "manifest: 1\nname: a/b\nversion: 1.0.0\n"
        "runtime: { abi: component, artifact: x.wasm, instance: resident }\n" +
            lifecycle,
        "plugin.yaml", {});
  };
  const auto plain = parsed("");
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_EQ(plain->runtime.instance, InstancePolicy::kResident);
  EXPECT_EQ(plain->lifecycle.restart, RestartPolicy::kOnFailure);
  EXPECT_EQ(plain->lifecycle.on_failure, Degradation::kClosed);
  EXPECT_EQ(plain->lifecycle.drain, std::chrono::seconds(5));
  EXPECT_FALSE(plain->lifecycle.liveness);
  EXPECT_FALSE(plain->lifecycle.snapshot);
  // It asks for what it is.
  ASSERT_EQ(plain->permissions.size(), 1u);
  EXPECT_EQ(plain->permissions[0].capability.ToString(), "instance:resident");
  EXPECT_EQ(plain->permissions[0].need, policy::Need::kRequired);
  const auto full = parsed(
      "lifecycle: { restart: always, liveness: { every: 500ms }, on-failure: last-good, drain: 7s,"
      " state: { snapshot: 30s } }\n");
  ASSERT_TRUE(full) << full.error().message;
  EXPECT_EQ(full->lifecycle.restart, RestartPolicy::kAlways);
  EXPECT_EQ(full->lifecycle.on_failure, Degradation::kLastGood);
  EXPECT_EQ(full->lifecycle.drain, std::chrono::seconds(7));
  EXPECT_EQ(full->lifecycle.liveness->every, std::chrono::milliseconds(500));
  // No probe takes longer than it is until the next one.
  EXPECT_EQ(full->lifecycle.liveness->timeout, std::chrono::milliseconds(500));
  EXPECT_EQ(full->lifecycle.snapshot, std::chrono::seconds(30));
}

}  // namespace
}  // namespace cordon::manifest
