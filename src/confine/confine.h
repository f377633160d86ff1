// A process that gives up, step by step and for ever, what it does not need. For programs of ours that touch what is
// hostile: call these before the first byte of it. Every step says what the system granted; whoever needs more than
// that ends. Not thread-safe: a process with one thread.
#pragma once

#include <sys/resource.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cordon::confine {

// Namespaces by their flags (CLONE_NEW*) and names.
struct Namespace {
  std::string_view name;
  int flag;
};
std::span<const Namespace> Namespaces();
// Leaves those of `wanted`; the flags of those that the kernel let it leave.
int LeaveNamespaces(int wanted);
// "user", "net", … of these flags.
std::vector<std::string_view> NamesOf(int flags);

// No new privileges, not dumpable, no core: nothing that is executed has more rights, and nobody looks in.
bool GiveUpPrivileges();

// Never above what the process may have already.
bool Limit(__rlimit_resource_t what, std::uint64_t soft, std::uint64_t hard);
inline bool Limit(__rlimit_resource_t what, std::uint64_t value) { return Limit(what, value, value); }

struct Folder {
  int fd = -1;
  bool writable = false;
};
// From here on it opens nothing but regular files and folders beneath these, connects nowhere, and signals nobody
// outside; as far as the kernel knows of that. The version of Landlock, or 0.
int ForbidPaths(std::span<const Folder> folders = {});

// An empty, read-only root in place of the file system. Needs a mount namespace of its own.
bool EmptyRoot();

struct Filter {
  std::span<const int> calls;  // that may be made as they are
  int door = -1;               // a socket whose messages may be received; -1: none
  // Sockets, by leave of another process: what makes, binds or connects one, or names a peer, is not done but told to a
  // listener (seccomp_unotify(2)), and so is the end of descriptors from this number on, where that process puts them.
  // 0: no sockets. They never wait in the kernel. Messages may be sent until EndHandOver.
  int sockets_from = 0;
};
// From here on only these system calls are made; everything else fails with EPERM. Threads may be started, processes
// not; only threads of this process may be signalled; memory is mapped for this process alone. The descriptor of the
// listener, or 0 when there are no sockets; -1 when there is no such filter to be had.
int AllowOnly(const Filter& what);
// With sockets, once the listener was handed over: nothing is sent by message from here on.
bool EndHandOver();
// What memory, threads, clocks and the end of a process need.
std::span<const int> BasicCalls();
// What it takes to read and write files beneath folders, in any way that WASI has.
std::span<const int> FileCalls();

}  // namespace cordon::confine
