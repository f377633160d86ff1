// What an embedding program brings for storage and secrets, as the services see it.
#include "base/secret_text.h"
#include "embed/state.h"
#include "services/kv/sqlite_backend.h"
#include "services/memory/sqlite_memory.h"
#include "services/vault/vault.h"

namespace cordon::embed {
namespace {

class StorageBackend final : public services::KvBackend {
 public:
  explicit StorageBackend(std::shared_ptr<Storage> inner) : inner_(std::move(inner)) {}

  Result<std::optional<services::KvEntry>> Get(const services::KvBucket& bucket, std::string_view key) override {
    return Guarded([&]() -> Result<std::optional<services::KvEntry>> {
      CORDON_ASSIGN(std::optional<Storage::Value> value, inner_->Get(Of(bucket), key));
      if (!value) return std::nullopt;
      return services::KvEntry{std::move(value->bytes), value->version};
    });
  }

  Result<std::uint64_t> Version(const services::KvBucket& bucket, std::string_view key) override {
    CORDON_ASSIGN(const std::optional<services::KvEntry> entry, Get(bucket, key));
    return entry ? entry->version : 0;
  }

  Result<Applied> Apply(const services::KvBucket& bucket, std::span<const services::KvChange> changes,
                        const std::optional<services::KvExpected>& expected, std::int64_t) override {
    return Guarded([&]() -> Result<Applied> {
      std::vector<Storage::Change> asked;
      for (const services::KvChange& change : changes) asked.push_back({change.key, change.value});
      std::optional<Storage::Expected> condition;
      if (expected) condition = {expected->key, expected->version};
      CORDON_ASSIGN(const bool done, inner_->Apply(Of(bucket), asked, condition));
      return done ? Applied::kDone : Applied::kConflict;
    });
  }

  Result<services::KvPage> List(const services::KvBucket& bucket, std::string_view after,
                                std::size_t keys_max) override {
    return Guarded([&]() -> Result<services::KvPage> {
      services::KvPage page;
      CORDON_ASSIGN(page.keys, inner_->List(Of(bucket), after, keys_max + 1));
      page.more = page.keys.size() > keys_max;
      if (page.more) page.keys.resize(keys_max);
      return page;
    });
  }

 private:
  static Storage::Bucket Of(const services::KvBucket& bucket) {
    return {bucket.plugin, bucket.name, bucket.quota.bytes.count, bucket.quota.keys};
  }
  std::shared_ptr<Storage> inner_;
};

// What the program throws becomes an error.
class GuardedMemory final : public Memory {
 public:
  explicit GuardedMemory(std::shared_ptr<Memory> inner) : inner_(std::move(inner)) {}
  Result<std::string> Store(const Place& place, std::string_view text, std::span<const std::string> labels) override {
    return Guarded([&] { return inner_->Store(place, text, labels); });
  }
  Result<std::vector<Entry>> Recall(const Place& place, std::string_view query, std::size_t entries_max) override {
    return Guarded([&] { return inner_->Recall(place, query, entries_max); });
  }
  Result<bool> Forget(const Place& place, std::string_view id) override {
    return Guarded([&] { return inner_->Forget(place, id); });
  }
  Result<std::uint64_t> ForgetAll(const Place& place) override {
    return Guarded([&] { return inner_->ForgetAll(place); });
  }

 private:
  std::shared_ptr<Memory> inner_;
};

class LookupSecrets final : public services::SecretSource {
 public:
  explicit LookupSecrets(SecretLookup lookup) : lookup_(std::move(lookup)) {}
  Result<std::optional<SecretText>> Find(std::string_view plugin, std::string_view name) override {
    return Guarded([&]() -> Result<std::optional<SecretText>> {
      CORDON_ASSIGN(std::optional<std::string> value, lookup_(plugin, name));
      if (!value) return std::nullopt;
      SecretText secret(*value);
      WipeText(value->data(), value->size());
      return secret;
    });
  }

 private:
  SecretLookup lookup_;
};

}  // namespace

void SetUpState(const HostOptions& options, runtime::HostOptions& out) {
  if (!options.state_folder.empty()) {
    out.forbidden_roots.push_back(options.state_folder);
    out.secrets = std::make_shared<services::Vault>(options.state_folder);
    out.open_storage = [file = options.state_folder / "kv.db"]() -> Result<std::shared_ptr<services::KvBackend>> {
      return services::SqliteBackend::Open(file);
    };
    out.open_tally = [file = options.state_folder / services::kTallyFile] { return services::Tally::Open(file); };
    out.open_memory = [file = options.state_folder / "memory.db"] { return services::SqliteMemory::Open(file); };
    out.open_messages = [file = options.state_folder / "messages.db"](const services::QueueLimits& limits) {
      return services::MessageQueue::Open(file, limits);
    };
  }
  if (options.storage != nullptr) {
    const auto backend = std::make_shared<StorageBackend>(options.storage);
    out.open_storage = [backend]() -> Result<std::shared_ptr<services::KvBackend>> { return backend; };
  }
  if (options.memory != nullptr) {
    out.open_memory = [memory = std::make_shared<GuardedMemory>(options.memory)]() -> Result<std::shared_ptr<Memory>> {
      return memory;
    };
  }
  if (options.secrets) out.secrets = std::make_shared<LookupSecrets>(options.secrets);
}

}  // namespace cordon::embed
