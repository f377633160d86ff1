// A plugin written for fledge, called by a program.
#include <cordon/host.h>

#include <cstdlib>
#include <fstream>
#include <iostream>

namespace {

// The folder that the guide shows: a module, and the plugin.yaml beside it.
std::filesystem::path MakePlugin(const std::filesystem::path& module) {
  char name[] = "/tmp/cordon-docs-XXXXXX";
  const std::filesystem::path folder = ::mkdtemp(name);
  std::filesystem::copy_file(module, folder / "notes.wasm");
  std::ofstream(folder / "plugin.yaml") << R"(manifest: 1
name: acme/notes
version: 2.1.0
runtime: { abi: fledge, artifact: notes.wasm }
actions:
  run: {}
permissions:
  required:
    - storage: { bucket: fledge, access: write }
    - context: [project]
    - exec: { program: echo, args: [milk] }
)";
  return folder;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::filesystem::path folder = MakePlugin(std::filesystem::path(argv[1]) / "fledge_notes.wasm");
  // [action]
  auto host = cordon::Host::Create();
  auto notes = host->Load(folder, {.grants = {"kv:write:fledge", "ctx:project", "exec:echo milk"}});
  // [/action]
  if (!notes) {
    std::cerr << notes.error().message << "\n";
    return 1;
  }
  // [call]
  auto kept = notes->Call("run", R"({"args": ["set", "milk", "two"]})");
  auto found = notes->Call("run", R"({"args": ["get", "milk"]})");
  if (found) std::cout << found->json << "\n";  // a JSON text: what the plugin sent with `output`
  // [/call]
  std::cout << notes->Call("run", R"({"args": ["exec", "echo milk"]})")->json << "\n";
  std::cout << notes->Call("run", R"({"args": ["exec", "echo milk | sh"]})")->json.substr(0, 14) << "\n";
  std::cout << notes->Call("run", R"({"args": ["no-such-word"]})").error().message << "\n";
  std::filesystem::remove_all(folder);
  return kept ? 0 : 1;
}
