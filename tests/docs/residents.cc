// A plugin that stays, and falls.
#include <cordon/host.h>

#include <filesystem>
#include <fstream>
#include <iostream>

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::filesystem::path guests = argv[1];
  std::string name = (std::filesystem::temp_directory_path() / "cordon-docs-XXXXXX").string();
  const std::filesystem::path folder = ::mkdtemp(name.data());
  std::filesystem::copy_file(guests / "resident.wasm", folder / "counter.wasm");
  std::ofstream(folder / "plugin.yaml") << R"(manifest: 1
name: acme/counter
version: 1.0.0
runtime: { abi: component, artifact: counter.wasm, instance: resident }
actions:
  add: { export: "cordon:resident-guest/counter#add" }
  crash: { export: "cordon:resident-guest/counter#crash" }
lifecycle: { state: { snapshot: 1h } }
)";
  auto host = cordon::Host::Create();

  // [resident]
  auto counter = host->Load(folder, {.grants = {"instance:resident"}});
  counter->Call("add", R"({"n": 5})");
  std::cout << counter->Call("add", R"({"n": 1})")->json << "\n";

  const auto fallen = counter->Call("crash", "{}");  // this call fails, and no other
  std::cout << cordon::CodeName(fallen.error().code) << "\n";
  std::cout << counter->Call("add", R"({"n": 1})")->json << "\n";  // no snapshot was due before
  if (counter->residency()->state == cordon::Residency::State::kQuarantined) counter->Release();

  counter->Unload();  // waits for calls under way, as long as `drain`, and takes a last snapshot
  counter = host->Load(folder, {.grants = {"instance:resident"}});
  std::cout << counter->Call("add", R"({"n": 1})")->json << "\n";
  // [/resident]
  std::filesystem::remove_all(folder);
}
