// [start]
#include <cordon/host.h>

#include <fstream>
#include <iostream>

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::filesystem::path guests = argv[1];

  auto host = cordon::Host::Create();
  auto plugin = host->Load(guests / "plugins/graph-analyst");
  if (!plugin) {
    std::cerr << plugin.error().message << "\n" << plugin.error().remedy << "\n";
    return 1;
  }
  auto answer = plugin->Call("analyze-graph", R"({"nodes": [
      {"id": "serde 1.0.0", "node-type": "crate", "metadata": []},
      {"id": "serde 0.9.0", "node-type": "crate", "metadata": []}]})");
  std::cout << (answer ? answer->json : answer.error().message) << "\n";
  // [/start]

  // [denied]
  auto denied = plugin->Call("analyze-file", R"({"path": "/data/graph.json"})");
  std::cout << denied->is_plugin_error << " " << cordon::EscapeForDisplay(denied->json) << "\n";
  // [/denied]

  const std::filesystem::path folder = argc > 2 ? argv[2] : ".";
  std::ofstream(folder / "graph.json") << R"({"nodes": [{"id": "a", "node-type": "crate", "metadata": []}]})";

  // [granted]
  cordon::LoadOptions with_folder;
  with_folder.mounts = {{folder, "/data", cordon::Access::kRead}};
  auto reader = host->Load(guests / "plugins/graph-analyst", with_folder);
  auto read = reader->Call("analyze-file", R"({"path": "/data/graph.json"})");
  std::cout << read->is_plugin_error << "\n";
  // [/granted]

  // [authority]
  for (const cordon::Ruling& ruling : reader->authority().rulings) {
    std::cout << ruling.capability << ": " << ruling.rule << "\n";
  }
  // [/authority]
}
