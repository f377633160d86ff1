/* As main.cc, in C: values, typed calls and a callback of ours cross the library's boundary. */
#include <stdio.h>
#include <string.h>

#include "cordon.h"

static int audit_fails = 0;
static int audit_records = 0;

static int32_t audit(void* user, cordon_text record) {
  (void)user;
  audit_records += record.len != 0;
  return audit_fails;
}

static void take_sum(void* user, const cordon_bytes* pieces, size_t count) {
  if (count == 1 && pieces[0].len == sizeof(int32_t)) memcpy(user, pieces[0].ptr, sizeof(int32_t));
}

static int complain(const char* what, cordon_failure* failure) {
  const cordon_text name = cordon_code_name(cordon_failure_code(failure));
  const cordon_text message = cordon_failure_message(failure);
  fprintf(stderr, "%s: %.*s: %.*s\n", what, (int)name.len, name.ptr, (int)message.len, message.ptr);
  cordon_failure_free(failure);
  return 1;
}

int main(int argc, char** argv) {
  if (argc != 2 || !cordon_abi_compatible(CORDON_ABI_VERSION)) return 2;
  cordon_failure* failure = NULL;
  cordon_host_options options;
  memset(&options, 0, sizeof options);
  options.size = sizeof options;
  options.audit = audit;
#ifdef CORDON_COMPILER_PATH
  options.compiler_path = cordon_text_of(CORDON_COMPILER_PATH);
#endif
  cordon_host* host = NULL;
  if (cordon_host_new(&options, &host, &failure)) return complain("host", failure);
  cordon_plugin* plugin = NULL;
  if (cordon_plugin_load(host, cordon_text_of(argv[1]), NULL, &plugin, &failure)) return complain("load", failure);

  const cordon_text add = cordon_text_of("add"), input = cordon_text_of("{\"p0\": 2, \"p1\": 40}");
  cordon_answer* answer = NULL;
  if (cordon_plugin_call(plugin, add, input, NULL, &answer, &failure)) return complain("call", failure);
  const int32_t terms[2] = {2, 40};
  const cordon_bytes parameters = {(const uint8_t*)terms, sizeof terms};
  int32_t sum = 0;
  cordon_typed* typed = NULL;
  if (cordon_typed_new(plugin, add, cordon_text_of("(s32,s32)->s32"), &typed, &failure) ||
      cordon_typed_call(typed, NULL, parameters, NULL, take_sum, &sum, &failure)) {
    return complain("typed call", failure);
  }
  if (audit_records == 0) return 4;

  audit_fails = 1;
  cordon_answer* none = NULL;
  if (cordon_plugin_call(plugin, add, input, NULL, &none, &failure) == CORDON_OK) return 5;
  const cordon_text json = cordon_answer_json(answer), name = cordon_code_name(cordon_failure_code(failure));
  printf("%.*s %d %.*s\n", (int)json.len, json.ptr, (int)sum, (int)name.len, name.ptr);
  cordon_failure_free(failure);
  cordon_answer_free(none);
  cordon_answer_free(answer);
  cordon_typed_free(typed);
  cordon_plugin_free(plugin);
  cordon_host_free(host);
  return 0;
}
