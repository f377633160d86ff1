#include "manifest/paths.h"

namespace cordon::manifest {
namespace {

using std::filesystem::path;

std::optional<std::string> Set(const Environment& environment, std::string_view name) {
  std::optional<std::string> value = environment(name);
  if (value && value->empty()) return std::nullopt;
  return value;
}

Result<path> Absolute(std::string_view name, const std::string& value) {
  path found(value);
  if (!found.is_absolute()) {
    return Fail(Code::kInvalid, "$" + std::string(name) + " is not an absolute path: " + value.substr(0, 256),
                "set it to a path that starts with '/'");
  }
  return found.lexically_normal();
}

Result<path> Home(const Environment& environment) {
  const std::optional<std::string> home = Set(environment, "HOME");
  if (!home) return Fail(Code::kMissing, "HOME is not set", "set HOME, or CORDON_HOME and CORDON_CONFIG");
  return Absolute("HOME", *home);
}

// `own` is below $CORDON_HOME; `below_home` is the default of `variable` in the XDG specification.
struct Folder {
  std::string_view variable;
  std::string_view below_home;
  std::string_view below_xdg;
  std::optional<std::string_view> own;
};

Result<path> Find(const Environment& environment, const Folder& folder) {
  if (folder.own) {
    if (const std::optional<std::string> home = Set(environment, "CORDON_HOME")) {
      CORDON_ASSIGN(path found, Absolute("CORDON_HOME", *home));
      return folder.own->empty() ? found : found / *folder.own;
    }
  }
  if (const std::optional<std::string> xdg = Set(environment, folder.variable)) {
    CORDON_ASSIGN(path found, Absolute(folder.variable, *xdg));
    return found / folder.below_xdg;
  }
  CORDON_ASSIGN(path home, Home(environment));
  return home / folder.below_home / folder.below_xdg;
}

}  // namespace

Result<path> ConfigHome(const Environment& environment) {
  return Find(environment, {"XDG_CONFIG_HOME", ".config", "cordon", std::nullopt});
}

Result<path> StateHome(const Environment& environment) {
  return Find(environment, {"XDG_STATE_HOME", ".local/state", "cordon", ""});
}

Result<path> CacheHome(const Environment& environment) {
  return Find(environment, {"XDG_CACHE_HOME", ".cache", "cordon", "cache"});
}

Result<path> PluginsHome(const Environment& environment) {
  return Find(environment, {"XDG_DATA_HOME", ".local/share", "cordon/plugins", "plugins"});
}

Result<path> ExpandPath(std::string_view text, const Environment& environment) {
  path found(text);
  if (text == "~" || text.starts_with("~/")) {
    CORDON_ASSIGN(path home, Home(environment));
    found = text.size() <= 2 ? home : home / text.substr(2);
  }
  if (text.empty() || !found.is_absolute()) {
    return Fail(Code::kInvalid, "'" + std::string(text.substr(0, 256)) + "' is not an absolute path",
                "write a path that starts with '/' or '~/'");
  }
  return found.lexically_normal();
}

}  // namespace cordon::manifest
