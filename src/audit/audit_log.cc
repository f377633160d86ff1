#include "audit/audit_log.h"

#include <algorithm>
#include <mutex>
#include <vector>

#include "audit/chain_file.h"
#include "audit/record_text.h"
#include "base/digest.h"

namespace cordon::audit {
namespace {

// A group is written when it has this many records or bytes; what cannot be written is kept up to the larger bounds.
constexpr std::size_t kGroupRecords = 64;
constexpr std::size_t kGroupBytes = 64 << 10;
constexpr std::size_t kPendingRecordsMax = 1024;
constexpr std::size_t kPendingBytesMax = 1 << 20;

enum class Durability : std::uint8_t { kBuffered, kWritten, kSynced };

// Whoever is told that authority changed, or was refused, may rely on the record; loading finds a full disk early.
Durability DurabilityOf(const Record& record) {
  if (record.event == Event::kGrant || record.event == Event::kRevoke) return Durability::kSynced;
  if (record.decision == policy::Verdict::kDeny) return Durability::kSynced;
  return record.event == Event::kLoad ? Durability::kWritten : Durability::kBuffered;
}

struct Pending {
  std::string time;
  std::string body;
};

}  // namespace

struct AuditLog::State {
  std::mutex mutex;
  bool closed = false;  // nothing is written any more
  Seams seams;
  std::optional<ChainFile> file;
  ChainEnd end;                  // of the chain, as this process last saw it
  std::uint64_t size_bytes = 0;  // of the file, as this process last saw it
  bool seen = false;             // whether `end` and `size_bytes` were ever read
  bool unsynced = false;
  std::vector<Pending> pending;
  std::size_t pending_bytes = 0;
  std::uint64_t refused = 0;  // records that found no room while nothing could be written

  void Add(const Record& record) {
    Pending one{TimeText(seams.now()), RecordBody(record)};
    pending_bytes += one.body.size();
    pending.push_back(std::move(one));
  }

  Pending NoteOf(std::string text) {
    Record note;
    note.event = Event::kNote;
    note.rule = "audit";
    note.note = std::move(text);
    return {TimeText(seams.now()), RecordBody(note)};
  }

  // Learns where the chain ends when another process, or a crash, moved it.
  Status LookAtTail(std::vector<Pending>& notes) {
    CORDON_ASSIGN(const std::uint64_t now, file->Size());
    if (seen && now == size_bytes) return {};
    CORDON_ASSIGN(ChainFile::Tail tail, file->ReadTail());
    if (tail.set_aside) notes.push_back(NoteOf("a torn last line was set aside as " + *tail.set_aside));
    if (tail.cut_records > 0) {
      notes.push_back(NoteOf(std::to_string(tail.cut_records) + " records that were synced are missing from the end"));
    }
    end = std::move(tail.end);
    size_bytes = tail.size_bytes;
    seen = true;
    return {};
  }

  // One group, in one write: a full disk is found at the price of a group, however much is pending.
  Status WriteGroup(std::vector<Pending>& notes) {
    const std::size_t count = std::min(pending.size(), kGroupRecords);
    std::string lines;
    ChainEnd reached = end;
    const auto add = [&](const Pending& one) {
      const std::string line = ChainLine(reached.sequence + 1, one.time, reached.hash, one.body);
      reached.hash = Digest::Of(line).Hex();
      ++reached.sequence;
      lines += line + "\n";
    };
    for (const Pending& note : notes) add(note);
    for (std::size_t i = 0; i < count; ++i) add(pending[i]);
    const Status appended = file->Append(lines, size_bytes);
    if (!appended) {
      seen = false;
      return appended;
    }
    end = std::move(reached);
    size_bytes += lines.size();
    for (std::size_t i = 0; i < count; ++i) pending_bytes -= pending[i].body.size();
    pending.erase(pending.begin(), pending.begin() + static_cast<std::ptrdiff_t>(count));
    notes.clear();
    refused = 0;
    unsynced = true;
    return {};
  }

  // Everything pending, under the lock that all writers of the chain take.
  Status Write(Durability durability) {
    CORDON_TRY(file->Refresh());
    CORDON_ASSIGN(const FileLock lock, FileLock::Take(file->fd()));
    std::vector<Pending> notes;
    CORDON_TRY(LookAtTail(notes));
    if (refused > 0) {
      notes.push_back(NoteOf(std::to_string(refused) + " records were refused while nothing could be written"));
    }
    while (!notes.empty() || !pending.empty()) CORDON_TRY(WriteGroup(notes));
    if (durability == Durability::kSynced && unsynced) {
      CORDON_TRY(file->Sync(end));
      unsynced = false;
    }
    return {};
  }
};

AuditLog::AuditLog(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<AuditLog>> AuditLog::Open(const std::filesystem::path& state_folder, Seams seams) {
  auto state = std::make_unique<State>();
  state->seams = std::move(seams);
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
  if (state_->closed) return Fail(Code::kAuditUnavailable, "the audit log is closed: the process is ending");
  const bool full = state_->pending.size() >= kPendingRecordsMax || state_->pending_bytes >= kPendingBytesMax;
  if (full) {
    const Status made_room = state_->Write(Durability::kWritten);
    if (!made_room) {
      ++state_->refused;
      return made_room;
    }
  }
  state_->Add(record);
  const bool group = state_->pending.size() >= kGroupRecords || state_->pending_bytes >= kGroupBytes;
  const Durability durability = group ? Durability::kSynced : DurabilityOf(record);
  return durability == Durability::kBuffered ? Status() : state_->Write(durability);
}

Status AuditLog::Flush() {
  const std::lock_guard lock(state_->mutex);
  if (state_->closed) return {};
  return state_->Write(Durability::kSynced);
}

Status AuditLog::Close() {
  const std::lock_guard lock(state_->mutex);
  if (state_->closed) return {};
  Status written = state_->Write(Durability::kSynced);
  state_->closed = true;
  return written;
}

}  // namespace cordon::audit
