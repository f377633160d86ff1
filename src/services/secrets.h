// cordon:secrets/store: secrets that the operator granted by name, read afresh for each call.
#pragma once

#include <memory>

#include "services/router.h"
#include "services/secret_source.h"

namespace cordon::services {

inline constexpr std::string_view kSecretsInterface = "cordon:secrets/store";

class SecretsService final : public HostService {
 public:
  // `guard` must outlive the service.
  SecretsService(const Guard& guard, std::shared_ptr<SecretSource> source)
      : guard_(guard), source_(std::move(source)) {}
  std::string_view interface_name() const override { return kSecretsInterface; }
  HostReply Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) override;

 private:
  const Guard& guard_;
  std::shared_ptr<SecretSource> source_;
};

}  // namespace cordon::services
