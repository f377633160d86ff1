// Another Rust library in the same program, with another Wasmtime and with functions that are called like Cordon's own
// inner ones: it is Cordon's bridge once more. Both have to work, and neither may reach into the other.
#include <cordon/host.h>
#include <cordon_bridge.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  cordon_engine_options options{};
  options.size = sizeof(options);
  options.small_address_space = true;
  options.max_memory_bytes = 1 << 20;
  options.max_instances = 1;
  options.max_table_elements = 10;
  options.stack_bytes = 1 << 18;
  cordon_engine* engine = nullptr;
  cordon_error* error = nullptr;
  if (cordon_engine_new(&options, &engine, &error) != CORDON_STATUS_OK) {
    std::size_t length = 0;
    const char* message = cordon_error_message(error, &length);
    return std::fprintf(stderr, "%.*s\n", static_cast<int>(length), message), 3;
  }
  cordon_code* code = nullptr;
  const unsigned char empty[] = {0, 'a', 's', 'm', 1, 0, 0, 0};
  const bool compiled = cordon_code_compile(engine, {empty, sizeof(empty)}, &code, &error) == CORDON_STATUS_OK;

  auto host = cordon::Host::Create();
  auto plugin = host->Load(argv[1]);
  if (!plugin) return std::fprintf(stderr, "%s\n", plugin.error().message.c_str()), 4;
  auto answer = plugin->Call("add", R"({"p0": 2, "p1": 40})");
  std::printf("%d %s\n", compiled, answer ? answer->json.c_str() : answer.error().message.c_str());
  cordon_code_free(code);
  cordon_engine_free(engine);
}
