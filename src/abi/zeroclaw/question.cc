#include "abi/zeroclaw/question.h"

#include <algorithm>

namespace cordon::abi {
namespace {

constexpr json::Limits kLimits = {.bytes = 1 << 20, .depth = 32, .nodes = 1 << 16};

}  // namespace

Question::Question(std::string_view text) {
  if (text.empty()) return;
  auto read = json::Parse(text, {}, kLimits);
  if (!read) {
    const Code code = read.error().code;
    Fault(code, code == Code::kLimit ? "the input is too large or too deep" : "the input is not JSON");
  } else if (!read->is_object()) {
    Fault(Code::kType, "the input is not an object");
  } else {
    fields_ = std::move(*read);
  }
}

void Question::Fault(Code code, std::string message) {
  if (!fault_) fault_.emplace(code, std::move(message));
}

void Question::WrongType(std::string_view name, std::string_view wanted) {
  Fault(Code::kType, "'" + std::string(name) + "' is not " + std::string(wanted));
}

const Json* Question::Take(std::string_view name) {
  taken_.emplace_back(name);
  const auto found = fields_.find(std::string(name));
  return fault_ || found == fields_.end() || found->is_null() ? nullptr : &*found;
}

const Json* Question::Need(std::string_view name) {
  const Json* const value = Take(name);
  if (value == nullptr) Fault(Code::kMissing, "'" + std::string(name) + "' is missing");
  return value;
}

std::string Question::Text(std::string_view name) {
  const Json* const value = Need(name);
  if (value == nullptr) return {};
  if (value->is_string()) return value->get_ref<const std::string&>();
  WrongType(name, "a text");
  return {};
}

std::optional<std::string> Question::TextIfAny(std::string_view name) {
  const Json* const value = Take(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get_ref<const std::string&>();
  WrongType(name, "a text");
  return std::nullopt;
}

std::vector<std::string> Question::Texts(std::string_view name) {
  const Json* const value = Take(name);
  std::vector<std::string> texts;
  if (value == nullptr) return texts;
  if (!value->is_array() || !std::ranges::all_of(*value, [](const Json& one) { return one.is_string(); })) {
    WrongType(name, "a list of texts");
    return texts;
  }
  for (const Json& one : *value) texts.push_back(one.get_ref<const std::string&>());
  return texts;
}

std::vector<std::string> Question::KeysOf(std::string_view name) {
  const Json* const value = Take(name);
  std::vector<std::string> keys;
  if (value == nullptr) return keys;
  if (!value->is_object()) {
    WrongType(name, "an object");
    return keys;
  }
  for (const auto& [key, _] : value->items()) keys.push_back(key);
  return keys;
}

std::string Question::Object(std::string_view name) {
  const Json* const value = Need(name);
  if (value == nullptr) return {};
  if (value->is_object()) return json::Dump(*value);
  WrongType(name, "an object");
  return {};
}

Status Question::Finish() {
  for (const auto& [key, _] : fields_.items()) {
    if (std::ranges::find(taken_, key) == taken_.end()) Fault(Code::kUnknownKey, "there is a field that is not known");
  }
  if (fault_) return Fail(*fault_);
  return {};
}

}  // namespace cordon::abi
