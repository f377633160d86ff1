// Reading the chain back, trusting nothing in it.
#include "audit/checkpoint.h"
#include "audit/record_text.h"
#include "audit/trail.h"
#include "audit/trail_reader.h"
#include "base/digest.h"
#include "base/file.h"

namespace cordon::audit {
namespace {

class Chain {
 public:
  Chain(std::optional<ChainEnd> head, const std::optional<PublicKey>& key) : head_(std::move(head)), key_(key) {}

  void Line(const TrailFile& file, std::string_view line) {
    if (result_.bad) return;
    Enter(file);
    ++line_;
    const auto fields = ReadChainFields(line);
    if (!fields) return Bad(end_.sequence + 1, "it is not a record");
    if (!started_) Start(*fields);
    if (result_.bad) return;
    if (fields->sequence != end_.sequence + 1) {
      return Bad(fields->sequence, "record " + std::to_string(end_.sequence + 1) + " should stand here");
    }
    if (fields->previous_hash != end_.hash) {
      return Bad(fields->sequence, "it does not follow from the record before it, which was altered or replaced");
    }
    Own(*fields, line);
    if (result_.bad) return;
    end_ = {fields->sequence, Digest::Of(line).Hex()};
    ++result_.records;
    if (head_ && head_->sequence == end_.sequence && head_->hash != end_.hash) {
      Bad(end_.sequence, "it is not the record that was synced under this number");
    }
  }

  void Torn(const TrailFile& file) {
    if (result_.bad) return;
    Enter(file);
    ++line_;
    Bad(end_.sequence + 1, "it is torn");
  }

  Verification Finish() {
    if (!result_.bad && head_ && head_->sequence > end_.sequence) {
      ++line_;
      if (result_.files == 0) file_ = kAuditFile;
      Bad(end_.sequence + 1, "the end was cut off: record " + std::to_string(head_->sequence) + " had been synced");
    }
    // Of what it says that it removes, a crash may leave some.
    const bool pruned = before_ && pruned_ && (before_ == pruned_ || before_->sequence < pruned_->sequence);
    if (!result_.bad && before_ && !pruned) {
      result_.bad = BadRecord{first_file_, 1, before_->sequence,
                              "the records before it were removed, and no record says that the log did it"};
    }
    result_.last_sequence = end_.sequence;
    if (key_) result_.key = key_->Fingerprint();
    return std::move(result_);
  }

 private:
  void Enter(const TrailFile& file) {
    if (entered_ == &file) return;
    entered_ = &file;
    file_ = file.path.filename().string();
    line_ = 0;
    ++result_.files;
  }

  // The oldest record that is kept need not be the first that was ever written.
  void Start(const ChainFields& fields) {
    started_ = true;
    first_file_ = file_;
    result_.first_sequence = fields.sequence;
    signed_ = fields.sequence == 0 ? 0 : fields.sequence - 1;
    if (fields.sequence <= 1) return;
    before_ = ChainEnd{fields.sequence - 1, std::string(fields.previous_hash)};
    end_ = *before_;
  }

  void Own(const ChainFields& fields, std::string_view line) {
    const auto own = ReadOwnRecord(line);
    if (own && own->what == OwnRecord::What::kPrune) pruned_ = own->through;
    if (!own || own->what != OwnRecord::What::kCheckpoint) {
      if (fields.sequence - signed_ <= 2 * kCheckpointRecords) {
        result_.unsigned_records = fields.sequence - signed_;
        return;
      }
      return Bad(fields.sequence, "there is no checkpoint in the " + std::to_string(2 * kCheckpointRecords) +
                                      " records before it: they were taken out");
    }
    if (!key_) return Bad(fields.sequence, "it is a checkpoint, and audit.pub, which it is held to, is not there");
    if (!key_->Holds(CheckpointMessage(fields.sequence, own->time, fields.previous_hash), own->signature)) {
      return Bad(fields.sequence, "the signature of this checkpoint does not hold: what is before it was replaced");
    }
    signed_ = fields.sequence;
    ++result_.checkpoints;
    result_.unsigned_records = 0;
  }

  void Bad(std::uint64_t sequence, std::string why) { result_.bad = BadRecord{file_, line_, sequence, std::move(why)}; }

  std::optional<ChainEnd> head_;
  const std::optional<PublicKey>& key_;
  ChainEnd end_;
  bool started_ = false;
  std::optional<ChainEnd> before_, pruned_;  // what the oldest record follows; what the log says that it removed
  std::uint64_t signed_ = 0;                 // the last checkpoint
  const TrailFile* entered_ = nullptr;
  std::string file_, first_file_;
  std::uint64_t line_ = 0;
  Verification result_;
};

}  // namespace

Result<Verification> Verify(const std::filesystem::path& state_folder, const std::optional<PublicKey>& given) {
  CORDON_ASSIGN(TrailSnapshot snapshot, TrailSnapshot::Take(state_folder));
  std::optional<PublicKey> key = given;
  if (!key) {
    auto own = PublicKey::Load(state_folder / kPublicKeyFile);
    if (own) key = std::move(*own);
  }
  Chain chain(snapshot.head(), key);
  CORDON_TRY(snapshot.Read(
      [&](const TrailFile& file, std::string_view line) {
        chain.Line(file, line);
        return true;
      },
      [&](const TrailFile& file) { chain.Torn(file); }));
  return chain.Finish();
}

}  // namespace cordon::audit
