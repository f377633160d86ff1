// grants.yaml from hostile hands: every error has its place, and what is taken is written back as the same grants.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "policy/grants_file.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using cordon::policy::GrantBook;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto book = GrantBook::Parse(text, "grants.yaml");
  if (!book) {
    Require(!book.error().message.empty() && book.error().place.has_value());
    return 0;
  }
  const std::string written = book->ToYaml();
  const auto again = GrantBook::Parse(written, "grants.yaml");
  Require(again && again->sets() == book->sets() && again->ToYaml() == written);
  for (const auto& set : book->sets()) {
    const cordon::policy::Subject subject{set.plugin, set.artifact, set.manifest, {}};
    const auto found = book->Find(subject);
    Require(found && found->has_value() && **found == set);
  }
  return 0;
}
