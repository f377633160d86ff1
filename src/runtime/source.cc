#include "runtime/source.h"

#include "base/file.h"

namespace cordon::runtime {
namespace {

namespace fs = std::filesystem;

// Of `wit`, that are told: beyond them a change is not seen.
constexpr std::size_t kWitFilesMax = 1000;

bool IsManifest(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error) || path.extension() == ".yaml" || path.extension() == ".yml";
}

Status ReadArtifact(Source& source) {
  CORDON_ASSIGN(source.bytes, ReadFile(source.artifact, kArtifactBytesMax));
  source.digest = Digest::Of(source.wasm());
  return {};
}

}  // namespace

Result<Source> SourceOfBytes(std::string name, std::string bytes) {
  if (bytes.size() > kArtifactBytesMax) {
    return Fail(Code::kLimit, "a plugin of " + std::to_string(bytes.size()) + " bytes is larger than " +
                                  std::to_string(kArtifactBytesMax));
  }
  Source source;
  source.name = std::move(name);
  source.artifact = source.name;
  source.bytes = std::move(bytes);
  source.digest = Digest::Of(source.wasm());
  return source;
}

Result<Source> ReadSource(const fs::path& path, const manifest::FileSeen& reads) {
  const auto see = [&reads](const fs::path& file) {
    if (reads) reads(file);
  };
  Source source;
  std::error_code error;
  if (!fs::exists(path, error)) {
    see(path);
    see(path / manifest::kManifestFile);
    return Fail(Code::kNotFound, "there is no plugin at " + path.string(),
                "name a folder with a plugin.yaml, or a .wasm file");
  }
  if (!IsManifest(path)) {
    see(path);
    source.name = path.stem().string();
    source.artifact = path;
    CORDON_TRY(ReadArtifact(source));
    return source;
  }
  CORDON_ASSIGN(source.manifest, manifest::LoadManifest(path, reads));
  source.name = source.manifest->name;
  source.artifact = source.manifest->ArtifactPath();
  see(source.artifact);
  CORDON_TRY(ReadArtifact(source));
  const auto& expected = source.manifest->runtime.digest;
  if (expected && *expected != source.digest) {
    return Fail(Error(Code::kDigest,
                      source.artifact.string() + " is not the artifact that " + source.manifest->file + " names",
                      "rebuild the plugin, or correct runtime.digest")
                    .With("expected", expected->ToString())
                    .With("found", source.digest.ToString()));
  }
  for (const manifest::Library& library : source.manifest->runtime.modules) {
    Source::Library& read = source.libraries.emplace_back(Source::Library{library.name, {}, library.digest});
    const fs::path file = source.manifest->folder / library.artifact;
    see(file);
    CORDON_ASSIGN(read.bytes, ReadFile(file, kArtifactBytesMax));
    const Digest found = Digest::Of(read.wasm());
    if (found == library.digest) continue;
    return Fail(Error(Code::kDigest, file.string() + " is not the module that " + source.manifest->file + " names",
                      "rebuild the plugin, or correct its digest under runtime.modules")
                    .With("expected", library.digest.ToString())
                    .With("found", found.ToString()));
  }
  source.manifest_digest = manifest::CanonicalDigest(*source.manifest);
  const fs::path wit = source.manifest->folder / "wit";
  see(wit);
  if (!fs::is_directory(wit, error)) return source;
  source.wit_folder = wit;
  if (!reads) return source;
  std::size_t left = kWitFilesMax;
  for (fs::recursive_directory_iterator at(wit, error), end; at != end && !error && left > 0; --left) {
    see(at->path());
    at.increment(error);
  }
  return source;
}

}  // namespace cordon::runtime
