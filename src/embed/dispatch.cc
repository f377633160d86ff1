// What plugins registered with their host by `provides:`, found and called by name.
#include <algorithm>

#include "embed/state.h"
#include "manifest/manifest.h"

namespace cordon {
namespace {

using Names = std::vector<std::string> manifest::Provides::*;

// The loaded plugins that provide `name`; of two of one name, the one that was loaded last. Forgets those that are
// gone.
std::vector<std::shared_ptr<const Plugin::State>> Providers(Host::State& host, Names names, std::string_view name) {
  std::vector<std::shared_ptr<const Plugin::State>> all;
  {
    const std::lock_guard lock(host.mutex);
    std::erase_if(host.loaded, [](const auto& one) { return one.expired(); });
    for (const auto& one : host.loaded) {
      if (auto plugin = one.lock(); plugin != nullptr && !plugin->unloaded.load()) all.push_back(std::move(plugin));
    }
  }
  std::vector<std::shared_ptr<const Plugin::State>> providers;
  for (auto at = all.begin(); at != all.end(); ++at) {
    const bool replaced = std::any_of(
        at + 1, all.end(), [&](const auto& later) { return later->plugin->name() == (*at)->plugin->name(); });
    const std::vector<std::string>& provided = (*at)->plugin->manifest()->provides.*names;
    if (!replaced && std::ranges::find(provided, name) != provided.end()) providers.push_back(*at);
  }
  return providers;
}

Status CheckHost(const Host::State& host, const CallOptions& options) {
  if (host.down.load()) return Fail(Code::kUnavailable, "the host was shut down", "make a new Host");
  return embed::CheckPlace(&options);
}

}  // namespace

Result<std::vector<HookAnswer>> Host::Dispatch(std::string_view hook, std::string_view input_json,
                                               const CallOptions& options) {
  return embed::Guarded([&]() -> Result<std::vector<HookAnswer>> {
    CORDON_TRY(CheckHost(*state_, options));
    std::vector<HookAnswer> answers;
    for (auto& provider : Providers(*state_, &manifest::Provides::hooks, hook)) {
      const Plugin plugin(std::move(provider));
      answers.push_back({plugin.name(), plugin.Call(hook, input_json, options)});
    }
    return answers;
  });
}

Result<Answer> Host::CallService(std::string_view service, std::string_view input_json, const CallOptions& options) {
  return embed::Guarded([&]() -> Result<Answer> {
    CORDON_TRY(CheckHost(*state_, options));
    auto providers = Providers(*state_, &manifest::Provides::services, service);
    const std::string shown = "the service '" + std::string(service) + "'";
    if (providers.empty()) {
      return Fail(Code::kNotFound, "no loaded plugin provides " + shown,
                  "load one that has it under provides.services");
    }
    if (providers.size() > 1) {
      return Fail(Code::kInvalid,
                  providers[0]->plugin->name() + " and " + providers[1]->plugin->name() + " both provide " + shown,
                  "unload one of them");
    }
    return Plugin(std::move(providers.front())).Call(service, input_json, options);
  });
}

}  // namespace cordon
