// What an error holds.
#include <cordon/host.h>

#include <iostream>

// [show]
void Show(const cordon::Error& error, int depth = 0) {
  const std::string indent(2 * depth, ' ');
  std::cout << indent << cordon::CodeName(error.code) << ": " << cordon::EscapeForDisplay(error.message) << "\n";
  if (!error.remedy.empty()) std::cout << indent << "  " << error.remedy << "\n";
  if (error.place) std::cout << indent << "  line " << error.place->line << ", column " << error.place->column << "\n";
  for (const cordon::Error& cause : error.causes) Show(cause, depth + 1);
}
// [/show]

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::filesystem::path guests = argv[1];
  auto host = cordon::Host::Create();
  // [load]
  auto plugin = host->Load(guests / "a01_sockets.wasm");
  if (!plugin) Show(plugin.error());
  // [/load]
  plugin = host->Load(guests / "bench.wasm");
  // [call]
  const auto wrong = plugin->Call("add", R"({"a": 1, "b": "two"})");
  if (!wrong) Show(wrong.error());
  const auto missing = plugin->Call("ad", "{}");
  if (!missing) Show(missing.error());
  // [/call]
  // [types]
  const auto add = plugin->Function<double(double, double)>("add");
  if (!add) Show(add.error());
  // [/types]
}
