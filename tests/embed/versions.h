// Plugins that are told apart by what they answer, made on the spot: so that there may be any number of versions.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace versions {

namespace fs = std::filesystem;

inline std::string Section(char id, const std::string& content) {
  return std::string(1, id) + static_cast<char>(content.size()) + content;  // all of them are shorter than 128
}

enum class Start { kNone, kTraps };

// A core module: `which` answers the number (0 to 63), `slow` does so after some time.
inline std::string Module(int number, Start start = Start::kNone) {
  const std::string constant = {'\x41', static_cast<char>(number)};
  std::string out("\0asm\1\0\0\0", 8);
  out += Section(1, std::string("\2\x60\0\1\x7f\x60\0\0", 8));
  out += Section(3, std::string("\3\0\0\1", 4));
  out += Section(7, std::string("\2\5which\0\0\4slow\0\1", 16));
  if (start == Start::kTraps) out += Section(8, "\2");
  const std::string which = std::string("\0", 1) + constant + "\x0b";
  // (local i32) (loop (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 400000000))))
  const std::string slow =
      std::string("\1\1\x7f\3\x40\x20\0\x41\1\x6a\x22\0\x41\x80\x88\xde\xbe\x01\x49\x0d\0\x0b", 22) + constant + "\x0b";
  const std::string traps("\0\0\x0b", 3);
  std::string bodies = "\3";
  for (const std::string& body : {which, slow, traps}) bodies += static_cast<char>(body.size()) + body;
  return out + Section(10, bodies);
}

// As a builder does it that does not want half a file to be seen.
inline void Write(const fs::path& path, std::string_view content) {
  fs::create_directories(path.parent_path());
  const fs::path beside = path.string() + ".new";
  std::ofstream(beside, std::ios::binary) << content;
  fs::rename(beside, path);
}

inline std::string Manifest(std::string_view name, std::string_view version, std::string_view rest = "") {
  return "manifest: 1\nname: " + std::string(name) + "\nversion: " + std::string(version) +
         "\nruntime: { abi: core, artifact: plugin.wasm }\nactions:\n  which: { export: which }\n"
         "  slow: { export: slow }\n" +
         std::string(rest);
}

// A folder with a plugin of one version.
inline void WritePlugin(const fs::path& folder, std::string_view name, int number, Start start = Start::kNone) {
  Write(folder / "plugin.wasm", Module(number, start));
  Write(folder / "plugin.yaml", Manifest(name, "1.0." + std::to_string(number)));
}

}  // namespace versions
