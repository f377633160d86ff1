#include "formats/toml.h"

#include <sstream>

#include "base/text.h"

#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_MAX_NESTED_VALUES 64
#include <toml++/toml.h>

namespace cordon {
namespace {

constexpr std::size_t kNodesMax = 64 << 10;

// Depth is bounded by the parser.
Result<Json> JsonOf(const toml::node& node, std::size_t& nodes) {
  if (++nodes > kNodesMax) return Fail(Code::kLimit, "the document has too many values");
  if (const auto* table = node.as_table()) {
    Json object = Json::object();
    for (const auto& [key, value] : *table) {
      CORDON_ASSIGN(object[std::string(key.str())], JsonOf(value, nodes));
    }
    return object;
  }
  if (const auto* array = node.as_array()) {
    Json list = Json::array();
    for (const toml::node& value : *array) {
      CORDON_ASSIGN(Json item, JsonOf(value, nodes));
      list.push_back(std::move(item));
    }
    return list;
  }
  if (const auto* text = node.as_string()) return Json(text->get());
  if (const auto* integer = node.as_integer()) return Json(integer->get());
  if (const auto* real = node.as_floating_point()) return Json(real->get());
  if (const auto* flag = node.as_boolean()) return Json(flag->get());
  std::ostringstream moment;
  node.visit([&](const auto& value) {
    if constexpr (toml::is_date<decltype(value)> || toml::is_time<decltype(value)> ||
                  toml::is_date_time<decltype(value)>) {
      moment << value.get();
    }
  });
  return Json(moment.str());
}

}  // namespace

Result<Json> ParseToml(std::string_view text, const std::string& file) {
  if (text.size() > kTomlBytesMax) return Fail(Code::kLimit, file + " is larger than 8 MiB");
  const toml::parse_result parsed = toml::parse(text, file);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    Place place{file, error.source().begin.line, error.source().begin.column, ""};
    std::size_t start = 0;
    for (std::uint32_t line = 1; line < place.line && start != std::string_view::npos; ++line) {
      start = text.find('\n', start);
      if (start != std::string_view::npos) ++start;
    }
    if (start != std::string_view::npos) place.excerpt = text.substr(start, text.find('\n', start) - start);
    return Fail(
        Error(Code::kSyntax, EscapeShort(error.description(), 300), "mend the TOML there").At(std::move(place)));
  }
  std::size_t nodes = 0;
  return JsonOf(parsed.table(), nodes);
}

}  // namespace cordon
