#include "failing.h"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <new>

#ifdef CORDON_SANITIZED
#define TORTURE_NEW_ONLY
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TORTURE_NEW_ONLY
#endif
#endif

namespace torture {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

thread_local bool counting = false;
thread_local std::int64_t requests = 0;
thread_local std::int64_t first = kNever;  // the first that fails
thread_local std::int64_t last = kNever;
std::atomic<std::int64_t> live = 0;

bool Refused() {
  const std::int64_t n = requests++;
  return n >= first && n <= last;
}

void* Count(void* at) {
  if (at != nullptr) live.fetch_add(1, std::memory_order_relaxed);
  return at;
}

}  // namespace

void Failing::Begin() {
  counting = true;
  requests = 0;
  first = n_;
  last = mode_ == Mode::kOne ? n_ : kNever - 1;
}

void Failing::End() {
  if (!counting) return;
  counting = false;
  asked_ = requests;
  first = kNever;
}

std::int64_t Live() { return live; }

}  // namespace torture

using torture::Count;
using torture::Refused;

#ifdef TORTURE_NEW_ONLY

namespace {

void* Allocate(std::size_t size, std::size_t alignment) {
  if (Refused()) return nullptr;
  return Count(alignment > alignof(std::max_align_t)
                   ? std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment)
                   : std::malloc(size == 0 ? 1 : size));
}

void Free(void* at) {
  if (at == nullptr) return;
  torture::live.fetch_sub(1, std::memory_order_relaxed);
  std::free(at);
}

}  // namespace

void* operator new(std::size_t size) {
  if (void* at = Allocate(size, 0)) return at;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  if (void* at = Allocate(size, static_cast<std::size_t>(alignment))) return at;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return Allocate(size, 0); }
void operator delete(void* at) noexcept { Free(at); }
void operator delete(void* at, std::size_t) noexcept { Free(at); }
void operator delete(void* at, std::align_val_t) noexcept { Free(at); }
void operator delete(void* at, std::size_t, std::align_val_t) noexcept { Free(at); }
void operator delete(void* at, const std::nothrow_t&) noexcept { Free(at); }

#else

// A program's own malloc comes before the C library's, for everything in the program.
extern "C" {

void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* at, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* at);

static void* Refuse() {
  errno = ENOMEM;
  return nullptr;
}

void* malloc(std::size_t size) { return Refused() ? Refuse() : Count(__libc_malloc(size)); }
void* calloc(std::size_t count, std::size_t size) { return Refused() ? Refuse() : Count(__libc_calloc(count, size)); }
void* memalign(std::size_t alignment, std::size_t size) {
  return Refused() ? Refuse() : Count(__libc_memalign(alignment, size));
}
void* aligned_alloc(std::size_t alignment, std::size_t size) { return memalign(alignment, size); }
int posix_memalign(void** out, std::size_t alignment, std::size_t size) {
  void* at = memalign(alignment, size);
  if (at == nullptr) return ENOMEM;
  *out = at;
  return 0;
}
void* realloc(void* at, std::size_t size) {
  if (at == nullptr) return malloc(size);
  if (size != 0) return Refused() ? Refuse() : __libc_realloc(at, size);
  free(at);
  return nullptr;
}
void free(void* at) {
  if (at == nullptr) return;
  torture::live.fetch_sub(1, std::memory_order_relaxed);
  __libc_free(at);
}

}  // extern "C"

#endif
