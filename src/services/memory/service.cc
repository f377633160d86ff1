#include "services/memory/service.h"

#include <array>

#include "base/digest.h"
#include "base/text.h"
#include "base/wire.h"

namespace cordon::services {
namespace {

constexpr std::size_t kIdShownMax = 64;
constexpr std::array<std::string_view, 3> kScopes = {"plugin", "session", "agent"};

enum class MemoryError : std::uint32_t { kAccessDenied = 0, kNoScope = 1, kOther = 2 };

HostReply Refused(MemoryError error, std::string_view text = {}) {
  HostReply reply;
  wire::Writer out(reply.payload);
  out.Bool(true);
  out.U32(static_cast<std::uint32_t>(error));
  if (error == MemoryError::kOther) out.String(text);
  return reply;
}

HostReply Refused(const Error& error) {
  return Refused(MemoryError::kOther, std::string(CodeName(error.code)) + ": " + Escape(error.message));
}

HostReply Denied(const policy::Decision& decision) {
  if (decision.code == Code::kAuditUnavailable) return Trap(decision.code, "the audit cannot be written");
  return Refused(MemoryError::kAccessDenied);
}

// "store" of "forget-all" and so on: the word in a grant.
std::string_view AccessOf(std::string_view function) {
  if (function == "forget-all" || function == kMemoryForgetKey) return "forget";
  return function == kMemoryStoreKey ? "store" : function;
}

// One word that nothing but this key has, so that what is kept under it is found among any number of others.
std::string WordOf(std::string_view key) { return "key" + Digest::Of(key).Hex().substr(0, 32); }

bool HasKey(const Memory::Entry& entry, std::string_view key) {
  return !entry.labels.empty() && entry.labels.front() == key;
}

Status CheckText(std::string_view text, std::span<const std::string> labels) {
  if (text.empty()) return Fail(Code::kInvalid, "the text is empty");
  if (text.size() > kMemoryTextBytesMax) {
    return Fail(Code::kLimit,
                "the text has " + std::to_string(text.size()) + " bytes, above " + std::to_string(kMemoryTextBytesMax));
  }
  if (labels.size() > kMemoryLabelsMax) {
    return Fail(Code::kLimit, "there are more than " + std::to_string(kMemoryLabelsMax) + " labels");
  }
  for (const std::string& label : labels) {
    if (label.empty() || label.size() > kMemoryLabelBytesMax || Escape(label) != label) {
      return Fail(Code::kInvalid, "a label is empty, longer than " + std::to_string(kMemoryLabelBytesMax) +
                                      " bytes, or has a control character");
    }
  }
  return {};
}

// What keeps memories may be a plugin, so its answers are checked like a guest's.
Status CheckEntry(const Memory::Entry& entry) {
  bool good = !entry.id.empty() && entry.id.size() <= kMemoryIdBytesMax && IsUtf8(entry.id) && IsUtf8(entry.text) &&
              entry.text.size() <= kMemoryTextBytesMax && entry.labels.size() <= kMemoryLabelsMax;
  for (const std::string& label : entry.labels) {
    good = good && label.size() <= kMemoryLabelBytesMax && IsUtf8(label);
  }
  if (good) return {};
  return Fail(Code::kInvalid, "what keeps the memories answered with one that is none");
}

}  // namespace

struct MemoryService::Asked {
  std::string_view text;  // the text, the query or the id
  std::vector<std::string> labels;
  std::uint32_t max = 0;
};

Memory::Place MemoryService::PlaceOf(const Caller& caller, Memory::Scope scope) const {
  Memory::Place place{.owner = guard_.plugin(),
                      .scope = scope,
                      .name = {},
                      .entries_max = quota_.entries,
                      .bytes_max = quota_.bytes,
                      .deadline_ns = caller.deadline_ns};
  if (caller.principal == nullptr) return place;
  if (scope == Memory::Scope::kSession) place.name = caller.principal->session;
  if (scope == Memory::Scope::kAgent) place.name = caller.principal->agent;
  if (scope != Memory::Scope::kPlugin && place.name.empty()) return place;  // there is no such scope
  // No name has control characters, so that none is another tenant's.
  if (!caller.principal->tenant.empty()) place.name.insert(0, caller.principal->tenant + '\x1f');
  return place;
}

HostReply MemoryService::Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) {
  const bool has_key = function == kMemoryStoreKey;
  const bool is_store = function == "store" || has_key, is_recall = function == "recall";
  const bool is_forget = function == "forget" || function == kMemoryForgetKey;
  if (!is_store && !is_recall && !is_forget && function != "forget-all") {
    return Trap(Code::kLink, "nothing answers cordon:memory/memory#" + std::string(function));
  }
  wire::Reader in(payload);
  const std::uint32_t number = in.Case(kScopes.size());
  Asked asked;
  if (is_store || is_recall || is_forget) asked.text = in.String();
  if (has_key) {
    const std::string_view key = in.String();
    asked.labels = {std::string(key.substr(0, kMemoryLabelBytesMax + 1)), WordOf(key)};
  } else if (is_store) {
    const std::size_t count = in.Count(4);
    for (std::size_t i = 0; i < count; ++i) {
      const std::string_view label = in.String();
      if (i <= kMemoryLabelsMax) asked.labels.emplace_back(label.substr(0, kMemoryLabelBytesMax + 1));
    }
  }
  if (is_recall) asked.max = in.U32();
  if (const Status read = in.Finish(); !read) return Trap(Code::kInvalid, read.error().message);
  const std::string scope(kScopes[number]);
  const auto capability = policy::MakeMemory(AccessOf(function), scope);
  const std::string target = is_forget ? scope + "/" + EscapeShort(asked.text, kIdShownMax) : scope;
  const policy::Decision decision = guard_.Check(caller, *capability, target);
  if (!decision.allowed()) return Denied(decision);
  const Memory::Place place = PlaceOf(caller, static_cast<Memory::Scope>(number));
  if (place.scope != Memory::Scope::kPlugin && place.name.empty()) return Refused(MemoryError::kNoScope);
  const auto spend = [&](std::size_t bytes) { return guard_.Spend(caller, *capability, target, bytes); };
  if (const auto spent = spend(is_store ? asked.text.size() : 0); !spent.allowed()) return Denied(spent);
  HostReply reply = has_key ? StoreKey(caller, place, asked) : Do(place, function, asked);
  if (const auto spent = spend(is_recall ? reply.payload.size() : 0); !spent.allowed()) return Denied(spent);
  return reply;
}

HostReply MemoryService::Do(const Memory::Place& place, std::string_view function, const Asked& asked) const {
  HostReply reply;
  wire::Writer out(reply.payload);
  out.Bool(false);
  if (function == "store") {
    if (const Status fits = CheckText(asked.text, asked.labels); !fits) return Refused(fits.error());
    const auto id = memory_->Store(place, asked.text, asked.labels);
    if (!id) return Refused(id.error());
    if (const Status good = CheckEntry({*id, {}, {}, 0}); !good) return Refused(good.error());
    out.String(*id);
    return reply;
  }
  if (function == "forget") {
    const auto forgotten = memory_->Forget(place, asked.text.substr(0, kMemoryIdBytesMax + 1));
    if (!forgotten) return Refused(forgotten.error());
    out.Bool(*forgotten);
    return reply;
  }
  if (function == kMemoryForgetKey) {
    const auto forgotten = ForgetKey(place, std::string(asked.text.substr(0, kMemoryIdBytesMax + 1)));
    if (!forgotten) return Refused(forgotten.error());
    out.Bool(*forgotten);
    return reply;
  }
  if (function == "forget-all") {
    const auto count = memory_->ForgetAll(place);
    if (!count) return Refused(count.error());
    out.U64(*count);
    return reply;
  }
  if (asked.text.size() > kMemoryQueryBytesMax) {
    return Refused(Error(Code::kLimit, "the query is longer than " + std::to_string(kMemoryQueryBytesMax) + " bytes"));
  }
  const std::size_t max = std::min<std::size_t>(asked.max, kMemoryRecallMax);
  auto entries = memory_->Recall(place, asked.text, max);
  if (!entries) return Refused(entries.error());
  if (entries->size() > max) entries->resize(max);
  std::size_t bytes = 0, fit = 0;
  for (const Memory::Entry& entry : *entries) {
    if (const Status good = CheckEntry(entry); !good) return Refused(good.error());
    bytes += entry.text.size();
    if (bytes <= kMemoryReplyBytesMax) ++fit;
  }
  out.Count(fit);
  for (std::size_t i = 0; i < fit; ++i) {
    const Memory::Entry& entry = (*entries)[i];
    out.String(entry.id);
    out.String(entry.text);
    out.Count(entry.labels.size());
    for (const std::string& label : entry.labels) out.String(label);
    out.U64(entry.stored_ms);
  }
  return reply;
}

// What the first query finds that has the key; some backends search texts alone.
Result<std::vector<std::string>> MemoryService::IdsOf(const Memory::Place& place, std::span<const std::string> queries,
                                                      std::string_view key) const {
  std::vector<std::string> ids;
  for (const std::string& query : queries) {
    CORDON_ASSIGN(const std::vector<Memory::Entry> entries, memory_->Recall(place, query, kMemoryRecallMax));
    for (const Memory::Entry& entry : entries) {
      if (!HasKey(entry, key)) continue;
      CORDON_TRY(CheckEntry(entry));
      ids.push_back(entry.id);
    }
    if (!ids.empty()) break;
  }
  return ids;
}

Result<bool> MemoryService::ForgetKey(const Memory::Place& place, const std::string& key) const {
  CORDON_ASSIGN(bool any, memory_->Forget(place, key));
  const std::array<std::string, 3> queries = {WordOf(key), key, ""};
  // As often as there may be something, and no more: what keeps the memories may say so for ever.
  for (std::uint64_t rounds = place.entries_max / kMemoryRecallMax + 2; rounds > 0; --rounds) {
    CORDON_ASSIGN(const std::vector<std::string> ids, IdsOf(place, queries, key));
    if (ids.empty()) return any;
    for (const std::string& id : ids) {
      CORDON_ASSIGN(const bool gone, memory_->Forget(place, id));
      if (!gone) return Fail(Code::kIo, "what was kept under the key could not be forgotten");
      any = true;
    }
  }
  return Fail(Code::kLimit, "more has the key than the plugin may remember");
}

// What had the key before goes once the new text is kept. A plugin that may not forget keeps both.
HostReply MemoryService::StoreKey(const Caller& caller, const Memory::Place& place, const Asked& asked) const {
  const std::string& key = asked.labels.front();
  const auto forget = policy::MakeMemory("forget", kScopes[static_cast<std::size_t>(place.scope)]);
  std::vector<std::string> older;
  if (guard_.authority().Decide(*forget).allowed() && CheckText(asked.text, asked.labels)) {
    auto found = IdsOf(place, std::array{WordOf(key)}, key);
    if (!found) return Refused(found.error());
    older = std::move(*found);
  }
  HostReply reply = Do(place, "store", asked);
  if (older.empty() || reply.payload.empty() || reply.payload.front() != 0) return reply;
  const std::string target =
      std::string(kScopes[static_cast<std::size_t>(place.scope)]) + "/" + EscapeShort(key, kIdShownMax);
  const policy::Decision decision = guard_.Check(caller, *forget, target);
  if (decision.code == Code::kAuditUnavailable) return Denied(decision);
  for (const std::string& id : older) {
    if (!decision.allowed()) break;
    if (const auto gone = memory_->Forget(place, id); !gone) return Refused(gone.error());
  }
  return reply;
}

}  // namespace cordon::services
