// WIT from hostile hands: nothing crashes, errors have a message, and what is written is text that cannot leave its
// lines: printable, and no line that runs on into the next.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "bindgen/bindgen.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckText(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    Require(c == '\n' || (c >= 0x20 && c != 0x7f));
    if (c == '\n') Require(i == 0 || (text[i - 1] != '\\' && text[i - 1] != ' '));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cordon;
  const wit::Source source{"world.wit", std::string(reinterpret_cast<const char*>(data), size)};
  const Result<wit::World> world = wit::WorldOfSources({&source, 1});
  if (!world) {
    Require(!world.error().message.empty());
    return 0;
  }
  bindgen::CppOptions options;
  options.on_unsupported = bindgen::OnUnsupported::kSkip;
  const Result<bindgen::CppHeader> header = bindgen::GenerateCpp(*world, options);
  if (!header) {
    Require(!header.error().message.empty());
    return 0;
  }
  CheckText(header->text);
  Require(bindgen::GenerateCpp(*world, options)->text == header->text);
  return 0;
}
