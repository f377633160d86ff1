// Calls for several tenants, in workers that none of them shares.
#include <cordon/host.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const std::filesystem::path guests = argv[1];
  cordon::HostOptions options;
  options.placement = cordon::HostOptions::Placement::kWorkers;
  auto host = cordon::Host::Create(options);
  auto plugin = host->Load(guests / "bench.wasm");

  // [tenant]
  cordon::CallOptions for_north;
  for_north.principal.tenant = "north";
  auto sum = plugin->Call("add", R"({"a": 20, "b": 22})", for_north);
  std::cout << (sum ? sum->json : sum.error().message) << "\n";
  // [/tenant]

  auto instance = plugin->NewInstance(for_north);
  cordon::CallOptions for_south;
  for_south.principal.tenant = "south";
  const auto refused = instance->Call("add", R"({"a": 1, "b": 2})", for_south);
  std::cout << cordon::CodeName(refused.error().code) << " " << refused.error().Detail("rule") << "\n";
}
