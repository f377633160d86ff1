#include "runtime/grant_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "base/file.h"
#include "base/unique_fd.h"
#include "policy/ceiling.h"

namespace cordon::runtime {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLockFile = "grants.lock";

std::unexpected<Error> FailIo(std::string_view what, const fs::path& path, int error) {
  const std::string remedy = error == ELOOP || error == ENOTDIR
                                 ? "symbolic links are not followed here; put the folder or file itself there"
                                 : "";
  return Fail(Code::kIo, "cannot " + std::string(what) + " " + path.string() + ": " + ErrnoText(error), remedy);
}

// Ours, and nobody else may write it.
Status CheckOwner(int fd, const fs::path& path) {
  struct stat st{};
  if (::fstat(fd, &st) != 0) return FailIo("look at", path, errno);
  if (st.st_uid != ::geteuid()) {
    return Fail(Code::kIo, path.string() + " belongs to another user (uid " + std::to_string(st.st_uid) + ")",
                "set CORDON_HOME to a folder of your own, or run as its owner");
  }
  if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Fail(Code::kIo, path.string() + " can be written by others", "run: chmod go-w " + path.string());
  }
  return {};
}

Result<UniqueFd> OpenFolder(const fs::path& folder) {
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd && errno == ENOENT) return UniqueFd();
  if (!fd) return FailIo("open", folder, errno);
  CORDON_TRY(CheckOwner(fd.get(), folder));
  return fd;
}

Result<std::string> ReadAll(int fd, const fs::path& path) {
  std::string text;
  char buffer[16 << 10];
  while (true) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FailIo("read", path, errno);
    if (n == 0) return text;
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.size() > policy::kGrantsBytesMax) {
      return Fail(Code::kLimit,
                  path.string() + " is larger than " + std::to_string(policy::kGrantsBytesMax) + " bytes");
    }
  }
}

}  // namespace

GrantStore GrantStore::OfRelaxed(fs::path state_folder) {
  GrantStore store(std::move(state_folder));
  store.name_ = "relaxed.yaml";
  store.level_ = policy::Level::kRelaxed;
  return store;
}

GrantStore GrantStore::OfFile(const fs::path& file) {
  GrantStore store(file.has_parent_path() ? file.parent_path() : fs::path("."));
  store.name_ = file.filename().string();
  return store;
}

std::uint64_t GrantStore::Version() const {
  struct stat st{};
  if (::lstat(file().c_str(), &st) != 0) return 1;
  std::uint64_t hash = 14695981039346656037u;
  const auto add = [&hash](auto part) { hash = (hash ^ static_cast<std::uint64_t>(part)) * 1099511628211u; };
  add(st.st_ino);
  add(st.st_size);
  add(st.st_ctim.tv_sec);
  add(st.st_ctim.tv_nsec);
  return hash > 1 ? hash : 2;
}

Result<policy::GrantBook> GrantStore::Read() const {
  CORDON_ASSIGN(const UniqueFd folder, OpenFolder(folder_));
  if (!folder) return policy::GrantBook();
  const UniqueFd fd(::openat(folder.get(), name_.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd && errno == ENOENT) return policy::GrantBook();
  if (!fd) return FailIo("read", file(), errno);
  struct stat st{};
  if (::fstat(fd.get(), &st) != 0 || !S_ISREG(st.st_mode)) {
    return Fail(Code::kNotRegular, file().string() + " is not a regular file");
  }
  CORDON_TRY(CheckOwner(fd.get(), file()));
  CORDON_ASSIGN(const std::string text, ReadAll(fd.get(), file()));
  return policy::GrantBook::Parse(text, file().string(), level_);
}

Result<std::optional<policy::GrantSet>> GrantStore::Find(const policy::Subject& subject) const {
  CORDON_ASSIGN(const policy::GrantBook book, Read());
  return book.Find(subject);
}

Result<std::optional<policy::GrantSet>> GrantStore::Latest(std::string_view plugin) const {
  CORDON_ASSIGN(const policy::GrantBook book, Read());
  const auto found = std::ranges::find(book.sets(), plugin, &policy::GrantSet::plugin);
  if (found == book.sets().end()) return std::nullopt;
  return *found;
}

Result<bool> GrantStore::Widens(const policy::Subject& subject) const {
  bool widens = false;
  CORDON_TRY(OfRelaxed(folder_).Update([&](policy::GrantBook& book) -> Status {
    policy::GrantSet now;
    now.plugin = subject.plugin;
    now.artifact = subject.artifact;
    now.manifest = subject.manifest;
    for (const policy::Request& request : subject.requests) {
      // What no level grants is no authority, and this file could not be read with it.
      if (policy::CheckWidth(request.capability, policy::Level::kRelaxed)) now.granted.push_back({request.capability});
    }
    for (const policy::GrantSet& seen : book.sets()) {
      if (seen.plugin != subject.plugin) continue;
      widens = !std::ranges::all_of(now.granted, [&](const policy::Grant& asked) {
        return std::ranges::any_of(
            seen.granted, [&](const policy::Grant& before) { return before.capability.Covers(asked.capability); });
      });
    }
    if (!widens) book.Put(std::move(now));
    return {};
  }));
  return widens;
}

Status GrantStore::Update(const std::function<Status(policy::GrantBook&)>& change) const {
  CORDON_ASSIGN(const UniqueFd folder, OpenFolder(folder_));
  if (!folder) return FailIo("open", folder_, ENOENT);
  const UniqueFd lock(::openat(folder.get(), kLockFile, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!lock) return FailIo("lock", folder_ / kLockFile, errno);
  while (::flock(lock.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return FailIo("lock", folder_ / kLockFile, errno);
  }
  CORDON_ASSIGN(policy::GrantBook book, Read());
  CORDON_TRY(change(book));
  const std::string text = book.ToYaml();
  if (text.size() > policy::kGrantsBytesMax) {
    return Fail(Code::kLimit,
                file().string() + " would grow beyond " + std::to_string(policy::kGrantsBytesMax) + " bytes",
                "revoke what is no longer needed");
  }
  return WriteFileAtomically(file(), text, FileMode::kPrivate);
}

}  // namespace cordon::runtime
