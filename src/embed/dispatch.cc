// What plugins registered with their host by `provides:`, found and called by name.
#include <algorithm>
#include <tuple>

#include "base/text.h"
#include "embed/state.h"
#include "manifest/manifest.h"

namespace cordon {
namespace {

using Names = std::vector<std::string> manifest::Provides::*;

// The loaded plugins; of two of one name, the one that was loaded last. Forgets those that are gone.
std::vector<std::shared_ptr<const Plugin::State>> Loaded(Host::State& host) {
  std::vector<std::shared_ptr<const Plugin::State>> all;
  {
    const std::lock_guard lock(host.mutex);
    std::erase_if(host.loaded, [](const auto& one) { return one.expired(); });
    for (const auto& one : host.loaded) {
      if (auto plugin = one.lock(); plugin != nullptr && !plugin->unloaded.load()) all.push_back(std::move(plugin));
    }
  }
  std::vector<std::shared_ptr<const Plugin::State>> last;
  for (auto at = all.begin(); at != all.end(); ++at) {
    const bool replaced = std::any_of(
        at + 1, all.end(), [&](const auto& later) { return later->plugin->name() == (*at)->plugin->name(); });
    if (!replaced) last.push_back(*at);
  }
  return last;
}

std::vector<std::shared_ptr<const Plugin::State>> Providers(Host::State& host, Names names, std::string_view name) {
  std::vector<std::shared_ptr<const Plugin::State>> providers = Loaded(host);
  std::erase_if(providers, [&](const auto& one) {
    const std::vector<std::string>& provided = one->plugin->manifest()->provides.*names;
    return std::ranges::find(provided, name) == provided.end();
  });
  return providers;
}

// The only one; `where` is the key of its manifest.
Status CheckOne(const std::vector<std::shared_ptr<const Plugin::State>>& providers, const std::string& shown,
                std::string_view where) {
  if (providers.empty()) {
    return Fail(Code::kNotFound, "no loaded plugin provides " + shown,
                "load one that has it under " + std::string(where));
  }
  if (providers.size() == 1) return {};
  return Fail(Code::kInvalid,
              providers[0]->plugin->name() + " and " + providers[1]->plugin->name() + " both provide " + shown,
              "unload one of them");
}

// "acme/geocode" and "lookup" of "acme/geocode#lookup".
struct TaskType {
  std::string_view plugin, action;
  bool is_plain = false;  // by a '#', which no other type has
};
std::optional<TaskType> ParseTaskType(std::string_view type) {
  const std::size_t slash = type.find('/');
  if (slash == type.npos) return std::nullopt;
  const std::size_t hash = type.find('#', slash);
  const std::size_t end = hash != type.npos ? hash : type.find('.', slash);
  if (slash == 0 || end == type.npos || end == slash + 1 || end + 1 == type.size()) return std::nullopt;
  return TaskType{type.substr(0, end), type.substr(end + 1), hash != type.npos};
}

Status CheckHost(const Host::State& host, const CallOptions& options) {
  if (host.down.load()) return Fail(Code::kUnavailable, "the host was shut down", "make a new Host");
  return embed::CheckPlace(&options);
}

}  // namespace

Result<std::vector<HookAnswer>> Host::Dispatch(std::string_view hook, std::string_view input_json,
                                               const CallOptions& options, std::vector<HookAnswer>* left_out) {
  return embed::Guarded([&]() -> Result<std::vector<HookAnswer>> {
    CORDON_TRY(CheckHost(*state_, options));
    std::vector<HookAnswer> answers;
    for (const auto& provider : Providers(*state_, &manifest::Provides::hooks, hook)) {
      bool leave_out = false;
      HookAnswer one{provider->plugin->name(), embed::CallForHook(*provider, hook, input_json, options, leave_out)};
      if (!leave_out) {
        answers.push_back(std::move(one));
      } else if (left_out != nullptr) {
        left_out->push_back(std::move(one));
      }
    }
    return answers;
  });
}

Result<Answer> Host::CallService(std::string_view service, std::string_view input_json, const CallOptions& options) {
  return embed::Guarded([&]() -> Result<Answer> {
    CORDON_TRY(CheckHost(*state_, options));
    auto providers = Providers(*state_, &manifest::Provides::services, service);
    CORDON_TRY(CheckOne(providers, "the service '" + std::string(service) + "'", "provides.services"));
    return Plugin(std::move(providers.front())).Call(service, input_json, options);
  });
}

Result<std::optional<TaskAction>> Host::FindAction(std::string_view task_type) const {
  return embed::Guarded([&]() -> Result<std::optional<TaskAction>> {
    const std::optional<TaskType> type = ParseTaskType(task_type);
    if (!type) return std::nullopt;
    const auto loaded = Loaded(*state_);
    const auto found =
        std::ranges::find_if(loaded, [&](const auto& one) { return one->plugin->name() == type->plugin; });
    const bool has = found != loaded.end() && (*found)->plugin->manifest()->actions.contains(std::string(type->action));
    if (has) return TaskAction{Plugin(*found), std::string(type->action)};
    if (!type->is_plain) return std::nullopt;
    return Fail(Code::kNotFound,
                found == loaded.end()
                    ? "the plugin " + std::string(type->plugin) + " is not loaded"
                    : std::string(type->plugin) + " has no action '" + std::string(type->action) + "'",
                "load the plugin, or mend the task's type");
  });
}

std::vector<Command> Host::Commands() const {
  std::vector<Command> commands;
  for (const auto& one : Loaded(*state_)) {
    const manifest::Manifest& manifest = *one->plugin->manifest();
    for (const auto& [path, action] : manifest.provides.commands) {
      commands.push_back({path, one->plugin->name(), action, manifest.actions.at(action).description});
    }
  }
  std::ranges::sort(commands, {}, [](const Command& command) { return std::tie(command.path, command.plugin); });
  return commands;
}

Result<Answer> Host::CallCommand(std::string_view path, std::string_view input_json, const CallOptions& options) {
  return embed::Guarded([&]() -> Result<Answer> {
    CORDON_TRY(CheckHost(*state_, options));
    auto providers = Loaded(*state_);
    std::erase_if(providers, [&](const auto& one) {
      return !one->plugin->manifest()->provides.commands.contains(std::string(path));
    });
    CORDON_TRY(CheckOne(providers, "the command '" + EscapeShort(path, 200) + "'", "provides.commands"));
    const std::string action = providers.front()->plugin->manifest()->provides.commands.at(std::string(path));
    return Plugin(std::move(providers.front())).Call(action, input_json, options);
  });
}

}  // namespace cordon
