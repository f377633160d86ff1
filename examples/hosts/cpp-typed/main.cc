// Asks the plugin graph-analyst about a dependency graph, with the structs of its WIT in place of JSON.
//
//   cpp_typed build/guests/plugins/graph-analyst
#include <cordon/host.h>

#include <iostream>

#include "analyst.h"

// [graph]
namespace analysis = parseltongue::analysis::parseltongue_plugin;

std::vector<analysis::GraphNode> Graph() {
  return {
      {.id = "app 1.0.0", .node_type = "workspace-crate", .metadata = {{"dep", "http 2.1.0"}, {"dep", "bits 1.3.2"}}},
      {.id = "http 2.1.0", .node_type = "registry-crate", .metadata = {{"dep", "bits 2.6.0"}}},
      {.id = "bits 1.3.2", .node_type = "registry-crate"},
      {.id = "bits 2.6.0", .node_type = "registry-crate"},
  };
}
// [/graph]

// [call]
cordon::Status Analyse(const cordon::Plugin& plugin) {
  CORDON_ASSIGN(const auto analyst, analysis::ParseltonguePlugin::Bind(plugin));
  CORDON_ASSIGN(const analysis::AnalysisResult result, analyst.AnalyzeGraph(Graph()));
  for (const std::string& finding : result.findings) std::cout << cordon::EscapeForDisplay(finding) << "\n";
  std::cout << "understood: " << result.confidence * 100 << " %\n";
  return {};
}
// [/call]

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: cpp_typed PLUGIN\n";
    return 2;
  }
  auto host = cordon::Host::Create();
  auto plugin = host ? host->Load(argv[1]) : cordon::Fail(host.error());
  const cordon::Status done = plugin ? Analyse(*plugin) : cordon::Fail(plugin.error());
  if (!done) {
    std::cerr << cordon::EscapeForDisplay(done.error().message) << "\n" << done.error().remedy << "\n";
    return 1;
  }
}
