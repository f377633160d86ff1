// autokestra's own plugin.yaml (there is no `manifest: 1` in it). Its author writes it: it asks, and grants nothing.
#include "base/text.h"
#include "foreign/convert.h"
#include "foreign/draft.h"
#include "foreign/walk.h"

namespace cordon::foreign {
namespace {

Status Actions(Walk& root, Draft& draft) {
  CORDON_ASSIGN(std::vector<Walk> actions, root.Objects("actions"));
  for (Walk& action : actions) {
    CORDON_ASSIGN(const auto name, action.Text("name"));
    CORDON_ASSIGN(const auto description, action.Text("description"));
    CORDON_ASSIGN(const auto called, action.Text("export"));
    if (!name) {
      draft.Lost(action.path(), "it has no name");
      continue;
    }
    const std::string slug = draft.Action(action.path(), *name, called.value_or(*name));
    if (slug.empty()) continue;
    if (description) draft.ActionOf(slug)["description"] = *description;
    for (const auto& [theirs, ours] : {std::pair("input", "input"), {"output", "output"}}) {
      const Json* schema = action.Take(theirs);
      if (schema == nullptr) continue;
      if (schema->is_object()) {
        draft.ActionOf(slug)[ours] = OrderedJson(*schema);
      } else {
        draft.Lost(action.PathOf(theirs), "it is no JSON Schema");
      }
    }
    action.Finish(draft.findings());
  }
  return {};
}

Status Permissions(Walk& root, Draft& draft) {
  CORDON_ASSIGN(Walk permissions, root.Object("permissions"));
  CORDON_ASSIGN(const auto urls, permissions.Texts("network"));
  for (std::size_t i = 0; i < urls.size(); ++i) {
    const std::string from = permissions.PathOf("network") + "[" + std::to_string(i) + "]";
    const std::string& url = urls[i];
    if (url.find("://") == std::string::npos) {
      draft.Host(from, url, Draft::Word::kAsked);
      continue;
    }
    const std::size_t slash = url.find('/', url.find("://") + 3);
    const std::string whole = slash == std::string::npos ? url + "/*" : url.ends_with('/') ? url + "*" : url;
    const std::vector<std::string> methods = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"};
    draft.Permit(from, policy::MakeHttp(whole, methods), Draft::Need::kRequired, Draft::Word::kAsked);
  }
  for (const char* key : {"environment", "env"}) {
    CORDON_ASSIGN(const auto names, permissions.Texts(key));
    for (const std::string& name : names) {
      draft.Permit(permissions.PathOf(key), policy::MakeEnvironment(name), Draft::Need::kRequired, Draft::Word::kAsked);
    }
  }
  CORDON_ASSIGN(const auto secrets, permissions.Texts("secrets"));
  for (const std::string& name : secrets) {
    draft.Permit("permissions.secrets", policy::MakeSecret(name), Draft::Need::kRequired, Draft::Word::kAsked);
  }
  CORDON_ASSIGN(const auto folders, permissions.Texts("filesystem"));
  for (std::size_t i = 0; i < folders.size(); ++i) {
    draft.Folder("permissions.filesystem[" + std::to_string(i) + "]", folders[i], "path-" + std::to_string(i + 1),
                 policy::Access::kRead, {}, Draft::Word::kAsked, "read only, and under a root that the operator maps");
  }
  permissions.Finish(draft.findings());
  return {};
}

}  // namespace

Result<Imported> FromAutokestra(Walk root) {
  Draft draft("autokestra");
  draft.Abi("component");
  CORDON_ASSIGN(const auto space, root.Text("namespace"));
  CORDON_ASSIGN(const auto name, root.Text("name"));
  if (name) draft.Name("name", *name, space.value_or("local"));
  if (space) draft.Carried("namespace", "name");
  CORDON_ASSIGN(const auto version, root.Text("version"));
  if (version) draft.Version("version", *version);
  CORDON_ASSIGN(const auto description, root.Text("description"));
  if (description) draft.Describe("description", *description);
  for (const char* key : {"artifact", "wasm", "entrypoint"}) {
    CORDON_ASSIGN(const auto file, root.Text(key));
    if (file) draft.Artifact(key, *file);
  }
  CORDON_TRY(Actions(root, draft));
  CORDON_TRY(Permissions(root, draft));
  root.Finish(draft.findings());
  return std::move(draft).Finish();
}

}  // namespace cordon::foreign
