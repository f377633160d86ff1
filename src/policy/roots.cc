#include "policy/roots.h"

#include "base/text.h"
#include "policy/capability_grammar.h"

namespace cordon::policy {
namespace {

constexpr std::string_view kKernelTrees[] = {"/proc", "/sys", "/dev"};

// Whether `inner` is `outer` or beneath it.
bool Within(const std::filesystem::path& inner, const std::filesystem::path& outer) {
  auto a = inner.begin();
  for (auto b = outer.begin(); b != outer.end(); ++b) {
    if (b->empty()) continue;  // a trailing slash
    if (a == inner.end() || *a != *b) return false;
    ++a;
  }
  return true;
}

std::unexpected<Error> Forbidden(std::string_view name, std::string_view path, std::string_view why) {
  return Fail(Code::kGrantForbidden,
              "root '" + std::string(name) + "' cannot be " + Excerpt(path) + ", " + std::string(why),
              "map it to a folder that holds only what plugins may see");
}

bool Holds(const std::vector<FileId>& ids, const FileId& id) {
  for (const FileId& one : ids) {
    if (one == id) return true;
  }
  return false;
}

bool Overlap(const ResolvedMount& a, const ResolvedMount& b) {
  return a.id == b.id || Within(a.host, b.host) || Within(b.host, a.host) || Holds(a.ancestors, b.id) ||
         Holds(b.ancestors, a.id);
}

}  // namespace

Status CheckRootName(std::string_view name) {
  if (!name.empty() && IsLower(name.front()) && IsSlug(name, "-")) return {};
  return Fail(Code::kName, "'" + Excerpt(name) + "' is not the name of a root",
              "write a name such as workspace ([a-z][a-z0-9-]*)");
}

Status CheckRootText(std::string_view name, std::string_view text) {
  if (text.empty()) return Fail(Code::kMissing, "root '" + Excerpt(name) + "' has no folder", "write NAME=PATH");
  if (text.front() == '~' || text.find('$') != std::string_view::npos) {
    return Forbidden(name, text, "which would be expanded to a folder of somebody's");
  }
  if (Escape(text) != text) return Forbidden(name, Escape(text), "which has characters that cannot be shown");
  for (std::size_t start = 0; start <= text.size();) {
    std::size_t end = text.find('/', start);
    if (end == std::string_view::npos) end = text.size();
    if (text.substr(start, end - start) == "..") return Forbidden(name, text, "which climbs with '..'");
    start = end + 1;
  }
  return {};
}

Status CheckRoot(std::string_view name, const std::filesystem::path& canonical_host_path,
                 std::span<const std::filesystem::path> forbidden, const std::filesystem::path& home) {
  CORDON_TRY(CheckRootName(name));
  const std::string text = canonical_host_path.string();
  if (!canonical_host_path.is_absolute()) return Forbidden(name, text, "which is not an absolute path");
  CORDON_TRY(CheckRootText(name, text));
  if (Within("/", canonical_host_path)) return Forbidden(name, text, "the whole file system");
  for (std::string_view tree : kKernelTrees) {
    if (Within(canonical_host_path, tree)) return Forbidden(name, text, "a tree of the kernel");
  }
  if (!home.empty() && Within(home, canonical_host_path)) {
    return Forbidden(name, text, "which holds a home folder with its keys and settings");
  }
  for (const std::filesystem::path& place : forbidden) {
    if (place.empty()) continue;
    if (Within(canonical_host_path, place) || Within(place, canonical_host_path)) {
      return Forbidden(name, text, "which meets Cordon's own folder " + place.string());
    }
  }
  return {};
}

Status CheckOverlap(std::span<const ResolvedMount> mounts) {
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    for (std::size_t j = i + 1; j < mounts.size(); ++j) {
      const ResolvedMount& a = mounts[i];
      const ResolvedMount& b = mounts[j];
      if (a.access == b.access || !Overlap(a, b)) continue;
      const ResolvedMount& writable = a.access == Access::kWrite ? a : b;
      const ResolvedMount& readable = a.access == Access::kWrite ? b : a;
      return Fail(
          Code::kOverlap,
          "mount " + readable.mount + " is read-only and mount " + writable.mount + " could write the same files",
          "grant both with one access, or folders that do not meet");
    }
  }
  return {};
}

}  // namespace cordon::policy
