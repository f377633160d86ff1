// Extism's side of the bench: bench_extism.wasm and count_vowels.wasm by libextism's C functions, driven by lines on
// stdin (README.md beside this file).
//
//     extism_peer GUESTS LIBEXTISM
#include <dlfcn.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct Compiled;
struct Plugin;

[[noreturn]] void Refuse(const std::string& why) { throw std::runtime_error(why); }

// As libextism's header declares them.
struct Library {
  Compiled* (*compile)(const std::uint8_t*, std::uint64_t, const void**, std::uint64_t, bool, char**);
  Plugin* (*open)(const Compiled*, char**);
  std::int32_t (*call)(Plugin*, const char*, const std::uint8_t*, std::uint64_t);
  std::uint64_t (*output_length)(Plugin*);
  const std::uint8_t* (*output)(Plugin*);
  void (*close)(Plugin*);
  const char* (*version)();

  explicit Library(const char* path) {
    void* const library = ::dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) Refuse(::dlerror());
    Find(library, "extism_compiled_plugin_new", compile);
    Find(library, "extism_plugin_new_from_compiled", open);
    Find(library, "extism_plugin_call", call);
    Find(library, "extism_plugin_output_length", output_length);
    Find(library, "extism_plugin_output_data", output);
    Find(library, "extism_plugin_free", close);
    Find(library, "extism_version", version);
  }

 private:
  template <typename Function>
  static void Find(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(::dlsym(library, name));
    if (function == nullptr) Refuse(std::string("libextism has no ") + name);
  }
};

std::string Sample(std::size_t bytes) {
  std::string text(bytes, ' ');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + i % 26);
  return text;
}

double ResidentKiB() {
  std::ifstream rollup("/proc/self/smaps_rollup");
  for (std::string word; rollup >> word;) {
    double kib = 0;
    if (word == "Rss:" && rollup >> kib) return kib;
  }
  Refuse("/proc/self/smaps_rollup cannot be read");
}

class Side {
 public:
  Side(const std::string& guests, const char* library) : extism_(library) {
    compiled_ = Compile(guests + "/bench_extism.wasm");
    vowels_ = Compile(guests + "/extism/count_vowels.wasm");
    warm_ = Open(compiled_);
    warm_vowels_ = Open(vowels_);
    CountVowels(warm_vowels_);
    if (Sum(warm_, 2, 3) != 5) Refuse("add answered something else");
    for (const std::size_t bytes : {0ul, 1ul, 1ul << 10, (1ul << 16) + 5}) {
      if (Echo(Sample(bytes)) != Sample(bytes)) Refuse("echo answered something else");
    }
  }

  const char* version() const { return extism_.version(); }

  // Nanoseconds for all.
  double Run(const std::string& call, std::uint64_t times) {
    const std::string text = Sample(call == "echo-64k" ? 64 << 10 : 1 << 10);
    const auto start = std::chrono::steady_clock::now();
    for (std::uint64_t i = 0; i < times; ++i) Once(call, text);
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
  }

  // KiB for each of `count` plugins that served one call and stay.
  double Hold(std::uint64_t count) {
    Keep(16);
    const double before = ResidentKiB();
    Keep(count);
    return (ResidentKiB() - before) / static_cast<double>(count);
  }

 private:
  Compiled* Compile(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string wasm((std::istreambuf_iterator<char>(file)), {});
    char* why = nullptr;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(wasm.data());
    Compiled* const compiled = extism_.compile(bytes, wasm.size(), nullptr, 0, false, &why);
    if (compiled == nullptr) Refuse(why == nullptr ? path + " was not compiled" : why);
    return compiled;
  }

  Plugin* Open(const Compiled* compiled) {
    char* why = nullptr;
    Plugin* const plugin = extism_.open(compiled, &why);
    if (plugin == nullptr) Refuse(why == nullptr ? "no plugin was made" : why);
    return plugin;
  }

  void Keep(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      if (Sum(Open(compiled_), 40, 2) != 42) Refuse("add answered something else");
    }
  }

  std::string_view Call(Plugin* plugin, const char* function, std::string_view input) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(input.data());
    if (extism_.call(plugin, function, bytes, input.size()) != 0) Refuse(std::string(function) + " failed");
    return {reinterpret_cast<const char*>(extism_.output(plugin)), extism_.output_length(plugin)};
  }

  std::int32_t Sum(Plugin* plugin, std::int32_t a, std::int32_t b) {
    char input[8];
    std::memcpy(input, &a, 4);
    std::memcpy(input + 4, &b, 4);
    const std::string_view output = Call(plugin, "add", {input, sizeof input});
    std::int32_t sum = 0;
    if (output.size() != sizeof sum) Refuse("add answered something else");
    std::memcpy(&sum, output.data(), sizeof sum);
    return sum;
  }

  std::string Echo(const std::string& text) { return std::string(Call(warm_, "echo", text)); }

  void CountVowels(Plugin* plugin) {
    if (Call(plugin, "count_vowels", "Hello, World!") != R"({"count":3})")
      Refuse("count_vowels answered something else");
  }

  void Once(const std::string& call, const std::string& text) {
    if (call == "warm-add") {
      if (Sum(warm_, 40, 2) != 42) Refuse("add answered something else");
    } else if (call == "fresh") {
      Plugin* const plugin = Open(compiled_);
      if (Sum(plugin, 40, 2) != 42) Refuse("add answered something else");
      extism_.close(plugin);
    } else if (call == "vowels-warm") {
      CountVowels(warm_vowels_);
    } else if (call == "vowels-fresh") {
      Plugin* const plugin = Open(vowels_);
      CountVowels(plugin);
      extism_.close(plugin);
    } else if (call == "echo-1k" || call == "echo-64k") {
      if (Echo(text).size() != text.size()) Refuse("echo answered something else");
    } else {
      Refuse("there is no call " + call);
    }
  }

  Library extism_;
  Compiled* compiled_ = nullptr;
  Compiled* vowels_ = nullptr;
  Plugin* warm_ = nullptr;
  Plugin* warm_vowels_ = nullptr;
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) Refuse("usage: extism_peer GUESTS LIBEXTISM");
  Side side(argv[1], argv[2]);
  std::printf("ready Extism %s (libextism, C)\n", side.version());
  std::fflush(stdout);
  std::string call;
  for (std::uint64_t times = 0; std::cin >> call >> times;) {
    if (call == "hold") {
      std::printf("kib %.4f\n", side.Hold(times));
    } else {
      std::printf("ns %.0f\n", side.Run(call, times));
    }
    std::fflush(stdout);
  }
  return 0;
} catch (const std::exception& error) {
  std::printf("error %s\n", error.what());
  return 1;
}
