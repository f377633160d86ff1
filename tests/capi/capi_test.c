/* The C API as a C99 program sees it: values, failures, misuse, callbacks, services. */
#include <cordon.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static int faults = 0;
#define CHECK(what)                                                       \
  do {                                                                    \
    if (!(what)) {                                                        \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
      ++faults;                                                           \
    }                                                                     \
  } while (0)

static int is(cordon_text text, const char* expected) {
  return text.len == strlen(expected) && (text.len == 0 || memcmp(text.ptr, expected, text.len) == 0);
}

static int has(cordon_text text, const char* part) {
  const size_t len = strlen(part);
  size_t i;
  for (i = 0; text.len >= len && i <= text.len - len; ++i) {
    if (memcmp(text.ptr + i, part, len) == 0) return 1;
  }
  return 0;
}

/* What a failing call left; frees it. */
static void expect(cordon_code code, cordon_code expected, cordon_failure* failure, int line) {
  if (code != expected || cordon_failure_code(failure) != expected) {
    const cordon_text message = cordon_failure_message(failure);
    fprintf(stderr, "line %d: code %d, not %d: %.*s\n", line, (int)code, (int)expected, (int)message.len,
            message.ptr ? message.ptr : "");
    ++faults;
  }
  if (expected != CORDON_OK) {
    CHECK(cordon_failure_message(failure).len > 0);
    CHECK(has(cordon_failure_json(failure), "\"code\":\"E_"));
  }
  cordon_failure_free(failure);
}
#define EXPECT(call, expected)           \
  do {                                   \
    cordon_failure* f = NULL;            \
    const cordon_code c = (call);        \
    expect(c, (expected), f, __LINE__);  \
  } while (0)

typedef struct counter {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int calls, destroyed, lose;
} counter;

static void counter_init(counter* c) {
  memset(c, 0, sizeof *c);
  pthread_mutex_init(&c->mutex, NULL);
  pthread_cond_init(&c->changed, NULL);
}

static void count(counter* c, int* what) {
  pthread_mutex_lock(&c->mutex);
  ++*what;
  pthread_cond_broadcast(&c->changed);
  pthread_mutex_unlock(&c->mutex);
}

static void on_destroy(void* user) { count(user, &((counter*)user)->destroyed); }

static int32_t on_audit(void* user, cordon_text record) {
  counter* c = user;
  CHECK(has(record, "\"event\":"));
  count(c, &c->calls);
  return c->lose;
}

static cordon_code price_of(void* user, const cordon_service_call* call, cordon_bytes payload, cordon_reply* reply) {
  const cordon_text text = cordon_text_of(has((cordon_text){(const char*)payload.ptr, payload.len}, "shoes")
                                              ? (const char*)"80"
                                              : "null");
  count(user, &((counter*)user)->calls);
  CHECK(is(cordon_service_call_plugin(call), "shop"));
  CHECK(cordon_service_call_id(call) != 0);
  CHECK(cordon_service_call_caller(call, 99).len == 0);
  return cordon_reply_write(reply, (cordon_bytes){(const uint8_t*)text.ptr, text.len});
}

static cordon_code describe(void* user, const cordon_service_call* call, cordon_bytes payload, cordon_reply* reply) {
  static const char ok[] = "{\"ok\":{\"name\":\"shoes\",\"amount\":80,\"currency\":\"usd\"}}";
  cordon_failure* failure = NULL;
  (void)user;
  (void)payload;
  if (cordon_service_call_allow(call, cordon_text_of("shoes"), &failure) != CORDON_OK) {
    cordon_failure_free(failure);
    return CORDON_E_DENIED;
  }
  return cordon_reply_write(reply, (cordon_bytes){(const uint8_t*)ok, sizeof ok - 1});
}

/* list<u32> -> u64 with wire bytes: a count, then the numbers. */
static cordon_code total(void* user, const cordon_service_call* call, cordon_bytes payload, cordon_reply* reply) {
  uint32_t number = 0, amount = 0, i;
  uint64_t sum = 0;
  (void)user;
  (void)call;
  memcpy(&number, payload.ptr, 4);
  for (i = 0; i < number; ++i) {
    memcpy(&amount, payload.ptr + 4 + 4 * (size_t)i, 4);
    sum += amount;
  }
  return cordon_reply_write(reply, (cordon_bytes){(const uint8_t*)&sum, sizeof sum});
}

static cordon_code nothing(void* user, const cordon_service_call* call, cordon_bytes payload, cordon_reply* reply) {
  (void)user;
  (void)call;
  (void)payload;
  (void)reply;
  return CORDON_OK;
}

static cordon_code fail(void* user, const cordon_service_call* call, cordon_bytes payload, cordon_reply* reply) {
  (void)user;
  (void)call;
  (void)payload;
  cordon_reply_fail(reply, cordon_text_of("out of stock"), cordon_text_of("order some"));
  return CORDON_E_UNAVAILABLE;
}

static cordon_service* make_service(counter* users) {
  cordon_service* service = NULL;
  EXPECT(cordon_service_new(cordon_text_of("acme:shop/prices@1.0.0"), &service, &f), CORDON_OK);
  const struct {
    const char *name, *shape, *capability;
    int per_target, payload, runs;
    cordon_service_callback callback;
  } rows[] = {
      {"price-of", "(string)->option<u32>", "prices", 0, CORDON_PAYLOAD_JSON, CORDON_RUNS_ASIDE, price_of},
      {"describe", "(string)->result<record{name:string,amount:u32,currency:enum{eur,usd}},string>", "catalogue", 1,
       CORDON_PAYLOAD_JSON, CORDON_RUNS_ASIDE, describe},
      {"total", "(list<u32>)->u64", "prices", 0, CORDON_PAYLOAD_WIRE, CORDON_RUNS_INLINE, total},
      {"wait", "()", "prices", 0, CORDON_PAYLOAD_JSON, CORDON_RUNS_INLINE, nothing},
      {"fail", "()", "prices", 0, CORDON_PAYLOAD_JSON, CORDON_RUNS_ASIDE, fail},
  };
  size_t i;
  for (i = 0; i < sizeof rows / sizeof rows[0]; ++i) {
    cordon_service_function function = {sizeof function};
    function.name = cordon_text_of(rows[i].name);
    function.shape = cordon_text_of(rows[i].shape);
    function.capability = cordon_text_of(rows[i].capability);
    function.per_target = rows[i].per_target;
    function.payload = rows[i].payload;
    function.runs = rows[i].runs;
    function.callback = rows[i].callback;
    function.user = users;
    function.destroy = on_destroy;
    EXPECT(cordon_service_add(service, &function, &f), CORDON_OK);
  }
  return service;
}

static void versions_and_null(void) {
  char buffer[8];
  cordon_host* host = NULL;
  cordon_answer* answer = NULL;
  CHECK(cordon_abi_version() == CORDON_ABI_VERSION);
  CHECK(cordon_abi_compatible(CORDON_ABI_VERSION));
  CHECK(!cordon_abi_compatible(0) && !cordon_abi_compatible(CORDON_ABI_VERSION + 1));
  CHECK(cordon_version().len > 0);
  CHECK(cordon_engine_version(NULL, 0) > 0);
  CHECK(cordon_escape(cordon_text_of("a\033[31mb"), buffer, sizeof buffer) > 6 && strlen(buffer) == 7);
  CHECK(strchr(buffer, 27) == NULL);
  CHECK(is(cordon_code_name(CORDON_E_DENIED), "E_DENIED") && is(cordon_code_name(0), "OK"));
  CHECK(cordon_code_name(12345).len == 0);
  CHECK(cordon_failure_code(NULL) == CORDON_OK && cordon_failure_json(NULL).len == 0);

  EXPECT(cordon_host_new(NULL, NULL, &f), CORDON_E_USAGE);
  EXPECT(cordon_host_shutdown(NULL, &f), CORDON_E_USAGE);
  EXPECT(cordon_host_register(NULL, NULL, &f), CORDON_E_USAGE);
  EXPECT(cordon_plugin_load(NULL, cordon_text_of("x"), NULL, NULL, &f), CORDON_E_USAGE);
  EXPECT(cordon_plugin_load_bytes(NULL, cordon_text_of("x"), (cordon_bytes){NULL, 0}, NULL, NULL, &f), CORDON_E_USAGE);
  EXPECT(cordon_plugin_inspect(NULL, cordon_text_of("x"), NULL, NULL, &f), CORDON_E_USAGE);
  EXPECT(cordon_plugin_actions_json(NULL, NULL, &f), CORDON_E_USAGE);
  EXPECT(cordon_plugin_authority_json(NULL, NULL, &f), CORDON_E_USAGE);
  EXPECT(cordon_plugin_limits(NULL, NULL, &f), CORDON_E_USAGE);
  EXPECT(cordon_plugin_revoke(NULL, cordon_text_of("config"), &f), CORDON_E_USAGE);
  EXPECT(cordon_plugin_call(NULL, cordon_text_of("x"), cordon_text_of("{}"), NULL, &answer, &f), CORDON_E_USAGE);
  EXPECT(cordon_plugin_call_async(NULL, cordon_text_of("x"), cordon_text_of("{}"), NULL, NULL, NULL, NULL, &f),
         CORDON_E_USAGE);
  EXPECT(cordon_warm_new(NULL, NULL, NULL, &f), CORDON_E_USAGE);
  EXPECT(cordon_warm_call(NULL, cordon_text_of("x"), cordon_text_of("{}"), NULL, NULL, &f), CORDON_E_USAGE);
  EXPECT(cordon_warm_usage(NULL, NULL, &f), CORDON_E_USAGE);
  EXPECT(cordon_answer_usage(NULL, NULL, &f), CORDON_E_USAGE);
  EXPECT(cordon_typed_new(NULL, cordon_text_of("x"), cordon_text_of("()"), NULL, &f), CORDON_E_USAGE);
  EXPECT(cordon_typed_call(NULL, NULL, (cordon_bytes){NULL, 0}, NULL, NULL, NULL, &f), CORDON_E_USAGE);
  EXPECT(cordon_service_new(cordon_text_of("x"), NULL, &f), CORDON_E_USAGE);
  EXPECT(cordon_service_add(NULL, NULL, &f), CORDON_E_USAGE);
  EXPECT(cordon_service_call_allow(NULL, cordon_text_of("x"), &f), CORDON_E_USAGE);
  EXPECT(cordon_cancel_new(NULL, &f), CORDON_E_USAGE);
  CHECK(cordon_reply_write(NULL, (cordon_bytes){NULL, 0}) == CORDON_E_USAGE);
  CHECK(cordon_reply_fail(NULL, cordon_text_of("x"), cordon_text_of("")) == CORDON_E_USAGE);
  CHECK(cordon_plugin_name(NULL).len == 0 && cordon_plugin_digest(NULL).len == 0);
  CHECK(cordon_answer_json(NULL).len == 0 && cordon_answer_is_plugin_error(NULL) == 0);
  CHECK(cordon_service_call_plugin(NULL).len == 0 && cordon_service_call_callers(NULL) == 0);
  CHECK(cordon_warm_is_poisoned(NULL) == 1);
  cordon_plugin_unload(NULL);
  cordon_cancel_now(NULL);
  cordon_failure_free(NULL);
  cordon_host_free(NULL);
  cordon_plugin_free(NULL);
  cordon_answer_free(NULL);
  cordon_warm_free(NULL);
  cordon_typed_free(NULL);
  cordon_service_free(NULL);
  cordon_cancel_free(NULL);
  CHECK(host == NULL && answer == NULL);
  /* A failure is not asked for. */
  CHECK(cordon_host_new(NULL, NULL, NULL) == CORDON_E_USAGE);
}

static void sizes_of_options(void) {
  struct {
    cordon_host_options now;
    uint64_t later;
  } newer = {{sizeof newer}, 0};
  cordon_host_options options = {4};
  cordon_host* host = NULL;
  counter audit;
  counter_init(&audit);
  EXPECT(cordon_host_new(&options, &host, &f), CORDON_E_USAGE);
  options.size = (size_t)1 << 40;
  EXPECT(cordon_host_new(&options, &host, &f), CORDON_E_USAGE);
  newer.now.compiler = CORDON_COMPILER_IN_PROCESS;
  EXPECT(cordon_host_new(&newer.now, &host, &f), CORDON_OK);
  cordon_host_free(host);
  host = NULL;
  newer.later = 1;
  EXPECT(cordon_host_new(&newer.now, &host, &f), CORDON_E_USAGE);
  options.size = sizeof options;
  options.traps = 7;
  options.audit = on_audit;
  options.audit_user = &audit;
  options.audit_destroy = on_destroy;
  EXPECT(cordon_host_new(&options, &host, &f), CORDON_E_USAGE);
  CHECK(audit.destroyed == 1 && host == NULL);
  options.traps = 0;
  options.audit_folder = cordon_text_of("/nowhere");
  EXPECT(cordon_host_new(&options, &host, &f), CORDON_E_USAGE);
  CHECK(audit.destroyed == 2);
  options.audit_folder = cordon_text_of("");
  options.forbidden_roots_count = 3;
  EXPECT(cordon_host_new(&options, &host, &f), CORDON_E_USAGE);
}

typedef struct waiting {
  counter count;
  cordon_code code;
  char json[64];
  int executed;
} waiting;

static void on_done(void* user, cordon_code code, cordon_answer* answer, cordon_failure* failure) {
  waiting* w = user;
  const cordon_text json = cordon_answer_json(answer);
  w->code = code;
  memcpy(w->json, json.ptr ? json.ptr : "", json.len < 63 ? json.len : 63);
  cordon_answer_free(answer);
  cordon_failure_free(failure);
  count(&w->count, &w->count.calls);
}

static void on_run(void* user, void (*work)(void* task), void* task) {
  ((waiting*)user)->executed = 1;
  work(task);
}

static void wait_for(waiting* w) {
  pthread_mutex_lock(&w->count.mutex);
  while (w->count.calls == 0) pthread_cond_wait(&w->count.changed, &w->count.mutex);
  pthread_mutex_unlock(&w->count.mutex);
}

static void async_calls(cordon_plugin* plugin) {
  waiting w = {0};
  cordon_executor executor = {sizeof executor, on_run, NULL, on_destroy};
  counter_init(&w.count);
  executor.user = &w;
  EXPECT(cordon_plugin_call_async(plugin, cordon_text_of("add"), cordon_text_of("{\"a\":2,\"b\":3}"), NULL, &executor,
                                  on_done, &w, &f),
         CORDON_OK);
  wait_for(&w);
  CHECK(w.code == CORDON_OK && w.executed && strcmp(w.json, "5") == 0);
  w.count.calls = 0;
  EXPECT(cordon_plugin_call_async(plugin, cordon_text_of("trap"), cordon_text_of("{}"), NULL, NULL, on_done, &w, &f),
         CORDON_OK);
  wait_for(&w);
  CHECK(w.code == CORDON_E_TRAP);
}

static void on_take(void* user, const cordon_bytes* pieces, size_t number) {
  CHECK(number == 1 && pieces[0].len == 4);
  memcpy(user, pieces[0].ptr, 4);
}

static void typed_and_warm(cordon_plugin* plugin) {
  const int32_t pair[2] = {20, 22};
  int32_t sum = 0;
  cordon_typed* typed = NULL;
  cordon_warm* warm = NULL;
  cordon_answer* answer = NULL;
  cordon_usage usage = {0};
  const cordon_bytes parameters = {(const uint8_t*)pair, sizeof pair};
  EXPECT(cordon_typed_new(plugin, cordon_text_of("add"), cordon_text_of("(s32,s32)->s64"), &typed, &f), CORDON_E_TYPE);
  CHECK(typed == NULL);
  EXPECT(cordon_typed_new(plugin, cordon_text_of("add"), cordon_text_of("(s32,s32)->s32"), &typed, &f), CORDON_OK);
  EXPECT(cordon_typed_call(typed, NULL, parameters, NULL, on_take, &sum, &f), CORDON_OK);
  CHECK(sum == 42);
  EXPECT(cordon_warm_new(plugin, NULL, &warm, &f), CORDON_OK);
  sum = 0;
  EXPECT(cordon_typed_call(typed, warm, parameters, NULL, on_take, &sum, &f), CORDON_OK);
  CHECK(sum == 42);
  /* Bytes that are not of the type. */
  const cordon_bytes short_of = {(const uint8_t*)pair, 3};
  CHECK(cordon_typed_call(typed, NULL, short_of, NULL, on_take, &sum, NULL) != CORDON_OK);
  EXPECT(cordon_warm_call(warm, cordon_text_of("count"), cordon_text_of("{}"), NULL, &answer, &f), CORDON_OK);
  cordon_answer_free(answer);
  EXPECT(cordon_warm_call(warm, cordon_text_of("count"), cordon_text_of("{}"), NULL, &answer, &f), CORDON_OK);
  CHECK(!is(cordon_answer_json(answer), "1"));
  cordon_answer_free(answer);
  EXPECT(cordon_warm_usage(warm, &usage, &f), CORDON_E_USAGE);
  usage.size = sizeof usage;
  EXPECT(cordon_warm_usage(warm, &usage, &f), CORDON_OK);
  CHECK(usage.size == sizeof usage && usage.memory_peak_bytes > 0);
  EXPECT(cordon_warm_call(warm, cordon_text_of("trap"), cordon_text_of("{}"), NULL, &answer, &f), CORDON_E_TRAP);
  CHECK(answer == NULL && cordon_warm_is_poisoned(warm));
  EXPECT(cordon_warm_call(warm, cordon_text_of("count"), cordon_text_of("{}"), NULL, &answer, &f), CORDON_E_POISONED);
  cordon_warm_free(warm);
  cordon_typed_free(typed);
}

static cordon_code call(cordon_plugin* plugin, const char* action, const char* input, const char* expected) {
  cordon_answer* answer = NULL;
  cordon_failure* failure = NULL;
  const cordon_code code = cordon_plugin_call(plugin, cordon_text_of(action), cordon_text_of(input), NULL, &answer,
                                              &failure);
  if (expected != NULL && code == CORDON_OK && !is(cordon_answer_json(answer), expected)) {
    fprintf(stderr, "%s answers %.*s\n", action, (int)cordon_answer_json(answer).len, cordon_answer_json(answer).ptr);
    ++faults;
  }
  if (expected != NULL && code != CORDON_OK && !has(cordon_failure_message(failure), expected)) {
    fprintf(stderr, "%s fails with %.*s\n", action, (int)cordon_failure_message(failure).len,
            cordon_failure_message(failure).ptr);
    ++faults;
  }
  cordon_answer_free(answer);
  cordon_failure_free(failure);
  return code;
}

static void calls(cordon_plugin* plugin) {
  cordon_text json = {NULL, 0};
  cordon_limits limits = {sizeof limits};
  cordon_call_options options = {sizeof options};
  cordon_cancel* cancel = NULL;
  cordon_answer* answer = NULL;
  CHECK(is(cordon_plugin_name(plugin), "shop"));
  CHECK(has(cordon_plugin_digest(plugin), "sha256:"));
  EXPECT(cordon_plugin_actions_json(plugin, &json, &f), CORDON_OK);
  CHECK(has(json, "till@1.0.0#greet\"") && has(json, "\"input\":{"));
  EXPECT(cordon_plugin_authority_json(plugin, &json, &f), CORDON_OK);
  CHECK(has(json, "\"state\":\"linked\""));
  EXPECT(cordon_plugin_limits(plugin, &limits, &f), CORDON_OK);
  EXPECT(cordon_plugin_revoke(plugin, cordon_text_of("no capability"), &f), CORDON_E_SYNTAX);
  EXPECT(cordon_plugin_revoke(plugin, cordon_text_of("secret:nothing-of-it"), &f), CORDON_OK);
  CHECK(limits.timeout_ns > 0 && limits.memory_bytes > 0);

  CHECK(call(plugin, "price", "{\"article\":\"shoes\"}", "80") == CORDON_OK);
  CHECK(call(plugin, "price", "{\"article\":\"hats\"}", "null") == CORDON_OK);
  CHECK(call(plugin, "total", "{\"amounts\":[1,2,3]}", "6") == CORDON_OK);
  CHECK(call(plugin, "describe", "{\"article\":\"shoes\"}", NULL) == CORDON_OK);
  CHECK(call(plugin, "failing", "{}", "out of stock") == CORDON_E_UNAVAILABLE);
  CHECK(call(plugin, "nowhere", "{}", NULL) == CORDON_E_NOT_FOUND);
  CHECK(call(plugin, "add", "{", NULL) == CORDON_E_SYNTAX);
  CHECK(call(plugin, "add", "{\"a\":1}", NULL) == CORDON_E_INPUT_SCHEMA);

  options.timeout_ns = 20000000;
  EXPECT(cordon_plugin_call(plugin, cordon_text_of("spin"), cordon_text_of("{}"), &options, &answer, &f),
         CORDON_E_TIMEOUT);
  CHECK(answer != NULL && is(cordon_answer_json(answer), "null"));
  cordon_answer_free(answer);
  EXPECT(cordon_cancel_new(&cancel, &f), CORDON_OK);
  cordon_cancel_now(cancel);
  CHECK(cordon_cancel_is_cancelled(cancel));
  options.tenant = cordon_text_of("two\nlines");
  EXPECT(cordon_plugin_call(plugin, cordon_text_of("add"), cordon_text_of("{\"a\":1,\"b\":2}"), &options, &answer, &f),
         CORDON_E_INVALID);
  cordon_answer_free(answer);
  options.tenant = cordon_text_of("north");
  options.cancel = cancel;
  EXPECT(cordon_plugin_call(plugin, cordon_text_of("spin"), cordon_text_of("{}"), &options, &answer, &f),
         CORDON_E_INTERRUPTED);
  cordon_answer_free(answer);
  cordon_cancel_free(cancel);
}

static void a_plugin(const char* source) {
  const cordon_text grants[] = {cordon_text_of("host:prices"), cordon_text_of("host:catalogue")};
  cordon_host_options options = {sizeof options};
  cordon_load_options load = {sizeof load};
  cordon_host* host = NULL;
  cordon_plugin *plugin = NULL, *refused = NULL;
  counter audit, users;
  cordon_service* service;
  counter_init(&audit);
  counter_init(&users);
  options.compiler = CORDON_COMPILER_IN_PROCESS;
  options.address_space = CORDON_ADDRESS_SPACE_SMALL;
  options.audit = on_audit;
  options.audit_user = &audit;
  options.audit_destroy = on_destroy;
  EXPECT(cordon_host_new(&options, &host, &f), CORDON_OK);
  service = make_service(&users);
  EXPECT(cordon_host_register(host, service, &f), CORDON_OK);
  EXPECT(cordon_host_register(host, service, &f), CORDON_E_INVALID);
  cordon_service_free(service);

  EXPECT(cordon_plugin_load(host, cordon_text_of("/nowhere.wasm"), NULL, &refused, &f), CORDON_E_NOT_FOUND);
  EXPECT(cordon_plugin_load(host, cordon_text_of(source), NULL, &refused, &f), CORDON_E_LINK);
  EXPECT(cordon_plugin_load_bytes(host, cordon_text_of("junk"), (cordon_bytes){(const uint8_t*)"junk", 4}, NULL,
                                  &refused, &f),
         CORDON_E_NOT_WASM);
  EXPECT(cordon_plugin_inspect(host, cordon_text_of(source), NULL, &refused, &f), CORDON_OK);
  CHECK(call(refused, "greet", "{\"name\":\"x\"}", NULL) == CORDON_E_USAGE);
  cordon_plugin_free(refused);

  load.grants = grants;
  load.grants_count = 2;
  EXPECT(cordon_plugin_load(host, cordon_text_of(source), &load, &plugin, &f), CORDON_OK);
  if (plugin == NULL) return;
  calls(plugin);
  typed_and_warm(plugin);
  async_calls(plugin);
  CHECK(audit.calls > 0 && users.calls == 2);
  audit.lose = 1;
  CHECK(call(plugin, "price", "{\"article\":\"shoes\"}", NULL) == CORDON_E_AUDIT_UNAVAILABLE);
  audit.lose = 0;

  EXPECT(cordon_host_shutdown(host, &f), CORDON_OK);
  cordon_host_free(host);
  CHECK(is(cordon_plugin_name(plugin), "shop"));
  CHECK(call(plugin, "greet", "{\"name\":\"x\"}", NULL) == CORDON_E_UNAVAILABLE);
  CHECK(users.destroyed == 0 && audit.destroyed == 0);
  cordon_plugin_free(plugin);
  CHECK(users.destroyed == 5 && audit.destroyed == 1);
}

static void services_refused(void) {
  const char* shapes[] = {"", "string", "(string", "(strin)", "(list<)", "(list<u8,0>)", "(record{a})", "()->", "()x",
                          "(tuple<>)", "(enum{})", "(option<_>)", "(result<u8>)"};
  cordon_service* service = NULL;
  counter users;
  size_t i;
  const int number = (int)(sizeof shapes / sizeof shapes[0]);
  counter_init(&users);
  EXPECT(cordon_service_new(cordon_text_of(""), &service, &f), CORDON_E_USAGE);
  EXPECT(cordon_service_new(cordon_text_of("acme:shop/prices@1.0.0"), &service, &f), CORDON_OK);
  for (i = 0; i < (size_t)number; ++i) {
    cordon_service_function function = {sizeof function};
    function.name = cordon_text_of("f");
    function.shape = cordon_text_of(shapes[i]);
    function.capability = cordon_text_of("prices");
    function.callback = nothing;
    function.user = &users;
    function.destroy = on_destroy;
    EXPECT(cordon_service_add(service, &function, &f), CORDON_E_SYNTAX);
  }
  CHECK(users.destroyed == number);
  cordon_service_free(service);
}

/* What a plugin keeps in a folder, in whose name it is called, and what it is told. */
static void state_and_names(const char* agent, const char* settings) {
  static const char* const names[] = {"ctx:user", "ctx:session", "memory:store:session", "memory:recall:session",
                                      "msg:send:alerts"};
  const char* who = "cordon:agent-guest/agent@0.1.0#who";
  char folder[] = "/tmp/cordon-capi-XXXXXX";
  char command[64];
  cordon_text grants[5], told[2];
  cordon_host_options options = {sizeof options};
  cordon_load_options load = {sizeof load};
  cordon_call_options given = {sizeof given};
  size_t i;
  int round;
  CHECK(mkdtemp(folder) != NULL);
  options.compiler = CORDON_COMPILER_IN_PROCESS;
  options.state_folder = cordon_text_of(folder);
  told[0] = cordon_text_of("config");
  told[1] = cordon_text_of("secret:none");
  for (i = 0; i < 5; ++i) grants[i] = cordon_text_of(names[i]);
  given.user = cordon_text_of("alice");
  given.session = cordon_text_of("s1");
  for (round = 0; round < 2; ++round) {
    cordon_host* host = NULL;
    cordon_plugin* plugin = NULL;
    cordon_answer* answer = NULL;
    load.grants = grants;
    load.grants_count = 5;
    EXPECT(cordon_host_new(&options, &host, &f), CORDON_OK);
    EXPECT(cordon_plugin_load(host, cordon_text_of(agent), &load, &plugin, &f), CORDON_OK);
    if (plugin == NULL) return;
    EXPECT(cordon_plugin_call(plugin, cordon_text_of(who), cordon_text_of("{}"), &given, &answer, &f), CORDON_OK);
    CHECK(is(cordon_answer_json(answer),
             "{\"user\":{\"ok\":\"alice\"},\"session\":{\"ok\":\"s1\"},\"agent\":{\"err\":\"access-denied\"}}"));
    cordon_answer_free(answer);
    if (round == 0) {
      EXPECT(cordon_plugin_call(plugin, cordon_text_of("cordon:agent-guest/agent@0.1.0#store"),
                                cordon_text_of("{\"scope\":\"session\",\"text\":\"green tea\",\"labels\":[]}"), &given,
                                &answer, &f),
             CORDON_OK);
    } else {
      EXPECT(cordon_plugin_call(plugin, cordon_text_of("cordon:agent-guest/agent@0.1.0#recall"),
                                cordon_text_of("{\"scope\":\"session\",\"query\":\"tea\",\"max\":1}"), &given, &answer,
                                &f),
             CORDON_OK);
      CHECK(has(cordon_answer_json(answer), "green tea"));
    }
    cordon_answer_free(answer);
    cordon_plugin_free(plugin);
    plugin = NULL;
    load.grants = told;
    load.grants_count = 2;
    load.settings = cordon_text_of(round == 0 ? "{\"depth\":3}" : "[]");
    EXPECT(cordon_plugin_load(host, cordon_text_of(settings), &load, &plugin, &f),
           round == 0 ? CORDON_OK : CORDON_E_TYPE);
    if (plugin != NULL) call(plugin, "cordon:storage-guest/settings@0.1.0#all", "{}", "{\"ok\":[[\"depth\",\"3\"]]}");
    cordon_plugin_free(plugin);
    load.settings = cordon_text_of("");
    cordon_host_free(host);
  }
  snprintf(command, sizeof command, "rm -r %s", folder);
  CHECK(system(command) == 0);
}

// A plugin runs a program by the file that the load names.
static void a_program(const char* exec) {
  const char* run = "cordon:exec-guest/exec@0.1.0#run";
  const cordon_text grants[] = {cordon_text_of("exec:say <re:[a-z]+>")};
  const cordon_pair programs[] = {{cordon_text_of("say"), cordon_text_of("/usr/bin/echo")}};
  cordon_load_options load = {sizeof load};
  cordon_host* host = NULL;
  cordon_plugin* plugin = NULL;
  load.grants = grants;
  load.grants_count = 1;
  EXPECT(cordon_host_new(NULL, &host, &f), CORDON_OK);
  EXPECT(cordon_plugin_load(host, cordon_text_of(exec), &load, &plugin, &f), CORDON_OK);
  if (plugin != NULL) {
    call(plugin, run,
         "{\"program\":\"say\",\"arguments\":[\"hello\"],\"directory\":null,\"input\":\"\",\"timeout-ms\":null}",
         "{\"err\":\"access-denied exec:program\"}");
  }
  cordon_plugin_free(plugin);
  plugin = NULL;
  load.programs = programs;
  load.programs_count = 1;
  EXPECT(cordon_plugin_load(host, cordon_text_of(exec), &load, &plugin, &f), CORDON_OK);
  if (plugin != NULL) {
    call(plugin, run,
         "{\"program\":\"say\",\"arguments\":[\"hello\"],\"directory\":null,\"input\":\"\",\"timeout-ms\":null}",
         "{\"ok\":{\"how\":\"exited 0\",\"stdout\":\"hello\\n\",\"stderr\":\"\",\"bytes\":[6,0],"
         "\"truncated\":[false,false]}}");
  }
  cordon_plugin_free(plugin);
  cordon_host_free(host);
}

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  versions_and_null();
  sizes_of_options();
  services_refused();
  a_plugin(argv[1]);
  a_program(argv[2]);
  state_and_names(argv[3], argv[4]);
  printf("%s\n", faults == 0 ? "the C API is as it says" : "failed");
  return faults == 0 ? 0 : 1;
}
