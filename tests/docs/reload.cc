// A plugin in service that changes.
#include <cordon/host.h>

#include <fstream>
#include <iostream>
#include <semaphore>

#include <unistd.h>

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  namespace fs = std::filesystem;
  const fs::path guests = argv[1], folder = fs::temp_directory_path() / ("docs-reload-" + std::to_string(::getpid()));
  const auto put = [&](const fs::path& from) {
    fs::copy_file(from, folder / "new");
    fs::rename(folder / "new", folder / "adder.wasm");
  };
  fs::create_directories(folder);
  put(guests / "core_math.wasm");
  auto host = cordon::Host::Create();
  std::counting_semaphore<> changed(0);

  // [deploy]
  auto adder = host->Deploy(folder / "adder.wasm");
  std::cout << adder->Call("add", R"({"p0": 2, "p1": 3})")->json << "\n";
  // [/deploy]

  // [watch]
  cordon::WatchOptions watch;
  watch.told = [&](const cordon::Reload& reload) {
    const std::string what = reload.plugin.empty() ? "the configuration" : reload.plugin;
    if (reload.outcome) {
      std::cout << what << " is taken up, with " << reload.outcome->gained.size() << " new capabilities\n";
    } else {
      std::cout << what << " is refused: " << cordon::CodeName(reload.outcome.error().code) << "\n";
    }
    changed.release();
  };
  if (auto watching = host->Watch(watch); !watching) return 1;
  // [/watch]

  std::ofstream(folder / "nonsense") << "no code at all";
  put(folder / "nonsense");
  changed.acquire();
  std::cout << adder->Call("add", R"({"p0": 2, "p1": 3})")->json << "\n";
  put(guests / "core_math.wasm");
  changed.acquire();

  // [by-hand]
  const auto reloaded = adder->Reload();
  if (reloaded && reloaded->digest == reloaded->digest_before) std::cout << "the same code\n";
  // [/by-hand]
  (void)host->Shutdown();
  fs::remove_all(folder);
}
