#include "engine/code_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <vector>

#include "base/file.h"
#include "engine/raw.h"

namespace cordon::engine {
namespace {

constexpr char kMagic[8] = {'c', 'o', 'r', 'd', 'o', 'n', 'c', '1'};
constexpr std::string_view kSecretFile = "secret";
constexpr char kForgeriesFile[] = "forgeries";  // times, 8 bytes each
constexpr std::int64_t kForgeryAgeMax = 600;
constexpr std::string_view kEntrySuffix = ".code";
constexpr std::string_view kPartialPrefix = "partial-";
constexpr std::uint64_t kCodeBytesMax = 1ull << 30;
constexpr std::time_t kPartialAgeMax = 600;  // seconds after which a half-written file is nobody's any more
constexpr std::time_t kTouchAgeMin = 60;     // a hit marks an entry as used, at most this often

std::string Hex(std::span<const std::uint8_t> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

bool ReadAll(int fd, void* to, std::size_t size) {
  auto* at = static_cast<char*>(to);
  while (size > 0) {
    const ssize_t n = ::read(fd, at, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

bool WriteAll(int fd, const void* from, std::size_t size) {
  const auto* at = static_cast<const char*>(from);
  while (size > 0) {
    const ssize_t n = ::write(fd, at, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

bool Equal(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  std::uint8_t difference = 0;  // in constant time: the tag of a file is a secret until it is right
  for (std::size_t i = 0; i < a.size(); ++i) difference |= a[i] ^ b[i];
  return difference == 0;
}

bool IsOurs(const struct stat& file) {
  return S_ISREG(file.st_mode) && file.st_uid == ::geteuid() && file.st_nlink == 1 && (file.st_mode & 022) == 0;
}

// A memfd with `size` bytes, mapped for writing.
class Memory {
 public:
  static Result<Memory> Make(std::size_t size) {
    Memory memory;
#ifdef MFD_EXEC
    constexpr unsigned kExec = MFD_EXEC;
#else
    constexpr unsigned kExec = 0x10;  // since Linux 6.3; needed where vm.memfd_noexec is set
#endif
    int fd = ::memfd_create("cordon-code", MFD_CLOEXEC | MFD_ALLOW_SEALING | kExec);
    if (fd < 0) fd = ::memfd_create("cordon-code", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    memory.fd_.Reset(fd);
    if (fd < 0 || ::ftruncate(fd, static_cast<off_t>(size)) != 0) return Fail(Refused());
    memory.size_ = size;
    void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (at == MAP_FAILED) return Fail(Refused());
    memory.at_ = static_cast<std::uint8_t*>(at);
    return memory;
  }
  Memory(Memory&& other) noexcept
      : fd_(std::move(other.fd_)), at_(std::exchange(other.at_, nullptr)), size_(other.size_) {}
  ~Memory() {
    if (at_ != nullptr) ::munmap(at_, size_);
  }
  std::span<std::uint8_t> bytes() { return {at_, size_}; }

  // Unmaps and seals: from here on nobody writes, this process included.
  Result<UniqueFd> Seal() && {
    ::munmap(std::exchange(at_, nullptr), size_);
    // The kernel may hold pages of a big file for a moment longer, and says that the file is busy.
    constexpr int kTries = 50;
    const timespec pause{0, 2'000'000};
    int failed = 0;
    for (int i = 0; i < kTries; ++i) {
      failed = ::fcntl(fd_.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
      if (failed == 0 || errno != EBUSY) break;
      ::nanosleep(&pause, nullptr);
    }
    if (failed != 0) return Fail(Refused());
    return std::move(fd_);
  }

 private:
  Memory() = default;
  static Error Refused() {
    return Error(Code::kUnavailable, "the system gives no memory file for code: " + ErrnoText(errno),
                 "allow memfd_create with sealing (vm.memfd_noexec must not be 2)");
  }
  UniqueFd fd_;
  std::uint8_t* at_ = nullptr;
  std::size_t size_ = 0;
};

Result<std::array<std::uint8_t, 32>> MakeSecret(int folder) {
  std::array<std::uint8_t, 32> secret;
  const std::string name(kSecretFile);
  for (int attempt = 0; attempt < 3; ++attempt) {
    UniqueFd fd(::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    if (fd) {
      struct stat file{};
      const bool good = ::fstat(fd.get(), &file) == 0 && IsOurs(file) && (file.st_mode & 077) == 0 &&
                        file.st_size == static_cast<off_t>(secret.size()) &&
                        ReadAll(fd.get(), secret.data(), secret.size());
      if (good) return secret;
      ::unlinkat(folder, name.c_str(), 0);  // torn, or not ours: a new one makes every entry foreign
    }
    if (::getrandom(secret.data(), secret.size(), 0) != static_cast<ssize_t>(secret.size())) break;
    const std::string partial = std::string(kPartialPrefix) + "secret-" + Hex(std::span(secret).first(4));
    UniqueFd made(::openat(folder, partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!made || !WriteAll(made.get(), secret.data(), secret.size()) || ::fsync(made.get()) != 0) {
      const int error = errno;
      ::unlinkat(folder, partial.c_str(), 0);
      errno = error;
      break;
    }
    // linkat does not replace: of two processes one wins, and both read its secret.
    ::linkat(folder, partial.c_str(), folder, name.c_str(), 0);
    ::unlinkat(folder, partial.c_str(), 0);
  }
  return Fail(Code::kUnavailable, "the code cache cannot keep its key: " + ErrnoText(errno),
              "make room, or name another folder");
}

struct Listed {
  std::string name;
  std::uint64_t size = 0;
  struct timespec used{};
};

std::vector<Listed> List(int folder, std::string_view prefix, std::string_view suffix) {
  std::vector<Listed> found;
  const int copy = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* entries = copy < 0 ? nullptr : ::fdopendir(copy);
  if (entries == nullptr) return found;
  while (const dirent* entry = ::readdir(entries)) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with(prefix) || !name.ends_with(suffix)) continue;
    struct stat file{};
    if (::fstatat(folder, entry->d_name, &file, AT_SYMLINK_NOFOLLOW) != 0) continue;
    found.push_back({std::string(name), static_cast<std::uint64_t>(file.st_size), file.st_mtim});
  }
  ::closedir(entries);
  return found;
}

}  // namespace

// As it stands in the file, before the code. Numbers are little-endian.
struct CodeCache::Header {
  char magic[8];
  std::uint8_t secret_id[8];  // of the key that the tag was made with: another key is another cache, not a forgery
  std::uint8_t key[32];
  std::uint64_t code_bytes;
  std::uint8_t component;
  std::uint8_t padding[7];
  std::uint8_t tag[32];  // keyed BLAKE3 of the header with a zero tag, and the code
};

std::array<std::uint8_t, 32> CodeCache::Tag(const Header& header, std::span<const std::uint8_t> code) const {
  Header plain = header;
  std::memset(plain.tag, 0, sizeof plain.tag);
  const cordon_bytes pieces[] = {{reinterpret_cast<const std::uint8_t*>(&plain), sizeof plain},
                                 {code.data(), code.size()}};
  std::array<std::uint8_t, 32> tag{};
  cordon_authenticate(secret_.data(), pieces, 2, tag.data());
  return tag;
}

std::array<std::uint8_t, 32> KeyedHash(std::span<const std::uint8_t> bytes) {
  const std::array<std::uint8_t, 32> key{};
  const cordon_bytes piece = {bytes.data(), bytes.size()};
  std::array<std::uint8_t, 32> tag{};
  cordon_authenticate(key.data(), &piece, 1, tag.data());
  return tag;
}

Result<UniqueFd> Sealed(std::span<const std::uint8_t> code) {
  CORDON_ASSIGN(Memory memory, Memory::Make(code.size()));
  std::memcpy(memory.bytes().data(), code.data(), code.size());
  return std::move(memory).Seal();
}

Result<std::shared_ptr<CodeCache>> CodeCache::Open(const std::filesystem::path& folder, std::uint64_t bytes_max) {
  const auto refuse = [&](const std::string& why, const std::string& remedy) {
    return Fail(Error(Code::kUnavailable, "the code cache " + folder.string() + " " + why, remedy)
                    .With("path", folder.string()));
  };
  std::error_code failed;
  std::filesystem::create_directories(folder.parent_path(), failed);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return refuse("cannot be made: " + ErrnoText(errno), "");
  std::shared_ptr<CodeCache> cache(new CodeCache);
  cache->folder_.Reset(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!cache->folder_) return refuse("is not a folder: " + ErrnoText(errno), "name a folder, not a link");
  struct stat stat{};
  ::fstat(cache->folder_.get(), &stat);
  if (stat.st_uid != ::geteuid()) return refuse("belongs to another user", "name a folder of your own");
  if ((stat.st_mode & 077) != 0) {
    return refuse("is open to other users: what is in it runs as native code", "chmod 700 " + folder.string());
  }
  cache->bytes_max_ = bytes_max;
  CORDON_ASSIGN(cache->secret_, MakeSecret(cache->folder_.get()));
  const std::time_t now = std::time(nullptr);
  for (const Listed& partial : List(cache->folder_.get(), kPartialPrefix, "")) {
    if (now - partial.used.tv_sec > kPartialAgeMax) ::unlinkat(cache->folder_.get(), partial.name.c_str(), 0);
  }
  return cache;
}

CodeCache::Key CodeCache::KeyOf(const Engine& engine, const Digest& wasm) {
  std::vector<std::uint8_t> text(wasm.raw().begin(), wasm.raw().end());
  const auto fingerprint = engine.Fingerprint();
  text.insert(text.end(), fingerprint.begin(), fingerprint.end());
  return Digest::Of(std::span<const std::uint8_t>(text)).raw();
}

std::shared_ptr<const Compiled> CodeCache::Shared(const Engine& engine, const Key& key) {
  const std::lock_guard lock(mutex_);
  const auto found = shared_.find({&engine, key});
  return found == shared_.end() ? nullptr : found->second.lock();
}

void CodeCache::Share(const Engine& engine, const Key& key, const std::shared_ptr<const Compiled>& code) {
  const std::lock_guard lock(mutex_);
  std::erase_if(shared_, [](const auto& entry) { return entry.second.expired(); });
  shared_[{&engine, key}] = code;
}

void CodeCache::SetAside(const std::string& name) const {
  const std::string refused = name + ".refused";
  if (::renameat(folder_.get(), name.c_str(), folder_.get(), refused.c_str()) == 0) return;
  ::unlinkat(folder_.get(), name.c_str(), 0);
}

void CodeCache::NoteForgery() const {
  const UniqueFd file(::openat(folder_.get(), kForgeriesFile,
                               O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600));
  struct stat stat{};
  if (!file || ::fstat(file.get(), &stat) != 0 || !S_ISREG(stat.st_mode)) return;
  if (stat.st_size > 4096 && ::ftruncate(file.get(), 0) != 0) return;
  const std::int64_t now = std::time(nullptr);
  (void)WriteAll(file.get(), &now, sizeof now);
}

int CodeCache::RecentForgeries() const {
  const UniqueFd file(::openat(folder_.get(), kForgeriesFile, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  int count = 0;
  for (std::int64_t at = 0; file && ReadAll(file.get(), &at, sizeof at);) {
    const std::int64_t age = std::time(nullptr) - at;
    count += age >= 0 && age <= kForgeryAgeMax ? 1 : 0;
  }
  return count;
}

Result<UniqueFd> CodeCache::Read(const Key& key, const std::string& name, const OnRefused& refused) const {
  const auto refuse = [&](Refusal refusal, std::string_view why) -> Result<UniqueFd> {
    SetAside(name);
    if (refusal == Refusal::kForged) NoteForgery();
    if (refused) refused(refusal, name, why);
    return Fail(Code::kNotFound, std::string(why));
  };
  UniqueFd file(::openat(folder_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!file) {
    if (errno == ENOENT) return Fail(Code::kNotFound, "no such entry");
    return refuse(Refusal::kMalformed, "it is a link, or cannot be opened");
  }
  struct stat stat{};
  if (::fstat(file.get(), &stat) != 0 || !IsOurs(stat)) {
    return refuse(Refusal::kMalformed, "it is not a regular file of ours alone");
  }
  Header header{};
  if (stat.st_size <= static_cast<off_t>(sizeof header) || !ReadAll(file.get(), &header, sizeof header)) {
    return refuse(Refusal::kMalformed, "it is too short");
  }
  const std::uint64_t code_bytes = static_cast<std::uint64_t>(stat.st_size) - sizeof header;
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 || header.code_bytes != code_bytes ||
      code_bytes > kCodeBytesMax) {
    return refuse(Refusal::kMalformed, "its header is not one, or its length is another");
  }
  const std::array<std::uint8_t, 32> id = Digest::Of(std::span<const std::uint8_t>(secret_)).raw();
  if (!Equal(header.secret_id, std::span(id).first(sizeof header.secret_id))) {
    return refuse(Refusal::kForeign, "it was made with another key");
  }
  CORDON_ASSIGN(Memory memory, Memory::Make(code_bytes));
  if (!ReadAll(file.get(), memory.bytes().data(), code_bytes)) return refuse(Refusal::kMalformed, "it became shorter");
  if (!Equal(Tag(header, memory.bytes()), header.tag)) return refuse(Refusal::kForged, "its authentication fails");
  if (!Equal(header.key, key)) return refuse(Refusal::kForeign, "it belongs to other code");
  if (std::time(nullptr) - stat.st_mtim.tv_sec > kTouchAgeMin) ::futimens(file.get(), nullptr);
  return std::move(memory).Seal();
}

std::shared_ptr<const Compiled> CodeCache::Find(const std::shared_ptr<const Engine>& engine, const Digest& wasm,
                                                const OnRefused& refused) {
  const Key key = KeyOf(*engine, wasm);
  if (auto code = Shared(*engine, key)) return code;
  const std::string name = Hex(key) + std::string(kEntrySuffix);
  const Result<UniqueFd> sealed = Read(key, name, refused);
  if (!sealed) return nullptr;
  auto code = Compiled::LoadSealed(engine, sealed->get());
  if (!code) {
    SetAside(name);
    if (refused) refused(Refusal::kForeign, name, code.error().message);
    return nullptr;
  }
  Share(*engine, key, *code);
  return *code;
}

UniqueFd CodeCache::FindSealed(const Engine& engine, const Digest& wasm, const OnRefused& refused) {
  const Key key = KeyOf(engine, wasm);
  Result<UniqueFd> sealed = Read(key, Hex(key) + std::string(kEntrySuffix), refused);
  return sealed ? std::move(*sealed) : UniqueFd();
}

Status CodeCache::Write(const Key& key, std::span<const std::uint8_t> code) const {
  Header header{};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  const std::array<std::uint8_t, 32> id = Digest::Of(std::span<const std::uint8_t>(secret_)).raw();
  std::memcpy(header.secret_id, id.data(), sizeof header.secret_id);
  std::memcpy(header.key, key.data(), sizeof header.key);
  header.code_bytes = code.size();
  const auto tag = Tag(header, code);
  std::memcpy(header.tag, tag.data(), sizeof header.tag);

  std::uint8_t random[8] = {};
  if (::getrandom(random, sizeof random, 0) < 0) return Fail(Code::kIo, ErrnoText(errno));
  const std::string partial = std::string(kPartialPrefix) + Hex(random);
  UniqueFd file(::openat(folder_.get(), partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  const std::string name = Hex(key) + std::string(kEntrySuffix);
  const bool written = file && WriteAll(file.get(), &header, sizeof header) &&
                       WriteAll(file.get(), code.data(), code.size()) && ::fsync(file.get()) == 0 &&
                       ::renameat(folder_.get(), partial.c_str(), folder_.get(), name.c_str()) == 0;
  if (written) return {};
  const int error = errno;
  ::unlinkat(folder_.get(), partial.c_str(), 0);
  return Fail(Code::kIo, "the code cache cannot be written: " + ErrnoText(error));
}

// Least recently used first, refused ones before all.
void CodeCache::Evict() const {
  for (const Listed& refused : List(folder_.get(), "", ".refused")) {
    if (std::time(nullptr) - refused.used.tv_sec > kPartialAgeMax) ::unlinkat(folder_.get(), refused.name.c_str(), 0);
  }
  std::vector<Listed> entries = List(folder_.get(), "", kEntrySuffix);
  std::uint64_t total = 0;
  for (const Listed& entry : entries) total += entry.size;
  if (total <= bytes_max_) return;
  std::ranges::sort(entries, [](const Listed& a, const Listed& b) {
    return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
  });
  for (const Listed& entry : entries) {
    if (total <= bytes_max_) return;
    if (::unlinkat(folder_.get(), entry.name.c_str(), 0) == 0) total -= entry.size;
  }
}

Result<std::shared_ptr<const Compiled>> CodeCache::Add(const std::shared_ptr<const Engine>& engine, const Digest& wasm,
                                                       std::span<const std::uint8_t> code, const OnNotKept& not_kept) {
  CORDON_ASSIGN(const UniqueFd sealed, Sealed(code));
  CORDON_ASSIGN(std::shared_ptr<const Compiled> compiled, Compiled::LoadSealed(engine, sealed.get()));
  Share(*engine, KeyOf(*engine, wasm), compiled);
  Keep(*engine, wasm, code, not_kept);
  return compiled;
}

void CodeCache::Keep(const Engine& engine, const Digest& wasm, std::span<const std::uint8_t> code,
                     const OnNotKept& not_kept) {
  const Key key = KeyOf(engine, wasm);
  const Status kept = code.size() + sizeof(Header) <= bytes_max_
                          ? Write(key, code)
                          : Fail(Code::kLimit, "it is larger than the whole cache may be");
  if (kept) {
    Evict();
  } else if (not_kept) {
    not_kept(Hex(key) + std::string(kEntrySuffix), kept.error().message);
  }
}

}  // namespace cordon::engine
