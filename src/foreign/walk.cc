#include "foreign/walk.h"

#include "base/text.h"

namespace cordon::foreign {
namespace {

constexpr std::size_t kItemsMax = 1024;

const Json& Nothing() {
  static const Json kEmpty = Json::object();
  return kEmpty;
}

std::unexpected<Error> Wrong(const std::string& path, std::string_view wanted) {
  return Fail(Code::kType, "'" + EscapeShort(path, 200) + "' is not " + std::string(wanted),
              "mend it there, or leave it out");
}

}  // namespace

std::string_view FateName(Finding::Fate fate) {
  switch (fate) {
    case Finding::Fate::kCarried: return "carried";
    case Finding::Fate::kNarrowed: return "narrowed";
    case Finding::Fate::kLost: break;
  }
  return "lost";
}

Result<Walk> Walk::Of(const Json& value, std::string path) {
  if (value.is_null()) return Walk(Nothing(), std::move(path));
  if (!value.is_object()) return Wrong(path.empty() ? "the document" : path, "a mapping");
  return Walk(value, std::move(path));
}

std::string Walk::PathOf(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

const Json* Walk::Take(std::string_view key) {
  taken_.emplace(key);
  const auto found = object_->find(std::string(key));
  return found == object_->end() || found->is_null() ? nullptr : &*found;
}

Result<std::optional<std::string>> Walk::Text(std::string_view key) {
  const Json* value = Take(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) return Wrong(PathOf(key), "a text");
  return value->get<std::string>();
}

Result<std::optional<std::int64_t>> Walk::Count(std::string_view key) {
  const Json* value = Take(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number_integer()) return Wrong(PathOf(key), "a whole number");
  const bool fits =
      value->is_number_unsigned() ? value->get<std::uint64_t>() <= INT64_MAX : value->get<std::int64_t>() >= 0;
  if (!fits) return Fail(Code::kRange, "'" + EscapeShort(PathOf(key), 200) + "' is out of range", "mend it there");
  return value->get<std::int64_t>();
}

Result<std::optional<bool>> Walk::Flag(std::string_view key) {
  const Json* value = Take(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) return Wrong(PathOf(key), "true or false");
  return value->get<bool>();
}

Result<std::vector<std::string>> Walk::Texts(std::string_view key) {
  const Json* value = Take(key);
  std::vector<std::string> texts;
  if (value == nullptr) return texts;
  if (!value->is_array()) return Wrong(PathOf(key), "a list");
  if (value->size() > kItemsMax) return Fail(Code::kLimit, "'" + EscapeShort(PathOf(key), 200) + "' is too long");
  for (const Json& item : *value) {
    if (!item.is_string()) return Wrong(PathOf(key) + "[" + std::to_string(texts.size()) + "]", "a text");
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

Result<Walk> Walk::Object(std::string_view key) {
  const Json* value = Take(key);
  return Of(value == nullptr ? Nothing() : *value, PathOf(key));
}

Result<std::vector<Walk>> Walk::Objects(std::string_view key) {
  const Json* value = Take(key);
  std::vector<Walk> walks;
  if (value == nullptr) return walks;
  if (!value->is_array()) return Wrong(PathOf(key), "a list");
  if (value->size() > kItemsMax) return Fail(Code::kLimit, "'" + EscapeShort(PathOf(key), 200) + "' is too long");
  for (const Json& item : *value) {
    CORDON_ASSIGN(Walk walk, Of(item, PathOf(key) + "[" + std::to_string(walks.size()) + "]"));
    walks.push_back(std::move(walk));
  }
  return walks;
}

std::vector<std::pair<std::string, const Json*>> Walk::All() {
  std::vector<std::pair<std::string, const Json*>> all;
  for (const auto& [key, value] : object_->items()) {
    taken_.insert(key);
    all.emplace_back(key, &value);
  }
  return all;
}

void Walk::Finish(std::vector<Finding>& findings, std::string_view why) const {
  for (const auto& [key, value] : object_->items()) {
    if (!taken_.contains(key)) findings.push_back({Finding::Fate::kLost, PathOf(key), "", std::string(why)});
  }
}

}  // namespace cordon::foreign
