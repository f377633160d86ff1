// The C ABI of Cordon's engine bridge. Generated from bridge/abi by `cargo run -p cordon-header`; do not edit.
// Conventions: bridge/abi/src/lib.rs.

#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

// How a call of the bridge ended. Everything but OK comes with a `cordon_error`.
enum cordon_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  CORDON_STATUS_OK = 0,
  CORDON_STATUS_INVALID = 1,
  CORDON_STATUS_COMPILE = 2,
  CORDON_STATUS_LINK = 3,
  CORDON_STATUS_NOT_FOUND = 4,
  CORDON_STATUS_TRAP = 5,
  CORDON_STATUS_BAD_POINTER = 6,
  CORDON_STATUS_BAD_STRING = 7,
  CORDON_STATUS_HANDLE = 8,
  CORDON_STATUS_EXIT = 9,
  CORDON_STATUS_TIMEOUT = 10,
  CORDON_STATUS_CPU = 11,
  CORDON_STATUS_FUEL = 12,
  CORDON_STATUS_MEMORY = 13,
  CORDON_STATUS_STACK_OVERFLOW = 14,
  CORDON_STATUS_LIFT_LIMIT = 15,
  CORDON_STATUS_TABLE_FULL = 16,
  CORDON_STATUS_INSTANCES = 17,
  CORDON_STATUS_BUSY = 18,
  CORDON_STATUS_INTERRUPTED = 19,
  CORDON_STATUS_POISONED = 20,
  // The host ended the guest's call; `cordon_error_number` is the host's own code.
  CORDON_STATUS_HOST = 21,
  CORDON_STATUS_PANIC = 22,
  CORDON_STATUS_INTERNAL = 23,
  CORDON_STATUS_UNAVAILABLE = 24,
  CORDON_STATUS_LIMIT = 25,
  CORDON_STATUS_DENIED = 26,
  CORDON_STATUS_IO = 27,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum cordon_status cordon_status;
#else
typedef uint32_t cordon_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Compiled code.
typedef struct cordon_code cordon_code;

// What is fixed for all code of one engine. Counted; freeing it early harms nothing.
typedef struct cordon_engine cordon_engine;

// What went wrong. Owned by whoever received it.
typedef struct cordon_error cordon_error;

// An export of a linked code, resolved once.
typedef struct cordon_function cordon_function;

// One store and what lives in it. One owner at a time.
typedef struct cordon_instance cordon_instance;

// Stops a running call from any thread; may outlive its instance.
typedef struct cordon_interrupter cordon_interrupter;

// One thread's worth of calls. Thread-safe, but for `cordon_lane_run`, which one thread calls once.
typedef struct cordon_lane cordon_lane;

// Takes one reply to a guest that waits for it, if it still does.
typedef struct cordon_late_answer cordon_late_answer;

// Code with its imports resolved.
typedef struct cordon_linked cordon_linked;

// Connections of one plugin, never shared with another. Counted; thread-safe; freeing it early harms nothing.
typedef struct cordon_network cordon_network;

// What sends the requests of such processes by a network. Thread-safe.
typedef struct cordon_ways cordon_ways;

// A view of UTF-8 text; not NUL-terminated. `data` may be NULL when `len` is 0.
typedef struct cordon_str {
  const char *data;
  size_t len;
} cordon_str;

typedef struct cordon_pair {
  struct cordon_str name;
  struct cordon_str value;
} cordon_pair;

// A folder that the guest sees. The descriptor is duplicated.
typedef struct cordon_preopen {
  int32_t dir_fd;
  struct cordon_str guest_path;
  bool writable;
} cordon_preopen;

// A view of bytes. `data` may be NULL when `len` is 0.
typedef struct cordon_bytes {
  const uint8_t *data;
  size_t len;
} cordon_bytes;

// Descriptors of the caller, which the instance duplicates; -1: `stdin_bytes`, or output that is kept. The guest reads
// when it asks, and what it writes goes on at once, up to the limit of `stdout_bytes`.
typedef struct cordon_streams {
  int32_t stdin_fd;
  int32_t stdout_fd;
  int32_t stderr_fd;
} cordon_streams;

// Limits of one store, summed over everything in it.
typedef struct cordon_store_limits {
  uint64_t memory_bytes;
  uint32_t table_elements;
  uint32_t instances;
  uint32_t tables;
  uint32_t memories;
  uint32_t handles;
  uint64_t host_call_bytes;
  uint64_t random_bytes;
  uint64_t stdout_bytes;
  uint64_t var_bytes;
  uint64_t http_response_bytes;
} cordon_store_limits;

// What an instance is given. `size` must be sizeof(cordon_instance_options).
typedef struct cordon_instance_options {
  size_t size;
  const struct cordon_pair *environment;
  size_t environment_len;
  const struct cordon_str *arguments;
  size_t arguments_len;
  const struct cordon_preopen *preopens;
  size_t preopens_len;
  struct cordon_bytes stdin_bytes;
  // The standard streams as descriptors; NULL: none is.
  const struct cordon_streams *streams;
  bool fine_clock;
  // Clocks that move by a fixed step at each look; stronger than `fine_clock`.
  bool stepped_clock;
  // The way to the network, shared by the instances of one plugin; NULL: every request is denied.
  const struct cordon_network *network;
  // Stops the instance from its first instruction on; may be NULL.
  const struct cordon_interrupter *interrupter;
  struct cordon_store_limits limits;
  // Each operation on a file asks the host how long to wait.
  bool files_have_rate;
} cordon_instance_options;

// A message of a guest to the host. Everything is valid for the duration of the callback only.
typedef struct cordon_message {
  uint64_t call_id;
  struct cordon_str interface_name;
  struct cordon_str function;
  struct cordon_bytes payload;
  // CLOCK_MONOTONIC nanoseconds, or 0 for none.
  int64_t deadline_ns;
} cordon_message;

// Receives bytes: called at most once, before the function that takes it returns. Must not throw.
typedef struct cordon_writer {
  void *user;
  void (*write)(void *user,
                const uint8_t *data,
                size_t len);
} cordon_writer;

// The host's side. `send` returns 0 and writes the results in the wire format to `reply`, or returns a code of the
// host's own plus 1 and writes a sentence: then the guest's call ends. Called on the guest's thread or on one of the
// engine's; must be thread-safe, must not throw.
//
// `retain` makes a reference of the engine's own out of `user`: `send` gets what it returns, and `release` gets it
// when neither the instance nor a `send` of a blocking import needs it any more. A call that is stopped does not wait
// for such a `send`: `release` may come later than the end of the instance, on a thread of the engine. `retain` gives
// NULL when there is no memory. Without the two, `user` must outlive everything.
typedef struct cordon_port {
  void *user;
  uint32_t (*send)(void *user,
                   const struct cordon_message *message,
                   const struct cordon_writer *reply);
  // The same for an import that is deferred: returns at once, and `answer` is the host's, who gives it or lets it
  // go, from any thread. NULL: `send` answers those too.
  void (*begin)(void *user,
                const struct cordon_message *message,
                struct cordon_late_answer *answer);
  void *(*retain)(void *user);
  void (*release)(void *held);
} cordon_port;

// Limits of one call. 0 in `cpu_ns` and `fuel` means that there is none; `wall_ns` must be positive.
typedef struct cordon_call_limits {
  uint64_t wall_ns;
  uint64_t cpu_ns;
  uint64_t fuel;
} cordon_call_limits;

// Receives a call's results: called at most once, on the calling thread, before the function that takes it returns.
// The pieces together are the wire bytes; they may lie in guest memory and are gone when `take` returns. Must not
// throw, and must not use the instance. The call can still fail afterwards.
typedef struct cordon_result_sink {
  void *user;
  void (*take)(void *user,
               const struct cordon_bytes *pieces,
               size_t len);
} cordon_result_sink;

typedef struct cordon_usage {
  uint64_t memory_peak_bytes;
  uint64_t fuel;
  uint64_t host_calls;
  uint64_t bytes_in;
  uint64_t bytes_out;
  uint64_t stdout_dropped_bytes;
  uint64_t stderr_dropped_bytes;
  uint64_t wall_ns;
  uint64_t cpu_ns;
  uint64_t file_read_bytes;
  uint64_t file_written_bytes;
  uint64_t file_operations;
} cordon_usage;

// What is fixed for an engine. `size` must be sizeof(cordon_engine_options).
typedef struct cordon_engine_options {
  size_t size;
  bool fuel;
  bool debug;
  // Bounds checks in place of large reservations, for sanitizers and small address spaces.
  bool small_address_space;
  // Checks in the code in place of signal handlers.
  bool checked_traps;
  // Data segments are copied into each instance: for code with little data.
  bool copied_data;
  // Compile on many threads, which stay until the process ends.
  bool parallel;
  // Nothing in this process stops the code: whoever runs it ends the process.
  bool unstoppable;
  uint64_t max_memory_bytes;
  uint32_t max_instances;
  uint32_t max_table_elements;
  uint32_t stack_bytes;
} cordon_engine_options;

// A function of the guest's imports that the host answers.
typedef struct cordon_host_import {
  // As the guest imports it; empty for a function at the root.
  struct cordon_str interface_name;
  struct cordon_str function;
  // What messages call it.
  struct cordon_str message;
  // The answer may take long; the engine waits for it off the guest's thread.
  bool blocking;
  // The answer is a call of another guest, which keeps to the deadline; made on the thread of the guest that asks.
  bool nested;
  // The answer comes later, by `begin` of the port: no thread waits for it.
  bool deferred;
  // Answered by the engine's own WASI; the port is told of it, as "trace:" and the function's name.
  bool traced;
  // For a plugin for Extism: `t` (text) or `b` (bytes) for each parameter that is an offset of a block, `n` for each
  // number, "->" and the same for the result. Empty otherwise.
  struct cordon_str shape;
} cordon_host_import;

// A module that another one imports from, by its name.
typedef struct cordon_library {
  struct cordon_str name;
  const struct cordon_code *code;
} cordon_library;

// What is fixed for one way to the network. `size` must be sizeof(cordon_network_options).
typedef struct cordon_network_options {
  size_t size;
  // "192.0.2.1:53", "[2001:db8::1]:53". None: those of the machine, and its hosts file.
  const struct cordon_str *dns_servers;
  size_t dns_servers_len;
  // Certificates in PEM.
  const struct cordon_bytes *extra_roots;
  size_t extra_roots_len;
  bool system_roots;
  uint32_t connections;
  // How long an unused connection is kept; 0: not at all.
  uint64_t keep_alive_ns;
} cordon_network_options;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// An allocation that fails ends the process from now on: for one that has a limit on its memory in order to end there.
// Call it before anything else of this library.
void cordon_end_when_short_of_memory(void);

// The message; it lives as long as the error. May hold guest text.
const char *cordon_error_message(const struct cordon_error *error,
                                 size_t *len);

// The guest's frames, one per line, or nothing; it lives as long as the error.
const char *cordon_error_backtrace(const struct cordon_error *error,
                                   size_t *len);

// The guest's exit status (EXIT), the host's own code (HOST), ENOMEM when the process has no memory (MEMORY), else 0.
int64_t cordon_error_number(const struct cordon_error *error);

void cordon_error_free(struct cordon_error *error);

// Makes an instance and runs its initialisers under `limits`. `port` may be NULL when nothing needs the host.
cordon_status cordon_instance_new(const struct cordon_linked *linked,
                                  const struct cordon_instance_options *instance_options,
                                  const struct cordon_port *host,
                                  const struct cordon_call_limits *limits,
                                  uint64_t call_id,
                                  struct cordon_instance **result,
                                  struct cordon_error **error);

void cordon_instance_free(struct cordon_instance *instance);

// Calls an export with the wire bytes that `pieces` are together; `output` receives its results. After any failure the
// instance is poisoned.
cordon_status cordon_instance_call(struct cordon_instance *instance,
                                   const struct cordon_function *function,
                                   const struct cordon_bytes *pieces,
                                   size_t pieces_len,
                                   const struct cordon_call_limits *limits,
                                   uint64_t call_id,
                                   const struct cordon_result_sink *output,
                                   struct cordon_error **error);

// Makes an instance, calls one export and lets the instance go, in one crossing. `usage`, `stdout_bytes` and
// `stderr_bytes` may be NULL; they are written on failure too.
cordon_status cordon_call_once(const struct cordon_linked *linked,
                               const struct cordon_instance_options *instance_options,
                               const struct cordon_port *host,
                               const struct cordon_function *function,
                               const struct cordon_bytes *pieces,
                               size_t pieces_len,
                               const struct cordon_call_limits *limits,
                               uint64_t call_id,
                               const struct cordon_result_sink *output,
                               struct cordon_usage *usage,
                               const struct cordon_writer *stdout_bytes,
                               const struct cordon_writer *stderr_bytes,
                               struct cordon_error **error);

bool cordon_instance_poisoned(const struct cordon_instance *instance);

void cordon_instance_usage(const struct cordon_instance *instance,
                           struct cordon_usage *usage);

// What the guest wrote to standard output (`stream` 1) or error (2) since the last time, within its limit.
void cordon_instance_take_output(struct cordon_instance *instance,
                                 uint32_t stream,
                                 const struct cordon_writer *output);

// A new handle that stops the instance's calls; never NULL for an instance.
struct cordon_interrupter *cordon_interrupter_new(struct cordon_instance *instance);

// A handle for instances that are not made yet: pass it in their options.
struct cordon_interrupter *cordon_interrupter_make(void);

void cordon_interrupter_interrupt(const struct cordon_interrupter *interrupter);

void cordon_interrupter_free(struct cordon_interrupter *interrupter);

// The engine's version and build, NUL-terminated, static.
const char *cordon_bridge_build(void);

cordon_status cordon_engine_new(const struct cordon_engine_options *options,
                                struct cordon_engine **result,
                                struct cordon_error **error);

// Whether handlers of SIGSEGV, SIGILL or SIGFPE were put over those that the first engine of this process put in.
bool cordon_handlers_replaced(void);

void cordon_engine_free(struct cordon_engine *engine);

// Writes 32 bytes: everything that compiled code depends on beside its source.
void cordon_engine_fingerprint(const struct cordon_engine *engine,
                               const struct cordon_writer *output);

// Compiles for engines with these options, without making one: `fingerprint` gets theirs, `output` the code.
cordon_status cordon_precompile(const struct cordon_engine_options *options,
                                struct cordon_bytes wasm,
                                const struct cordon_writer *fingerprint,
                                const struct cordon_writer *output,
                                struct cordon_error **error);

// Maps code that `cordon_precompile` made. `fd` must be a sealed memfd, which is duplicated; its content runs as
// native code, so the caller vouches for every byte.
cordon_status cordon_code_load(const struct cordon_engine *engine,
                               int32_t fd,
                               bool component,
                               struct cordon_code **result,
                               struct cordon_error **error);

// Keyed BLAKE3 over the pieces as one text. `key` and `tag` are 32 bytes.
cordon_status cordon_authenticate(const uint8_t *key,
                                  const struct cordon_bytes *pieces,
                                  size_t pieces_len,
                                  uint8_t *tag);

// Compiles a WebAssembly binary: a component or a core module. Never text or precompiled code.
cordon_status cordon_code_compile(const struct cordon_engine *engine,
                                  struct cordon_bytes wasm,
                                  struct cordon_code **result,
                                  struct cordon_error **error);

bool cordon_code_is_component(const struct cordon_code *code);

void cordon_code_free(struct cordon_code *code);

// Links code against exactly the WASI interfaces (names without version) and host functions that are listed.
cordon_status cordon_linked_new(const struct cordon_code *code,
                                const struct cordon_str *wasi,
                                size_t wasi_len,
                                const struct cordon_host_import *host,
                                size_t host_len,
                                struct cordon_linked **result,
                                struct cordon_error **error);

// Links a plugin for Extism. `libraries` has the kernel under "extism:host/env" (cordon_extism_kernel), and the
// modules that the plugin imports by their names.
cordon_status cordon_linked_new_extism(const struct cordon_code *code,
                                       const struct cordon_library *libraries,
                                       size_t libraries_len,
                                       const struct cordon_str *wasi,
                                       size_t wasi_len,
                                       const struct cordon_host_import *host,
                                       size_t host_len,
                                       struct cordon_linked **result,
                                       struct cordon_error **error);

// The module behind "extism:host/env", as a binary.
void cordon_extism_kernel(const struct cordon_writer *output);

void cordon_linked_free(struct cordon_linked *linked);

// Looks an export up: of an interface (full name), or at the root when `interface_name` is empty.
cordon_status cordon_function_find(const struct cordon_linked *linked,
                                   struct cordon_str interface_name,
                                   struct cordon_str name,
                                   struct cordon_function **result,
                                   struct cordon_error **error);

void cordon_function_free(struct cordon_function *function);

// Never NULL.
struct cordon_lane *cordon_lane_new(void);

void cordon_lane_free(struct cordon_lane *lane);

// Runs `work` with `user` on the lane's thread, on a stack of its own of 256 KiB: what it calls of this library leaves
// the thread to others while it waits. Then runs `after` on the thread's own stack. Neither may throw. Nothing is run
// when this fails: UNAVAILABLE for a lane that was closed.
cordon_status cordon_lane_put(const struct cordon_lane *lane,
                              void (*work)(void *user),
                              void (*after)(void *user),
                              void *user,
                              struct cordon_error **error);

// Nothing more is put into it; `cordon_lane_run` returns when all that was has ended.
void cordon_lane_close(const struct cordon_lane *lane);

// The thread's work: returns when the lane was closed and all that was put has ended.
void cordon_lane_run(const struct cordon_lane *lane);

// Whether instances of it run on stacks of their own, so that a call of one may wait in a lane without its thread.
bool cordon_linked_waits(const struct cordon_linked *linked);

// Opens nothing yet.
cordon_status cordon_network_new(const struct cordon_network_options *network_options,
                                 struct cordon_network **result,
                                 struct cordon_error **error);

void cordon_network_free(struct cordon_network *network);

// The way to the network of a process that has none: requests go to the host as messages of `port`, which is retained.
cordon_status cordon_network_far(const struct cordon_port *port,
                                 struct cordon_network **result,
                                 struct cordon_error **error);

cordon_status cordon_ways_new(const struct cordon_network *network,
                              struct cordon_ways **result,
                              struct cordon_error **error);

// Answers a message: true, and its answer is written. May block, and then until `cordon_ways_end` at most. `call` is a
// number of the caller's own; `port` decides, and is retained.
bool cordon_ways_answer(const struct cordon_ways *ways,
                        const struct cordon_port *port,
                        uint64_t call,
                        uint64_t call_id,
                        struct cordon_str function,
                        struct cordon_bytes payload,
                        const struct cordon_writer *reply);

// Ends every request of a call.
void cordon_ways_end(const struct cordon_ways *ways,
                     uint64_t call);

void cordon_ways_free(struct cordon_ways *ways);

// Gives the reply, as `send` of a port does: `code` 0 and the results, or a code of the host's own plus 1 and a
// sentence. `answer` is gone then. Thread-safe.
void cordon_late_answer_give(struct cordon_late_answer *answer,
                             uint32_t code,
                             const uint8_t *data,
                             size_t len);

// There will be no reply: the guest's call ends.
void cordon_late_answer_free(struct cordon_late_answer *answer);

// An allocation that fails ends the process from now on: for one that has a limit on its memory in order to end there.
// Call it before anything else of this library.
void cordon_end_when_short_of_memory(void);

// The message; it lives as long as the error. May hold guest text.
const char *cordon_error_message(const struct cordon_error *error,
                                 size_t *len);

// The guest's frames, one per line, or nothing; it lives as long as the error.
const char *cordon_error_backtrace(const struct cordon_error *error,
                                   size_t *len);

// The guest's exit status (EXIT), the host's own code (HOST), ENOMEM when the process has no memory (MEMORY), else 0.
int64_t cordon_error_number(const struct cordon_error *error);

void cordon_error_free(struct cordon_error *error);

// Gives the reply, as `send` of a port does: `code` 0 and the results, or a code of the host's own plus 1 and a
// sentence. `answer` is gone then. Thread-safe.
void cordon_late_answer_give(struct cordon_late_answer *answer,
                             uint32_t code,
                             const uint8_t *data,
                             size_t len);

// There will be no reply: the guest's call ends.
void cordon_late_answer_free(struct cordon_late_answer *answer);

// The engine's version and build, NUL-terminated, static.
const char *cordon_bridge_build(void);

cordon_status cordon_engine_new(const struct cordon_engine_options *options,
                                struct cordon_engine **result,
                                struct cordon_error **error);

// Whether handlers of SIGSEGV, SIGILL or SIGFPE were put over those that the first engine of this process put in.
bool cordon_handlers_replaced(void);

void cordon_engine_free(struct cordon_engine *engine);

// Writes 32 bytes: everything that compiled code depends on beside its source.
void cordon_engine_fingerprint(const struct cordon_engine *engine,
                               const struct cordon_writer *output);

// Compiles for engines with these options, without making one: `fingerprint` gets theirs, `output` the code.
cordon_status cordon_precompile(const struct cordon_engine_options *options,
                                struct cordon_bytes wasm,
                                const struct cordon_writer *fingerprint,
                                const struct cordon_writer *output,
                                struct cordon_error **error);

// Maps code that `cordon_precompile` made. `fd` must be a sealed memfd, which is duplicated; its content runs as
// native code, so the caller vouches for every byte.
cordon_status cordon_code_load(const struct cordon_engine *engine,
                               int32_t fd,
                               bool component,
                               struct cordon_code **result,
                               struct cordon_error **error);

// Keyed BLAKE3 over the pieces as one text. `key` and `tag` are 32 bytes.
cordon_status cordon_authenticate(const uint8_t *key,
                                  const struct cordon_bytes *pieces,
                                  size_t pieces_len,
                                  uint8_t *tag);

// Compiles a WebAssembly binary: a component or a core module. Never text or precompiled code.
cordon_status cordon_code_compile(const struct cordon_engine *engine,
                                  struct cordon_bytes wasm,
                                  struct cordon_code **result,
                                  struct cordon_error **error);

bool cordon_code_is_component(const struct cordon_code *code);

void cordon_code_free(struct cordon_code *code);

// Links code against exactly the WASI interfaces (names without version) and host functions that are listed.
cordon_status cordon_linked_new(const struct cordon_code *code,
                                const struct cordon_str *wasi,
                                size_t wasi_len,
                                const struct cordon_host_import *host,
                                size_t host_len,
                                struct cordon_linked **result,
                                struct cordon_error **error);

// Links a plugin for Extism. `libraries` has the kernel under "extism:host/env" (cordon_extism_kernel), and the
// modules that the plugin imports by their names.
cordon_status cordon_linked_new_extism(const struct cordon_code *code,
                                       const struct cordon_library *libraries,
                                       size_t libraries_len,
                                       const struct cordon_str *wasi,
                                       size_t wasi_len,
                                       const struct cordon_host_import *host,
                                       size_t host_len,
                                       struct cordon_linked **result,
                                       struct cordon_error **error);

// The module behind "extism:host/env", as a binary.
void cordon_extism_kernel(const struct cordon_writer *output);

void cordon_linked_free(struct cordon_linked *linked);

// Looks an export up: of an interface (full name), or at the root when `interface_name` is empty.
cordon_status cordon_function_find(const struct cordon_linked *linked,
                                   struct cordon_str interface_name,
                                   struct cordon_str name,
                                   struct cordon_function **result,
                                   struct cordon_error **error);

void cordon_function_free(struct cordon_function *function);

// Opens nothing yet.
cordon_status cordon_network_new(const struct cordon_network_options *network_options,
                                 struct cordon_network **result,
                                 struct cordon_error **error);

void cordon_network_free(struct cordon_network *network);

// The way to the network of a process that has none: requests go to the host as messages of `port`, which is retained.
cordon_status cordon_network_far(const struct cordon_port *port,
                                 struct cordon_network **result,
                                 struct cordon_error **error);

cordon_status cordon_ways_new(const struct cordon_network *network,
                              struct cordon_ways **result,
                              struct cordon_error **error);

// Answers a message: true, and its answer is written. May block, and then until `cordon_ways_end` at most. `call` is a
// number of the caller's own; `port` decides, and is retained.
bool cordon_ways_answer(const struct cordon_ways *ways,
                        const struct cordon_port *port,
                        uint64_t call,
                        uint64_t call_id,
                        struct cordon_str function,
                        struct cordon_bytes payload,
                        const struct cordon_writer *reply);

// Ends every request of a call.
void cordon_ways_end(const struct cordon_ways *ways,
                     uint64_t call);

void cordon_ways_free(struct cordon_ways *ways);

// Makes an instance and runs its initialisers under `limits`. `port` may be NULL when nothing needs the host.
cordon_status cordon_instance_new(const struct cordon_linked *linked,
                                  const struct cordon_instance_options *instance_options,
                                  const struct cordon_port *host,
                                  const struct cordon_call_limits *limits,
                                  uint64_t call_id,
                                  struct cordon_instance **result,
                                  struct cordon_error **error);

void cordon_instance_free(struct cordon_instance *instance);

// Calls an export with the wire bytes that `pieces` are together; `output` receives its results. After any failure the
// instance is poisoned.
cordon_status cordon_instance_call(struct cordon_instance *instance,
                                   const struct cordon_function *function,
                                   const struct cordon_bytes *pieces,
                                   size_t pieces_len,
                                   const struct cordon_call_limits *limits,
                                   uint64_t call_id,
                                   const struct cordon_result_sink *output,
                                   struct cordon_error **error);

// Makes an instance, calls one export and lets the instance go, in one crossing. `usage`, `stdout_bytes` and
// `stderr_bytes` may be NULL; they are written on failure too.
cordon_status cordon_call_once(const struct cordon_linked *linked,
                               const struct cordon_instance_options *instance_options,
                               const struct cordon_port *host,
                               const struct cordon_function *function,
                               const struct cordon_bytes *pieces,
                               size_t pieces_len,
                               const struct cordon_call_limits *limits,
                               uint64_t call_id,
                               const struct cordon_result_sink *output,
                               struct cordon_usage *usage,
                               const struct cordon_writer *stdout_bytes,
                               const struct cordon_writer *stderr_bytes,
                               struct cordon_error **error);

bool cordon_instance_poisoned(const struct cordon_instance *instance);

void cordon_instance_usage(const struct cordon_instance *instance,
                           struct cordon_usage *usage);

// What the guest wrote to standard output (`stream` 1) or error (2) since the last time, within its limit.
void cordon_instance_take_output(struct cordon_instance *instance,
                                 uint32_t stream,
                                 const struct cordon_writer *output);

// A new handle that stops the instance's calls; never NULL for an instance.
struct cordon_interrupter *cordon_interrupter_new(struct cordon_instance *instance);

// A handle for instances that are not made yet: pass it in their options.
struct cordon_interrupter *cordon_interrupter_make(void);

void cordon_interrupter_interrupt(const struct cordon_interrupter *interrupter);

void cordon_interrupter_free(struct cordon_interrupter *interrupter);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus
