// manifest.toml of zeroclaw, in both of its forms. Its author writes it: it asks, and grants nothing.
#include <array>
#include <optional>

#include "base/text.h"
#include "foreign/convert.h"
#include "foreign/draft.h"
#include "foreign/walk.h"

namespace cordon::foreign {
namespace {

using Need = Draft::Need;
using Word = Draft::Word;
using policy::Access;

constexpr std::string_view kAnyHost = "any host is nothing that can be granted: name each under permissions";

Status Head(Walk& root, Draft& draft) {
  CORDON_ASSIGN(const auto name, root.Text("name"));
  if (name) draft.Name("name", *name);
  CORDON_ASSIGN(const auto version, root.Text("version"));
  if (version) draft.Version("version", *version);
  CORDON_ASSIGN(const auto description, root.Text("description"));
  if (description) draft.Describe("description", *description);
  CORDON_ASSIGN(const auto author, root.Text("author"));
  if (author) {
    draft.imported().manifest["authors"] = OrderedJson::array({*author});
    draft.Carried("author", "authors");
  }
  CORDON_ASSIGN(const auto wasm, root.Text("wasm_path"));
  if (wasm) draft.Artifact("wasm_path", *wasm);
  for (const char* key : {"signature", "publisher_key"}) {
    if (root.Take(key) != nullptr) draft.Lost(key, "a signature is of zeroclaw's own manifest: sign the package anew");
  }
  return {};
}

// The later form: words.
void Word1(std::string_view from, const std::string& word, Draft& draft) {
  if (word == "config_read") {
    draft.Permit(from, policy::MakeConfig(), Need::kRequired, Word::kAsked);
  } else if (word == "file_read" || word == "file_write") {
    draft.Folder(from, "/workspace", "workspace", word == "file_read" ? Access::kRead : Access::kWrite, {},
                 Word::kAsked);
  } else if (word == "memory_read") {
    draft.Permit(from, policy::MakeMemory("recall", "agent"), Need::kRequired, Word::kAsked);
  } else if (word == "memory_write") {
    for (const char* access : {"store", "forget"}) {
      draft.Permit(from, policy::MakeMemory(access, "agent"), Need::kRequired, Word::kAsked);
    }
  } else if (word == "http_client") {
    draft.Lost(from, kAnyHost);
  } else if (word == "websocket_client" || word == "socket_client") {
    draft.Lost(from, "name each address under permissions: sockets: { connect: \"tcp://HOST:PORT\" }");
  } else {
    draft.Lost(from, "there is no such permission");
  }
}

Status Later(Walk& root, Draft& draft, const std::string& name) {
  CORDON_ASSIGN(const auto roles, root.Texts("capabilities"));
  for (std::size_t i = 0; i < roles.size(); ++i) {
    const std::string from = "capabilities[" + std::to_string(i) + "]";
    if (roles[i] == "tool") {
      draft.Carried(from, "actions");
    } else if (roles[i] == "channel") {
      draft.Provide(from, "channels", OrderedJson(SlugOf(name)));
    } else if (roles[i] == "memory") {
      draft.Provide(from, "memory", OrderedJson(true));
    } else {
      draft.Lost(from, "there is no such role");
    }
  }
  CORDON_ASSIGN(const auto words, root.Texts("permissions"));
  for (std::size_t i = 0; i < words.size(); ++i) Word1("permissions[" + std::to_string(i) + "]", words[i], draft);
  if (const Json* schema = root.Take("config_schema"); schema != nullptr) {
    if (!schema->is_object()) return Fail(Code::kType, "'config_schema' is not a mapping");
    draft.Schema("config_schema", *schema);
  }
  return {};
}

Status Tools(Walk& root, Draft& draft) {
  CORDON_ASSIGN(std::vector<Walk> tools, root.Objects("tools"));
  for (Walk& tool : tools) {
    CORDON_ASSIGN(const auto name, tool.Text("name"));
    CORDON_ASSIGN(const auto description, tool.Text("description"));
    CORDON_ASSIGN(const auto called, tool.Text("export"));
    CORDON_ASSIGN(const auto risk, tool.Text("risk_level"));
    if (!name) {
      draft.Lost(tool.path(), "it has no name");
      continue;
    }
    const std::string action = draft.Action(tool.path(), *name, called.value_or(*name));
    if (action.empty()) continue;
    if (description) draft.ActionOf(action)["description"] = *description;
    if (risk && (*risk == "low" || *risk == "medium" || *risk == "high" || *risk == "critical")) {
      draft.ActionOf(action)["risk"] = *risk;
    } else if (risk) {
      draft.Lost(tool.PathOf("risk_level"), "'" + EscapeShort(*risk, 40) + "' is no risk level");
    }
    for (const char* key : {"parameters", "parameters_schema", "input_schema"}) {
      const Json* schema = tool.Take(key);
      if (schema != nullptr && schema->is_object()) draft.ActionOf(action)["input"] = OrderedJson(*schema);
    }
    draft.Provide(tool.path(), "tools", OrderedJson(action));
    tool.Finish(draft.findings());
  }
  return {};
}

// What one argument may be, of a list in which a star or a bar has a meaning of zeroclaw's own.
std::optional<policy::ExecArgument> OneOf(const Walk& cli, std::string_view key, const std::vector<std::string>& words,
                                          Draft& draft) {
  std::string choice;
  std::size_t count = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i].empty() || words[i].find_first_of("*?|") != std::string::npos) {
      draft.Lost(cli.PathOf(key) + "[" + std::to_string(i) + "]", "a pattern is spelled out under args");
      continue;
    }
    choice += (count++ == 0 ? "" : "|") + words[i];
  }
  if (count == 0) return std::nullopt;
  const auto form = count == 1 ? policy::ExecArgument::Form::kLiteral : policy::ExecArgument::Form::kOneOf;
  return policy::ExecArgument{form, choice};
}

Status Programs(Walk& cli, Draft& draft) {
  constexpr std::string_view kWhy = "without arguments: spell out under args which ones it may have";
  CORDON_ASSIGN(const auto words, cli.Texts("allowed_args"));
  const auto argument = OneOf(cli, "allowed_args", words, draft);
  for (const char* key : {"allowed_commands", "commands"}) {
    CORDON_ASSIGN(const auto programs, cli.Texts(key));
    for (std::size_t i = 0; i < programs.size(); ++i) {
      const std::string from = cli.PathOf(key) + "[" + std::to_string(i) + "]";
      draft.Permit(from, policy::MakeExec(programs[i], {}), Need::kOptional, Word::kAsked, argument ? "" : kWhy);
      if (!argument) continue;
      draft.Permit(from, policy::MakeExec(programs[i], {{*argument}}), Need::kOptional, Word::kAsked,
                   "one argument of allowed_args: spell out under args where there are more");
    }
  }
  if (cli.Take("allowed_env") != nullptr) {
    draft.Lost(cli.PathOf("allowed_env"), "a program has Cordon's own few variables");
  }
  if (cli.Take("rate_limit_per_minute") != nullptr) {
    draft.Lost(cli.PathOf("rate_limit_per_minute"), "a rate is part of the grant: 'exec:PROGRAM; rate=10/min'");
  }
  cli.Finish(draft.findings(), "a program has at most 5 seconds, 1 MiB of each stream, and 8 run at once");
  return {};
}

// [host_capabilities.*] of the earlier form: a switch, or a table with the names it is for.
Status HostCapability(Walk& all, const std::string& key, Draft& draft) {
  const std::string path = all.PathOf(key);
  const Json* value = all.Take(key);
  if (value == nullptr || *value == Json(false)) return {};
  const Json empty = Json::object();
  CORDON_ASSIGN(Walk table, Walk::Of(value->is_boolean() ? empty : *value, path));
  const auto is_on = [&](std::string_view name) -> Result<bool> {
    CORDON_ASSIGN(const auto flag, table.Flag(name));
    return flag.value_or(value->is_boolean());
  };
  if (key == "cli") return Programs(table, draft);
  if (key == "memory") {
    CORDON_ASSIGN(const bool read, is_on("read"));
    CORDON_ASSIGN(const bool write, is_on("write"));
    if (read) draft.Permit(path, policy::MakeMemory("recall", "agent"), Need::kOptional, Word::kAsked);
    for (const char* access : {"store", "forget"}) {
      if (write) draft.Permit(path, policy::MakeMemory(access, "agent"), Need::kOptional, Word::kAsked);
    }
  } else if (key == "context") {
    for (const auto& [name, ours] :
         {std::pair("session", "session"), {"user_identity", "user"}, {"agent_config", "agent"}}) {
      CORDON_ASSIGN(const bool on, is_on(name));
      if (on) draft.Permit(table.PathOf(name), policy::MakeCaller(ours), Need::kOptional, Word::kAsked);
    }
  } else if (key == "messaging" || key == "tool_delegation" || key == "tool_call") {
    const bool messages = key == "messaging";
    const char* list = messages ? "allowed_channels" : "allowed_tools";
    CORDON_ASSIGN(const auto names, table.Texts(list));
    for (std::size_t i = 0; i < names.size(); ++i) {
      const std::string from = table.PathOf(list) + "[" + std::to_string(i) + "]";
      if (!messages && names[i].find('#') == std::string::npos) {
        draft.Lost(from, "name the plugin that has it under permissions: call: acme/geocode#lookup");
        continue;
      }
      draft.Permit(from, messages ? policy::MakeMessaging("send", names[i]) : policy::MakeCall(names[i]),
                   Need::kOptional, Word::kAsked);
    }
    if (names.empty()) draft.Lost(path, "an empty list grants nothing: name each");
    if (table.Take("rate_limit_per_minute") != nullptr) {
      draft.Lost(table.PathOf("rate_limit_per_minute"), "a rate is part of the grant: 'msg:send:CHANNEL; rate=60/h'");
    }
  } else {
    draft.Lost(path, "there is nothing like it");
    return {};
  }
  table.Finish(draft.findings());
  return {};
}

Status Earlier(Walk& root, Draft& draft) {
  CORDON_TRY(Tools(root, draft));
  CORDON_ASSIGN(const auto hosts, root.Texts("allowed_hosts"));
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    draft.Host("allowed_hosts[" + std::to_string(i) + "]", hosts[i], Word::kAsked);
  }
  CORDON_ASSIGN(Walk paths, root.Object("allowed_paths"));
  int number = 0;
  for (const auto& [guest, host] : paths.All()) {
    (void)host;  // a path of its author's machine: here it is a root that the operator maps
    draft.Folder(paths.PathOf(guest), guest, "path-" + std::to_string(++number), Access::kRead, {}, Word::kAsked,
                 "read only, and under a root that the operator maps");
  }
  CORDON_ASSIGN(Walk network, root.Object("network"));
  if (const Json* http = network.Take("http"); http != nullptr) {
    if (http->is_array()) {
      CORDON_ASSIGN(const auto names, network.Texts("http"));
      for (const std::string& host : names) draft.Host("network.http", host, Word::kAsked);
    } else if (*http != Json(false)) {
      draft.Lost("network.http", kAnyHost);
    }
  }
  network.Finish(draft.findings());
  CORDON_ASSIGN(Walk fs, root.Object("fs"));
  for (const auto& [key, access] : {std::pair("read", Access::kRead), {"write", Access::kWrite}}) {
    CORDON_ASSIGN(const auto mounts, fs.Texts(key));
    for (const std::string& mount : mounts) {
      draft.Folder(fs.PathOf(key), mount, "path-" + std::to_string(++number), access, {}, Word::kAsked);
    }
  }
  fs.Finish(draft.findings());
  CORDON_ASSIGN(Walk host, root.Object("host_capabilities"));
  for (const auto& [key, _] : host.All()) CORDON_TRY(HostCapability(host, key, draft));
  return {};
}

// [config] of the earlier form: names, each with whether it is sensitive.
Status Config(Walk& root, Draft& draft) {
  CORDON_ASSIGN(Walk config, root.Object("config"));
  Json properties = Json::object();
  for (const auto& [key, value] : config.All()) {
    Json& property = properties[key] = {{"type", "string"}};
    if (value->is_object() && value->value("sensitive", Json(false)) == Json(true)) property["x-secret"] = true;
  }
  if (properties.empty()) return {};
  draft.Schema("config", {{"type", "object"}, {"additionalProperties", false}, {"properties", properties}});
  draft.Permit("config", policy::MakeConfig(), Need::kRequired, Word::kAsked);
  return {};
}

}  // namespace

Result<Imported> FromZeroclaw(Walk root) {
  Draft draft("zeroclaw");
  CORDON_TRY(Head(root, draft));
  const Json* capabilities = root.Take("capabilities");
  const Json* permissions = root.Take("permissions");
  const bool later =
      (capabilities != nullptr && capabilities->is_array()) || (permissions != nullptr && permissions->is_array());
  draft.Abi(later ? "component" : "extism");
  if (later) {
    const OrderedJson& name = draft.imported().manifest["name"];
    const std::string whole = name.is_string() ? name.get<std::string>() : "local/plugin";
    CORDON_TRY(Later(root, draft, whole.substr(whole.find('/') + 1)));
  } else {
    CORDON_ASSIGN(Walk table, root.Object("capabilities"));
    for (const auto& [key, _] : table.All()) CORDON_TRY(HostCapability(table, key, draft));
    CORDON_TRY(Earlier(root, draft));
    CORDON_TRY(Config(root, draft));
  }
  root.Finish(draft.findings());
  return std::move(draft).Finish();
}

}  // namespace cordon::foreign
