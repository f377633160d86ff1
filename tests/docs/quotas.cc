// Quotas of a plugin: refused calls, totals, alerts.
#include <cordon/host.h>

#include <fstream>
#include <iostream>

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const std::filesystem::path guests = argv[1], folder = argv[2];
  std::ofstream(folder / "config.yaml")
      << "plugins: { enabled: true, entries: { bench: { quotas: { cpu: { time: 50ms, per: 1h } } } } }\n";
  cordon::HostOptions options;
  options.config_file = folder / "config.yaml";
  // [alert]
  options.on_quota = [](const cordon::QuotaAlert& alert) {
    std::cout << alert.plugin << " nears its quota of " << alert.quota << "\n";
  };
  // [/alert]
  auto host = cordon::Host::Create(options);
  auto plugin = host->Load(guests / "bench.wasm");
  std::cout << cordon::CodeName(plugin->Call("spin", "{}").error().code) << "\n";

  // [refused]
  const auto refused = plugin->Call("add", R"({"a": 1, "b": 2})");
  std::cout << cordon::CodeName(refused.error().code) << " " << refused.error().Detail("quota") << " of "
            << refused.error().Detail("of") << "\n";
  std::cout << (refused.error().Detail("retry-after").empty() ? "no idea when" : "come again later") << "\n";
  // [/refused]

  // [totals]
  const cordon::UsageTotals totals = plugin->Totals();
  std::cout << totals.calls << " calls, " << totals.failures << " failed, " << totals.running << " running\n";
  for (const cordon::QuotaUse& one : totals.quotas) {
    const char* left = one.used >= one.limit ? "used up" : "some left";
    std::cout << one.quota << ": " << left << ", refused " << one.refused << "\n";
  }
  // [/totals]
}
