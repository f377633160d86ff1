// A policy of Wassette: what an operator allows one component, so it is granted. What it denies cannot be said here, so
// an allowance that a denial touches is not carried over.
#include "base/text.h"
#include "base/units.h"
#include "foreign/convert.h"
#include "foreign/draft.h"
#include "foreign/walk.h"

namespace cordon::foreign {
namespace {

using Need = Draft::Need;
using Word = Draft::Word;

// The folder, or file, in which no wildcard stands yet; without dots and doubled slashes.
std::string FixedPart(const std::string& pattern) {
  const std::string path = std::filesystem::path(pattern).lexically_normal().string();
  const std::size_t star = path.find_first_of("*?[{");
  if (star == std::string::npos) return path;
  return path.substr(0, path.rfind('/', star) + 1);
}

bool Touch(const std::string& allowed, const std::string& denied) {
  return allowed.starts_with(denied) || denied.starts_with(allowed);
}

Status Storage(Walk& permissions, Draft& draft) {
  CORDON_ASSIGN(Walk storage, permissions.Object("storage"));
  CORDON_ASSIGN(std::vector<Walk> denied, storage.Objects("deny"));
  std::vector<std::string> denials;
  for (Walk& one : denied) {
    CORDON_ASSIGN(const auto uri, one.Text("uri"));
    // One that cannot be read touches everything.
    denials.push_back(uri && uri->starts_with("fs://") ? FixedPart(uri->substr(5)) : "");
    draft.Lost(one.path(), "a denial is not carried over: what it touches is not allowed either");
  }
  CORDON_ASSIGN(std::vector<Walk> allowed, storage.Objects("allow"));
  int number = 0;
  for (Walk& one : allowed) {
    CORDON_ASSIGN(const auto uri, one.Text("uri"));
    CORDON_ASSIGN(const auto access, one.Texts("access"));
    if (!uri || !uri->starts_with("fs://")) {
      draft.Lost(one.path(), "its uri is no fs:// path");
      continue;
    }
    const std::string pattern = uri->substr(5);
    const std::string fixed = FixedPart(pattern);
    bool touched = false;
    for (const std::string& denial : denials) touched = touched || Touch(fixed, denial);
    if (touched) {
      draft.Lost(one.path(), "a denial touches it: allow a folder beside what is denied");
      continue;
    }
    if (!fixed.ends_with('/') || fixed + "**" != std::filesystem::path(pattern).lexically_normal()) {
      draft.Lost(one.path(), "only whole folders can be granted: fs://FOLDER/**");
      continue;
    }
    bool writes = false;
    for (const std::string& word : access) writes = writes || word == "write";
    const std::filesystem::path folder = fixed.substr(0, fixed.size() - 1);
    if (!folder.is_absolute()) {
      draft.Lost(one.path(), "its folder is not absolute");
      continue;
    }
    draft.Folder(one.path(), folder.string(), "path-" + std::to_string(++number),
                 writes ? policy::Access::kWrite : policy::Access::kRead, folder, Word::kGranted);
    one.Finish(draft.findings());
  }
  storage.Finish(draft.findings());
  return {};
}

// The name of a host as it is compared: lower case, without its port and the dot of the root.
std::string NameOf(std::string host) {
  if (const std::size_t colon = host.rfind(':'); colon != std::string::npos && !host.ends_with(']')) host.resize(colon);
  if (host.ends_with('.')) host.pop_back();
  for (char& c : host) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return host;
}

// Whether a name that one of them means could be one that the other means.
bool MayMeet(const std::string& allowed, const std::string& denied) {
  const std::string a = NameOf(allowed), b = NameOf(denied);
  // A wildcard anywhere but in front of a suffix could be anything.
  const auto is_odd = [](const std::string& name) {
    return name.find_first_of("*?[{", name.starts_with("*.") ? 1 : 0) != std::string::npos;
  };
  if (is_odd(a) || is_odd(b) || a == b) return true;
  const auto under = [](const std::string& pattern, const std::string& name) {
    return pattern.starts_with("*.") && name.ends_with(std::string_view(pattern).substr(1));
  };
  return under(a, b) || under(b, a);
}

Status Network(Walk& permissions, Draft& draft) {
  CORDON_ASSIGN(Walk network, permissions.Object("network"));
  CORDON_ASSIGN(std::vector<Walk> denied, network.Objects("deny"));
  std::vector<std::string> denials;
  for (Walk& one : denied) {
    CORDON_ASSIGN(const auto host, one.Text("host"));
    denials.push_back(host.value_or("*"));  // a block of addresses may hold any name
    draft.Lost(one.path(), "a denial is not carried over: what it touches is not allowed either");
  }
  CORDON_ASSIGN(std::vector<Walk> allowed, network.Objects("allow"));
  for (Walk& one : allowed) {
    CORDON_ASSIGN(const auto host, one.Text("host"));
    CORDON_ASSIGN(const auto block, one.Text("cidr"));
    if (block) draft.Lost(one.PathOf("cidr"), "http is granted by name: name the hosts, or grant sockets to the block");
    if (!host) continue;
    bool touched = false;
    for (const std::string& denial : denials) touched = touched || MayMeet(*host, denial);
    if (touched) {
      draft.Lost(one.PathOf("host"), "a denial touches it");
    } else {
      draft.Host(one.PathOf("host"), *host, Word::kGranted);
    }
    one.Finish(draft.findings());
  }
  network.Finish(draft.findings());
  return {};
}

Status Resources(Walk& permissions, Draft& draft) {
  CORDON_ASSIGN(Walk resources, permissions.Object("resources"));
  CORDON_ASSIGN(Walk limits, resources.Object("limits"));
  CORDON_ASSIGN(const auto memory, limits.Text("memory"));
  const auto size = [&]() -> std::optional<Bytes> {
    if (!memory) return std::nullopt;
    const std::string text = memory->ends_with("i") ? *memory + "B" : *memory;  // "512Mi"
    auto parsed = ParseBytes(text);
    return parsed ? std::optional(*parsed) : std::nullopt;
  }();
  if (size) draft.Limit(limits.PathOf("memory"), "memory", FormatBytes(*size));
  if (memory && !size) draft.Lost(limits.PathOf("memory"), "it is no size such as 512Mi");
  CORDON_ASSIGN(const auto megabytes, resources.Count("memory"));
  if (megabytes && *megabytes > 0 && *megabytes < (1 << 20)) {
    draft.Limit(resources.PathOf("memory"), "memory", std::to_string(*megabytes) + "MiB");
  }
  limits.Finish(draft.findings(), "a share of a processor cannot be held to yet; limit the time of a call: limits.cpu");
  resources.Finish(draft.findings());
  return {};
}

}  // namespace

Result<Imported> FromWassette(Walk root) {
  Draft draft("wassette");
  draft.Abi("component");
  for (const char* key : {"$schema", "version"}) root.Take(key);
  CORDON_ASSIGN(const auto description, root.Text("description"));
  if (description) draft.Describe("description", *description);
  CORDON_ASSIGN(Walk permissions, root.Object("permissions"));
  CORDON_TRY(Storage(permissions, draft));
  CORDON_TRY(Network(permissions, draft));
  CORDON_ASSIGN(Walk environment, permissions.Object("environment"));
  CORDON_ASSIGN(std::vector<Walk> names, environment.Objects("allow"));
  for (Walk& one : names) {
    CORDON_ASSIGN(const auto key, one.Text("key"));
    if (key) {
      draft.Permit(one.PathOf("key"), policy::MakeEnvironment(*key), Need::kOptional, Word::kGranted,
                   "its value comes with the run: --env");
    }
    one.Finish(draft.findings());
  }
  environment.Finish(draft.findings());
  CORDON_TRY(Resources(permissions, draft));
  permissions.Finish(draft.findings());
  root.Finish(draft.findings());
  return std::move(draft).Finish();
}

}  // namespace cordon::foreign
