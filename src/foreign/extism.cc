// An Extism manifest (JSON or TOML). Whoever runs a plugin writes it, so what it allows is granted.
#include <algorithm>

#include "base/digest.h"
#include "base/text.h"
#include "base/units.h"
#include "foreign/convert.h"
#include "foreign/draft.h"
#include "foreign/walk.h"

namespace cordon::foreign {
namespace {

constexpr std::uint64_t kPageBytes = 64 << 10;
constexpr std::int64_t kPagesMax = 65536;

std::optional<std::string> FromBase64(std::string_view text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xff);
  }
  return bytes;
}

// The main one is the one of that name, or else the last.
Status Modules(Walk& root, Draft& draft) {
  CORDON_ASSIGN(std::vector<Walk> modules, root.Objects("wasm"));
  std::size_t main = modules.empty() ? 0 : modules.size() - 1;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < modules.size(); ++i) {
    CORDON_ASSIGN(const auto name, modules[i].Text("name"));
    names.push_back(name.value_or(""));
    if (names.back() == "main") main = i;
  }
  for (std::size_t i = 0; i < modules.size(); ++i) {
    Walk& module = modules[i];
    CORDON_ASSIGN(const auto path, module.Text("path"));
    CORDON_ASSIGN(const auto hash, module.Text("hash"));
    if (i != main) {
      if (!path || !hash || names[i].empty()) {
        draft.Lost(module.path(), "a module beside the main one needs path, name and hash");
      } else {
        draft.imported().manifest["runtime"]["modules"].push_back(
            {{"name", names[i]}, {"artifact", *path}, {"digest", "sha256:" + *hash}});
        draft.Narrowed(module.path(), "runtime.modules", "copy the file beside plugin.yaml");
      }
      module.Finish(draft.findings());
      continue;
    }
    if (!names[i].empty()) draft.Name(module.PathOf("name"), names[i]);
    if (path) draft.Artifact(module.PathOf("path"), *path);
    if (hash) draft.Digest(module.PathOf("hash"), *hash);
    if (const Json* data = module.Take("data"); data != nullptr && !path) {
      const auto bytes = data->is_string() ? FromBase64(data->get<std::string>()) : std::nullopt;
      if (!bytes) return Fail(Code::kInvalid, "'" + module.PathOf("data") + "' is no base64", "mend it there");
      draft.imported().artifact_bytes = *bytes;
      draft.Carried(module.PathOf("data"), "runtime.artifact");
    }
    module.Finish(draft.findings(), "nothing is fetched here: fetch the file, and name it with --artifact");
  }
  if (modules.empty()) draft.Lost("wasm", "it names no module: name the file with --artifact");
  return {};
}

Status Limits(Walk& root, Draft& draft) {
  CORDON_ASSIGN(Walk memory, root.Object("memory"));
  CORDON_ASSIGN(const auto pages, memory.Count("max_pages"));
  if (pages && (*pages == 0 || *pages > kPagesMax)) {
    return Fail(Code::kRange, "'memory.max_pages' is out of range", "write 1 to 65536");
  }
  if (pages) draft.Limit("memory.max_pages", "memory", FormatBytes({static_cast<std::uint64_t>(*pages) * kPageBytes}));
  for (const auto& [key, limit] : {std::pair("max_http_response_bytes", "http-response"), {"max_var_bytes", "vars"}}) {
    CORDON_ASSIGN(const auto bytes, memory.Count(key));
    if (!bytes) continue;
    if (*bytes == 0) {
      draft.Lost(memory.PathOf(key), "0 is no limit here; grant no http, or no storage, instead");
    } else {
      draft.Limit(memory.PathOf(key), limit, FormatBytes({static_cast<std::uint64_t>(*bytes)}));
    }
  }
  memory.Finish(draft.findings());
  CORDON_ASSIGN(const auto timeout, root.Count("timeout_ms"));
  if (timeout && *timeout == 0) return Fail(Code::kRange, "'timeout_ms' is 0", "write at least 1, or leave it out");
  if (timeout) draft.Limit("timeout_ms", "timeout", std::to_string(*timeout) + "ms");
  return {};
}

}  // namespace

Result<Imported> FromExtism(Walk root) {
  Draft draft("extism");
  draft.Abi("extism");
  CORDON_TRY(Modules(root, draft));
  CORDON_TRY(Limits(root, draft));
  CORDON_ASSIGN(const auto hosts, root.Texts("allowed_hosts"));
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    draft.Host("allowed_hosts[" + std::to_string(i) + "]", hosts[i], Draft::Word::kGranted);
  }
  CORDON_ASSIGN(Walk paths, root.Object("allowed_paths"));
  int number = 0;
  for (const auto& [host, guest] : paths.All()) {
    if (!guest->is_string()) return Fail(Code::kType, "'" + EscapeShort(paths.PathOf(host), 200) + "' is not a text");
    const bool read_only = host.starts_with("ro:");
    const std::string folder = read_only ? host.substr(3) : host;
    draft.Folder(paths.PathOf(host), guest->get<std::string>(), "path-" + std::to_string(++number),
                 read_only ? policy::Access::kRead : policy::Access::kWrite, folder, Draft::Word::kGranted);
  }
  CORDON_ASSIGN(Walk config, root.Object("config"));
  std::vector<std::pair<std::string, std::string>> settings;
  for (const auto& [key, value] : config.All()) {
    if (!value->is_string()) return Fail(Code::kType, "'" + EscapeShort(config.PathOf(key), 200) + "' is not a text");
    settings.emplace_back(key, value->get<std::string>());
  }
  draft.Settings("config", settings, Draft::Word::kGranted);
  root.Finish(draft.findings());
  return std::move(draft).Finish();
}

}  // namespace cordon::foreign
