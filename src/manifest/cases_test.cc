// Each file of tests/cases/manifest is a manifest whose first line says what must come of it:
//   # expect: ok
//   # expect: E_UNKNOWN_KEY 7:3       the code, and the line and column of the error where they are given
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "manifest/manifest.h"

namespace cordon::manifest {
namespace {

namespace fs = std::filesystem;

fs::path CasesFolder() { return fs::path(CORDON_SOURCE_DIR) / "tests/cases/manifest"; }

std::string ReadText(const fs::path& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

std::string Outcome(const Result<Manifest>& manifest, bool with_place) {
  if (manifest) return "ok";
  const Error& error = manifest.error();
  std::string out(CodeName(error.code));
  if (with_place && error.place)
    out += " " + std::to_string(error.place->line) + ":" + std::to_string(error.place->column);
  return out;
}

TEST(ManifestCases, EachFileComesOutAsItsFirstLineSays) {
  constexpr std::string_view kMark = "# expect: ";
  std::size_t cases = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(CasesFolder())) {
    const std::string text = ReadText(entry.path());
    ASSERT_TRUE(text.starts_with(kMark)) << entry.path();
    const std::size_t end = text.find('\n');
    std::string expected = text.substr(kMark.size(), end - kMark.size());
    while (expected.ends_with(' ')) expected.pop_back();
    const Result<Manifest> manifest = ParseManifest(
        text, "plugin.yaml",
        [](const std::string& path) -> Result<std::string> { return Fail(Code::kNotFound, "no file " + path); });
    EXPECT_EQ(Outcome(manifest, expected.find(':') != expected.npos), expected)
        << entry.path().filename() << (manifest ? "" : ": " + manifest.error().message);
    if (!manifest) {
      const Error& error = manifest.error();
      EXPECT_FALSE(error.message.empty()) << entry.path();
      EXPECT_FALSE(error.message.ends_with('.')) << error.message;
      EXPECT_TRUE(error.place.has_value()) << entry.path();
      EXPECT_LE(error.causes.size(), kErrorsMax) << entry.path();
    }
    ++cases;
  }
  EXPECT_GT(cases, 100u);
}

}  // namespace
}  // namespace cordon::manifest
