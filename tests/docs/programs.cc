// Programs that a plugin runs, and plugins that call each other, in a program that embeds Cordon.
#include <cordon/host.h>

#include <fstream>
#include <iostream>

namespace fs = std::filesystem;

namespace {

void Write(const fs::path& folder, const fs::path& guests, const std::string& name, const std::string& rest) {
  fs::create_directories(folder);
  fs::copy_file(guests / "tools.wasm", folder / "guest.wasm");
  std::ofstream(folder / "plugin.yaml") << "manifest: 1\nname: acme/" << name
                                        << "\nversion: 1.0.0\nruntime: {abi: component, artifact: guest.wasm}\n"
                                        << rest;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const fs::path guests = argv[1], plugins = argv[2];
  auto host = cordon::Host::Create();

  // [exec]
  cordon::LoadOptions options;
  options.grants = {"exec:echo <re:[a-z]+>"};
  options.programs = {{"echo", "/usr/bin/echo"}};  // opened and hashed once: no other file is run by this plugin
  auto plugin = host->Load(guests / "exec.wasm", options);
  // [/exec]
  const auto ran = plugin->Call("cordon:exec-guest/exec@0.1.0#run",
                                R"({"program": "echo", "arguments": ["hello"], "directory": null, "input": "",
                                    "timeout-ms": null})");
  std::cout << ran->json << "\n";

  const std::string unused = "permissions: {optional: [{storage: {bucket: kept, access: write}}";
  Write(plugins / "geocode", guests, "geocode",
        "actions: {lookup: {export: \"cordon:tools-guest/relay@0.1.0#echo\"},"
        " saved: {export: \"cordon:tools-guest/relay@0.1.0#echo\"}}\n" +
            unused + ", {call: \"acme/none#none\"}]}\nprovides: {tools: [lookup], hooks: [saved]}\n");
  Write(plugins / "route", guests, "route",
        "actions: {plan: {export: \"cordon:tools-guest/relay@0.1.0#ask\"}}\n" + unused +
            ", {call: \"acme/geocode#lookup\"}]}\n");

  // [tools]
  auto geocode = host->Load(plugins / "geocode");
  auto route = host->Load(plugins / "route", {.grants = {"call:acme/geocode#lookup"}});
  const auto planned = route->Call("plan", R"({"action": "acme/geocode#lookup", "input": "{\"text\": \"Ulm\"}"})");
  std::cout << planned->json << "\n";

  const auto answers = host->Dispatch("saved", R"({"text": "notes.md"})");
  for (const cordon::HookAnswer& one : *answers) {
    std::cout << one.plugin << ": " << (one.answer ? one.answer->json : one.answer.error().message) << "\n";
  }
  // [/tools]
}
