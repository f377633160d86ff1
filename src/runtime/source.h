// What a plugin is made of on disk: its manifest, if it has one, and its artifact's bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "base/digest.h"
#include "cordon/result.h"
#include "manifest/manifest.h"

namespace cordon::runtime {

// The largest artifact that is read.
inline constexpr std::size_t kArtifactBytesMax = 32 << 20;

struct Source {
  std::string name;  // of the manifest, or the file's name for a bare .wasm
  std::optional<manifest::Manifest> manifest;
  std::filesystem::path artifact;
  std::string bytes;
  Digest digest;
  Digest manifest_digest;  // zero for a bare .wasm
  struct Library {
    std::string name, bytes;
    Digest digest;
    std::span<const std::uint8_t> wasm() const {
      return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
    }
  };
  std::vector<Library> libraries;    // of a plugin for Extism
  std::filesystem::path wit_folder;  // `wit` beside the manifest, or empty

  std::span<const std::uint8_t> wasm() const {
    return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
  }
};

// `path`: a folder with a plugin.yaml, that file, or a .wasm file. E_NOT_FOUND, E_IO, E_LIMIT, E_DIGEST, and the
// manifest's own errors. `reads` is called with every file and folder that is looked at; may be empty.
Result<Source> ReadSource(const std::filesystem::path& path, const manifest::FileSeen& reads = {});
// A binary without a manifest, from memory. E_LIMIT.
Result<Source> SourceOfBytes(std::string name, std::string bytes);

}  // namespace cordon::runtime
