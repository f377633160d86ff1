// Cordon beside another Wasmtime, in one process: each has its own handlers of faults, its own guests, and traps of
// either are errors of that one. Both are loaded at run time, in both orders.
//
//     neighbour cordon|wasmtime|global LIBCORDON LIBWASMTIME GUEST     who is first; global: Wasmtime's symbols too
#include <cordon.h>
#include <dlfcn.h>
#include <setjmp.h>
#include <sys/mman.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

// As wasm.h declares them.
extern "C" {
struct wasm_engine_t;
struct wasm_store_t;
struct wasm_module_t;
struct wasm_instance_t;
struct wasm_extern_t;
struct wasm_func_t;
struct wasm_trap_t;
struct wasm_byte_vec_t {
  std::size_t size;
  char* data;
};
struct wasm_extern_vec_t {
  std::size_t size;
  wasm_extern_t** data;
};
struct wasm_val_t {
  std::uint8_t kind;
  union {
    std::int32_t i32;
    std::int64_t i64;
  } of;
};
struct wasm_val_vec_t {
  std::size_t size;
  wasm_val_t* data;
};
}

namespace {

constexpr const char* kTraps[] = {"unreachable", "reach", "divide", "recurse"};

void Check(bool good, const std::string& what) {
  if (good) return;
  std::printf("wrong: %s\n", what.c_str());
  std::fflush(stdout);
  std::_Exit(1);
}

template <typename Function>
Function* Find(void* library, const char* name) {
  void* found = ::dlsym(library, name);
  Check(found != nullptr, std::string("there is no ") + name);
  return reinterpret_cast<Function*>(found);
}

// A guest in Wasmtime's own library, by the standard C API.
class Neighbour {
 public:
  Neighbour(void* library, const std::vector<char>& guest) : library_(library) {
    engine_ = Find<wasm_engine_t*()>(library, "wasm_engine_new")();
    store_ = Find<wasm_store_t*(wasm_engine_t*)>(library, "wasm_store_new")(engine_);
    const wasm_byte_vec_t bytes = {guest.size(), const_cast<char*>(guest.data())};
    module_ = Find<wasm_module_t*(wasm_store_t*, const wasm_byte_vec_t*)>(library, "wasm_module_new")(store_, &bytes);
    Check(module_ != nullptr, "the neighbour's module");
    const wasm_extern_vec_t none = {0, nullptr};
    instance_ = Find<wasm_instance_t*(wasm_store_t*, const wasm_module_t*, const wasm_extern_vec_t*, wasm_trap_t**)>(
        library, "wasm_instance_new")(store_, module_, &none, nullptr);
    Check(instance_ != nullptr, "the neighbour's instance");
    Find<void(const wasm_instance_t*, wasm_extern_vec_t*)>(library, "wasm_instance_exports")(instance_, &exports_);
    as_function_ = Find<wasm_func_t*(wasm_extern_t*)>(library, "wasm_extern_as_func");
    call_ = Find<wasm_trap_t*(const wasm_func_t*, const wasm_val_vec_t*, wasm_val_vec_t*)>(library, "wasm_func_call");
    drop_trap_ = Find<void(wasm_trap_t*)>(library, "wasm_trap_delete");
  }
  ~Neighbour() {
    Find<void(wasm_extern_vec_t*)>(library_, "wasm_extern_vec_delete")(&exports_);
    Find<void(wasm_instance_t*)>(library_, "wasm_instance_delete")(instance_);
    Find<void(wasm_module_t*)>(library_, "wasm_module_delete")(module_);
    Find<void(wasm_store_t*)>(library_, "wasm_store_delete")(store_);
    Find<void(wasm_engine_t*)>(library_, "wasm_engine_delete")(engine_);
  }
  Neighbour(const Neighbour&) = delete;
  Neighbour& operator=(const Neighbour&) = delete;

  void Use() {
    wasm_val_t numbers[2] = {}, sum = {};
    numbers[0].of.i32 = 40;
    numbers[1].of.i32 = 2;
    const wasm_val_vec_t parameters = {2, numbers}, none = {0, nullptr};
    wasm_val_vec_t results = {1, &sum}, nothing = {0, nullptr};
    Check(call_(as_function_(exports_.data[1]), &parameters, &results) == nullptr && sum.of.i32 == 42,
          "the neighbour's sum");
    for (std::size_t i = 0; i < std::size(kTraps); ++i) {
      wasm_trap_t* trap = call_(as_function_(exports_.data[2 + i]), &none, &nothing);
      Check(trap != nullptr, std::string("the neighbour's trap: ") + kTraps[i]);
      drop_trap_(trap);
    }
  }

 private:
  void* library_;
  wasm_engine_t* engine_;
  wasm_store_t* store_;
  wasm_module_t* module_;
  wasm_instance_t* instance_;
  wasm_extern_vec_t exports_{};
  wasm_func_t* (*as_function_)(wasm_extern_t*);
  wasm_trap_t* (*call_)(const wasm_func_t*, const wasm_val_vec_t*, wasm_val_vec_t*);
  void (*drop_trap_)(wasm_trap_t*);
};

// The same guest in Cordon.
class Ours {
 public:
  Ours(void* library, const std::vector<char>& guest) : library_(library) {
    cordon_host_options options = {};
    options.size = sizeof options;
    options.compiler = CORDON_COMPILER_IN_PROCESS;
    Check(Find<decltype(cordon_host_new)>(library, "cordon_host_new")(&options, &host_, nullptr) == CORDON_OK,
          "our host");
    const cordon_bytes bytes = {reinterpret_cast<const std::uint8_t*>(guest.data()), guest.size()};
    Check(Find<decltype(cordon_plugin_load_bytes)>(library, "cordon_plugin_load_bytes")(
              host_, cordon_text_of("guest"), bytes, nullptr, &plugin_, nullptr) == CORDON_OK,
          "our plugin");
  }
  ~Ours() {
    Find<decltype(cordon_plugin_free)>(library_, "cordon_plugin_free")(plugin_);
    Find<decltype(cordon_host_free)>(library_, "cordon_host_free")(host_);
  }
  Ours(const Ours&) = delete;
  Ours& operator=(const Ours&) = delete;

  void Use() {
    Check(Call("add", R"({"p0":40,"p1":2})") == CORDON_OK, "our sum");
    for (const char* trap : kTraps) {
      const cordon_code code = Call(trap, "{}");
      Check(code == CORDON_E_TRAP || code == CORDON_E_STACK_OVERFLOW,
            std::string("our trap: ") + trap + " is " + std::to_string(code));
    }
  }

 private:
  cordon_code Call(const char* action, const char* input) {
    cordon_answer* answer = nullptr;
    const cordon_code code = Find<decltype(cordon_plugin_call)>(library_, "cordon_plugin_call")(
        plugin_, cordon_text_of(action), cordon_text_of(input), nullptr, &answer, nullptr);
    if (code == CORDON_OK) {
      const cordon_text json = Find<decltype(cordon_answer_json)>(library_, "cordon_answer_json")(answer);
      Check(std::string(json.ptr, json.len) == "42", "our answer");
    }
    Find<decltype(cordon_answer_free)>(library_, "cordon_answer_free")(answer);
    return code;
  }
  void* library_;
  cordon_host* host_ = nullptr;
  cordon_plugin* plugin_ = nullptr;
};

sigjmp_buf foreign_return;
volatile std::sig_atomic_t foreign_faults = 0;
void Foreign(int) {
  foreign_faults = foreign_faults + 1;
  ::siglongjmp(foreign_return, 1);
}

void FaultOfTheProgram() {
  const int before = foreign_faults;
  if (::sigsetjmp(foreign_return, 1) == 0) {
    *static_cast<volatile int*>(::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) = 1;
  }
  Check(foreign_faults == before + 1, "a fault of the program itself goes to its own handler");
}

void* Open(const char* path, int flags) {
  void* library = ::dlopen(path, RTLD_NOW | flags);
  Check(library != nullptr, library == nullptr ? ::dlerror() : "");
  return library;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  struct sigaction action{};
  action.sa_handler = Foreign;
  action.sa_flags = SA_ONSTACK;
  ::sigaction(SIGSEGV, &action, nullptr);
  std::ifstream file(argv[4], std::ios::binary);
  const std::vector<char> guest((std::istreambuf_iterator<char>(file)), {});
  const std::string order = argv[1];
  void* ours = order == "cordon" ? Open(argv[2], RTLD_LOCAL) : nullptr;
  void* theirs = Open(argv[3], order == "global" ? RTLD_GLOBAL : RTLD_LOCAL);
  if (ours == nullptr) ours = Open(argv[2], RTLD_LOCAL);
  {
    // Whoever is first has its handlers in place, and has used them, before the other comes.
    std::unique_ptr<Neighbour> neighbour;
    std::unique_ptr<Ours> cordon;
    if (order == "cordon") (cordon = std::make_unique<Ours>(ours, guest))->Use();
    (neighbour = std::make_unique<Neighbour>(theirs, guest))->Use();
    if (cordon == nullptr) cordon = std::make_unique<Ours>(ours, guest);
    for (int i = 0; i < 20; ++i) {
      cordon->Use();
      neighbour->Use();
    }
    Check(foreign_faults == 0, "traps are no faults of the program");
    std::jthread other([&] {
      for (int i = 0; i < 50; ++i) neighbour->Use();
    });
    for (int i = 0; i < 50; ++i) cordon->Use();
    other.join();
    FaultOfTheProgram();
    neighbour.reset();
    cordon->Use();
    FaultOfTheProgram();
    neighbour = std::make_unique<Neighbour>(theirs, guest);
    cordon.reset();
    neighbour->Use();
  }
  Ours(ours, guest).Use();
  FaultOfTheProgram();
  std::printf("both\n");
  return 0;
}
