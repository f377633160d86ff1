#include "cli/load_flags.h"

#include <algorithm>
#include <charconv>

#include "base/file.h"
#include "base/text.h"
#include "cli/report.h"
#include "manifest/manifest.h"
#include "policy/roots.h"
#include "runtime/source.h"

namespace cordon::cli {
namespace {

namespace fs = std::filesystem;

std::unexpected<Error> Malformed(std::string_view option, std::string_view text, std::string_view wanted) {
  return Fail(Code::kUsage, std::string(option) + " cannot be '" + EscapeShort(text, 120) + "'",
              "write " + std::string(option) + " " + std::string(wanted));
}

Error Named(Error error, std::string_view option) {
  error.message = std::string(option) + ": " + error.message;
  return error;
}

template <typename T>
Result<T> Named(Result<T> result, std::string_view option) {
  if (!result) return Fail(Named(std::move(result).error(), option));
  return result;
}

// Checked as it was written: making a path absolute could hide what it says.
Result<fs::path> HostPath(std::string_view name, std::string_view text) {
  CORDON_TRY(policy::CheckRootText(name, text));
  std::error_code error;
  fs::path path = fs::absolute(fs::path(text), error);
  if (error) return Fail(Code::kIo, "cannot find the working directory: " + ErrnoText(error.value()));
  return path;
}

// HOST:GUEST[:ro|rw]; the host's path may hold colons, the guest's may not.
Result<runtime::MountFlag> ParseMount(std::string_view text) {
  const std::string_view whole = text;
  runtime::MountFlag flag;
  if (text.ends_with(":rw")) flag.access = policy::Access::kWrite;
  if (text.ends_with(":rw") || text.ends_with(":ro")) text.remove_suffix(3);
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size() || text[colon + 1] != '/') {
    return Malformed("--mount", whole, "HOST:/GUEST, HOST:/GUEST:ro or HOST:/GUEST:rw");
  }
  flag.guest_path = text.substr(colon + 1);
  CORDON_ASSIGN(flag.host_path, Named(HostPath(flag.guest_path, text.substr(0, colon)), "--mount"));
  return flag;
}

Status ReadEnvironment(const Session& session, runtime::LoadRequest& request) {
  for (const std::string& text : session.arguments().All("--env")) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) return Malformed("--env", text, "NAME=VALUE");
    const std::string name = text.substr(0, equals);
    if (std::ranges::any_of(request.environment, [&](const auto& other) { return other.first == name; })) {
      return Fail(Code::kUsage, "--env sets '" + EscapeShort(name, 80) + "' twice", "set each variable once");
    }
    request.environment.emplace_back(name, text.substr(equals + 1));
  }
  return {};
}

Status ReadLimits(const Session& session, runtime::LoadRequest& request) {
  const Arguments& arguments = session.arguments();
  if (const auto text = arguments.One("--level")) {
    CORDON_ASSIGN(request.level, Named(policy::ParseLevel(*text), "--level"));
  }
  if (const auto text = arguments.One("--timeout")) {
    CORDON_ASSIGN(request.timeout, Named(ParseDuration(*text), "--timeout"));
  }
  if (const auto text = arguments.One("--memory")) {
    CORDON_ASSIGN(request.memory, Named(ParseBytes(*text), "--memory"));
  }
  if (const auto text = arguments.One("--fuel")) {
    std::uint64_t fuel = 0;
    const auto parsed = std::from_chars(text->data(), text->data() + text->size(), fuel);
    if (parsed.ec != std::errc() || parsed.ptr != text->data() + text->size() || fuel == 0) {
      return Malformed("--fuel", *text, "N, a positive number");
    }
    request.fuel = fuel;
  }
  return {};
}

// The set of a file that is meant for the plugin: the only one, else the one of its name, else the one of its bytes.
Result<policy::GrantSet> ReadGrantSet(const fs::path& file, const fs::path& source) {
  CORDON_ASSIGN(const std::string text, ReadFile(file, policy::kGrantsBytesMax));
  CORDON_ASSIGN(const policy::GrantBook book, policy::GrantBook::Parse(text, file.string()));
  if (book.sets().size() == 1) return book.sets().front();
  CORDON_ASSIGN(const runtime::Source plugin, runtime::ReadSource(source));
  for (const policy::GrantSet& set : book.sets()) {
    if (set.plugin == plugin.name || (!plugin.manifest && set.artifact == plugin.digest)) return set;
  }
  return Fail(Code::kNotFound, file.string() + " grants nothing to " + plugin.name,
              "see what it grants: cordon plugin grants");
}

}  // namespace

Result<std::pair<std::string, fs::path>> ParseRoot(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) return Malformed("--root", text, "NAME=PATH");
  const std::string name(text.substr(0, equals));
  CORDON_TRY(Named(policy::CheckRootName(name), "--root"));
  CORDON_ASSIGN(fs::path path, Named(HostPath(name, text.substr(equals + 1)), "--root"));
  return std::pair(name, std::move(path));
}

Result<std::pair<std::string, fs::path>> ParseProgram(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) return Malformed("--program", text, "NAME=PATH");
  const std::string name(text.substr(0, equals));
  CORDON_TRY(Named(policy::MakeExec(name, {}), "--program"));
  CORDON_ASSIGN(fs::path path, Named(HostPath(name, text.substr(equals + 1)), "--program"));
  return std::pair(name, std::move(path));
}

Result<runtime::LoadRequest> ReadLoadFlags(const Session& session, std::string_view grants_option) {
  const Arguments& arguments = session.arguments();
  runtime::LoadRequest request;
  request.source = arguments.Get("PLUGIN");
  request.grants = arguments.All("--grant");
  for (const std::string& text : arguments.All("--root")) {
    CORDON_ASSIGN(const auto root, ParseRoot(text));
    if (!request.roots.insert(root).second) {
      return Fail(Code::kUsage, "--root names '" + root.first + "' twice", "name each root once");
    }
  }
  for (const std::string& text : arguments.All("--program")) {
    CORDON_ASSIGN(const auto program, ParseProgram(text));
    if (!request.programs.insert(program).second) {
      return Fail(Code::kUsage, "--program names '" + program.first + "' twice", "name each program once");
    }
  }
  for (const std::string& text : arguments.All("--mount")) {
    CORDON_ASSIGN(runtime::MountFlag mount, ParseMount(text));
    if (std::ranges::find(request.mounts, mount.guest_path, &runtime::MountFlag::guest_path) != request.mounts.end()) {
      return Fail(Code::kUsage, "--mount names '" + EscapeShort(mount.guest_path, 80) + "' twice",
                  "mount one folder in each place");
    }
    request.mounts.push_back(std::move(mount));
  }
  CORDON_TRY(ReadEnvironment(session, request));
  CORDON_TRY(ReadLimits(session, request));
  request.arguments = arguments.rest;
  if (arguments.Has("--allow-native")) request.native = runtime::LoadRequest::Native::kConfirmed;
  if (arguments.Has("--debug")) request.debug = runtime::LoadRequest::Debug::kOn;
  if (const auto file = arguments.One(grants_option)) {
    CORDON_ASSIGN(request.grant_set, Named(ReadGrantSet(*file, request.source), grants_option));
  }
  return request;
}

Result<std::shared_ptr<const runtime::Plugin>> Look(Session& session, runtime::LoadRequest& request, Parts& parts) {
  request.purpose = runtime::LoadRequest::Purpose::kInspect;
  CORDON_ASSIGN(const manifest::Config config, session.LoadConfig());
  CORDON_ASSIGN(parts, session.Open(config, Use::kLook));
  auto plugin = parts.host->Load(request);
  if (plugin || plugin.error().code != Code::kChanged || request.grant_set) return plugin;
  session.Warn(Escape(plugin.error().message) + "; its grants do not count until it is granted again");
  CORDON_ASSIGN(parts, session.Open(config, Use::kLookUngranted));
  return parts.host->Load(request);
}

}  // namespace cordon::cli
