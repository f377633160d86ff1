// The kill switch: while it is off nothing is loaded or called, and what runs is stopped within a second. It is a file
// in the state folder, so that one command stops every process that looks at it, and keeps them stopped.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "runtime/plugin.h"
#include "runtime/standing.h"

namespace cordon::runtime {

// In the state folder; while it is there, plugins are off.
inline constexpr std::string_view kSwitchFile = "plugins.off";

// Thread-safe.
class KillSwitch : public std::enable_shared_from_this<KillSwitch> {
 public:
  // `file` may be empty: then only SwitchOff counts. `held`: why the operator's configuration keeps plugins off.
  static std::shared_ptr<KillSwitch> Make(std::filesystem::path file, std::optional<std::string> held = std::nullopt);
  ~KillSwitch();

  // E_UNAVAILABLE while plugins are off.
  Status Check();
  // Of this process alone; the file is the operator's. Calls that run end at once.
  void SwitchOff(std::string why);
  void SwitchOn();
  // The operator's configuration keeps plugins off from now on, or does not any more.
  void Hold(std::optional<std::string> why);

  // Holds one call; made by Enter.
  class Running {
   public:
    Running(Running&&) noexcept = default;
    Running& operator=(Running&&) = delete;
    ~Running();
    const std::shared_ptr<CallHandle>& handle() const { return handle_; }
    // What a call that was stopped by the switch answers: its outcome in other words.
    Status Judge(Status outcome) const;

   private:
    friend class KillSwitch;
    Running() = default;
    std::shared_ptr<KillSwitch> of_;
    std::shared_ptr<CallHandle> handle_;
    std::shared_ptr<PluginStanding> standing_;
  };
  // Registers a call, with the caller's handle or a new one. E_UNAVAILABLE while plugins are off. From the first on a
  // thread looks at the file, until plugins are off.
  // `standing`, when it is given, is looked at too: the call of a plugin that is over is stopped.
  Result<Running> Enter(std::shared_ptr<CallHandle> handle, std::shared_ptr<PluginStanding> standing = nullptr);

 private:
  struct State;
  KillSwitch();
  void Watch();
  void StopAll();
  std::unique_ptr<State> state_;
};

// For operators' commands. E_IO.
Status WriteSwitchFile(const std::filesystem::path& state_folder, std::string_view who);
Status RemoveSwitchFile(const std::filesystem::path& state_folder);

}  // namespace cordon::runtime
