#include "abi/zeroclaw/service.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "abi/zeroclaw/question.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "base/wire.h"
#include "services/memory/service.h"
#include "services/messaging/service.h"

namespace cordon::abi {
namespace {

using policy::Kind;
using services::Caller;
using services::Trap;

// A program that nobody else limits ends while there is time left to tell its plugin.
constexpr std::int64_t kProgramMsMax = 5000;

constexpr std::uint64_t kLastSecond = 253'402'300'799;  // of the year 9999

constexpr std::array<std::string_view, 3> kScopes = {"plugin", "session", "agent"};
constexpr std::array<std::uint32_t, 3> kScopeOrder = {2, 1, 0};

std::string TextOf(const Error& error) { return std::string(CodeName(error.code)) + ": " + Escape(error.message); }

std::string_view View(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::int64_t NowNs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

std::uint32_t TimeOfProgram(const Caller& caller) {
  if (caller.deadline_ns == 0) return kProgramMsMax;
  const std::int64_t left_ms = (caller.deadline_ns - NowNs()) / 1'000'000;
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(left_ms * 4 / 5, 1, kProgramMsMax));
}

// What a tool of another plugin answered: a result of zeroclaw's as it is, a text as its characters, else JSON.
Json ToolResult(std::string_view json) {
  const auto value = json::Parse(json);
  if (!value) return {{"success", true}, {"output", std::string(json)}};
  const auto success = value->is_object() ? value->find("success") : value->end();
  if (value->is_object() && success != value->end() && success->is_boolean() && value->contains("output") &&
      (*value)["output"].is_string()) {
    Json result = {{"success", *success}, {"output", (*value)["output"]}};
    if (value->contains("error") && (*value)["error"].is_string()) result["error"] = (*value)["error"];
    return result;
  }
  if (value->is_string()) return {{"success", true}, {"output", *value}};
  return {{"success", true}, {"output", std::string(json)}};
}

Json Failure(std::string_view function, std::string_view error) {
  Json json = {{"error", std::string(error)}};
  const bool is_call = function == "zeroclaw_tool_call";
  if (is_call || function == "zeroclaw_memory_store" || function == "zeroclaw_memory_forget" ||
      function == "zeroclaw_send_message") {
    json["success"] = false;
  }
  if (is_call) json["output"] = "";
  return json;
}

}  // namespace

std::string ZeroclawFailure(std::string_view function, std::string_view error) {
  return json::Dump(Failure(function, error));
}

// A value, an error in words, or what ends the guest's call.
struct ZeroclawService::Answer {
  Json json;
  std::string error;
  HostReply trap{};

  static Answer Of(Json value) { return {std::move(value), {}, {}}; }
  static Answer Failed(std::string text) { return {{}, std::move(text), {}}; }
  // A reply that is a trap, or none that was expected.
  static Answer Ended(HostReply reply) {
    if (reply.outcome == HostReply::Outcome::kTrap) return {{}, {}, std::move(reply)};
    return {{}, {}, Trap(Code::kInternal, "a service answered with what is no answer")};
  }
};

// The first scope of these in which the plugin may do it: what an agent knows is zeroclaw's only memory.
std::uint32_t ZeroclawService::ScopeOf(std::string_view access) const {
  for (const std::uint32_t scope : kScopeOrder) {
    if (guard_.authority().Decide(*policy::MakeMemory(access, kScopes[scope])).allowed()) return scope;
  }
  return kScopeOrder.front();
}

namespace {

// variant { access-denied, no-scope, other(string) }
std::string MemoryFailure(wire::Reader& in) {
  switch (in.Case(3)) {
    case 0: return std::string(kZeroclawDenied);
    case 1: return "E_NOT_FOUND: the host named no session or agent for this call";
    default: return std::string(in.String());
  }
}

}  // namespace

ZeroclawService::Answer ZeroclawService::Store(const Caller& caller, Question& question) const {
  const std::string key = question.Text("key"), value = question.Text("value");
  if (const Status good = question.Finish(); !good) return Answer::Failed(TextOf(good.error()));
  wire::Buffer asked;
  wire::Writer out(asked);
  out.U32(ScopeOf("store"));
  out.String(value);
  out.String(key);
  const HostReply reply = parts_.memory->Call(caller, services::kMemoryStoreKey, asked);
  wire::Reader in(reply.payload);
  if (reply.outcome != HostReply::Outcome::kDone) return Answer::Ended(reply);
  return in.Bool() ? Answer::Failed(MemoryFailure(in)) : Answer::Of({{"success", true}});
}

ZeroclawService::Answer ZeroclawService::Recall(const Caller& caller, Question& question) const {
  const std::string query = question.Text("query");
  if (const Status good = question.Finish(); !good) return Answer::Failed(TextOf(good.error()));
  wire::Buffer asked;
  wire::Writer out(asked);
  out.U32(ScopeOf("recall"));
  out.String(query);
  out.U32(services::kMemoryRecallMax);
  const HostReply reply = parts_.memory->Call(caller, "recall", asked);
  if (reply.outcome != HostReply::Outcome::kDone) return Answer::Ended(reply);
  wire::Reader in(reply.payload);
  if (in.Bool()) return Answer::Failed(MemoryFailure(in));
  Json entries = Json::array();
  for (std::uint32_t left = in.Count(20); left > 0 && in.ok(); --left) {
    Json entry;
    const std::string id(in.String());
    entry["id"] = id;
    entry["content"] = std::string(in.String());
    std::string key = id;
    const std::uint32_t labels = in.Count(4);
    for (std::uint32_t i = 0; i < labels && in.ok(); ++i) {
      const std::string_view label = in.String();
      if (i == 0) key = label;
    }
    entry["key"] = key;
    const std::uint64_t stored = std::min(in.U64() / 1000, kLastSecond);
    entry["timestamp"] = FormatTimestamp(Timestamp(std::chrono::seconds(stored)));
    entries.push_back(std::move(entry));
  }
  if (!in.Finish()) return Answer::Ended({});
  return Answer::Of({{"results", json::Dump(entries)}});
}

ZeroclawService::Answer ZeroclawService::Forget(const Caller& caller, Question& question) const {
  const std::string key = question.Text("key");
  if (const Status good = question.Finish(); !good) return Answer::Failed(TextOf(good.error()));
  wire::Buffer asked;
  wire::Writer out(asked);
  out.U32(ScopeOf("forget"));
  out.String(key);
  const HostReply reply = parts_.memory->Call(caller, services::kMemoryForgetKey, asked);
  if (reply.outcome != HostReply::Outcome::kDone) return Answer::Ended(reply);
  wire::Reader in(reply.payload);
  if (in.Bool()) return Answer::Failed(MemoryFailure(in));
  if (in.Bool()) return Answer::Of({{"success", true}});
  return Answer::Failed("E_NOT_FOUND: nothing is kept under this key");
}

// "acme/geocode#lookup" as it is. "look_up" is the one action of this name, or of "look-up", that was granted; without
// a grant that names it, of the only plugin of which every action was. Anything else is asked for as it stands, and
// denied.
std::string ZeroclawService::ToolNamed(const std::string& name) const {
  if (name.find_first_of("/#*") != std::string::npos) return name;
  std::string dashed = name;
  std::ranges::replace(dashed, '_', '-');
  std::vector<std::string> found[3];  // the best first
  for (const policy::Ruling& ruling : guard_.authority().rulings()) {
    if (!ruling.effective || ruling.effective->kind() != Kind::kCall) continue;
    const std::string& target = ruling.effective->named()->name;
    const std::string plugin = target.substr(0, target.find('#') + 1);
    const std::string_view action = std::string_view(target).substr(plugin.size());
    const std::size_t rank = action == name ? 0 : action == dashed ? 1 : 2;
    if (rank == 2 && action != "*") continue;
    const std::string full = rank == 2 ? plugin + name : target;
    if (std::ranges::find(found[rank], full) == found[rank].end()) found[rank].push_back(full);
  }
  for (const std::vector<std::string>& targets : found) {
    if (!targets.empty()) return targets.size() == 1 ? targets.front() : name;
  }
  return name;
}

ZeroclawService::Answer ZeroclawService::CallTool(const Caller& caller, Question& question) const {
  const std::string name = question.Text("tool_name"), arguments = question.Object("arguments");
  if (const Status good = question.Finish(); !good) return Answer::Failed(TextOf(good.error()));
  wire::Buffer asked;
  wire::Writer out(asked);
  out.String(ToolNamed(name));
  out.String(arguments);
  const HostReply reply = parts_.calls->Call(caller, "call", asked);
  if (reply.outcome != HostReply::Outcome::kDone) return Answer::Ended(reply);
  wire::Reader in(reply.payload);
  if (!in.Bool()) return Answer::Of(ToolResult(in.String()));
  // variant { access-denied(rule), answered(json), failed(record { code, message }) }
  switch (in.Case(3)) {
    case 0: return Answer::Failed("E_DENIED: " + std::string(in.String()));
    case 1: return Answer::Failed(std::string(in.String()));
    default: break;
  }
  std::string text(in.String());
  return Answer::Failed(text + ": " + std::string(in.String()));
}

ZeroclawService::Answer ZeroclawService::SendMessage(const Caller& caller, Question& question) const {
  const std::string channel = question.Text("channel");
  const Json body = {{"recipient", question.Text("recipient")}, {"message", question.Text("message")}};
  if (const Status good = question.Finish(); !good) return Answer::Failed(TextOf(good.error()));
  wire::Buffer asked;
  wire::Writer out(asked);
  out.String(channel);
  out.String(json::Dump(body));
  const HostReply reply = parts_.producer->Call(caller, "send", asked);
  if (reply.outcome != HostReply::Outcome::kDone) return Answer::Ended(reply);
  wire::Reader in(reply.payload);
  if (!in.Bool()) return Answer::Of({{"success", true}});
  // variant { access-denied, queue-full, rate-limited, other(string) }
  switch (in.Case(4)) {
    case 0: return Answer::Failed(std::string(kZeroclawDenied));
    case 1: return Answer::Failed("queue-full");
    case 2: return Answer::Failed("rate-limited");
    default: return Answer::Failed(std::string(in.String()));
  }
}

ZeroclawService::Answer ZeroclawService::Channels(const Caller& caller, Question& question) const {
  if (const Status good = question.Finish(); !good) return Answer::Failed(TextOf(good.error()));
  return Answer::Of({{"channels", services::ChannelsToSend(guard_, caller)}});
}

// A program has Cordon's own few variables, whoever asks for others.
ZeroclawService::Answer ZeroclawService::Run(const Caller& caller, Question& question) const {
  const std::string command = question.Text("command");
  const std::vector<std::string> arguments = question.Texts("args");
  const std::optional<std::string> directory = question.TextIfAny("working_dir");
  const std::vector<std::string> variables = question.KeysOf("env");
  if (const Status good = question.Finish(); !good) return Answer::Failed(TextOf(good.error()));
  if (!variables.empty()) {
    const auto decision = guard_.Refuse(caller, "exec:" + EscapeShort(command, 64),
                                        "env " + EscapeShort(variables.front(), 64), "exec:env");
    if (decision.code == Code::kAuditUnavailable) {
      return Answer::Ended(Trap(decision.code, "the audit cannot be written"));
    }
    return Answer::Failed("E_DENIED: exec:env");
  }
  wire::Buffer asked;
  wire::Writer out(asked);
  out.String(command);
  out.Count(arguments.size());
  for (const std::string& argument : arguments) out.String(argument);
  out.Bool(directory.has_value());
  if (directory) out.String(*directory);
  out.Count(0);
  out.Bool(true);
  out.U32(TimeOfProgram(caller));
  const HostReply reply = parts_.programs->Call(caller, "run", asked);
  if (reply.outcome != HostReply::Outcome::kDone) return Answer::Ended(reply);
  wire::Reader in(reply.payload);
  if (in.Bool()) {
    const bool is_denied = in.Case(2) == 0;
    return Answer::Failed((is_denied ? "E_DENIED: " : "") + std::string(in.String()));
  }
  // variant { exited(u32), signalled(u32), timed-out }, as a shell would say it.
  const std::uint32_t ended = in.Case(3);
  const bool timed_out = ended == 2;
  const std::int64_t number = timed_out ? -1 : std::int64_t{in.U32()};
  Json outcome = {{"exit_code", ended == 1 ? 128 + number : number}, {"timed_out", timed_out}};
  outcome["stdout"] = std::string(View(in.Raw(in.Count(1))));
  outcome["stderr"] = std::string(View(in.Raw(in.Count(1))));
  const bool out_cut = in.Bool(), err_cut = in.Bool();
  outcome["truncated"] = out_cut || err_cut;
  return Answer::Of(std::move(outcome));
}

// A session is CHANNEL/CONVERSATION, or a conversation of no channel that is known.
ZeroclawService::Answer ZeroclawService::Told(const Caller& caller, std::string_view part, Question& question) const {
  if (const Status good = question.Finish(); !good) return Answer::Failed(TextOf(good.error()));
  const HostReply reply = parts_.context->Call(caller, part, {});
  if (reply.outcome != HostReply::Outcome::kDone) return Answer::Ended(reply);
  wire::Reader in(reply.payload);
  if (in.Bool()) return Answer::Failed(std::string(kZeroclawDenied));
  if (!in.Bool()) return Answer::Failed("E_NOT_FOUND: the host named no " + std::string(part) + " for this call");
  const std::string name(in.String());
  if (part == "user") return Answer::Of({{"username", name}, {"display_name", name}, {"channel_user_id", name}});
  if (part == "agent") {
    return Answer::Of({{"name", name}, {"personality_traits", Json::array()}, {"identity", Json::object()}});
  }
  const std::size_t slash = name.find('/');
  const bool has_channel = slash != std::string::npos;
  // Whoever has no clock learns no time.
  const Timestamp now = guard_.authority().Clock()
                            ? std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now())
                            : Timestamp{};
  return Answer::Of({{"channel_name", has_channel ? name.substr(0, slash) : ""},
                     {"conversation_id", has_channel ? name.substr(slash + 1) : name},
                     {"timestamp", FormatTimestamp(now)}});
}

ZeroclawService::Answer ZeroclawService::Ask(const Caller& caller, std::string_view function,
                                             Question& question) const {
  if (function == "zeroclaw_memory_store" && parts_.memory) return Store(caller, question);
  if (function == "zeroclaw_memory_recall" && parts_.memory) return Recall(caller, question);
  if (function == "zeroclaw_memory_forget" && parts_.memory) return Forget(caller, question);
  if (function == "zeroclaw_tool_call" && parts_.calls) return CallTool(caller, question);
  if (function == "zeroclaw_send_message" && parts_.producer) return SendMessage(caller, question);
  if (function == "zeroclaw_get_channels" && parts_.producer) return Channels(caller, question);
  if (function == "zeroclaw_cli_exec" && parts_.programs) return Run(caller, question);
  if (function == "context_session" && parts_.context) return Told(caller, "session", question);
  if (function == "context_user_identity" && parts_.context) return Told(caller, "user", question);
  if (function == "context_agent_config" && parts_.context) return Told(caller, "agent", question);
  return Answer::Ended(
      Trap(Code::kLink, "nothing answers " + std::string(kZeroclawModule) + "#" + std::string(function)));
}

HostReply ZeroclawService::Call(const Caller& caller, std::string_view function,
                                std::span<const std::uint8_t> payload) {
  if (std::ranges::find(parts_.own_names, function) != parts_.own_names.end()) {
    return parts_.own->Call(caller, function, payload);
  }
  wire::Reader in(payload);
  const std::span<const std::uint8_t> text = in.Raw(in.Count(1));
  if (const Status read = in.Finish(); !read) return Trap(Code::kInvalid, read.error().message);
  Question question(View(text));
  Answer answer = Ask(caller, function, question);
  if (answer.trap.outcome == HostReply::Outcome::kTrap) return std::move(answer.trap);
  if (!answer.error.empty()) answer.json = Failure(function, answer.error);
  HostReply reply;
  const std::string json = json::Dump(answer.json);
  wire::Writer(reply.payload).String(json);
  return reply;
}

}  // namespace cordon::abi
