#include "worker/link.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <new>

#include "base/file.h"
#include "engine/crossing.h"

namespace cordon::worker {
namespace {

using Word = std::atomic<std::uint32_t>;
static_assert(sizeof(Word) == 4 && Word::is_always_lock_free);
static_assert((kRingBytes & (kRingBytes - 1)) == 0);

constexpr int kSpins = 200;         // some microseconds
constexpr int kSpinsWithin = 2000;  // within a frame, of which the rest is being written
// Who asked with much looks for longer: the other side copies that much before it can answer.
constexpr std::size_t kBytesPerSpin = 100;
// Who gives a byte at a time keeps nobody from looking at the clock.
constexpr int kLuckMost = 64;
// A long frame is read while it is written, in steps that stay in a processor's own cache.
constexpr std::size_t kStepBytes = 64u << 10;

// Not private: the other side is another process.
Status FutexWait(const Word& word, std::uint32_t seen, const Link::Watch& watch) {
  timespec wait{};
  if (watch) {
    CORDON_ASSIGN(const Duration most, watch());
    wait = {most.count() / 1'000'000'000, most.count() % 1'000'000'000};
  }
  ::syscall(SYS_futex, &word, FUTEX_WAIT, seen, watch ? &wait : nullptr, nullptr, 0);
  return {};
}

void FutexWake(const Word& word) { ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0); }

Error Broken(std::string why) {
  return Error(Code::kWorkerLost, "the worker broke the rules of its link: " + std::move(why),
               "look at the audit; if the plugin is not hostile, report this")
      .With("reason", "protocol");
}

// Lines that the other processor wrote come faster by loads of one after the other than by the string instructions that
// memcpy takes for as much.
void CopyFromOther(std::uint8_t* to, const std::uint8_t* from, std::size_t n) {
  constexpr std::size_t kBlock = 64;
  std::size_t at = 0;
  for (; at + kBlock <= n; at += kBlock) {
    std::memcpy(to + at, from + at, kBlock);
    asm volatile("" : : : "memory");  // or the compiler makes it one memcpy again
  }
  std::memcpy(to + at, from + at, n - at);
}

}  // namespace

// Counts of bytes, modulo 2^32; the place in the ring is the count modulo its size.
struct Link::Ring {
  alignas(64) Word written;
  Word reader_waits;
  alignas(64) Word read;
  Word writer_waits;
};

struct Link::Shared {
  Ring to_worker, to_host;
};

constexpr std::size_t kHeadBytes = 4096;
constexpr std::size_t kMemoryBytes = kHeadBytes + 2 * std::size_t{kRingBytes};

Result<UniqueFd> Link::Memory() {
  UniqueFd memory(::memfd_create("cordon-link", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory || ::ftruncate(memory.get(), static_cast<off_t>(kMemoryBytes)) != 0 ||
      ::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return Fail(Code::kUnavailable, "there is no memory to share with a worker: " + ErrnoText(errno));
  }
  return memory;
}

Result<std::unique_ptr<Link>> Link::Open(int memory, Side side) {
  static_assert(sizeof(Shared) <= kHeadBytes);
  void* at = ::mmap(nullptr, kMemoryBytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  if (at == MAP_FAILED) {
    return Fail(Code::kUnavailable, "the memory to share with a worker cannot be mapped: " + ErrnoText(errno));
  }
  std::unique_ptr<Link> link(new Link);
  // Fresh pages are zero, which is an empty ring.
  link->shared_ = static_cast<Shared*>(at);
  auto* bytes = static_cast<std::uint8_t*>(at) + kHeadBytes;
  const bool host = side == Side::kHost;
  link->out_ = host ? &link->shared_->to_worker : &link->shared_->to_host;
  link->in_ = host ? &link->shared_->to_host : &link->shared_->to_worker;
  link->out_bytes_ = bytes + (host ? 0 : kRingBytes);
  link->in_bytes_ = bytes + (host ? kRingBytes : 0);
  cpu_set_t processors;
  const bool many = ::sched_getaffinity(0, sizeof processors, &processors) == 0 && CPU_COUNT(&processors) > 1;
  // On one processor who waits keeps the other from working.
  link->spins_ = many ? kSpins : 0;
  link->spins_within_ = many ? kSpinsWithin : 0;
  link->step_ = many ? kStepBytes : kRingBytes / 4;
  return link;
}

Link::~Link() {
  if (shared_ != nullptr) ::munmap(shared_, kMemoryBytes);
}

void Link::Nudge() {
  FutexWake(in_->written);
  FutexWake(out_->read);
}

Status Link::Put(std::span<const std::uint8_t> bytes, const Watch& watch) {
  while (!bytes.empty()) {
    const std::uint32_t read = out_->read.load(std::memory_order_acquire);
    const std::uint32_t held = written_ - read;
    if (held > kRingBytes) return Fail(Broken("it says that it read what was not written"));
    if (held == kRingBytes) {
      Publish();
      out_->writer_waits.store(1, std::memory_order_seq_cst);
      if (out_->read.load(std::memory_order_seq_cst) == read) CORDON_TRY(FutexWait(out_->read, read, watch));
      out_->writer_waits.store(0, std::memory_order_relaxed);
      continue;
    }
    const std::uint32_t at = written_ % kRingBytes;
    const std::size_t n = std::min<std::size_t>({bytes.size(), kRingBytes - held, kRingBytes - at, step_});
    std::memcpy(out_bytes_ + at, bytes.data(), n);
    bytes = bytes.subspan(n);
    written_ += static_cast<std::uint32_t>(n);
    if (written_ - published_ >= step_) Publish();
  }
  return {};
}

void Link::Publish() {
  if (published_ == written_) return;
  published_ = written_;
  out_->written.store(written_, std::memory_order_seq_cst);
  if (out_->reader_waits.load(std::memory_order_seq_cst) != 0) FutexWake(out_->written);
}

// Two processors that work at once are faster than the kernel can tell one of the other.
bool Link::ComesSoon(std::uint32_t seen, int spins) const {
  for (int i = 0; i < spins; ++i) {
    if (in_->written.load(std::memory_order_acquire) != seen) return true;
    __builtin_ia32_pause();
  }
  return false;
}

Status Link::Get(std::span<std::uint8_t> bytes, const Watch& watch, int spins) {
  int luck = 0;
  while (!bytes.empty()) {
    const std::uint32_t written = in_->written.load(std::memory_order_acquire);
    const std::uint32_t held = written - read_;
    if (held > kRingBytes) return Fail(Broken("it says that it wrote more than the ring holds"));
    if (held == 0) {
      if (ComesSoon(written, spins)) {
        if (watch && ++luck % kLuckMost == 0) CORDON_TRY(watch());
        continue;
      }
      in_->reader_waits.store(1, std::memory_order_seq_cst);
      if (in_->written.load(std::memory_order_seq_cst) == written) CORDON_TRY(FutexWait(in_->written, written, watch));
      in_->reader_waits.store(0, std::memory_order_relaxed);
      continue;
    }
    const std::uint32_t at = read_ % kRingBytes;
    const std::size_t n = std::min<std::size_t>({bytes.size(), held, kRingBytes - at});
    CopyFromOther(bytes.data(), in_bytes_ + at, n);
    bytes = bytes.subspan(n);
    read_ += static_cast<std::uint32_t>(n);
    in_->read.store(read_, std::memory_order_seq_cst);
    if (in_->writer_waits.load(std::memory_order_seq_cst) != 0) FutexWake(in_->read);
  }
  return {};
}

bool Link::Fits(std::size_t body_bytes) const {
  const std::uint32_t held = written_ - out_->read.load(std::memory_order_acquire);
  return held <= kRingBytes && sizeof(FrameHead) + body_bytes <= kRingBytes - held;
}

Status Link::Send(std::uint16_t type, Pieces body, const Watch& watch, Flush flush) {
  { const engine::Crossing what_is_asked_of_the_other_side; }
  std::size_t size = 0;
  for (const auto& piece : body) size += piece.size();
  if (size > kFrameBytesMax) {
    return Fail(Code::kLimit, "a message to a worker is larger than " + std::to_string(kFrameBytesMax) + " bytes");
  }
  const FrameHead head = {static_cast<std::uint32_t>(size), type, 0};
  std::uint8_t raw[sizeof head];
  std::memcpy(raw, &head, sizeof head);
  CORDON_TRY(Put(raw, watch));
  for (const auto& piece : body) CORDON_TRY(Put(piece, watch));
  if (flush == Flush::kNow) Publish();
  asked_with_.store(size, std::memory_order_relaxed);
  return {};
}

Result<Link::Frame> Link::Receive(const Bound& bound, const Watch& watch) {
  std::uint8_t raw[sizeof(FrameHead)];
  const std::size_t asked_with = asked_with_.exchange(0, std::memory_order_relaxed);
  CORDON_TRY(Get(raw, watch, spins_ == 0 ? 0 : spins_ + static_cast<int>(asked_with / kBytesPerSpin)));
  FrameHead head;
  std::memcpy(&head, raw, sizeof head);
  const std::uint32_t most = std::min(bound(head.type), kFrameBytesMax);
  if (head.zero != 0 || most == 0) return Fail(Broken("a frame of the unknown type " + std::to_string(head.type)));
  if (head.bytes > most) {
    return Fail(Broken("a frame of type " + std::to_string(head.type) + " has " + std::to_string(head.bytes) +
                       " bytes, and may have " + std::to_string(most)));
  }
  // A large body does not keep its memory for the small ones that follow.
  if (body_.size() > 2 * std::size_t{kRingBytes} && head.bytes < kRingBytes) std::vector<std::uint8_t>().swap(body_);
  try {
    if (body_.size() < head.bytes) body_.resize(head.bytes);
  } catch (const std::bad_alloc&) {
    return Fail(Code::kMemory, "the process has no memory left for a message of a worker");
  }
  const std::span<std::uint8_t> body(body_.data(), head.bytes);
  CORDON_TRY(Get(body, watch, spins_within_));
  { const engine::Crossing what_it_answered; }
  return Frame{head.type, body};
}

}  // namespace cordon::worker
