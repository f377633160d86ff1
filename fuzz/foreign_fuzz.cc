// Manifests of other systems from hostile hands: a code, or a draft of ours that is YAML, whose grants are in the
// grammar, and a report that says why for every field that is lost. The first byte says how the file ends and of which
// system it is taken to be.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "foreign/convert.h"
#include "formats/yaml.h"
#include "policy/grant.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cordon;
  if (size == 0) return 0;
  constexpr const char* kFiles[] = {"m.json", "m.toml", "m.yaml"};
  const std::string file = kFiles[data[0] % 3];
  const unsigned which = data[0] / 3 % 7;
  std::optional<foreign::Format> format;
  if (which < 6) format = static_cast<foreign::Format>(which);
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto imported = foreign::Convert(text, file, format);
  if (!imported) {
    Require(!imported.error().message.empty());
    return 0;
  }
  for (const std::string& grant : imported->grants) {
    const auto parsed = policy::Grant::Parse(grant);
    Require(parsed && parsed->ToString() == grant);
  }
  const yaml::Limits limits{.bytes = 64 << 20, .depth = 128, .nodes = 1 << 22, .scalar = 16 << 20};
  const std::string written = foreign::ToYaml(imported->manifest);
  const auto document = yaml::Parse(written, "plugin.yaml", limits);
  // Only what YAML itself refuses may keep a text of the source from being read again: control characters.
  Require(document || document.error().code == Code::kSyntax || document.error().code == Code::kBadString ||
          document.error().code == Code::kLimit);
  for (const foreign::Finding& finding : imported->findings) {
    Require(finding.fate != foreign::Finding::Fate::kLost || !finding.why.empty());
  }
  return 0;
}
