// What a plugin of zeroclaw asks: a JSON object with fields that are known. Errors are a code and a sentence without
// the plugin's own words, so that they can be shown as they are.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"

namespace cordon::abi {

// The first fault sticks, every later read gives nothing, and Finish tells.
class Question {
 public:
  // An empty text is an empty object.
  explicit Question(std::string_view text);

  std::string Text(std::string_view name);                      // required
  std::optional<std::string> TextIfAny(std::string_view name);  // null counts as absent
  std::vector<std::string> Texts(std::string_view name);        // absent: none
  std::vector<std::string> KeysOf(std::string_view name);       // of a mapping; absent: none
  std::string Object(std::string_view name);                    // required; as JSON text

  // E_SYNTAX, E_LIMIT and so on of the JSON; E_MISSING, E_TYPE, E_UNKNOWN_KEY.
  Status Finish();

 private:
  const Json* Take(std::string_view name);
  const Json* Need(std::string_view name);
  void WrongType(std::string_view name, std::string_view wanted);
  void Fault(Code code, std::string message);

  Json fields_ = Json::object();
  std::vector<std::string> taken_;
  std::optional<Error> fault_;
};

}  // namespace cordon::abi
