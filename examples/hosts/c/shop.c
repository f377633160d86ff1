/* Loads a plugin that asks this program for prices: refused without a grant, then with it. C99. */
#include <cordon.h>
#include <stdio.h>

#define SHOW(text) (int)(text).len, (text).len ? (text).ptr : ""

static cordon_code serve(void* user, const cordon_service_call* call, cordon_bytes payload, cordon_reply* reply) {
  const char* answer = user;
  (void)call;
  (void)payload; /* ["shoes"] */
  if (answer == NULL) {
    cordon_reply_fail(reply, cordon_text_of("out of stock"), cordon_text_of(""));
    return CORDON_E_SERVICE;
  }
  return cordon_reply_write(reply, (cordon_bytes){(const uint8_t*)answer, strlen(answer)});
}

static void report(const char* what, cordon_failure* failure) {
  const cordon_text name = cordon_code_name(cordon_failure_code(failure)), message = cordon_failure_message(failure),
                    remedy = cordon_failure_remedy(failure);
  printf("%s: %.*s: %.*s\n", what, SHOW(name), SHOW(message));
  if (remedy.len > 0) printf("  %.*s\n", SHOW(remedy));
  cordon_failure_free(failure);
}

static void call(const cordon_plugin* plugin, const char* action, const char* input) {
  cordon_answer* answer = NULL;
  cordon_failure* failure = NULL;
  if (cordon_plugin_call(plugin, cordon_text_of(action), cordon_text_of(input), NULL, &answer, &failure) == CORDON_OK) {
    const cordon_text json = cordon_answer_json(answer);
    printf("%s: %.*s\n", action, SHOW(json));
  } else {
    report(action, failure);
  }
  cordon_answer_free(answer);
}

int main(int argc, char** argv) {
  static const struct {
    const char *name, *shape, *answer;
  } functions[] = {
      {"price-of", "(string)->option<u32>", "80"},
      {"describe", "(string)->result<record{name:string,amount:u32,currency:enum{eur,usd}},string>",
       "{\"err\":\"unknown\"}"},
      {"total", "(list<u32>)->u64", "6"},
      {"wait", "()", ""},
      {"fail", "()", NULL},
  };
  const cordon_text grant = cordon_text_of("host:prices");
  cordon_host_options options = {sizeof options};
  cordon_load_options load = {sizeof load};
  cordon_service* service = NULL;
  cordon_host* host = NULL;
  cordon_plugin* plugin = NULL;
  cordon_failure* failure = NULL;
  size_t i;
  if (argc < 2 || !cordon_abi_compatible(CORDON_ABI_VERSION)) return 2;
  options.compiler = CORDON_COMPILER_IN_PROCESS; /* no program beside this one is needed */
  if (cordon_host_new(&options, &host, &failure) != CORDON_OK) return report("host", failure), 1;
  cordon_service_new(cordon_text_of("acme:shop/prices@1.0.0"), &service, NULL);
  for (i = 0; i < sizeof functions / sizeof functions[0]; ++i) {
    cordon_service_function function = {sizeof function};
    function.name = cordon_text_of(functions[i].name);
    function.shape = cordon_text_of(functions[i].shape);
    function.capability = cordon_text_of("prices");
    function.callback = serve;
    function.user = (void*)functions[i].answer;
    cordon_service_add(service, &function, NULL);
  }
  if (cordon_host_register(host, service, &failure) != CORDON_OK) return report("service", failure), 1;
  cordon_service_free(service);

  if (cordon_plugin_load(host, cordon_text_of(argv[1]), NULL, &plugin, &failure) != CORDON_OK) {
    report("refused", failure);
  }
  load.grants = &grant;
  load.grants_count = 1;
  if (cordon_plugin_load(host, cordon_text_of(argv[1]), &load, &plugin, &failure) != CORDON_OK) {
    return report("load", failure), 1;
  }
  call(plugin, "greet", "{\"name\":\"Ada\"}");
  call(plugin, "price", "{\"article\":\"shoes\"}");
  call(plugin, "failing", "{}");
  cordon_plugin_free(plugin);
  cordon_host_free(host);
  return 0;
}
