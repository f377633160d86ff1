// A plugin in service for long: when its files, its grants or the operator's configuration change, a new version takes
// its place, and no call is lost by it.
//
//   auto greeter = host->Deploy("plugins/greeter");
//   host->Watch({.told = [](const cordon::Reload& reload) { … }});
//   auto answer = greeter->Call("greet", R"({"name": "Ada"})");
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cordon/plugin.h"
#include "cordon/result.h"

namespace cordon {

// What a new version has that the one before had not. Equal where nothing changed.
struct Reloaded {
  std::string digest_before, digest;          // of the artifact
  std::string version_before, version;        // of the manifest; empty without one
  std::vector<std::string> gained{}, lost{};  // effective capabilities, compact, sorted
  Limits limits_before{}, limits{};
};

// One change, and what became of it. An error: what was in service stays there.
struct Reload {
  std::string plugin;  // empty: config.yaml and the policies
  Result<Reloaded> outcome;
};

struct WatchOptions {
  // Between two looks. A change is taken up when two looks in a row see the same files, so that nothing half-written is
  // read. At least 10 ms.
  std::chrono::nanoseconds interval = std::chrono::milliseconds(250);
  // Told of every change once, on the thread that watches. It may call plugins; it must not throw, nor end the host.
  std::function<void(const Reload& reload)> told{};
};

// Host::Deploy makes it. Thread-safe; copies are handles to one deployment, which lives as long as any of them does.
class Deployment {
 public:
  // The version of this moment. A call through it ends on its code, whatever is taken up meanwhile; it lives as long as
  // the value does.
  Plugin Current() const;

  // As Plugin::Call and CallAsync, on the version of this moment.
  Result<Answer> Call(std::string_view action, std::string_view input_json, const CallOptions& options = {}) const;
  Status Call(std::string_view action, std::string_view input_json, const CallOptions& options, Answer& answer) const;
  Pending<Answer> CallAsync(std::string action, std::string input_json, Executor executor,
                            CallOptions options = {}) const;

  // Loads it anew from where it was, with the options of Host::Deploy, makes one instance, and puts it in service:
  // later calls, of other plugins and by hooks, services and commands too, go to the new version, and running ones end
  // on the old one. On an error the old one stays: those of Host::Load and of initialisers (E_TRAP …); E_CHANGED when
  // the files name another plugin, and when grants on disk are for other bytes; E_BUSY when files change while they
  // are read, no instance is free, or 16 old versions still run; E_UNAVAILABLE after Unload or Shutdown.
  Result<Reloaded> Reload() const;
  // Takes it out of service: as Plugin::Unload, and nothing is taken up any more.
  void Unload() const;

  struct State;

 private:
  friend class Host;
  explicit Deployment(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace cordon
