// wasi:config/store: a plugin's own settings, as they were when it was loaded.
#pragma once

#include <string>
#include <vector>

#include "base/secret_text.h"
#include "services/router.h"

namespace cordon::services {

inline constexpr std::string_view kConfigInterface = "wasi:config/store";

// A text as it is, anything else as JSON.
struct SettingValue {
  std::string key;
  SecretText value;
};

class SettingsService final : public HostService {
 public:
  // `guard` must outlive the service.
  SettingsService(const Guard& guard, std::vector<SettingValue> values) : guard_(guard), values_(std::move(values)) {}
  std::string_view interface_name() const override { return kConfigInterface; }
  HostReply Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) override;

 private:
  const Guard& guard_;
  std::vector<SettingValue> values_;
};

}  // namespace cordon::services
