#include "audit/audit_log.h"

#include <openssl/evp.h>

#include <algorithm>
#include <mutex>
#include <vector>

#include "audit/chain_file.h"
#include "audit/checkpoint.h"
#include "audit/record_text.h"
#include "audit/signing_key.h"
#include "audit/trail.h"

namespace cordon::audit {
namespace {

// A group is written when it has this many records or bytes; what cannot be written is kept up to the larger bounds.
constexpr std::size_t kGroupRecords = 64;
constexpr std::size_t kGroupBytes = 64 << 10;
constexpr std::size_t kPendingRecordsMax = 1024;
constexpr std::size_t kPendingBytesMax = 1 << 20;
// Groups are synced this often; whoever must not be lost is synced at once.
constexpr auto kSyncEvery = std::chrono::seconds(1);
constexpr auto kCheckpointEvery = std::chrono::minutes(10);
constexpr std::size_t kHexSize = 64;

// kSigned: synced, and under a checkpoint.
enum class Durability : std::uint8_t { kBuffered, kWritten, kSynced, kSigned };

// Whoever is told that authority changed, or was refused, may rely on the record; loading finds a full disk early.
Durability DurabilityOf(Event event, std::optional<policy::Verdict> decision) {
  if (event == Event::kGrant || event == Event::kRevoke || event == Event::kSwitch) return Durability::kSynced;
  if (decision == policy::Verdict::kDeny) return Durability::kSynced;
  return event == Event::kLoad ? Durability::kWritten : Durability::kBuffered;
}

// SHA-256 of many short texts: what OpenSSL looks up each time is looked up once. Not thread-safe.
class Hasher {
 public:
  Hasher() : method_(EVP_MD_fetch(nullptr, "SHA256", nullptr)), step_(EVP_MD_CTX_new()) {}
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;
  ~Hasher() {
    EVP_MD_CTX_free(step_);
    EVP_MD_free(method_);
  }
  void HexOf(std::string_view text, std::string& hex) {
    constexpr char kHexDigits[] = "0123456789abcdef";
    unsigned char raw[32] = {};
    unsigned size = 0;
    EVP_DigestInit_ex2(step_, method_, nullptr);
    EVP_DigestUpdate(step_, text.data(), text.size());
    EVP_DigestFinal_ex(step_, raw, &size);
    hex.resize(kHexSize);
    for (std::size_t i = 0; i < sizeof raw; ++i) {
      hex[2 * i] = kHexDigits[raw[i] >> 4];
      hex[2 * i + 1] = kHexDigits[raw[i] & 15];
    }
  }

 private:
  EVP_MD* method_;
  EVP_MD_CTX* step_;
};

// Bodies one after another in one text, so that a record costs no memory of its own.
struct Bodies {
  struct One {
    std::int64_t micros;
    std::uint32_t size;
  };
  std::vector<One> list;
  std::string text;

  bool empty() const { return list.empty(); }
  void Add(std::int64_t micros, std::size_t size_before) {
    list.push_back({micros, static_cast<std::uint32_t>(text.size() - size_before)});
  }
  void DropFirst(std::size_t count, std::size_t bytes) {
    list.erase(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(count));
    text.erase(0, bytes);
  }
};

}  // namespace

struct AuditLog::State {
  std::mutex mutex;
  bool closed = false;  // nothing is written any more
  std::filesystem::path folder;
  Seams seams;
  Rotation rotation;
  std::optional<ChainFile> file;
  std::optional<SigningKey> key;  // from the first checkpoint on
  ChainEnd end;                   // of the chain, as this process last saw it
  std::uint64_t size_bytes = 0;   // of the file, as this process last saw it
  bool seen = false;              // whether `end` and `size_bytes` were ever read
  bool unsynced = false;
  std::uint64_t first_sequence = 0;  // of the file
  std::string first_time;
  std::uint64_t signed_sequence = 0;  // the last checkpoint that this process knows of
  std::chrono::steady_clock::time_point synced_at, signed_at = std::chrono::steady_clock::now();
  bool pruning_due = false;
  Bodies pending;
  std::uint64_t refused = 0;  // records that found no room while nothing could be written
  TimeWriter times;
  Hasher hasher;
  std::string lines;  // of the group that is written

  std::int64_t NowMicros() const {
    return std::chrono::duration_cast<std::chrono::microseconds>(seams.now().time_since_epoch()).count();
  }

  void AddNote(Bodies& notes, std::string text) {
    Record note;
    note.event = Event::kNote;
    note.rule = "audit";
    note.note = std::move(text);
    const std::size_t before = notes.text.size();
    notes.text += RecordBody(note);
    notes.Add(NowMicros(), before);
  }

  // Learns where the chain ends when another process, or a crash, moved it.
  Status LookAtTail(Bodies& notes) {
    CORDON_ASSIGN(const std::uint64_t now, file->Size());
    if (seen && now == size_bytes) return {};
    CORDON_ASSIGN(ChainFile::Tail tail, file->ReadTail());
    if (tail.set_aside) AddNote(notes, "a torn last line was set aside as " + *tail.set_aside);
    if (tail.cut_records > 0) {
      AddNote(notes, std::to_string(tail.cut_records) + " records that were synced are missing from the end");
    }
    // What others wrote may be under a checkpoint of theirs; where none is near, one of ours is due.
    signed_sequence = std::max(signed_sequence, tail.checkpoint);
    end = std::move(tail.end);
    size_bytes = tail.size_bytes;
    first_sequence = tail.first_sequence;
    first_time = std::move(tail.first_time);
    seen = true;
    return {};
  }

  // Appends `list` in one write; a full disk is found at the price of a group, however much is pending.
  Status WriteLines(const Bodies& notes, std::size_t count, std::size_t& bytes) {
    lines.clear();
    ChainEnd reached = end;
    const auto add = [&](const Bodies& from, std::size_t n) {
      std::size_t at = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const std::size_t start = lines.size();
        AppendLine(lines, reached.sequence + 1, times.Text(from.list[i].micros), reached.hash,
                   std::string_view(from.text).substr(at, from.list[i].size));
        at += from.list[i].size;
        hasher.HexOf(std::string_view(lines).substr(start), reached.hash);
        lines += '\n';
        ++reached.sequence;
      }
      return at;
    };
    add(notes, notes.list.size());
    bytes = add(pending, count);
    const Status appended = file->Append(lines, size_bytes);
    if (!appended) {
      seen = false;
      return appended;
    }
    if (size_bytes == 0) {
      first_sequence = end.sequence + 1;
      first_time = TimeText(seams.now());
    }
    end = std::move(reached);
    size_bytes += lines.size();
    unsynced = true;
    return {};
  }

  Status WriteGroup(Bodies& notes) {
    const std::size_t count = std::min(pending.list.size(), kGroupRecords);
    std::size_t bytes = 0;
    CORDON_TRY(WriteLines(notes, count, bytes));
    pending.DropFirst(count, bytes);
    notes = {};
    refused = 0;
    if (end.sequence - signed_sequence < kCheckpointRecords) return {};
    return WriteCheckpoint();
  }

  // Signs everything up to here.
  Status WriteCheckpoint() {
    if (end.sequence == 0 || end.sequence == signed_sequence) return {};
    if (!key) {
      CORDON_ASSIGN(key, SigningKey::LoadOrMake(folder));
    }
    const std::int64_t now = NowMicros();
    const std::string signature = key->Sign(CheckpointMessage(end.sequence + 1, times.Text(now), end.hash));
    if (signature.empty()) return Unavailable("a checkpoint cannot be signed");
    Bodies own;
    own.text = CheckpointBody(signature);
    own.Add(now, 0);
    std::size_t ignored = 0;
    CORDON_TRY(WriteLines(own, 0, ignored));
    signed_sequence = end.sequence;
    signed_at = std::chrono::steady_clock::now();
    return {};
  }

  Status Sync() {
    if (!unsynced) return {};
    CORDON_TRY(file->Sync(end));
    unsynced = false;
    synced_at = std::chrono::steady_clock::now();
    return {};
  }

  bool RotationDue() const {
    if (size_bytes == 0 || first_sequence == 0) return false;
    if (size_bytes >= rotation.file_bytes) return true;
    return rotation.file_age && !first_time.empty() && first_time <= TimeText(seams.now() - *rotation.file_age);
  }

  // Ends the file with a checkpoint and begins another. Where it cannot be moved, the log goes on in it.
  Status Rotate() {
    CORDON_TRY(WriteCheckpoint());
    unsynced = true;
    CORDON_TRY(Sync());
    CORDON_TRY(file->MoveAside(first_sequence));
    seen = false;
    pruning_due = true;
    return {};
  }

  // Which of the files that were moved aside are too many, oldest first.
  Result<std::vector<std::filesystem::path>> Surplus() const {
    std::vector<std::filesystem::path> surplus;
    if (!rotation.keep_files && !rotation.keep_bytes) return surplus;
    CORDON_ASSIGN(std::vector<TrailFile> files, TrailFiles(folder));
    std::erase_if(files, [](const TrailFile& file) { return file.first_sequence == 0; });
    std::uint64_t count = 0, bytes = 0;
    for (auto it = files.rbegin(); it != files.rend(); ++it) {
      bytes += it->size_bytes;
      const bool kept =
          ++count <= rotation.keep_files.value_or(UINT32_MAX) && bytes <= rotation.keep_bytes.value_or(UINT64_MAX);
      if (!kept) surplus.insert(surplus.begin(), it->path);
    }
    return surplus;
  }

  // The record that files are removed is signed and on the disk before they are.
  Status Prune() {
    CORDON_ASSIGN(const std::vector<std::filesystem::path> surplus, Surplus());
    pruning_due = false;
    if (surplus.empty()) return {};
    CORDON_ASSIGN(const ChainEnd through, ChainFile::LastOf(surplus.back()));
    Bodies own;
    own.text = PruneBody(through, surplus.size());
    own.Add(NowMicros(), 0);
    std::size_t ignored = 0;
    CORDON_TRY(WriteLines(own, 0, ignored));
    CORDON_TRY(WriteCheckpoint());
    CORDON_TRY(Sync());
    file->Remove(surplus);
    return {};
  }

  // Everything pending, under the lock that all writers of the chain take.
  Status Write(Durability durability) {
    constexpr int kTries = 64;
    for (int i = 0; i < kTries; ++i) {
      CORDON_TRY(file->Refresh());
      CORDON_ASSIGN(const FileLock lock, FileLock::Take(file->fd()));
      if (!file->IsCurrent()) continue;  // it was moved aside while we waited
      Bodies notes;
      CORDON_TRY(LookAtTail(notes));
      if (RotationDue() && Rotate()) continue;
      if (pruning_due) CORDON_TRY(Prune());
      return WriteAll(durability, notes);
    }
    return Unavailable("the file was moved away again and again");
  }

  Status WriteAll(Durability durability, Bodies& notes) {
    if (refused > 0) {
      AddNote(notes, std::to_string(refused) + " records were refused while nothing could be written");
    }
    while (!notes.empty() || !pending.empty()) CORDON_TRY(WriteGroup(notes));
    const auto now = std::chrono::steady_clock::now();
    if (durability == Durability::kSigned || now - signed_at >= kCheckpointEvery) CORDON_TRY(WriteCheckpoint());
    if (durability >= Durability::kSynced || now - synced_at >= kSyncEvery) return Sync();
    return {};
  }

  template <typename Append>
  Status Take(Durability durability, Append&& append) {
    if (closed) return Fail(Code::kAuditUnavailable, "the audit log is closed: the process is ending");
    if (pending.list.size() >= kPendingRecordsMax || pending.text.size() >= kPendingBytesMax) {
      const Status made_room = Write(Durability::kWritten);
      if (!made_room) {
        ++refused;
        return made_room;
      }
    }
    const std::size_t before = pending.text.size();
    append(pending.text);
    pending.Add(NowMicros(), before);
    if (pending.list.size() >= kGroupRecords || pending.text.size() >= kGroupBytes) {
      durability = std::max(durability, Durability::kWritten);
    }
    return durability == Durability::kBuffered ? Status() : Write(durability);
  }
};

AuditLog::AuditLog(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<AuditLog>> AuditLog::Open(const std::filesystem::path& state_folder, Seams seams,
                                                 const Rotation& rotation) {
  auto state = std::make_unique<State>();
  state->folder = state_folder;
  state->seams = std::move(seams);
  state->rotation = rotation;
  CORDON_ASSIGN(state->file, ChainFile::Open(state_folder, state->seams));
  CORDON_TRY(state->Write(Durability::kWritten));
  return std::unique_ptr<AuditLog>(new AuditLog(std::move(state)));
}

AuditLog::~AuditLog() {
  // Nobody is left to tell; a record that had to be on the disk was there when On returned.
  const Status ignored = Flush();
  static_cast<void>(ignored);
}

Status AuditLog::On(const Record& record) {
  const std::lock_guard lock(state_->mutex);
  return state_->Take(DurabilityOf(record.event, record.decision),
                      [&](std::string& out) { out += RecordBody(record); });
}

Status AuditLog::OnDecision(const DecisionView& decision) {
  const std::lock_guard lock(state_->mutex);
  return state_->Take(DurabilityOf(Event::kDecision, decision.decision),
                      [&](std::string& out) { AppendBody(decision, out); });
}

Status AuditLog::Flush() {
  const std::lock_guard lock(state_->mutex);
  if (state_->closed) return {};
  return state_->Write(Durability::kSigned);
}

Status AuditLog::Close() {
  const std::lock_guard lock(state_->mutex);
  if (state_->closed) return {};
  Status written = state_->Write(Durability::kSigned);
  state_->closed = true;
  return written;
}

}  // namespace cordon::audit
