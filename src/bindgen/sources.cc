#include "bindgen/sources.h"

#include <algorithm>
#include <system_error>

#include "base/file.h"
#include "base/text.h"

namespace cordon::bindgen {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kTextBytesMax = 4 << 20;
constexpr std::size_t kBinaryBytesMax = 64 << 20;
constexpr std::size_t kFilesMax = 1024;

class Collector {
 public:
  // A .wit file or a folder, as a package of its own.
  Status Package(const fs::path& path) {
    const std::uint32_t package = packages_++;
    std::error_code error;
    if (!fs::is_directory(path, error)) return File(path, package);
    CORDON_ASSIGN(const std::vector<fs::path> entries, Entries(path));
    for (const fs::path& entry : entries) {
      if (entry.extension() == ".wit" && !fs::is_directory(entry, error)) CORDON_TRY(File(entry, package));
    }
    return {};
  }

  // What a folder brings along: each entry of deps/ is a package.
  Status Dependencies(const fs::path& folder) {
    std::error_code error;
    const fs::path deps = folder / "deps";
    if (!fs::is_directory(deps, error)) return {};
    CORDON_ASSIGN(const std::vector<fs::path> entries, Entries(deps));
    for (const fs::path& entry : entries) {
      if (entry.extension() == ".wasm") {
        return Fail(Code::kInvalid, "'" + Escape(entry.string()) + "' is a WIT package in binary form",
                    "put its text there: wasm-tools component wit FILE");
      }
      if (entry.extension() == ".wit" || fs::is_directory(entry, error)) CORDON_TRY(Package(entry));
    }
    return {};
  }

  const std::vector<wit::Source>& sources() const { return sources_; }

 private:
  Status File(const fs::path& path, std::uint32_t package) {
    if (sources_.size() >= kFilesMax) return TooMuch();
    CORDON_ASSIGN(std::string text, ReadFile(path, kTextBytesMax));
    bytes_ += text.size();
    if (bytes_ > kTextBytesMax) return TooMuch();
    sources_.push_back({path.string(), std::move(text), package});
    return {};
  }

  // In the order of their names, so that the result does not depend on the disk.
  static Result<std::vector<fs::path>> Entries(const fs::path& folder) {
    std::vector<fs::path> entries;
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
      if (entries.size() >= kFilesMax) return TooMuch();
      entries.push_back(at->path());
    }
    if (error) return Fail(Code::kIo, "'" + Escape(folder.string()) + "': " + ErrnoText(error.value()));
    std::sort(entries.begin(), entries.end());
    return entries;
  }

  static std::unexpected<Error> TooMuch() {
    return Fail(Code::kLimit, "the WIT is more than 1024 files or 4 MiB", "give only the packages that the world uses");
  }

  std::vector<wit::Source> sources_;
  std::uint32_t packages_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace

Result<wit::World> ReadWorld(const fs::path& path, std::span<const fs::path> packages, std::string_view world) {
  std::error_code error;
  const bool is_folder = fs::is_directory(path, error);
  if (!is_folder && path.extension() != ".wit") {
    CORDON_ASSIGN(const std::string bytes, ReadFile(path, kBinaryBytesMax));
    if (bytes.starts_with(std::string_view("\0asm", 4))) {
      return wit::WorldOfBinary({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, world);
    }
  }
  Collector collector;
  CORDON_TRY(collector.Package(path));
  if (is_folder) CORDON_TRY(collector.Dependencies(path));
  for (const fs::path& package : packages) {
    CORDON_TRY(collector.Package(package));
    if (fs::is_directory(package, error)) CORDON_TRY(collector.Dependencies(package));
  }
  return wit::WorldOfSources(collector.sources(), world);
}

}  // namespace cordon::bindgen
