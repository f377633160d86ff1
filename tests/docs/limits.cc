// Limits of a host, of a load and of a call; what was used.
#include <cordon/host.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::filesystem::path guests = argv[1];
  auto host = cordon::Host::Create();

  // [load]
  cordon::LoadOptions options;
  options.memory_bytes = 16 << 20;
  options.timeout = std::chrono::seconds(2);
  auto plugin = host->Load(guests / "bench.wasm", options);
  const cordon::Limits limits = plugin->limits();
  std::cout << limits.memory_bytes << " bytes, " << std::chrono::duration<double>(limits.timeout).count() << " s\n";
  // [/load]

  // [call]
  cordon::CallOptions brief;
  brief.timeout = std::chrono::milliseconds(50);
  cordon::Answer answer;
  const cordon::Status ended = plugin->Call("spin", "{}", brief, answer);
  std::cout << cordon::CodeName(ended.error().code) << ": " << ended.error().message << "\n";
  std::cout << (answer.usage.wall >= *brief.timeout) << " " << answer.usage.memory_peak_bytes << " bytes\n";
  // [/call]

  // [fuel]
  cordon::LoadOptions metered;
  metered.fuel = 10'000'000;
  auto counted = host->Load(guests / "bench.wasm", metered);
  const auto out_of_fuel = counted->Call("spin", "{}");
  std::cout << cordon::CodeName(out_of_fuel.error().code) << "\n";
  // [/fuel]
}
