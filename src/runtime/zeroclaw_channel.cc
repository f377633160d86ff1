#include "runtime/zeroclaw_channel.h"

#include "base/text.h"
#include "formats/json.h"

namespace cordon::runtime {
namespace {

constexpr std::size_t kShownBytesMax = 200;

std::string TextOf(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Status CheckAnswer(const Json& answer) {
  if (!answer.is_object()) return {};
  const auto success = answer.find("success");
  const bool failed = success != answer.end() ? *success == Json(false) : answer.contains("error");
  if (!failed) return {};
  const std::string text = TextOf(answer, "error");
  return Fail(Code::kGuest, text.empty() ? "the channel did not say why" : EscapeShort(text, kShownBytesMax));
}

}  // namespace

std::string ToSend(const Message& message) {
  const std::string body(message.body.begin(), message.body.end());
  const auto read = json::Parse(body);
  std::string text = body, recipient;
  if (read && read->is_object() && read->contains("message")) {
    text = TextOf(*read, "message");
    recipient = TextOf(*read, "recipient");
  }
  return json::Dump(
      {{"recipient", recipient}, {"message", text}, {"content", text}, {"sender", message.sender}, {"id", message.id}});
}

Status Sent(std::string_view answer) {
  const auto read = json::Parse(answer);
  return read ? CheckAnswer(*read) : Status();
}

Result<std::vector<std::string>> Heard(std::string_view answer) {
  std::vector<std::string> bodies;
  if (answer.empty()) return bodies;
  const auto read = json::Parse(answer);
  if (!read) return std::vector<std::string>{std::string(answer)};
  CORDON_TRY(CheckAnswer(*read));
  const Json* heard = &*read;
  if (heard->is_object() && heard->contains("messages")) heard = &(*heard)["messages"];
  const auto add = [&bodies](const Json& one) {
    bodies.push_back(one.is_string() ? one.get<std::string>() : json::Dump(one));
  };
  if (heard->is_array()) {
    for (const Json& one : *heard) add(one);
  } else if (!heard->is_null()) {
    add(*heard);
  }
  return bodies;
}

}  // namespace cordon::runtime
