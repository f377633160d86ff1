// nexus.plugin.json. Its author writes it. There an absent or empty list means everything; here it means nothing.
#include <array>

#include "base/text.h"
#include "foreign/convert.h"
#include "foreign/draft.h"
#include "foreign/walk.h"

namespace cordon::foreign {
namespace {

constexpr std::array<const char*, 5> kLists = {"tools", "channels", "commands", "services", "hooks"};

// Names of actions, which have to be there for a list to name them.
std::string ActionFor(Draft& draft, const std::string& from, const std::string& name) {
  const std::string slug = SlugOf(name);
  if (!slug.empty() && draft.imported().manifest["actions"].contains(slug)) return slug;
  return draft.Action(from, name, slug);
}

Status Lists(Walk& root, Draft& draft) {
  OrderedJson commands = OrderedJson::object();
  for (const char* list : kLists) {
    CORDON_ASSIGN(const auto names, root.Texts(list));
    if (names.empty()) {
      draft.Narrowed(list, "", "an absent or empty list registers nothing: name each under provides");
      continue;
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      const std::string from = std::string(list) + "[" + std::to_string(i) + "]";
      if (names[i].find('*') != std::string::npos) {
        draft.Lost(from, "a wildcard registers nothing: name each under provides");
      } else if (std::string_view(list) == "channels") {
        draft.Provide(from, list, OrderedJson(SlugOf(names[i])));
      } else if (std::string_view(list) == "commands") {
        const std::string action = ActionFor(draft, from, names[i]);
        if (!action.empty()) commands[names[i]] = action;
      } else if (const std::string action = ActionFor(draft, from, names[i]); !action.empty()) {
        draft.Provide(from, list, OrderedJson(action));
      }
    }
  }
  if (!commands.empty()) draft.Provide("commands", "commands", commands);
  return {};
}

// "tool:acme/geocode#lookup", "cli:plugins.*"
void Capability(Draft& draft, const std::string& from, const std::string& text, Draft::Need need) {
  const std::size_t colon = text.find(':');
  const std::string kind = text.substr(0, colon), name = colon == std::string::npos ? "" : text.substr(colon + 1);
  if (name.empty() || name == "*") {
    return draft.Lost(from, "'" + EscapeShort(text, 80) + "' names nothing in particular, and asks for nothing");
  }
  if (kind == "tool") return draft.Permit(from, policy::MakeCall(name), need, Draft::Word::kAsked);
  if (kind == "channel") return draft.Permit(from, policy::MakeMessaging("send", name), need, Draft::Word::kAsked);
  if (kind == "secret") return draft.Permit(from, policy::MakeSecret(name), need, Draft::Word::kAsked);
  if (kind == "env") return draft.Permit(from, policy::MakeEnvironment(name), need, Draft::Word::kAsked);
  if (kind == "http" || kind == "net") return draft.Host(from, name, Draft::Word::kAsked);
  draft.Lost(from, "there is no such kind of capability");
}

}  // namespace

Result<Imported> FromNexus(Walk root) {
  Draft draft("nexus");
  draft.Abi("component");
  for (const char* key : {"id", "name"}) {
    CORDON_ASSIGN(const auto name, root.Text(key));
    if (name && draft.imported().manifest["name"].is_null()) draft.Name(key, *name);
  }
  CORDON_ASSIGN(const auto version, root.Text("version"));
  if (version) draft.Version("version", *version);
  CORDON_ASSIGN(const auto description, root.Text("description"));
  if (description) draft.Describe("description", *description);
  for (const char* key : {"entry", "main", "wasm", "artifact"}) {
    CORDON_ASSIGN(const auto file, root.Text(key));
    if (file) draft.Artifact(key, *file);
  }
  CORDON_TRY(Lists(root, draft));
  CORDON_ASSIGN(Walk capabilities, root.Object("capabilities"));
  using Need = Draft::Need;
  for (const auto& [key, need] : {std::pair("required", Need::kRequired), {"optional", Need::kOptional}}) {
    CORDON_ASSIGN(const auto names, capabilities.Texts(key));
    for (std::size_t i = 0; i < names.size(); ++i) {
      Capability(draft, capabilities.PathOf(key) + "[" + std::to_string(i) + "]", names[i], need);
    }
  }
  capabilities.Finish(draft.findings());
  if (const Json* schema = root.Take("configSchema"); schema != nullptr && schema->is_object()) {
    draft.Schema("configSchema", *schema);
  }
  if (root.Take("plugins") != nullptr) draft.Lost("plugins", "it is the host's: write it into Cordon's config.yaml");
  root.Finish(draft.findings());
  return std::move(draft).Finish();
}

}  // namespace cordon::foreign
