// What the host asks of the keeper: a process of the program cordon-worker that has done nothing yet but load it, and
// makes workers by copying itself. Both are of one build. Messages of a SOCK_SEQPACKET socket, with descriptors.
#pragma once

#include <cstdint>

namespace cordon::worker {

inline constexpr char kProgramName[] = "cordon-worker";
inline constexpr int kKeeperFd = 3;
inline constexpr std::uint32_t kFoldersMax = 64;
inline constexpr std::uint32_t kCodesMax = 64;
inline constexpr std::uint32_t kGroupsMax = 4;

// Make a worker. Descriptors: door, memory, set-up, codes, folders, groups.
struct SpawnRequest {
  std::uint32_t codes = 0;
  std::uint32_t folders = 0;
  std::uint64_t writable = 0;    // a bit for each folder
  std::uint64_t data_bytes = 0;  // RLIMIT_DATA; 0: none
  std::uint64_t files = 0;       // RLIMIT_NOFILE
  // Of control groups: files to write "0" to, or one folder to be made in.
  std::uint32_t groups = 0;
  enum class Entry : std::uint32_t { kFiles, kFolder } entry = Entry::kFiles;
  // How many sockets it may have at once. The host makes them: their descriptors are those from `files` on.
  std::uint32_t sockets = 0;
};
// Comes with the worker's pidfd, unless there is an error.
struct SpawnAnswer {
  std::int32_t error = 0;  // an errno
};

// The worker's word on how it is confined, at the head of kReady's body.
struct Confined {
  std::uint32_t namespaces = 0;  // CLONE_NEW*
  std::uint32_t landlock = 0;    // version; 0: none
  std::uint32_t seccomp = 0;
  std::uint32_t empty_root = 0;
  std::uint32_t limits = 0;
  std::uint32_t groups = 0;   // it is in those that it was given
  std::uint32_t sockets = 0;  // by the door come the listener of its filter, and its memory to be read
};

}  // namespace cordon::worker
