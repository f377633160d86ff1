// The C API: what other languages bind. C99, and C++ too; docs/guide/other-languages.md shows it in use.
//
// Conventions, without exception:
//
// - Names begin with cordon_ (types, functions) or CORDON_ (constants). Handles are opaque.
// - What `_new`, `_load`, `_call` and the like give is the caller's, who ends it with the `_free` of its type, once;
//   `_free` takes NULL. A plugin, warm instance or typed function stays valid after its host or plugin was freed; its
//   calls are then CORDON_E_UNAVAILABLE.
// - What may fail returns a cordon_code, 0 when all went well, and has `cordon_failure** failure` last: NULL, or the
//   place for what happened (NULL when nothing did), which the caller frees. Other results are written before it: NULL
//   or empty after a failure.
// - Text and bytes are a pointer and a length. Text is UTF-8, need not end in NUL, and lives as long as what it was
//   asked of. What is passed in is copied, and needed only until the function returns.
// - Options begin with `size_t size`, their sizeof. Zero or NULL in any other field, or NULL in place of all of them,
//   is the default. New fields are only added at the end; smaller sizes from older programs are accepted for ever, and
//   larger ones as long as all that this library does not know is zero.
// - A callback gets `void* user`, and `destroy(user)`, when there is one, runs once, when it is called no more, also if
//   the function that takes it fails (not if `size` does not cover it). Callbacks run on any thread, at the same time;
//   they must not throw or longjmp.
// - NULL where something is needed is CORDON_E_USAGE, or nothing and empty. No C++ exception comes out.
// - Functions are thread-safe, on the same object too, but for _free (nobody else uses it then), cordon_warm (one call
//   at a time, others are CORDON_E_BUSY), cordon_service and cordon_reply (one thread).
// - Numbers never change their meaning. A program asks cordon_abi_compatible(CORDON_ABI_VERSION) first.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

// ---- Versions ----

// Grows by one with each addition; what it was before goes on working. Another ABI has another SONAME.
#define CORDON_ABI_VERSION 1u
uint32_t cordon_abi_version(void);
// 1 when a program that was compiled against `version` of this header can use this library.
int32_t cordon_abi_compatible(uint32_t version);

typedef struct cordon_text {
  const char* ptr;
  size_t len;
} cordon_text;

typedef struct cordon_bytes {
  const uint8_t* ptr;
  size_t len;
} cordon_bytes;

static inline cordon_text cordon_text_of(const char* text) {
  cordon_text view;
  view.ptr = text;
  view.len = text ? strlen(text) : 0;
  return view;
}

// "0.1.0"; static.
cordon_text cordon_version(void);
// "wasmtime 48.0.8" and its build. As snprintf: at most `size` bytes with the NUL, and the length of the whole.
size_t cordon_engine_version(char* buffer, size_t size);
// Text of a plugin, made safe for a terminal, a log or a page. As snprintf.
size_t cordon_escape(cordon_text text, char* buffer, size_t size);

// ---- Failures ----

typedef int32_t cordon_code;

#define CORDON_OK 0
// Input: documents, values, artifacts.
#define CORDON_E_SYNTAX 101
#define CORDON_E_UNKNOWN_KEY 102
#define CORDON_E_DUPLICATE_KEY 103
#define CORDON_E_TYPE 104
#define CORDON_E_RANGE 105
#define CORDON_E_LIMIT 106
#define CORDON_E_NAME 107
#define CORDON_E_MISSING 108
#define CORDON_E_INVALID 109
#define CORDON_E_INPUT_SCHEMA 110
#define CORDON_E_OUTPUT_SCHEMA 111
#define CORDON_E_NOT_WASM 112
#define CORDON_E_PRECOMPILED 113
#define CORDON_E_COMPILE 114
#define CORDON_E_COMPILE_LIMIT 115
#define CORDON_E_DIGEST 116
#define CORDON_E_UNENFORCEABLE 117
// Authority.
#define CORDON_E_DENIED 201
#define CORDON_E_LINK 202
#define CORDON_E_GRANT_FORBIDDEN 203
#define CORDON_E_GRANT_TOO_WIDE 204
#define CORDON_E_OVERLAP 205
#define CORDON_E_NOT_REGULAR 206
#define CORDON_E_CHANGED 207
// The guest.
#define CORDON_E_GUEST 301
#define CORDON_E_TRAP 302
#define CORDON_E_BAD_POINTER 303
#define CORDON_E_BAD_STRING 304
#define CORDON_E_HANDLE 305
#define CORDON_E_EXIT 306
// Limits.
#define CORDON_E_TIMEOUT 401
#define CORDON_E_CPU 402
#define CORDON_E_FUEL 403
#define CORDON_E_MEMORY 404
#define CORDON_E_STACK_OVERFLOW 405
#define CORDON_E_LIFT_LIMIT 406
#define CORDON_E_TABLE_FULL 407
#define CORDON_E_INPUT_SIZE 408
#define CORDON_E_OUTPUT_SIZE 409
#define CORDON_E_INSTANCES 410
#define CORDON_E_BUSY 411
// The host.
#define CORDON_E_USAGE 501
#define CORDON_E_NOT_FOUND 502
#define CORDON_E_IO 503
#define CORDON_E_AUDIT_UNAVAILABLE 504
#define CORDON_E_UNAVAILABLE 505
#define CORDON_E_INTERRUPTED 506
#define CORDON_E_SERVICE 507
#define CORDON_E_POISONED 508
#define CORDON_E_PANIC 509
#define CORDON_E_INTERNAL 510
#define CORDON_E_WORKER_LOST 511

// "E_DENIED"; "OK" for 0, empty for a number that is no code. Static.
cordon_text cordon_code_name(cordon_code code);

typedef struct cordon_failure cordon_failure;
// Everything about it, NULL too: CORDON_OK and empty text.
cordon_code cordon_failure_code(const cordon_failure* failure);
// May hold text of a plugin: cordon_escape it before display.
cordon_text cordon_failure_message(const cordon_failure* failure);
// What to do; may be empty.
cordon_text cordon_failure_remedy(const cordon_failure* failure);
// {"code":"E_LINK","message":…,"remedy":…,"place":{"file","line","column"},"details":{…},"causes":[…],"backtrace":…};
// what is empty is left out. Empty when there was no memory for it.
cordon_text cordon_failure_json(const cordon_failure* failure);
void cordon_failure_free(cordon_failure* failure);

// ---- Cancelling ----

typedef struct cordon_cancel cordon_cancel;
cordon_code cordon_cancel_new(cordon_cancel** cancel, cordon_failure** failure);
// Ends every call and compilation that was given it, and those that are given it later: CORDON_E_INTERRUPTED.
void cordon_cancel_now(const cordon_cancel* cancel);
int32_t cordon_cancel_is_cancelled(const cordon_cancel* cancel);
// Calls that run keep what they need of it.
void cordon_cancel_free(cordon_cancel* cancel);

// ---- Hosts ----

#define CORDON_COMPILER_PROCESS 0     // under limits, by the program cordon-compile
#define CORDON_COMPILER_IN_PROCESS 1  // trusts the code not to cost more than it should
#define CORDON_ADDRESS_SPACE_LARGE 0
#define CORDON_ADDRESS_SPACE_SMALL 1  // for `ulimit -v` and sanitizers
#define CORDON_TRAPS_SIGNALS 0
#define CORDON_TRAPS_CHECKS 1  // no signal handlers

#define CORDON_LOG_TRACE 0
#define CORDON_LOG_DEBUG 1
#define CORDON_LOG_INFO 2
#define CORDON_LOG_WARN 3
#define CORDON_LOG_ERROR 4
#define CORDON_LOG_CRITICAL 5

typedef struct cordon_log_line {
  size_t size;
  uint64_t call_id;
  uint64_t dropped_lines;  // lost before this one
  cordon_text plugin, source, message;
  int32_t level;
} cordon_log_line;

// One record as JSON: {"event":"decision","plugin":…,"capability":…,"allowed":false,…}. Anything but 0 says that it is
// lost: what it would have allowed is then denied.
typedef int32_t (*cordon_audit_callback)(void* user, cordon_text record_json);
typedef void (*cordon_log_callback)(void* user, const cordon_log_line* line);
typedef void (*cordon_progress_callback)(void* user, cordon_text stage);
typedef void (*cordon_destroy_callback)(void* user);

typedef struct cordon_host_options {
  size_t size;
  cordon_text config_file;
  cordon_text grants_file;
  cordon_text audit_folder;     // the hash-chained log, or
  cordon_audit_callback audit;  // a callback; both is CORDON_E_USAGE
  void* audit_user;
  cordon_destroy_callback audit_destroy;
  cordon_log_callback log;
  void* log_user;
  cordon_destroy_callback log_destroy;
  cordon_text code_cache;
  uint64_t code_cache_bytes_max;
  uint64_t compile_timeout_ns;
  uint64_t compile_memory_bytes;
  cordon_text compiler_path;
  const cordon_text* forbidden_roots;
  size_t forbidden_roots_count;
  int32_t compiler;
  int32_t address_space;
  int32_t traps;
  uint32_t max_instances;
  uint32_t threads;
  uint32_t queue_max;
  cordon_text state_folder;  // values, memories, messages and secrets of plugins; empty: as long as the host lives
} cordon_host_options;

typedef struct cordon_host cordon_host;
cordon_code cordon_host_new(const cordon_host_options* options, cordon_host** host, cordon_failure** failure);
// Stops asynchronous calls and joins the threads. CORDON_E_USAGE from inside a callback of this host.
cordon_code cordon_host_shutdown(cordon_host* host, cordon_failure** failure);
// Shuts down too.
void cordon_host_free(cordon_host* host);

// ---- Plugins ----

#define CORDON_ACCESS_READ 0
#define CORDON_ACCESS_WRITE 1  // read and write

// These two are elements of lists, and never grow.
typedef struct cordon_pair {
  cordon_text name, value;
} cordon_pair;

typedef struct cordon_mount {
  cordon_text host_path, guest_path;
  int32_t access;
  int32_t reserved;  // 0
} cordon_mount;

typedef struct cordon_load_options {
  size_t size;
  const cordon_text* grants;  // "env:TOKEN", "fs:read:/data=workspace", "host:prices"
  size_t grants_count;
  const cordon_pair* roots;  // a name and its folder, for grants of files
  size_t roots_count;
  const cordon_mount* mounts;  // folder and grant in one
  size_t mounts_count;
  const cordon_pair* environment;  // variables: named, granted and set in one
  size_t environment_count;
  const cordon_text* arguments;
  size_t arguments_count;
  uint64_t timeout_ns, memory_bytes, fuel;  // 0: the plugin's own
  const cordon_cancel* cancel;
  cordon_progress_callback progress;  // on this thread, until the load returns
  void* progress_user;
  cordon_text settings;         // a JSON object over what config_file has for the plugin
  const cordon_pair* programs;  // a name and its file, for grants of exec
  size_t programs_count;
} cordon_load_options;

typedef struct cordon_plugin cordon_plugin;
// A folder with a plugin.yaml, that file, or a .wasm file. No guest code runs.
cordon_code cordon_plugin_load(cordon_host* host, cordon_text source, const cordon_load_options* options,
                               cordon_plugin** plugin, cordon_failure** failure);
// A binary without a manifest, called `name` in failures and the audit.
cordon_code cordon_plugin_load_bytes(cordon_host* host, cordon_text name, cordon_bytes wasm,
                                     const cordon_load_options* options, cordon_plugin** plugin,
                                     cordon_failure** failure);
// What a load would decide, for plugins that would be refused too; its calls are CORDON_E_USAGE.
cordon_code cordon_plugin_inspect(cordon_host* host, cordon_text source, const cordon_load_options* options,
                                  cordon_plugin** plugin, cordon_failure** failure);
cordon_text cordon_plugin_name(const cordon_plugin* plugin);
cordon_text cordon_plugin_digest(const cordon_plugin* plugin);
// [{"name","description","export","wit","risk","input":{…},"output":{…}}]
cordon_code cordon_plugin_actions_json(const cordon_plugin* plugin, cordon_text* json, cordon_failure** failure);
// {"risk","rulings":[…],"imports":[…],"unused-grants":[…]}
cordon_code cordon_plugin_authority_json(const cordon_plugin* plugin, cordon_text* json, cordon_failure** failure);

// Zero means that there is none, in `cpu_ns` and `fuel`.
typedef struct cordon_limits {
  size_t size;
  uint64_t timeout_ns, cpu_ns, fuel, memory_bytes, input_bytes, output_bytes, stdout_bytes;
} cordon_limits;
// The caller sets `size`; as much is written.
cordon_code cordon_plugin_limits(const cordon_plugin* plugin, cordon_limits* limits, cordon_failure** failure);
// Takes back what the capability has a part of: the guest's next question is denied, in calls that run too.
cordon_code cordon_plugin_revoke(const cordon_plugin* plugin, cordon_text capability, cordon_failure** failure);
// Calls of it, through any handle, are CORDON_E_UNAVAILABLE from now on.
void cordon_plugin_unload(const cordon_plugin* plugin);
void cordon_plugin_free(cordon_plugin* plugin);

// ---- Calls ----

typedef struct cordon_service_call cordon_service_call;

typedef struct cordon_call_options {
  size_t size;
  uint64_t timeout_ns;   // both can only shorten the plugin's own; 0: none
  uint64_t deadline_ns;  // of CLOCK_MONOTONIC
  const cordon_cancel* cancel;
  cordon_bytes stdin_bytes;
  const cordon_service_call* parent;  // a call from inside a service names the call that it serves
  cordon_text user, session, agent;   // in whose name, for plugins that were granted ctx:user and so on
  cordon_text tenant;                 // a worker that served one tenant never serves another; in the audit
} cordon_call_options;

typedef struct cordon_usage {
  size_t size;
  uint64_t wall_ns, cpu_ns, memory_peak_bytes, fuel, host_calls, input_bytes, output_bytes;
  uint64_t stdout_dropped_bytes, stderr_dropped_bytes;
} cordon_usage;

typedef struct cordon_answer cordon_answer;
cordon_text cordon_answer_json(const cordon_answer* answer);
// 1: the call worked, and the action's own result is an error.
int32_t cordon_answer_is_plugin_error(const cordon_answer* answer);
cordon_text cordon_answer_stdout(const cordon_answer* answer);
cordon_text cordon_answer_stderr(const cordon_answer* answer);
uint64_t cordon_answer_call_id(const cordon_answer* answer);
// The caller sets `size`; as much is written.
cordon_code cordon_answer_usage(const cordon_answer* answer, cordon_usage* usage, cordon_failure** failure);
void cordon_answer_free(cordon_answer* answer);

// Calls an action with a JSON object of its parameters, in a fresh instance. The one result that is written after a
// failure too: the output so far and the usage, with "null" for an answer.
cordon_code cordon_plugin_call(const cordon_plugin* plugin, cordon_text action, cordon_text input_json,
                               const cordon_call_options* options, cordon_answer** answer, cordon_failure** failure);

// Takes over `answer` or `failure`; the other is NULL. Runs exactly once, on the executor or the host's thread.
typedef void (*cordon_done_callback)(void* user, cordon_code code, cordon_answer* answer, cordon_failure* failure);
// Runs work(task), exactly once, wherever the program wants its completions.
typedef void (*cordon_run_callback)(void* user, void (*work)(void* task), void* task);
typedef struct cordon_executor {
  size_t size;
  cordon_run_callback run;
  void* user;
  cordon_destroy_callback destroy;
} cordon_executor;
// `done` runs only if this returns CORDON_OK. `executor` may be NULL.
cordon_code cordon_plugin_call_async(const cordon_plugin* plugin, cordon_text action, cordon_text input_json,
                                     const cordon_call_options* options, const cordon_executor* executor,
                                     cordon_done_callback done, void* user, cordon_failure** failure);

// An instance that keeps its memory from call to call. After an error of the guest it is CORDON_E_POISONED.
typedef struct cordon_warm cordon_warm;
cordon_code cordon_warm_new(const cordon_plugin* plugin, const cordon_call_options* options, cordon_warm** warm,
                            cordon_failure** failure);
cordon_code cordon_warm_call(cordon_warm* warm, cordon_text action, cordon_text input_json,
                             const cordon_call_options* options, cordon_answer** answer, cordon_failure** failure);
int32_t cordon_warm_is_poisoned(const cordon_warm* warm);
cordon_code cordon_warm_usage(const cordon_warm* warm, cordon_usage* usage, cordon_failure** failure);
void cordon_warm_free(cordon_warm* warm);

// ---- Typed calls: wire bytes (docs/formats/wire.md) in place of JSON ----

typedef struct cordon_typed cordon_typed;
// `shape` is what the caller means, "(s32,s32)->s32"; CORDON_E_TYPE when the plugin means another, naming both.
cordon_code cordon_typed_new(const cordon_plugin* plugin, cordon_text name, cordon_text shape, cordon_typed** typed,
                             cordon_failure** failure);
// The result's bytes, in pieces that may lie in the guest's memory: valid until it returns.
typedef void (*cordon_take_callback)(void* user, const cordon_bytes* pieces, size_t count);
// `warm` may be NULL: a fresh instance. `take` runs once, on this thread, if the call goes well.
cordon_code cordon_typed_call(const cordon_typed* typed, cordon_warm* warm, cordon_bytes parameters,
                              const cordon_call_options* options, cordon_take_callback take, void* user,
                              cordon_failure** failure);
void cordon_typed_free(cordon_typed* typed);

// ---- Services of the program, which plugins import ----

// Of the call that is served; valid until the callback returns.
cordon_text cordon_service_call_plugin(const cordon_service_call* call);
uint64_t cordon_service_call_id(const cordon_service_call* call);
uint64_t cordon_service_call_deadline_ns(const cordon_service_call* call);  // of CLOCK_MONOTONIC; 0: none
size_t cordon_service_call_callers(const cordon_service_call* call);
cordon_text cordon_service_call_caller(const cordon_service_call* call, size_t index);  // 0 is the outermost
// Decides about one thing of many, and audits it; CORDON_E_DENIED.
cordon_code cordon_service_call_allow(const cordon_service_call* call, cordon_text target, cordon_failure** failure);

typedef struct cordon_reply cordon_reply;
// Appends to the reply: wire bytes, or JSON text. None is a function without a result.
cordon_code cordon_reply_write(cordon_reply* reply, cordon_bytes bytes);
// What the guest's call fails with, when the callback returns something else than 0.
cordon_code cordon_reply_fail(cordon_reply* reply, cordon_text message, cordon_text remedy);

#define CORDON_PAYLOAD_JSON 0  // an array of the parameters in, the result out
#define CORDON_PAYLOAD_WIRE 1
#define CORDON_RUNS_ASIDE 0   // on another thread: it may block
#define CORDON_RUNS_INLINE 1  // on the guest's thread: it never blocks

// Gives 0, or the code that ends the guest's call.
typedef cordon_code (*cordon_service_callback)(void* user, const cordon_service_call* call, cordon_bytes payload,
                                               cordon_reply* reply);
typedef struct cordon_service_function {
  size_t size;
  cordon_text name;        // "price-of"
  cordon_text shape;       // "(string)->option<u32>", held against the plugin's when that is loaded
  cordon_text capability;  // "prices": host:prices in a grant
  int32_t per_target;      // 1: it asks cordon_service_call_allow for each thing, or its answer is withheld
  int32_t payload;
  int32_t runs;
  int32_t reserved;  // 0
  cordon_service_callback callback;
  void* user;
  cordon_destroy_callback destroy;
} cordon_service_function;

typedef struct cordon_service cordon_service;
// `interface_name` as plugins import it: "acme:shop/prices@1.0.0".
cordon_code cordon_service_new(cordon_text interface_name, cordon_service** service, cordon_failure** failure);
cordon_code cordon_service_add(cordon_service* service, const cordon_service_function* function,
                               cordon_failure** failure);
// Offers a copy to plugins that are loaded from now on; `service` stays the caller's.
cordon_code cordon_host_register(cordon_host* host, const cordon_service* service, cordon_failure** failure);
void cordon_service_free(cordon_service* service);

#ifdef __cplusplus
}  // extern "C"
#endif
