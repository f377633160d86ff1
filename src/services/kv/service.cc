#include "services/kv/service.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "base/text.h"
#include "base/wire.h"

namespace cordon::services {
namespace {

using policy::Access;
using policy::Capability;
using policy::Decision;

constexpr std::string_view kDropPrefix = "[resource-drop]";
constexpr std::size_t kTargetKeyBytesMax = 64;
constexpr int kIncrementTriesMax = 1000;

// The interface's `error`, or what ends the guest's call.
struct Refusal {
  enum class Form : std::uint8_t { kNoSuchStore, kAccessDenied, kOther, kTrap } form = Form::kOther;
  std::string text;
  Code code = Code::kIo;
};
template <typename T>
using Answer = std::expected<T, Refusal>;

std::unexpected<Refusal> Denied(const Decision& decision) {
  if (decision.code == Code::kAuditUnavailable) {
    return std::unexpected(Refusal{Refusal::Form::kTrap, "the audit cannot be written", decision.code});
  }
  return std::unexpected(Refusal{Refusal::Form::kAccessDenied, "", Code::kDenied});
}

std::unexpected<Refusal> Other(Code code, const std::string& message) {
  return std::unexpected(Refusal{Refusal::Form::kOther, std::string(CodeName(code)) + ": " + message, code});
}

void WriteError(wire::Writer& out, const Refusal& refusal) {
  out.U32(static_cast<std::uint32_t>(refusal.form));
  if (refusal.form == Refusal::Form::kOther) out.String(refusal.text);
}

// result<T, error>, where `write` writes T.
template <typename T, typename Write>
HostReply Reply(const Answer<T>& answer, Write write) {
  if (!answer && answer.error().form == Refusal::Form::kTrap) return Trap(answer.error().code, answer.error().text);
  HostReply reply;
  wire::Writer out(reply.payload);
  out.Bool(!answer);
  if (answer) {
    write(out, *answer);
  } else {
    WriteError(out, answer.error());
  }
  return reply;
}

void WriteNothing(wire::Writer&, const std::monostate&) {}

void WriteBytes(wire::Writer& out, std::span<const std::uint8_t> bytes) {
  out.Count(bytes.size());
  out.Raw(bytes);
}

void WriteEntry(wire::Writer& out, const std::optional<KvEntry>& entry) {
  out.Bool(entry.has_value());
  if (entry) WriteBytes(out, entry->value);
}

HostReply Malformed(const Status& read) { return Trap(Code::kInvalid, read.error().message); }

std::span<const std::uint8_t> ReadBytes(wire::Reader& in) { return in.Raw(in.Count(1)); }

}  // namespace

namespace {

// A handle for compare-and-set: what is to be there still.
struct Cas {
  std::uint32_t bucket = 0;
  std::string key;
  std::uint64_t version = 0;
};

// What the three services of a plugin share. Thread-safe.
class KvPlugin {
 public:
  KvPlugin(const Guard& guard, std::shared_ptr<KvBackend> backend, std::vector<KvBucket> buckets)
      : guard_(guard), backend_(std::move(backend)), buckets_(std::move(buckets)) {
    for (const KvBucket& bucket : buckets_) {
      reads_.push_back(*policy::MakeStorage(bucket.name, Access::kRead));
      writes_.push_back(*policy::MakeStorage(bucket.name, Access::kWrite));
    }
  }

  Answer<std::uint32_t> Open(const Caller& caller, std::string_view identifier) {
    const auto at = std::ranges::find(buckets_, identifier, &KvBucket::name);
    if (at != buckets_.end()) {
      const auto rep = static_cast<std::uint32_t>(at - buckets_.begin());
      const Decision decision = guard_.Check(caller, reads_[rep], at->name);
      if (!decision.allowed()) return Denied(decision);
      return rep;
    }
    const auto asked = policy::MakeStorage(identifier, Access::kRead);
    if (asked) return Denied(guard_.Check(caller, *asked, identifier));
    const std::string target = "'" + EscapeShort(identifier, kTargetKeyBytesMax) + "'";
    return Denied(guard_.Refuse(caller, "kv:read", target, "kv:bucket-name"));
  }

  Answer<std::optional<KvEntry>> Get(const Caller& caller, std::uint32_t rep, std::string_view key) {
    if (auto checked = Check(caller, rep, key, Access::kRead); !checked) return std::unexpected(checked.error());
    auto entry = Of(backend_->Get(buckets_[rep], key));
    if (!entry || !*entry) return entry;
    const auto spent = Spend(caller, rep, Access::kRead, (*entry)->value.size());
    return spent ? std::move(entry) : std::unexpected(spent.error());
  }

  Answer<bool> Exists(const Caller& caller, std::uint32_t rep, std::string_view key) {
    if (auto checked = Check(caller, rep, key, Access::kRead); !checked) return std::unexpected(checked.error());
    auto version = Of(backend_->Version(buckets_[rep], key));
    if (!version) return std::unexpected(version.error());
    return *version != 0;
  }

  Answer<KvPage> List(const Caller& caller, std::uint32_t rep, std::string_view after) {
    if (auto checked = CheckBucket(caller, rep, Access::kRead, ""); !checked) return std::unexpected(checked.error());
    if (after.size() > kKvKeyBytesMax) return Other(Code::kLimit, "the cursor is longer than a key");
    auto page = Of(backend_->List(buckets_[rep], after, kKvPageKeysMax));
    if (!page) return page;
    std::size_t bytes = 0;
    for (const std::string& key : page->keys) bytes += key.size();
    const auto spent = Spend(caller, rep, Access::kRead, bytes);
    return spent ? std::move(page) : std::unexpected(spent.error());
  }

  // The keys of one bucket; each is asked for and audited.
  Answer<std::monostate> Change(const Caller& caller, std::uint32_t rep, std::span<const KvChange> changes) {
    if (changes.size() > kBatchKeysMax) {
      return Other(Code::kLimit, "a batch has at most " + std::to_string(kBatchKeysMax) + " keys");
    }
    for (const KvChange& change : changes) {
      if (auto checked = CheckChange(caller, rep, change); !checked) return checked;
    }
    auto applied = Apply(caller, rep, changes, std::nullopt);
    if (!applied) return std::unexpected(applied.error());
    return std::monostate();
  }

  Answer<std::int64_t> Increment(const Caller& caller, std::uint32_t rep, std::string_view key, std::int64_t delta) {
    if (auto checked = CheckChange(caller, rep, {key, std::nullopt}); !checked) return std::unexpected(checked.error());
    for (int tries = 0; tries < kIncrementTriesMax; ++tries) {
      auto entry = Of(backend_->Get(buckets_[rep], key));
      if (!entry) return std::unexpected(entry.error());
      std::int64_t number = 0;
      if (*entry) {
        const auto* text = reinterpret_cast<const char*>((*entry)->value.data());
        const char* end = text + (*entry)->value.size();
        const auto [read, error] = std::from_chars(text, end, number);
        if (error != std::errc() || read != end) return Other(Code::kType, "the value is not a decimal number");
      }
      if (__builtin_add_overflow(number, delta, &number)) return Other(Code::kRange, "the number does not fit s64");
      const std::string digits = std::to_string(number);
      const KvChange change{key, std::span(reinterpret_cast<const std::uint8_t*>(digits.data()), digits.size())};
      auto applied = Apply(caller, rep, {&change, 1}, KvExpected{key, *entry ? (*entry)->version : 0});
      if (!applied) return std::unexpected(applied.error());
      if (*applied == KvBackend::Applied::kDone) return number;
    }
    return Other(Code::kBusy, "others kept changing the key");
  }

  Answer<std::uint32_t> NewCas(const Caller& caller, std::uint32_t rep, std::string_view key) {
    if (auto checked = Check(caller, rep, key, Access::kRead); !checked) return std::unexpected(checked.error());
    auto version = Of(backend_->Version(buckets_[rep], key));
    if (!version) return std::unexpected(version.error());
    return Keep({rep, std::string(key), *version});
  }

  // What `swap` will compare with is what was seen last.
  Answer<std::optional<KvEntry>> CasCurrent(const Caller& caller, std::uint32_t rep) {
    const std::optional<Cas> cas = FindCas(rep);
    if (!cas) return Gone();
    auto entry = Get(caller, cas->bucket, cas->key);
    if (!entry) return entry;
    const std::lock_guard lock(mutex_);
    if (const auto kept = handles_.find(rep); kept != handles_.end()) {
      kept->second.version = *entry ? (*entry)->version : 0;
    }
    return entry;
  }

  // Nothing: it is done; a rep: somebody was faster, and this is a new handle.
  Answer<std::optional<std::uint32_t>> Swap(const Caller& caller, std::uint32_t rep,
                                            std::span<const std::uint8_t> value) {
    const std::optional<Cas> cas = FindCas(rep);
    if (!cas) return Gone();
    DropCas(rep);
    const KvChange change{cas->key, value};
    if (auto checked = CheckChange(caller, cas->bucket, change); !checked) return std::unexpected(checked.error());
    auto applied = Apply(caller, cas->bucket, {&change, 1}, KvExpected{cas->key, cas->version});
    if (!applied) return std::unexpected(applied.error());
    if (*applied == KvBackend::Applied::kDone) return std::optional<std::uint32_t>();
    auto version = Of(backend_->Version(buckets_[cas->bucket], cas->key));
    if (!version) return std::unexpected(version.error());
    return std::optional(Keep({cas->bucket, cas->key, *version}));
  }

  void DropCas(std::uint32_t rep) {
    const std::lock_guard lock(mutex_);
    handles_.erase(rep);
  }

 private:
  static std::unexpected<Refusal> Gone() {
    return Other(Code::kHandle, "the handle is one of more than " + std::to_string(kCasMax) + ", and the oldest goes");
  }

  // The backend's error, told to a guest: no path and no number of the system.
  template <typename T>
  static Answer<T> Of(Result<T> result) {
    if (result) return std::move(*result);
    return Other(result.error().code, result.error().message);
  }

  Answer<std::monostate> CheckBucket(const Caller& caller, std::uint32_t rep, Access access, std::string_view key) {
    if (rep >= buckets_.size()) {
      return std::unexpected(Refusal{Refusal::Form::kTrap, "there is no such bucket", Code::kHandle});
    }
    std::string target = buckets_[rep].name;
    if (!key.empty()) target.append("/").append(EscapeShort(key, kTargetKeyBytesMax));
    const Decision decision = guard_.Check(caller, access == Access::kRead ? reads_[rep] : writes_[rep], target);
    if (!decision.allowed()) return Denied(decision);
    return std::monostate();
  }

  Answer<std::monostate> Spend(const Caller& caller, std::uint32_t rep, Access access, std::size_t bytes) {
    const Capability& asked = access == Access::kRead ? reads_[rep] : writes_[rep];
    const Decision decision = guard_.Spend(caller, asked, buckets_[rep].name, bytes);
    if (!decision.allowed()) return Denied(decision);
    return std::monostate();
  }

  Answer<std::monostate> Check(const Caller& caller, std::uint32_t rep, std::string_view key, Access access) {
    if (auto checked = CheckBucket(caller, rep, access, key); !checked) return checked;
    if (key.empty()) return Other(Code::kName, "a key has at least one byte");
    if (key.size() > kKvKeyBytesMax) {
      return Other(Code::kLimit, "a key has at most " + std::to_string(kKvKeyBytesMax) + " bytes");
    }
    return std::monostate();
  }

  Answer<std::monostate> CheckChange(const Caller& caller, std::uint32_t rep, const KvChange& change) {
    if (auto checked = Check(caller, rep, change.key, Access::kWrite); !checked) return checked;
    if (change.value && change.value->size() > kKvValueBytesMax) {
      return Other(Code::kLimit, "a value has at most " + std::to_string(kKvValueBytesMax) + " bytes");
    }
    return std::monostate();
  }

  // A quota that stops a write has a record of its own: the question before it was one of authority.
  Answer<KvBackend::Applied> Apply(const Caller& caller, std::uint32_t rep, std::span<const KvChange> changes,
                                   const std::optional<KvExpected>& expected) {
    std::size_t bytes = 0;
    for (const KvChange& change : changes) bytes += change.value ? change.value->size() : 0;
    if (const auto spent = Spend(caller, rep, Access::kWrite, bytes); !spent) return std::unexpected(spent.error());
    auto applied = backend_->Apply(buckets_[rep], changes, expected, caller.deadline_ns);
    if (!applied && applied.error().code == Code::kLimit) {
      const Decision told =
          guard_.Refuse(caller, writes_[rep].ToString(), buckets_[rep].name, "kv:quota", Code::kLimit);
      if (told.code == Code::kAuditUnavailable) return Denied(told);
    }
    return Of(std::move(applied));
  }

  std::uint32_t Keep(Cas cas) {
    const std::lock_guard lock(mutex_);
    if (handles_.size() >= kCasMax) handles_.erase(handles_.begin());
    const std::uint32_t rep = next_++;
    handles_.insert_or_assign(rep, std::move(cas));
    return rep;
  }

  std::optional<Cas> FindCas(std::uint32_t rep) {
    const std::lock_guard lock(mutex_);
    const auto found = handles_.find(rep);
    return found == handles_.end() ? std::nullopt : std::optional(found->second);
  }

  const Guard& guard_;
  const std::shared_ptr<KvBackend> backend_;
  const std::vector<KvBucket> buckets_;
  std::vector<Capability> reads_, writes_;  // of each bucket

  std::mutex mutex_;  // guards what follows
  std::uint32_t next_ = 1;
  std::map<std::uint32_t, Cas> handles_;  // the oldest first, until the numbers begin anew
};

class StoreService final : public HostService {
 public:
  explicit StoreService(std::shared_ptr<KvPlugin> plugin) : plugin_(std::move(plugin)) {}
  std::string_view interface_name() const override { return kStoreInterface; }

  HostReply Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) override {
    wire::Reader in(payload);
    if (function == "open") {
      const std::string_view identifier = in.String();
      if (const Status read = in.Finish(); !read) return Malformed(read);
      return Reply(plugin_->Open(caller, identifier), [](wire::Writer& out, std::uint32_t rep) { out.U32(rep); });
    }
    if (function.starts_with(kDropPrefix)) return {};
    const std::uint32_t bucket = in.U32();
    if (function == "[method]bucket.list-keys") return List(caller, bucket, in);
    const std::string_view key = in.String();
    if (function == "[method]bucket.set") {
      const KvChange change{key, ReadBytes(in)};
      if (const Status read = in.Finish(); !read) return Malformed(read);
      return Reply(plugin_->Change(caller, bucket, {&change, 1}), WriteNothing);
    }
    if (const Status read = in.Finish(); !read) return Malformed(read);
    if (function == "[method]bucket.get") return Reply(plugin_->Get(caller, bucket, key), WriteEntry);
    if (function == "[method]bucket.exists") {
      return Reply(plugin_->Exists(caller, bucket, key), [](wire::Writer& out, bool exists) { out.Bool(exists); });
    }
    if (function == "[method]bucket.delete") {
      const KvChange change{key, std::nullopt};
      return Reply(plugin_->Change(caller, bucket, {&change, 1}), WriteNothing);
    }
    return Trap(Code::kLink, "nothing answers " + std::string(kStoreInterface) + "#" + std::string(function));
  }

 private:
  HostReply List(const Caller& caller, std::uint32_t bucket, wire::Reader& in) const {
    const std::string_view after = in.Bool() ? in.String() : std::string_view();
    if (const Status read = in.Finish(); !read) return Malformed(read);
    return Reply(plugin_->List(caller, bucket, after), [](wire::Writer& out, const KvPage& page) {
      out.Count(page.keys.size());
      for (const std::string& key : page.keys) out.String(key);
      out.Bool(page.more);
      if (page.more) out.String(page.keys.back());
    });
  }

  std::shared_ptr<KvPlugin> plugin_;
};

class AtomicsService final : public HostService {
 public:
  explicit AtomicsService(std::shared_ptr<KvPlugin> plugin) : plugin_(std::move(plugin)) {}
  std::string_view interface_name() const override { return kAtomicsInterface; }

  HostReply Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) override {
    wire::Reader in(payload);
    const std::uint32_t rep = in.U32();
    if (function == "swap") return Swap(caller, rep, in);
    if (function == "[method]cas.current" || function.starts_with(kDropPrefix)) {
      if (const Status read = in.Finish(); !read) return Malformed(read);
      if (function == "[method]cas.current") return Reply(plugin_->CasCurrent(caller, rep), WriteEntry);
      if (function == "[resource-drop]cas") plugin_->DropCas(rep);
      return {};
    }
    const std::string_view key = in.String();
    if (function == "[static]cas.new") {
      if (const Status read = in.Finish(); !read) return Malformed(read);
      return Reply(plugin_->NewCas(caller, rep, key), [](wire::Writer& out, std::uint32_t cas) { out.U32(cas); });
    }
    if (function == "increment") {
      const std::int64_t delta = in.S64();
      if (const Status read = in.Finish(); !read) return Malformed(read);
      return Reply(plugin_->Increment(caller, rep, key, delta),
                   [](wire::Writer& out, std::int64_t number) { out.S64(number); });
    }
    return Trap(Code::kLink, "nothing answers " + std::string(kAtomicsInterface) + "#" + std::string(function));
  }

 private:
  // result<_, cas-error>: store-error(error) or cas-failed(cas).
  HostReply Swap(const Caller& caller, std::uint32_t rep, wire::Reader& in) const {
    const std::span<const std::uint8_t> value = ReadBytes(in);
    if (const Status read = in.Finish(); !read) return Malformed(read);
    const auto swapped = plugin_->Swap(caller, rep, value);
    if (!swapped && swapped.error().form == Refusal::Form::kTrap) {
      return Trap(swapped.error().code, swapped.error().text);
    }
    HostReply reply;
    wire::Writer out(reply.payload);
    out.Bool(!swapped || swapped->has_value());
    if (!swapped) {
      out.U32(0);
      WriteError(out, swapped.error());
    } else if (*swapped) {
      out.U32(1);
      out.U32(**swapped);
    }
    return reply;
  }

  std::shared_ptr<KvPlugin> plugin_;
};

class BatchService final : public HostService {
 public:
  explicit BatchService(std::shared_ptr<KvPlugin> plugin) : plugin_(std::move(plugin)) {}
  std::string_view interface_name() const override { return kBatchInterface; }

  HostReply Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) override {
    wire::Reader in(payload);
    const std::uint32_t bucket = in.U32();
    const bool sets = function == "set-many";
    if (!sets && function != "get-many" && function != "delete-many") {
      return Trap(Code::kLink, "nothing answers " + std::string(kBatchInterface) + "#" + std::string(function));
    }
    std::vector<KvChange> changes;
    const std::uint32_t count = in.Count(4);
    for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
      KvChange change{in.String(), std::nullopt};
      if (sets) change.value = ReadBytes(in);
      changes.push_back(change);
    }
    if (const Status read = in.Finish(); !read) return Malformed(read);
    if (function == "get-many") return GetMany(caller, bucket, changes);
    return Reply(plugin_->Change(caller, bucket, changes), WriteNothing);
  }

 private:
  using Entries = std::vector<std::pair<std::string_view, std::optional<KvEntry>>>;

  Answer<Entries> Gather(const Caller& caller, std::uint32_t bucket, std::span<const KvChange> keys) const {
    if (keys.size() > kBatchKeysMax) {
      return Other(Code::kLimit, "a batch has at most " + std::to_string(kBatchKeysMax) + " keys");
    }
    Entries entries;
    std::size_t bytes = 0;
    for (const KvChange& change : keys) {
      auto entry = plugin_->Get(caller, bucket, change.key);
      if (!entry) return std::unexpected(entry.error());
      bytes += change.key.size() + (*entry ? (*entry)->value.size() : 0);
      if (bytes > kBatchReplyBytesMax) return Other(Code::kLimit, "the values are more than one answer may hold");
      entries.emplace_back(change.key, std::move(*entry));
    }
    return entries;
  }

  HostReply GetMany(const Caller& caller, std::uint32_t bucket, std::span<const KvChange> keys) const {
    return Reply(Gather(caller, bucket, keys), [](wire::Writer& out, const Entries& entries) {
      out.Count(entries.size());
      for (const auto& [key, entry] : entries) {
        out.String(key);
        WriteEntry(out, entry);
      }
    });
  }

  std::shared_ptr<KvPlugin> plugin_;
};

}  // namespace

std::vector<KvBucket> BucketsOf(const policy::Authority& authority, const std::string& plugin, const KvQuota& ceiling) {
  std::map<std::string, KvQuota> buckets;
  for (const policy::Ruling& ruling : authority.rulings()) {
    if (!ruling.effective || ruling.effective->kind() != policy::Kind::kStorage) continue;
    KvQuota& quota = buckets.emplace(ruling.effective->named()->name, ceiling).first->second;
    if (ruling.quota) quota.bytes = std::min(quota.bytes, *ruling.quota);
  }
  std::vector<KvBucket> out;
  for (auto& [name, quota] : buckets) out.push_back({plugin, name, quota});
  return out;
}

std::vector<std::unique_ptr<HostService>> MakeKvServices(const Guard& guard, std::shared_ptr<KvBackend> backend,
                                                         std::vector<KvBucket> buckets) {
  const auto plugin = std::make_shared<KvPlugin>(guard, std::move(backend), std::move(buckets));
  std::vector<std::unique_ptr<HostService>> services;
  services.push_back(std::make_unique<StoreService>(plugin));
  services.push_back(std::make_unique<AtomicsService>(plugin));
  services.push_back(std::make_unique<BatchService>(plugin));
  return services;
}

}  // namespace cordon::services
