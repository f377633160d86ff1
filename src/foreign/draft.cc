#include "foreign/draft.h"

#include <algorithm>
#include <array>

#include "base/digest.h"
#include "base/text.h"
#include "formats/semver.h"
#include "policy/ceiling.h"

namespace cordon::foreign {
namespace {

using policy::Capability;
using policy::Kind;

const std::vector<std::string>& AllMethods() {
  static const std::vector<std::string> kMethods = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"};
  return kMethods;
}

OrderedJson ArgumentYaml(const policy::ExecArgument& argument) {
  using Form = policy::ExecArgument::Form;
  switch (argument.form) {
    case Form::kLiteral: break;
    case Form::kInteger: return {{"integer", argument.text}};
    case Form::kPath: return {{"path", argument.text}};
    case Form::kPattern: return {{"pattern", argument.text}};
    case Form::kOneOf: {
      OrderedJson words = OrderedJson::array();
      for (std::string_view rest = argument.text; !rest.empty();) {
        const std::size_t end = std::min(rest.find('|'), rest.size());
        words.push_back(std::string(rest.substr(0, end)));
        rest.remove_prefix(std::min(rest.size(), end + 1));
      }
      return {{"enum", std::move(words)}};
    }
  }
  return argument.text;
}

// The structured form of plugin.yaml.
OrderedJson ItemOf(const Capability& capability) {
  if (const policy::FilesScope* files = capability.files()) {
    const std::string from = files->below.empty() ? files->root : files->root + "/" + files->below;
    return {{"files",
             {{"mount", files->mount},
              {"from", from},
              {"access", files->access == policy::Access::kRead ? "read" : "write"}}}};
  }
  if (const policy::HttpScope* http = capability.http()) {
    const std::string text = capability.ToString();
    return {{"http", {{"url", text.substr(text.find(http->scheme + "://"))}, {"methods", http->methods}}}};
  }
  if (const policy::SocketScope* socket = capability.socket()) {
    const std::string text = capability.ToString();  // net:tcp:HOST:PORT
    return {{"sockets", {{"connect", socket->action + "://" + text.substr(text.find(':', 4) + 1)}}}};
  }
  if (const policy::ExecScope* exec = capability.exec()) {
    OrderedJson arguments = OrderedJson::array();
    for (const policy::ExecArgument& argument : exec->arguments) arguments.push_back(ArgumentYaml(argument));
    return {{"exec", {{"program", exec->program}, {"args", std::move(arguments)}}}};
  }
  const policy::NameScope* named = capability.named();
  switch (capability.kind()) {
    case Kind::kStorage: return {{"storage", {{"bucket", named->name}, {"access", named->action}}}};
    case Kind::kMemory: return {{"memory", {{"access", named->action}, {"scope", named->name}}}};
    case Kind::kMessaging: return {{"messaging", {{"channel", named->name}, {"access", named->action}}}};
    case Kind::kCall: return {{"call", named->name}};
    case Kind::kEnvironment: return {{"environment", OrderedJson::array({named->name})}};
    case Kind::kSecrets: return {{"secrets", OrderedJson::array({named->name})}};
    case Kind::kContext: return {{"context", OrderedJson::array({named->name})}};
    default: return {{std::string(policy::KindName(capability.kind())), true}};
  }
}

}  // namespace

std::string SlugOf(std::string_view name) {
  std::string slug;
  for (const char c : name.substr(0, 64)) {
    const bool lower = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    const bool upper = c >= 'A' && c <= 'Z';
    const char made = lower ? c : upper ? static_cast<char>(c - 'A' + 'a') : '-';
    if (made == '-' && (slug.empty() || slug.back() == '-')) continue;
    slug += made;
  }
  while (slug.ends_with('-')) slug.pop_back();
  return slug;
}

Draft::Draft(std::string_view origin) {
  imported_.origin = origin;
  for (const char* key : {"manifest", "name", "version", "description", "runtime", "actions"}) {
    imported_.manifest[key] = nullptr;
  }
  imported_.manifest["manifest"] = 1;
  imported_.manifest["runtime"] = OrderedJson::object();
  imported_.manifest["actions"] = OrderedJson::object();
}

void Draft::Name(std::string_view from, std::string_view name, std::string_view space) {
  std::string slug = SlugOf(name), owner = SlugOf(space);
  if (slug.empty()) slug = "plugin";
  if (owner.empty()) owner = "local";
  imported_.manifest["name"] = owner + "/" + slug;
  if (slug == name) return Carried(from, "name");
  Narrowed(from, "name", "'" + EscapeShort(name, 80) + "' is written " + owner + "/" + slug);
}

void Draft::Version(std::string_view from, const std::string& version) {
  if (semver::ParseVersion(version)) {
    imported_.manifest["version"] = version;
    return Carried(from, "version");
  }
  imported_.manifest["version"] = "0.0.0";
  Narrowed(from, "version", "'" + EscapeShort(version, 80) + "' is no semantic version");
}

void Draft::Describe(std::string_view from, const std::string& text) {
  imported_.manifest["description"] = Escape(text.substr(0, 1000));
  Carried(from, "description");
}

void Draft::Artifact(std::string_view from, const std::string& path) {
  imported_.artifact = path;
  Carried(from, "runtime.artifact");
}

void Draft::Digest(std::string_view from, const std::string& hex) {
  const std::string text = hex.starts_with("sha256:") ? hex : "sha256:" + hex;
  if (!cordon::Digest::Parse(text)) return Lost(from, "it is no SHA-256 in hexadecimal digits");
  imported_.manifest["runtime"]["digest"] = text;
  Carried(from, "runtime.digest");
}

std::string Draft::Action(std::string_view from, const std::string& name, const std::string& export_name) {
  const std::string slug = SlugOf(name);
  if (slug.empty()) {
    Lost(from, "'" + EscapeShort(name, 80) + "' has no spelling as an action");
    return {};
  }
  OrderedJson& action = imported_.manifest["actions"][slug];
  if (!action.is_null()) {
    Lost(from, "two actions would be called " + slug);
    return {};
  }
  action = OrderedJson::object();
  if (export_name != slug) action["export"] = export_name;
  Carried(from, "actions." + slug);
  return slug;
}

void Draft::Provide(std::string_view from, const std::string& what, const OrderedJson& value) {
  OrderedJson& provides = imported_.manifest["provides"];
  if (value.is_string()) {
    provides[what].push_back(value);
  } else {
    provides[what] = value;
  }
  Carried(from, "provides." + what);
}

void Draft::Limit(std::string_view from, const std::string& key, const std::string& value) {
  imported_.manifest["limits"][key] = value;
  Carried(from, "limits." + key);
}

bool Draft::WasPermitted(const std::string& text) {
  if (std::ranges::find(permitted_, text) != permitted_.end()) return true;
  permitted_.push_back(text);
  return false;
}

void Draft::Permit(std::string_view from, const Result<Capability>& capability, Need need, Word word,
                   std::string_view narrowed_why) {
  if (!capability) return Lost(from, capability.error().message);
  if (const Status fits = policy::CheckWidth(*capability, policy::Level::kDefault); !fits) {
    return Lost(from, fits.error().message);
  }
  const std::string text = capability->ToString();
  if (!WasPermitted(text)) {
    OrderedJson& permissions = imported_.manifest["permissions"];
    permissions[need == Need::kRequired ? "required" : "optional"].push_back(ItemOf(*capability));
    if (word == Word::kGranted) imported_.grants.push_back(text);
  }
  if (narrowed_why.empty()) return Carried(from, text);
  Narrowed(from, text, narrowed_why);
}

void Draft::Host(std::string_view from, std::string_view host, Word word, std::string_view narrowed_why) {
  const std::string why = narrowed_why.empty() ? "ports 80 and 443, and the usual methods" : std::string(narrowed_why);
  // What is more than a host and a port would be read as a part of the URL.
  if (host.empty() || host.find_first_of("/?#@\\ ") != std::string_view::npos) {
    return Lost(from, "'" + EscapeShort(host, 80) + "' is no host");
  }
  for (const char* scheme : {"https", "http"}) {
    const std::string url = std::string(scheme) + "://" + std::string(host) + "/*";
    Permit(from, policy::MakeHttp(url, AllMethods()), Need::kOptional, word, why);
  }
}

void Draft::Folder(std::string_view from, std::string_view mount, std::string_view name, policy::Access access,
                   const std::filesystem::path& host_path, Word word, std::string_view narrowed_why) {
  const auto capability = policy::MakeFiles(mount, name, access);
  Permit(from, capability, Need::kRequired, word, narrowed_why);
  if (capability && !host_path.empty() && word == Word::kGranted) {
    imported_.roots[capability->files()->root] = host_path;
  }
}

void Draft::Settings(std::string_view from, const std::vector<std::pair<std::string, std::string>>& values, Word word) {
  if (values.empty()) return;
  OrderedJson properties = OrderedJson::object();
  for (const auto& [key, value] : values) properties[key] = {{"type", "string"}, {"default", value}};
  imported_.manifest["config"] = {
      {"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}};
  Permit(from, policy::MakeConfig(), Need::kRequired, word);
}

void Draft::Schema(std::string_view from, const Json& schema) {
  imported_.manifest["config"] = OrderedJson(schema);
  Carried(from, "config");
}

void Draft::Carried(std::string_view from, std::string_view to) {
  imported_.findings.push_back({Finding::Fate::kCarried, std::string(from), std::string(to), ""});
}
void Draft::Narrowed(std::string_view from, std::string_view to, std::string_view why) {
  imported_.findings.push_back({Finding::Fate::kNarrowed, std::string(from), std::string(to), std::string(why)});
}
void Draft::Lost(std::string_view from, std::string_view why) {
  imported_.findings.push_back({Finding::Fate::kLost, std::string(from), "", std::string(why)});
}

Imported Draft::Finish() && {
  OrderedJson& manifest = imported_.manifest;
  if (manifest["name"].is_null()) {
    manifest["name"] = "local/plugin";
    Narrowed("", "name", "the source has no name");
  }
  if (manifest["version"].is_null()) {
    manifest["version"] = "0.0.0";
    Narrowed("", "version", "the source has no version");
  }
  if (manifest["description"].is_null()) manifest.erase("description");
  return std::move(imported_);
}

}  // namespace cordon::foreign
