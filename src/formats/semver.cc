#include "formats/semver.h"

#include "formats/bridge_text.h"

namespace cordon::semver {

using formats::BridgeText;
using formats::BytesOf;
using formats::CodeOf;

Result<std::string> ParseVersion(std::string_view text) {
  BridgeText out, problem;
  auto status = cordon_formats_version_parse(BytesOf(text), text.size(), out.out(), problem.out());
  if (status != CORDON_FORMATS_OK) {
    return Fail(CodeOf(status), std::string(problem.view()), "write a version as MAJOR.MINOR.PATCH, for example 1.4.0");
  }
  return std::string(out.view());
}

int Compare(std::string_view a, std::string_view b) {
  BridgeText problem;
  std::int32_t order = 0;
  cordon_formats_version_compare(BytesOf(a), a.size(), BytesOf(b), b.size(), &order, problem.out());
  return order;
}

Result<bool> Matches(std::string_view version, std::string_view range) {
  BridgeText problem;
  std::int32_t matches = 0;
  auto status = cordon_formats_version_matches(BytesOf(version), version.size(), BytesOf(range), range.size(), &matches,
                                               problem.out());
  if (status != CORDON_FORMATS_OK) {
    return Fail(CodeOf(status), std::string(problem.view()), "write a range as '>=0.1 <2', '^2.1' or '~1.2'");
  }
  return matches != 0;
}

}  // namespace cordon::semver
