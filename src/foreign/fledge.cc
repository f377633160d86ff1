// plugin.toml of fledge. Its author writes it: it asks, and grants nothing.
#include "foreign/convert.h"
#include "foreign/draft.h"
#include "foreign/walk.h"

namespace cordon::foreign {
namespace {

using Need = Draft::Need;
using Word = Draft::Word;

Status Capabilities(Walk& root, Draft& draft) {
  CORDON_ASSIGN(Walk capabilities, root.Object("capabilities"));
  const auto wants = [&](std::string_view key) -> Result<bool> {
    CORDON_ASSIGN(const auto flag, capabilities.Flag(key));
    return flag.value_or(false);
  };
  CORDON_ASSIGN(const bool store, wants("store"));
  if (store) {
    draft.Permit(capabilities.PathOf("store"), policy::MakeStorage("fledge", policy::Access::kWrite), Need::kRequired,
                 Word::kAsked);
  }
  CORDON_ASSIGN(const bool exec, wants("exec"));
  if (exec) {
    draft.Lost(capabilities.PathOf("exec"), "any program is nothing that can be granted: name each under permissions");
  }
  CORDON_ASSIGN(const bool network, wants("network"));
  if (network) {
    draft.Lost(capabilities.PathOf("network"), "any host is nothing that can be granted: name each under permissions");
  }
  CORDON_ASSIGN(const bool metadata, wants("metadata"));
  if (metadata) {
    draft.Permit(capabilities.PathOf("metadata"), policy::MakeCaller("project"), Need::kRequired, Word::kAsked);
  }
  CORDON_ASSIGN(const auto files, capabilities.Text("filesystem"));
  const std::string path = capabilities.PathOf("filesystem");
  if (files && *files == "project") {
    draft.Folder(path, "/project", "workspace", policy::Access::kRead, {}, Word::kAsked);
  } else if (files && *files == "plugin") {
    draft.Folder(path, "/plugin", "plugin/data", policy::Access::kWrite, {}, Word::kAsked);
  } else if (files && *files != "none") {
    return Fail(Code::kInvalid, "'capabilities.filesystem' is none of none, project, plugin", "mend it there");
  }
  capabilities.Finish(draft.findings());
  return {};
}

}  // namespace

Result<Imported> FromFledge(Walk root) {
  Draft draft("fledge");
  CORDON_ASSIGN(Walk plugin, root.Object("plugin"));
  CORDON_ASSIGN(const auto runtime, plugin.Text("runtime"));
  if (runtime && *runtime != "wasm" && *runtime != "native") {
    return Fail(Code::kInvalid, "'plugin.runtime' is neither wasm nor native", "mend it there");
  }
  const bool native = !runtime || *runtime == "native";
  draft.Abi(native ? "native" : "fledge");
  draft.Carried(plugin.PathOf("runtime"), "runtime.abi");
  CORDON_ASSIGN(const auto name, plugin.Text("name"));
  if (name) draft.Name(plugin.PathOf("name"), *name);
  CORDON_ASSIGN(const auto version, plugin.Text("version"));
  if (version) draft.Version(plugin.PathOf("version"), *version);
  CORDON_ASSIGN(const auto description, plugin.Text("description"));
  if (description) draft.Describe(plugin.PathOf("description"), *description);
  CORDON_ASSIGN(const auto author, plugin.Text("author"));
  if (author) {
    draft.imported().manifest["authors"] = OrderedJson::array({*author});
    draft.Carried(plugin.PathOf("author"), "authors");
  }
  CORDON_ASSIGN(const auto protocol, plugin.Text("protocol"));
  if (protocol && *protocol != "fledge-v1") draft.Lost(plugin.PathOf("protocol"), "only fledge-v1 is spoken");
  if (protocol && *protocol == "fledge-v1") draft.Carried(plugin.PathOf("protocol"), "runtime.abi");
  plugin.Finish(draft.findings());

  CORDON_ASSIGN(std::vector<Walk> commands, root.Objects("commands"));
  std::string binary;
  OrderedJson paths = OrderedJson::object();
  for (Walk& command : commands) {
    CORDON_ASSIGN(const auto called, command.Text("name"));
    CORDON_ASSIGN(const auto says, command.Text("description"));
    CORDON_ASSIGN(const auto file, command.Text("binary"));
    if (!called) {
      draft.Lost(command.path(), "it has no name");
      continue;
    }
    if (file && !binary.empty() && *file != binary) {
      draft.Lost(command.path(), "a plugin has one artifact, and this command has another one");
      continue;
    }
    if (file && binary.empty()) draft.Artifact(command.PathOf("binary"), binary = *file);
    const std::string action = draft.Action(command.PathOf("name"), *called, SlugOf(*called));
    if (action.empty()) continue;
    if (says) draft.ActionOf(action)["description"] = *says;
    paths[action] = action;
    command.Finish(draft.findings());
  }

  if (!paths.empty()) draft.Provide("commands", "commands", paths);

  CORDON_ASSIGN(Walk hooks, root.Object("hooks"));
  for (const auto& [hook, _] : hooks.All()) {
    draft.Lost(hooks.PathOf(hook), "nothing of a package runs on the host outside the sandbox");
  }
  CORDON_TRY(Capabilities(root, draft));
  root.Finish(draft.findings());
  return std::move(draft).Finish();
}

}  // namespace cordon::foreign
