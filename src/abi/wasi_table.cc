#include "abi/wasi_table.h"

#include <algorithm>

namespace cordon::abi {
namespace {

// Types that many functions share, as the text of their shape.
#define DATETIME "record{seconds:u64,nanoseconds:u32}"
#define DESCRIPTOR_TYPE                                        \
  "enum{unknown,block-device,character-device,directory,fifo," \
  "symbolic-link,regular-file,socket}"
#define STAT                                                                                       \
  "record{type:" DESCRIPTOR_TYPE ",link-count:u64,size:u64,data-access-timestamp:option<" DATETIME \
  ">,data-modification-timestamp:option<" DATETIME ">,status-change-timestamp:option<" DATETIME ">}"
#define NEW_TIME "variant{no-change,now,timestamp:" DATETIME "}"
#define ERROR_CODE                                                  \
  "enum{access,would-block,already,bad-descriptor,busy,deadlock,"   \
  "quota,exist,file-too-large,illegal-byte-sequence,in-progress,"   \
  "interrupted,invalid,io,is-directory,loop,too-many-links,"        \
  "message-size,name-too-long,no-device,no-entry,no-lock,"          \
  "insufficient-memory,insufficient-space,not-directory,not-empty," \
  "not-recoverable,unsupported,no-tty,no-such-device,overflow,"     \
  "not-permitted,pipe,read-only,invalid-seek,text-file-busy,"       \
  "cross-device}"
#define STREAM_ERROR "variant{last-operation-failed:resource,closed}"
#define DESCRIPTOR_FLAGS                                      \
  "flags{read,write,file-integrity-sync,data-integrity-sync," \
  "requested-write-sync,mutate-directory}"
#define OPEN_FLAGS "flags{create,directory,exclusive,truncate}"
#define PATH_FLAGS "flags{symlink-follow}"
#define ADVICE "enum{normal,sequential,random,will-need,dont-need,no-reuse}"
#define HASH "record{lower:u64,upper:u64}"

constexpr WasiFunction kFunctions[] = {
    {"wasi:io/error", "[method]error.to-debug-string", "(resource)->string"},
    {"wasi:io/poll", "[method]pollable.ready", "(resource)->bool"},
    {"wasi:io/poll", "[method]pollable.block", "(resource)"},
    {"wasi:io/poll", "poll", "(list<resource>)->list<u32>"},
    {"wasi:io/streams", "[method]input-stream.read", "(resource,u64)->result<list<u8>," STREAM_ERROR ">"},
    {"wasi:io/streams", "[method]input-stream.blocking-read", "(resource,u64)->result<list<u8>," STREAM_ERROR ">"},
    {"wasi:io/streams", "[method]input-stream.skip", "(resource,u64)->result<u64," STREAM_ERROR ">"},
    {"wasi:io/streams", "[method]input-stream.blocking-skip", "(resource,u64)->result<u64," STREAM_ERROR ">"},
    {"wasi:io/streams", "[method]input-stream.subscribe", "(resource)->resource"},
    {"wasi:io/streams", "[method]output-stream.check-write", "(resource)->result<u64," STREAM_ERROR ">"},
    {"wasi:io/streams", "[method]output-stream.write", "(resource,list<u8>)->result<_," STREAM_ERROR ">"},
    {"wasi:io/streams", "[method]output-stream.blocking-write-and-flush",
     "(resource,list<u8>)->result<_," STREAM_ERROR ">"},
    {"wasi:io/streams", "[method]output-stream.flush", "(resource)->result<_," STREAM_ERROR ">"},
    {"wasi:io/streams", "[method]output-stream.blocking-flush", "(resource)->result<_," STREAM_ERROR ">"},
    {"wasi:io/streams", "[method]output-stream.subscribe", "(resource)->resource"},
    {"wasi:io/streams", "[method]output-stream.write-zeroes", "(resource,u64)->result<_," STREAM_ERROR ">"},
    {"wasi:io/streams", "[method]output-stream.blocking-write-zeroes-and-flush",
     "(resource,u64)->result<_," STREAM_ERROR ">"},
    {"wasi:io/streams", "[method]output-stream.splice", "(resource,resource,u64)->result<u64," STREAM_ERROR ">"},
    {"wasi:io/streams", "[method]output-stream.blocking-splice",
     "(resource,resource,u64)->result<u64," STREAM_ERROR ">"},
    {"wasi:cli/environment", "get-environment", "()->list<tuple<string,string>>"},
    {"wasi:cli/environment", "get-arguments", "()->list<string>"},
    {"wasi:cli/environment", "initial-cwd", "()->option<string>"},
    {"wasi:cli/exit", "exit", "(result<_,_>)"},
    {"wasi:cli/exit", "exit-with-code", "(u8)"},
    {"wasi:cli/stdin", "get-stdin", "()->resource"},
    {"wasi:cli/stdout", "get-stdout", "()->resource"},
    {"wasi:cli/stderr", "get-stderr", "()->resource"},
    {"wasi:cli/terminal-input", "", ""},
    {"wasi:cli/terminal-output", "", ""},
    {"wasi:cli/terminal-stdin", "get-terminal-stdin", "()->option<resource>"},
    {"wasi:cli/terminal-stdout", "get-terminal-stdout", "()->option<resource>"},
    {"wasi:cli/terminal-stderr", "get-terminal-stderr", "()->option<resource>"},
    {"wasi:clocks/monotonic-clock", "now", "()->u64"},
    {"wasi:clocks/monotonic-clock", "resolution", "()->u64"},
    {"wasi:clocks/monotonic-clock", "subscribe-instant", "(u64)->resource"},
    {"wasi:clocks/monotonic-clock", "subscribe-duration", "(u64)->resource"},
    {"wasi:clocks/wall-clock", "now", "()->" DATETIME},
    {"wasi:clocks/wall-clock", "resolution", "()->" DATETIME},
    {"wasi:random/insecure-seed", "insecure-seed", "()->tuple<u64,u64>"},
    {"wasi:random/insecure", "get-insecure-random-bytes", "(u64)->list<u8>"},
    {"wasi:random/insecure", "get-insecure-random-u64", "()->u64"},
    {"wasi:random/random", "get-random-bytes", "(u64)->list<u8>"},
    {"wasi:random/random", "get-random-u64", "()->u64"},
    {"wasi:filesystem/types", "[method]descriptor.read-via-stream", "(resource,u64)->result<resource," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]descriptor.write-via-stream", "(resource,u64)->result<resource," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]descriptor.append-via-stream", "(resource)->result<resource," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]descriptor.advise", "(resource,u64,u64," ADVICE ")->result<_," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]descriptor.sync-data", "(resource)->result<_," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]descriptor.get-flags",
     "(resource)->result<" DESCRIPTOR_FLAGS "," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]descriptor.get-type", "(resource)->result<" DESCRIPTOR_TYPE "," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]descriptor.set-size", "(resource,u64)->result<_," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]descriptor.set-times",
     "(resource," NEW_TIME "," NEW_TIME ")->result<_," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]descriptor.read",
     "(resource,u64,u64)->result<tuple<list<u8>,bool>," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]descriptor.write", "(resource,list<u8>,u64)->result<u64," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]descriptor.read-directory", "(resource)->result<resource," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]descriptor.sync", "(resource)->result<_," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]descriptor.create-directory-at", "(resource,string)->result<_," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]descriptor.stat", "(resource)->result<" STAT "," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]descriptor.stat-at",
     "(resource," PATH_FLAGS ",string)->result<" STAT "," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]descriptor.set-times-at",
     "(resource," PATH_FLAGS ",string," NEW_TIME "," NEW_TIME ")->result<_," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]descriptor.link-at",
     "(resource," PATH_FLAGS ",string,resource,string)->result<_," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]descriptor.open-at",
     "(resource," PATH_FLAGS ",string," OPEN_FLAGS "," DESCRIPTOR_FLAGS ")->result<resource," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]descriptor.readlink-at", "(resource,string)->result<string," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]descriptor.remove-directory-at", "(resource,string)->result<_," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]descriptor.rename-at",
     "(resource,string,resource,string)->result<_," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]descriptor.symlink-at", "(resource,string,string)->result<_," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]descriptor.unlink-file-at", "(resource,string)->result<_," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]descriptor.is-same-object", "(resource,resource)->bool"},
    {"wasi:filesystem/types", "[method]descriptor.metadata-hash", "(resource)->result<" HASH "," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]descriptor.metadata-hash-at",
     "(resource," PATH_FLAGS ",string)->result<" HASH "," ERROR_CODE ">"},
    {"wasi:filesystem/types", "[method]directory-entry-stream.read-directory-entry",
     "(resource)->result<option<record{type:" DESCRIPTOR_TYPE ",name:string}>," ERROR_CODE ">"},
    {"wasi:filesystem/types", "filesystem-error-code", "(resource)->option<" ERROR_CODE ">"},
    {"wasi:filesystem/preopens", "get-directories", "()->list<tuple<resource,string>>"},
};

using policy::Kind;

constexpr Preview1Function kPreview1Functions[] = {
    {"args_get", "(i32, i32) -> i32", {}},
    {"args_sizes_get", "(i32, i32) -> i32", {}},
    {"environ_get", "(i32, i32) -> i32", {}},
    {"environ_sizes_get", "(i32, i32) -> i32", {}},
    {"clock_res_get", "(i32, i32) -> i32", Kind::kClock},
    {"clock_time_get", "(i32, i64, i32) -> i32", Kind::kClock},
    {"fd_advise", "(i32, i64, i64, i32) -> i32", {}},
    {"fd_allocate", "(i32, i64, i64) -> i32", {}},
    {"fd_close", "(i32) -> i32", {}},
    {"fd_datasync", "(i32) -> i32", {}},
    {"fd_fdstat_get", "(i32, i32) -> i32", {}},
    {"fd_fdstat_set_flags", "(i32, i32) -> i32", {}},
    {"fd_fdstat_set_rights", "(i32, i64, i64) -> i32", {}},
    {"fd_filestat_get", "(i32, i32) -> i32", {}},
    {"fd_filestat_set_size", "(i32, i64) -> i32", {}},
    {"fd_filestat_set_times", "(i32, i64, i64, i32) -> i32", {}},
    {"fd_pread", "(i32, i32, i32, i64, i32) -> i32", {}},
    {"fd_prestat_get", "(i32, i32) -> i32", {}},
    {"fd_prestat_dir_name", "(i32, i32, i32) -> i32", {}},
    {"fd_pwrite", "(i32, i32, i32, i64, i32) -> i32", {}},
    {"fd_read", "(i32, i32, i32, i32) -> i32", Kind::kStdio},
    {"fd_readdir", "(i32, i32, i32, i64, i32) -> i32", {}},
    {"fd_renumber", "(i32, i32) -> i32", {}},
    {"fd_seek", "(i32, i64, i32, i32) -> i32", {}},
    {"fd_sync", "(i32) -> i32", {}},
    {"fd_tell", "(i32, i32) -> i32", {}},
    {"fd_write", "(i32, i32, i32, i32) -> i32", Kind::kStdio},
    {"path_create_directory", "(i32, i32, i32) -> i32", {}},
    {"path_filestat_get", "(i32, i32, i32, i32, i32) -> i32", {}},
    {"path_filestat_set_times", "(i32, i32, i32, i32, i64, i64, i32) -> i32", {}},
    {"path_link", "(i32, i32, i32, i32, i32, i32, i32) -> i32", {}},
    {"path_open", "(i32, i32, i32, i32, i32, i64, i64, i32, i32) -> i32", {}},
    {"path_readlink", "(i32, i32, i32, i32, i32, i32) -> i32", {}},
    {"path_remove_directory", "(i32, i32, i32) -> i32", {}},
    {"path_rename", "(i32, i32, i32, i32, i32, i32) -> i32", {}},
    {"path_symlink", "(i32, i32, i32, i32, i32) -> i32", {}},
    {"path_unlink_file", "(i32, i32, i32) -> i32", {}},
    {"poll_oneoff", "(i32, i32, i32, i32) -> i32", Kind::kClock},
    {"proc_exit", "(i32)", {}},
    {"proc_raise", "(i32) -> i32", {}},
    {"sched_yield", "() -> i32", {}},
    {"random_get", "(i32, i32) -> i32", Kind::kRandom},
    {"sock_accept", "(i32, i32, i32) -> i32", {}},
    {"sock_recv", "(i32, i32, i32, i32, i32, i32) -> i32", {}},
    {"sock_send", "(i32, i32, i32, i32, i32) -> i32", {}},
    {"sock_shutdown", "(i32, i32) -> i32", {}},
};

constexpr std::string_view kWasiResources[] = {"error", "pollable", "input-stream", "output-stream", "terminal-input",
                                               "terminal-output", "descriptor", "directory-entry-stream",
                                               // wasi:http, with the other names that its interfaces give to some.
                                               "fields", "headers", "trailers", "io-error", "incoming-request",
                                               "outgoing-request", "request-options", "response-outparam",
                                               "incoming-response", "incoming-body", "future-trailers",
                                               "outgoing-response", "outgoing-body", "future-incoming-response",
                                               // wasi:sockets
                                               "network", "tcp-socket", "udp-socket", "incoming-datagram-stream",
                                               "outgoing-datagram-stream", "resolve-address-stream"};

}  // namespace

std::span<const WasiFunction> WasiFunctions(std::string_view interface_name) {
  const auto is_it = [&](const WasiFunction& f) { return f.interface_name == interface_name; };
  for (const std::span<const WasiFunction> table : {std::span<const WasiFunction>(kFunctions), NetworkFunctions()}) {
    const auto first = std::find_if(table.begin(), table.end(), is_it);
    if (first == table.end()) continue;
    return {first, std::find_if_not(first, table.end(), is_it)};
  }
  return {};
}

const Preview1Function* FindPreview1(std::string_view name) {
  const auto* it = std::find_if(std::begin(kPreview1Functions), std::end(kPreview1Functions),
                                [&](const Preview1Function& f) { return f.name == name; });
  return it == std::end(kPreview1Functions) ? nullptr : it;
}

std::span<const Preview1Function> Preview1Functions() { return kPreview1Functions; }

InterfaceName SplitInterface(std::string_view text) {
  InterfaceName parts;
  const std::size_t at = text.find('@');
  parts.name = text.substr(0, at);
  if (at != std::string_view::npos) parts.version = text.substr(at + 1);
  const std::size_t slash = parts.name.find('/');
  if (slash != std::string_view::npos) parts.package = parts.name.substr(0, slash);
  return parts;
}

WasiVersion JudgeWasiVersion(std::string_view version) {
  constexpr std::string_view kPrefix = "0.2.";
  if (!version.starts_with(kPrefix)) return WasiVersion::kOther;
  const std::string_view patch = version.substr(kPrefix.size());
  const bool is_number = !patch.empty() && patch.size() <= 4 && (patch == "0" || patch[0] != '0') &&
                         std::all_of(patch.begin(), patch.end(), [](char c) { return c >= '0' && c <= '9'; });
  return is_number ? WasiVersion::kOffered : WasiVersion::kOther;
}

bool IsWasiResource(std::string_view name) {
  return std::ranges::find(kWasiResources, name) != std::end(kWasiResources);
}

}  // namespace cordon::abi
