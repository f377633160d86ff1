#include "runtime/native_session.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/text.h"
#include "base/wire.h"
#include "services/fledge.h"

namespace cordon::runtime {
namespace {

constexpr std::size_t kShownBytesMax = 1000;
constexpr std::size_t kOptionsMax = 1000;
constexpr int kTries = 3;
constexpr std::chrono::milliseconds kStoppedLook{50};

std::string TextOf(const Json& message, const char* key) {
  const auto found = message.find(key);
  const auto* text = found == message.end() ? nullptr : found->get_ptr<const std::string*>();
  return text == nullptr ? std::string() : *text;
}

std::optional<std::string> DefaultOf(const Json& message) {
  const auto found = message.find("default");
  if (found == message.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

std::string Shown(const Json& message) { return EscapeShort(TextOf(message, "message"), kShownBytesMax); }

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

std::optional<std::int64_t> NumberOf(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Why the answer is none of `rule`; empty when it is one.
std::string Misfit(std::string_view rule, std::string_view answer) {
  if (rule == "non_empty" && Trimmed(answer).empty()) return "write something";
  if (rule == "integer" && !NumberOf(Trimmed(answer))) return "write a whole number";
  if (rule == "path_exists" && (answer.empty() || answer.front() != '/')) return "write a path that begins with /";
  if (rule == "url" && !answer.starts_with("http://") && !answer.starts_with("https://")) return "write a URL";
  return {};
}

Result<std::vector<std::string>> OptionsOf(const Json& message) {
  const auto found = message.find("options");
  std::vector<std::string> options;
  if (found != message.end() && found->is_array()) {
    for (const Json& option : *found) {
      if (const auto* text = option.get_ptr<const std::string*>()) options.push_back(*text);
    }
  }
  if (!options.empty() && options.size() <= kOptionsMax) return options;
  return Fail(Code::kInvalid, "the plugin offers a choice of " + std::to_string(options.size()) + " options",
              "report this to the plugin's author");
}

// The options, each with its number.
std::string Listed(const Json& message, const std::vector<std::string>& options) {
  std::string text = Shown(message) + "\n";
  for (std::size_t i = 0; i < options.size(); ++i) {
    text += "  " + std::to_string(i + 1) + ") " + EscapeShort(options[i], kShownBytesMax) + "\n";
  }
  return text;
}

Error NobodyAnswers(const Json& message) {
  return Error(Code::kUnavailable, "the plugin asks '" + Shown(message) + "', and nobody is there to answer",
               "run it in a terminal, or pass what it needs as arguments");
}

}  // namespace

// A call that is stopped does not wait for what it asked for; the program that runs for it ends when the call has.
HostReply NativeSession::Send(std::string_view function, std::string_view payload) const {
  struct Answer {
    std::mutex mutex;
    std::condition_variable came;
    std::optional<HostReply> reply;
  };
  const auto ask = [channel = channel_, id = call_.call_id, end = deadline_ns_](const std::string& what,
                                                                                const std::string& with) {
    const std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t*>(with.data()), with.size());
    return channel->Send({id, services::kFledgeInterface, what, bytes, end});
  };
  const bool runs_programs = function == "exec" || function == "metadata" || function == "init";
  if (!runs_programs || !call_.stopped) return ask(std::string(function), std::string(payload));
  const auto answer = std::make_shared<Answer>();
  std::thread([ask, answer, what = std::string(function), with = std::string(payload)] {
    HostReply reply = ask(what, with);
    const std::lock_guard lock(answer->mutex);
    answer->reply = std::move(reply);
    answer->came.notify_one();
  }).detach();
  std::unique_lock lock(answer->mutex);
  while (!answer->came.wait_for(lock, kStoppedLook, [&] { return answer->reply.has_value(); })) {
    if (call_.stopped()) return {HostReply::Outcome::kTrap, {}, Code::kInterrupted, "the call was interrupted"};
  }
  return std::move(*answer->reply);
}

Result<std::string> NativeSession::Ask(std::string_view function, std::string_view payload) {
  ++host_calls_;
  HostReply reply = Send(function, payload);
  if (reply.outcome == HostReply::Outcome::kTrap) return Fail(reply.code, std::move(reply.message));
  return std::string(reply.payload.begin(), reply.payload.end());
}

Status NativeSession::Log(std::string_view level, std::string_view message) {
  wire::Buffer payload;
  wire::Writer out(payload);
  out.String(level);
  out.String(message);
  CORDON_ASSIGN(const auto done, Ask("log", {reinterpret_cast<const char*>(payload.data()), payload.size()}));
  (void)done;
  return {};
}

Result<std::string> NativeSession::Init() {
  const std::span<const std::string> all = call_.options->arguments;
  wire::Buffer payload;
  wire::Writer out(payload);
  out.Count(all.empty() ? 0 : all.size() - 1);
  for (std::size_t i = 1; i < all.size(); ++i) out.String(all[i]);
  CORDON_ASSIGN(std::string init, Ask("init", {reinterpret_cast<const char*>(payload.data()), payload.size()}));
  return init + "\n";
}

Result<std::string> NativeSession::Take(std::string_view line) {
  if (Trimmed(line).empty()) return std::string();
  const auto skipped = [&](std::string_view why) -> Result<std::string> {
    CORDON_TRY(Log("warn", "a line was skipped, " + std::string(why) + ": " + EscapeShort(line, 200)));
    return std::string();
  };
  const auto message = json::Parse(line, "message", {.bytes = kNativeLineBytesMax});
  if (!message || !message->is_object()) return skipped("which is no JSON object");
  const std::string type = TextOf(*message, "type");
  if (type == "output") {
    CORDON_TRY(print_(TextOf(*message, "text")));
    return std::string();
  }
  if (type == "log") {
    CORDON_TRY(Log(TextOf(*message, "level"), TextOf(*message, "message")));
    return std::string();
  }
  if (type == "progress") return Progress(*message), std::string();
  if (type == "store") {
    const Json request = {{"key", TextOf(*message, "key")}, {"value", TextOf(*message, "value")}};
    CORDON_ASSIGN(const auto done, Ask("store_set", json::Dump(request)));
    (void)done;
    return std::string();
  }
  constexpr std::string_view kQuestions[] = {"load", "exec", "metadata", "prompt", "confirm", "select", "multi_select"};
  if (std::ranges::find(kQuestions, type) == std::end(kQuestions)) return skipped("whose type is unknown");
  const auto id = message->find("id");
  if (id == message->end()) return skipped("which has no id");
  CORDON_ASSIGN(const std::string value, Answer(type, *message));
  return R"({"type":"response","id":)" + json::Dump(*id) + R"(,"value":)" + value + "}\n";
}

// The value, as JSON text.
Result<std::string> NativeSession::Answer(std::string_view type, const Json& message) {
  if (type == "load") return Ask("store_get", TextOf(message, "key"));
  if (type == "exec") {
    Json request = {{"command", TextOf(message, "command")}};
    for (const char* key : {"cwd", "timeout"}) {
      if (const auto given = message.find(key); given != message.end()) request[key] = *given;
    }
    return Ask("exec", json::Dump(request));
  }
  if (type == "metadata") {
    const auto keys = message.find("keys");
    return Ask("metadata", keys == message.end() ? "[]" : json::Dump(*keys));
  }
  if (type == "confirm") return json::Dump(Confirm(message));
  CORDON_ASSIGN(const Json value, type == "prompt"   ? Prompt(message)
                                  : type == "select" ? Select(message)
                                                     : SelectMany(message));
  return json::Dump(value);
}

Result<Json> NativeSession::Prompt(const Json& message) {
  const std::optional<std::string> otherwise = DefaultOf(message);
  const std::string rule = TextOf(message, "validate");
  std::string question = Shown(message);
  if (otherwise) question += " [" + EscapeShort(*otherwise, kShownBytesMax) + "]";
  for (int left = kTries; call_.terminal != nullptr && left > 0; --left) {
    auto answer = call_.terminal->Ask(question + ": ", deadline_ns_, call_.stopped);
    if (!answer) break;
    if (answer->empty() && otherwise) return Json(*otherwise);
    const std::string misfit = IsUtf8(*answer) ? Misfit(rule, *answer) : "write UTF-8";
    if (misfit.empty()) return Json(std::move(*answer));
    call_.terminal->Progress(misfit);
  }
  if (otherwise) return Json(*otherwise);
  return Fail(NobodyAnswers(message));
}

Json NativeSession::Confirm(const Json& message) {
  const auto found = message.find("default");
  const bool otherwise = found != message.end() && found->is_boolean() && found->get<bool>();
  if (call_.terminal == nullptr) return otherwise;
  const auto answer =
      call_.terminal->Ask(Shown(message) + (otherwise ? " [Y/n] " : " [y/N] "), deadline_ns_, call_.stopped);
  if (!answer || Trimmed(*answer).empty()) return otherwise;
  const char first = Trimmed(*answer).front();
  return first == 'y' || first == 'Y';
}

Result<Json> NativeSession::Select(const Json& message) {
  CORDON_ASSIGN(const std::vector<std::string> options, OptionsOf(message));
  const auto found = message.find("default");
  const bool has_default = found != message.end() && found->is_number_integer();
  const std::int64_t wanted = has_default ? found->get<std::int64_t>() : 0;
  const std::int64_t count = static_cast<std::int64_t>(options.size());
  const std::string& otherwise = options[static_cast<std::size_t>(wanted >= 0 && wanted < count ? wanted : 0)];
  for (int left = kTries; call_.terminal != nullptr && left > 0; --left) {
    const auto answer = call_.terminal->Ask(Listed(message, options) + "number: ", deadline_ns_, call_.stopped);
    if (!answer || Trimmed(*answer).empty()) break;
    const auto number = NumberOf(Trimmed(*answer));
    if (number && *number >= 1 && *number <= count) return Json(options[static_cast<std::size_t>(*number - 1)]);
    call_.terminal->Progress("write one of the numbers");
  }
  return Json(otherwise);
}

Result<Json> NativeSession::SelectMany(const Json& message) {
  CORDON_ASSIGN(const std::vector<std::string> options, OptionsOf(message));
  const std::int64_t count = static_cast<std::int64_t>(options.size());
  const auto chosen = [&](const std::vector<std::int64_t>& places) {
    Json values = Json::array();
    for (const std::int64_t place : places) {
      if (place >= 0 && place < count) values.push_back(options[static_cast<std::size_t>(place)]);
    }
    return values;
  };
  if (call_.terminal != nullptr) {
    const auto answer = call_.terminal->Ask(Listed(message, options) + "numbers: ", deadline_ns_, call_.stopped);
    if (answer && !Trimmed(*answer).empty()) {
      std::vector<std::int64_t> places;
      std::string_view rest = *answer;
      while (!rest.empty()) {
        const std::size_t end = std::min(rest.find_first_of(" ,"), rest.size());
        if (const auto number = NumberOf(rest.substr(0, end))) places.push_back(*number - 1);
        rest.remove_prefix(std::min(rest.size(), end + 1));
      }
      return chosen(places);
    }
  }
  std::vector<std::int64_t> places;
  const auto found = message.find("defaults");
  if (found != message.end() && found->is_array()) {
    for (const Json& place : *found) {
      if (place.is_number_integer()) places.push_back(place.get<std::int64_t>());
    }
  }
  return chosen(places);
}

void NativeSession::Progress(const Json& message) {
  if (call_.terminal == nullptr) return;
  std::string text = Shown(message);
  const auto number = [&](const char* key) -> std::string {
    const auto found = message.find(key);
    return found != message.end() && found->is_number() ? json::Dump(*found) : std::string();
  };
  const std::string current = number("current"), total = number("total");
  if (!current.empty()) text += " " + current + (total.empty() ? "" : "/" + total);
  call_.terminal->Progress(text);
}

}  // namespace cordon::runtime
