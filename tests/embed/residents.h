// Plugins that stay: the guest `resident` in a folder of its own, as its manifest has it.
#pragma once

#include <fstream>

#include "shop.h"

namespace residents {

inline std::string BytesOf(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A folder that goes with the test.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "cordon-resident-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::filesystem::path& path() const { return path_; }

  // A plugin; `rest` is what stands below its actions.
  std::filesystem::path Plugin(const std::string& rest, const std::string& instance = "resident",
                               const std::string& name = "counter") const {
    const std::filesystem::path folder = path_ / name;
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "plugin.wasm", std::ios::binary) << BytesOf(shop::Guest("resident"));
    std::ofstream yaml(folder / "plugin.yaml");
    yaml << "manifest: 1\nname: acme/" << name << "\nversion: 1.0.0\n"
         << "runtime: { abi: component, artifact: plugin.wasm, instance: " << instance << " }\nactions:\n";
    for (const char* action : {"add", "complain", "crash", "spin", "leave", "rest", "mood"}) {
      yaml << "  " << action << ": { export: \"cordon:resident-guest/counter#" << action << "\" }\n";
    }
    yaml << "  saved: { export: \"cordon:resident-guest/counter#add\" }\n" << rest << "\n";
    return folder;
  }

 private:
  std::filesystem::path path_;
};

inline cordon::Result<cordon::Host> HostWith(cordon::HostOptions options = {}) {
  options.compiler = cordon::HostOptions::Compiler::kInProcess;
  return cordon::Host::Create(std::move(options));
}

// The answer as JSON, or the code.
inline std::string Called(const cordon::Plugin& plugin, std::string_view action, std::string_view input = "{}",
                          const cordon::CallOptions& options = {}) {
  const auto answer = plugin.Call(action, input, options);
  return answer ? answer->json : std::string(cordon::CodeName(answer.error().code));
}
inline std::string Add(const cordon::Plugin& plugin, int n) {
  return Called(plugin, "add", R"({"n": )" + std::to_string(n) + "}");
}
inline std::string Mood(const cordon::Plugin& plugin, const std::string& what) {
  return Called(plugin, "mood", R"({"what": ")" + what + R"("})");
}

template <typename F>
bool Soon(F holds) {
  for (int i = 0; i < 1000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

inline cordon::Result<cordon::Plugin> Load(cordon::Host& host, const std::filesystem::path& folder,
                                           const std::string& grant = "instance:resident") {
  cordon::LoadOptions options;
  if (!grant.empty()) options.grants = {grant};
  return host.Load(folder, options);
}

}  // namespace residents
