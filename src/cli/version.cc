#include "cli/command.h"
#include "cli/security_floor.h"
#include "engine/engine.h"
#include "manifest/manifest.h"

namespace cordon::cli {
namespace {

// What stands in for the fixes that the linked release lacks.
constexpr std::string_view kFloorNote = "move to it as soon as it is published";
constexpr std::string_view kMitigations[] = {
    "stdout and stderr go to a bounded sink of our own",
    "garbage collection, threads and component concurrency are off",
    "the engine speaks no HTTP",
};
constexpr std::string_view kFeatures[] = {"component", "core", "wasi-0.2", "wasi-preview1", "command", "level-default"};

#ifdef NDEBUG
constexpr std::string_view kBuild = "release";
#else
constexpr std::string_view kBuild = "debug";
#endif

Result<int> Version(Session& session) {
  const std::string engine = engine::EngineVersion();
  const std::string compiler = "gcc-compatible " __VERSION__;
  if (session.json()) {
    OrderedJson json = {{"version", manifest::kCordonVersion},
                        {"engine", engine},
                        {"build", kBuild},
                        {"compiler", compiler},
                        {"features", kFeatures},
                        {"security_floor", {{"engine", kSecurityFloor}, {"note", kFloorNote}}},
                        {"mitigations", kMitigations}};
    session.PrintDocument(json);
    return 0;
  }
  session.Print("cordon " + std::string(manifest::kCordonVersion) + "\nengine " + engine + "\nbuild " +
                std::string(kBuild) + ", " + compiler + "\nfeatures");
  for (std::string_view feature : kFeatures) session.Print(" " + std::string(feature));
  session.Print("\nsecurity floor of the engine: " + std::string(kSecurityFloor) + "; " + std::string(kFloorNote) +
                ". Until then:\n");
  for (std::string_view mitigation : kMitigations) session.Print("  - " + std::string(mitigation) + "\n");
  return 0;
}

}  // namespace

Command VersionCommand() {
  return {{.command = "version", .summary = "versions of Cordon and its engine, and what the build can do"}, Version};
}

}  // namespace cordon::cli
