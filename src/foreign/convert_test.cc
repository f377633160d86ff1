#include "foreign/convert.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace cordon::foreign {
namespace {

Imported Of(const std::string& text, const std::string& file = "m.json") {
  auto imported = Convert(text, file);
  EXPECT_TRUE(imported) << imported.error().message;
  return imported ? std::move(*imported) : Imported{};
}

std::string FateOf(const Imported& imported, std::string_view from) {
  for (const Finding& one : imported.findings) {
    if (one.from == from) return std::string(FateName(one.fate));
  }
  return "not reported";
}

Code CodeOf(const std::string& text, const std::string& file = "m.json") {
  const auto imported = Convert(text, file);
  return imported ? Code::kInternal : imported.error().code;
}

bool Grants(const Imported& imported, const std::string& text) {
  return std::ranges::find(imported.grants, text) != imported.grants.end();
}

constexpr const char* kAll = "http:DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT:";

TEST(Extism, WhatAHostAllowsIsGranted) {
  const Imported made = Of(R"({
    "wasm": [{"path": "lib.wasm", "name": "lib", "hash": ")" +
                           std::string(64, 'a') + R"("}, {"path": "count.wasm"}],
    "memory": {"max_pages": 16, "max_http_response_bytes": 1024, "max_var_bytes": 2048},
    "allowed_hosts": ["api.example.com", "*.example.org", "*", "a.*.com", "evil.com/path", ""],
    "allowed_paths": {"/srv/data": "/data", "ro:/srv/docs": "/docs"},
    "config": {"key": "value"}, "timeout_ms": 500, "surprise": 1})");
  EXPECT_EQ(made.origin, "extism");
  EXPECT_EQ(made.manifest["runtime"]["abi"], "extism");
  EXPECT_EQ(made.artifact, "count.wasm");
  EXPECT_EQ(made.manifest["runtime"]["modules"][0]["name"], "lib");
  EXPECT_EQ(made.manifest["limits"]["memory"], "1MiB");
  EXPECT_EQ(made.manifest["limits"]["timeout"], "500ms");
  EXPECT_TRUE(Grants(made, std::string(kAll) + "https://api.example.com/*"));
  EXPECT_TRUE(Grants(made, std::string(kAll) + "http://*.example.org/*"));
  for (const char* host : {"allowed_hosts[2]", "allowed_hosts[3]", "allowed_hosts[4]", "allowed_hosts[5]"}) {
    EXPECT_EQ(FateOf(made, host), "lost") << host;
  }
  EXPECT_TRUE(Grants(made, "fs:write:/data=path-1"));
  EXPECT_TRUE(Grants(made, "fs:read:/docs=path-2"));
  EXPECT_EQ(made.roots.at("path-2"), "/srv/docs");
  EXPECT_EQ(made.manifest["config"]["properties"]["key"]["default"], "value");
  EXPECT_EQ(FateOf(made, "surprise"), "lost");
}

TEST(Extism, AnAbsentOrEmptyListGrantsNothing) {
  for (const char* hosts : {"", R"(, "allowed_hosts": null)", R"(, "allowed_hosts": [])"}) {
    EXPECT_TRUE(Of(R"({"wasm": [{"path": "a.wasm"}])" + std::string(hosts) + "}").grants.empty()) << hosts;
  }
}

TEST(Extism, AModuleInTheManifestIsWritten) {
  EXPECT_EQ(Of(R"({"wasm": [{"data": "AGFzbQEAAAA="}]})").artifact_bytes, std::string("\0asm\1\0\0\0", 8));
  EXPECT_EQ(CodeOf(R"({"wasm": [{"data": "!!"}]})"), Code::kInvalid);
  EXPECT_EQ(FateOf(Of(R"({"wasm": [{"url": "https://example.com/a.wasm"}]})"), "wasm[0].url"), "lost");
}

TEST(Extism, TomlIsTheSame) {
  const Imported made = Of("allowed_hosts = [\"api.example.com\"]\n[[wasm]]\npath = \"a.wasm\"\n", "m.toml");
  EXPECT_EQ(made.grants.size(), 2u);
}

TEST(Fledge, ItsAuthorAsksAndGrantsNothing) {
  const Imported made = Of(R"([plugin]
name = "Hello_World"
version = "1.2.0"
runtime = "wasm"
protocol = "fledge-v1"
[[commands]]
name = "greet"
description = "says hello"
binary = "hello.wasm"
[hooks]
build = "make"
[capabilities]
exec = true
store = true
metadata = true
network = true
filesystem = "project"
)",
                           "plugin.toml");
  EXPECT_EQ(made.origin, "fledge");
  EXPECT_EQ(made.manifest["name"], "local/hello-world");
  EXPECT_EQ(made.manifest["runtime"]["abi"], "fledge");
  EXPECT_EQ(made.manifest["provides"]["commands"]["greet"], "greet");
  EXPECT_TRUE(made.grants.empty());
  EXPECT_EQ(made.manifest["permissions"]["required"].size(), 3u);
  EXPECT_EQ(FateOf(made, "capabilities.metadata"), "carried");
  for (const char* lost : {"hooks.build", "capabilities.exec", "capabilities.network"}) {
    EXPECT_EQ(FateOf(made, lost), "lost") << lost;
  }
  EXPECT_EQ(CodeOf("[plugin]\nruntime = \"wasm\"\n[capabilities]\nfilesystem = \"all\"\n", "plugin.toml"),
            Code::kInvalid);
  EXPECT_EQ(CodeOf("[plugin]\n[capabilities]\nexec = \"yes\"\n", "plugin.toml"), Code::kType);
}

TEST(Zeroclaw, BothForms) {
  const Imported later = Of(R"(name = "weather"
version = "0.1.0"
wasm_path = "weather.wasm"
capabilities = ["tool", "observer"]
permissions = ["http_client", "file_read", "memory_read", "root"]
signature = "x"
[config_schema]
type = "object"
)",
                            "manifest.toml");
  EXPECT_EQ(later.manifest["runtime"]["abi"], "component");
  EXPECT_EQ(FateOf(later, "capabilities[1]"), "lost");
  EXPECT_EQ(FateOf(later, "permissions[0]"), "lost");
  EXPECT_EQ(FateOf(later, "permissions[1]"), "carried");
  EXPECT_EQ(FateOf(later, "permissions[3]"), "lost");
  EXPECT_EQ(FateOf(later, "signature"), "lost");
  const Imported earlier = Of(R"(name = "multi"
version = "0.1.0"
wasm_path = "multi.wasm"
allowed_hosts = ["api.example.com"]
[[tools]]
name = "look_up"
export = "tool_lookup"
risk_level = "high"
[host_capabilities]
memory = { read = true }
context = true
messaging = { allowed_channels = ["alerts"] }
teleport = true
[capabilities.cli]
allowed_commands = ["jq", "bash"]
[config]
api_key = { sensitive = true }
)",
                              "manifest.toml");
  EXPECT_EQ(earlier.manifest["runtime"]["abi"], "extism");
  EXPECT_EQ(earlier.manifest["actions"]["look-up"]["export"], "tool_lookup");
  EXPECT_EQ(earlier.manifest["actions"]["look-up"]["risk"], "high");
  EXPECT_EQ(earlier.manifest["provides"]["tools"][0], "look-up");
  EXPECT_EQ(earlier.manifest["config"]["properties"]["api_key"]["x-secret"], true);
  EXPECT_EQ(FateOf(earlier, "host_capabilities.teleport"), "lost");
  EXPECT_EQ(FateOf(earlier, "capabilities.cli.allowed_commands[0]"), "narrowed");
  EXPECT_EQ(FateOf(earlier, "capabilities.cli.allowed_commands[1]"), "lost");  // it runs others
  EXPECT_TRUE(earlier.grants.empty());
}

TEST(Zeroclaw, HostCapabilitiesAreRequestsByName) {
  const Imported made = Of(R"(name = "multi"
version = "0.1.0"
[[tools]]
name = "x"
[host_capabilities.memory]
write = true
[host_capabilities.tool_delegation]
allowed_tools = ["acme/geo#lookup", "geo", "*"]
[host_capabilities.messaging]
allowed_channels = ["alerts", "*"]
rate_limit_per_minute = 60
[host_capabilities.cli]
allowed_commands = ["jq", "wc"]
allowed_args = ["-c", "-l", "*"]
allowed_env = ["LD_PRELOAD"]
timeout_ms = 5000
rate_limit_per_minute = 10
)",
                           "manifest.toml");
  std::vector<std::string> asked;
  for (const OrderedJson& one : made.manifest["permissions"]["optional"]) asked.push_back(one.dump());
  std::ranges::sort(asked);
  EXPECT_EQ(asked, (std::vector<std::string>{
                       R"({"call":"acme/geo#lookup"})",
                       R"({"exec":{"program":"jq","args":[]}})",
                       R"({"exec":{"program":"jq","args":[{"enum":["-c","-l"]}]}})",
                       R"({"exec":{"program":"wc","args":[]}})",
                       R"({"exec":{"program":"wc","args":[{"enum":["-c","-l"]}]}})",
                       R"({"memory":{"access":"forget","scope":"agent"}})",
                       R"({"memory":{"access":"store","scope":"agent"}})",
                       R"({"messaging":{"channel":"alerts","access":"send"}})",
                   }));
  for (const char* lost : {"tool_delegation.allowed_tools[1]", "tool_delegation.allowed_tools[2]",
                           "messaging.allowed_channels[1]", "messaging.rate_limit_per_minute", "cli.allowed_args[2]",
                           "cli.allowed_env", "cli.timeout_ms", "cli.rate_limit_per_minute"}) {
    EXPECT_EQ(FateOf(made, "host_capabilities." + std::string(lost)), "lost") << lost;
  }
}

TEST(Nexus, AnEmptyListMeansNothingHere) {
  const Imported made = Of(R"({"name": "n", "version": "1.0.0", "tools": ["sum"], "commands": ["math.sum"],
    "hooks": ["*"], "capabilities": {"required": ["tool:*", "tool:acme/geo#lookup"], "optional": ["secret:key"]}})");
  EXPECT_EQ(made.manifest["provides"]["tools"][0], "sum");
  EXPECT_EQ(made.manifest["provides"]["commands"]["math.sum"], "math-sum");
  EXPECT_EQ(FateOf(made, "services"), "narrowed");
  EXPECT_EQ(FateOf(made, "hooks[0]"), "lost");
  EXPECT_EQ(FateOf(made, "capabilities.required[0]"), "lost");
  EXPECT_EQ(made.manifest["permissions"]["required"][0]["call"], "acme/geo#lookup");
  EXPECT_EQ(made.manifest["permissions"]["optional"][0]["secrets"][0], "key");
}

TEST(Autokestra, AListOfUrls) {
  const Imported made = Of(R"(namespace: flows
name: fetch
version: 2.0.0
actions:
  - name: get
    description: gets
permissions:
  network: ["https://api.example.com/v1/", "http://*"]
  gpu: true
)",
                           "plugin.yaml");
  EXPECT_EQ(made.origin, "autokestra");
  EXPECT_EQ(made.manifest["name"], "flows/fetch");
  EXPECT_EQ(made.manifest["permissions"]["required"][0]["http"]["url"], "https://api.example.com/v1/*");
  EXPECT_EQ(FateOf(made, "permissions.network[1]"), "lost");
  EXPECT_EQ(FateOf(made, "permissions.gpu"), "lost");
}

TEST(Wassette, WhatADenialTouchesIsNotAllowed) {
  const Imported made = Of(R"(version: "1.0"
permissions:
  storage:
    allow:
      - {uri: "fs:///srv/data/**", access: [read, write]}
      - {uri: "fs:///srv/private/**", access: [read]}
      - {uri: "fs:///srv/*.txt", access: [read]}
    deny:
      - {uri: "fs:///srv/private/keys/**", access: [read]}
  network:
    allow: [{host: "api.example.com"}, {host: "evil.example.org"}, {cidr: "10.0.0.0/8"}]
    deny: [{host: "*.example.org"}]
  environment: {allow: [{key: TOKEN}]}
  resources: {limits: {cpu: "500m", memory: "512Mi"}}
  ipc: {allow: [{uri: "pipe://x"}]}
)",
                           "policy.yaml");
  EXPECT_EQ(made.origin, "wassette");
  EXPECT_TRUE(Grants(made, "fs:write:/srv/data=path-1"));
  EXPECT_EQ(made.roots.at("path-1"), "/srv/data");
  EXPECT_TRUE(Grants(made, std::string(kAll) + "https://api.example.com/*"));
  EXPECT_TRUE(Grants(made, "env:TOKEN"));
  EXPECT_EQ(made.manifest["limits"]["memory"], "512MiB");
  for (const char* lost :
       {"permissions.storage.allow[1]", "permissions.storage.allow[2]", "permissions.network.allow[1].host",
        "permissions.network.allow[2].cidr", "permissions.resources.limits.cpu", "permissions.ipc"}) {
    EXPECT_EQ(FateOf(made, lost), "lost") << lost;
  }
  EXPECT_EQ(made.grants.size(), 4u);
}

// However a denial is written, nothing that it means is allowed.
TEST(Wassette, ADenialIsFoundInEverySpelling) {
  for (const char* uri : {"fs:///srv//data/secret/**", "fs:///srv/./data/secret/**", "fs:///srv/x/../data/secret/**",
                          "fs:///srv/data/sec?et/**", "fs:///srv/**", "FS:///elsewhere"}) {
    const std::string text =
        "permissions:\n  storage:\n    allow: [{uri: \"fs:///srv/data/**\", access: [read]}]\n"
        "    deny: [{uri: \"" +
        std::string(uri) + "\", access: [read]}]\n";
    EXPECT_TRUE(Of(text, "p.yaml").grants.empty()) << uri;
  }
  for (const char* host :
       {"API.example.com", "api.example.com.", "api.example.com:80", "a*.example.com", "*.Example.com", "*"}) {
    const std::string text = "permissions:\n  network:\n    allow: [{host: api.example.com}]\n    deny: [{host: \"" +
                             std::string(host) + "\"}]\n";
    EXPECT_TRUE(Of(text, "p.yaml").grants.empty()) << host;
  }
}

TEST(Hostile, SourcesGetACodeAndNothingElse) {
  EXPECT_EQ(CodeOf("{"), Code::kSyntax);
  EXPECT_EQ(CodeOf("[1]"), Code::kInvalid);
  EXPECT_EQ(CodeOf("{}"), Code::kInvalid);
  EXPECT_EQ(CodeOf("x = [", "m.toml"), Code::kSyntax);
  EXPECT_EQ(CodeOf(std::string(200, '[') + std::string(200, ']')), Code::kLimit);
  EXPECT_NE(CodeOf("a = " + std::string(500, '[') + std::string(500, ']'), "m.toml"), Code::kInternal);
  EXPECT_EQ(CodeOf(R"({"wasm": "x"})"), Code::kInvalid);
  EXPECT_EQ(CodeOf(R"({"wasm": [1]})"), Code::kType);
  EXPECT_EQ(CodeOf(R"({"wasm": [], "timeout_ms": -1})"), Code::kRange);
  EXPECT_EQ(CodeOf(R"({"wasm": [], "memory": {"max_pages": 0}})"), Code::kRange);
  EXPECT_EQ(CodeOf(R"({"wasm": [], "allowed_paths": {"/x": 1}})"), Code::kType);
  // A key of YAML's own, a folder above, a host with a user: text that would be read as something else.
  const Imported made = Of(R"({"wasm": [], "allowed_hosts": ["a@b.com", "b.com#", "b.com\n  c: d"],
    "allowed_paths": {"/srv": "/data/../etc", "/srv2": "data"}, "config": {"no": "*x", "a: b": "- c\n---\n"}})");
  EXPECT_TRUE(std::ranges::all_of(made.grants, [](const std::string& text) { return text == "config"; }));
  const OrderedJson odd = {{"namespace", "x"}, {"no", "a\n: b"}, {"a: b", OrderedJson::array({"- c\n---"})}};
  const auto back = Convert(ToYaml(odd), "back.yaml");
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(FateOf(*back, "a: b"), "lost");
  EXPECT_EQ(FateOf(*back, "no"), "lost");
}

}  // namespace
}  // namespace cordon::foreign
