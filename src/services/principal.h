// cordon:context/call: in whose name a call is made, as far as the plugin was granted to know.
#pragma once

#include "services/router.h"

namespace cordon::services {

inline constexpr std::string_view kCallInterface = "cordon:context/call";

// A part of a principal: at most this long, UTF-8, and nothing that controls a terminal. E_LIMIT, E_INVALID.
inline constexpr std::size_t kPrincipalBytesMax = 256;
Status CheckPrincipal(const Principal& principal);

class PrincipalService final : public HostService {
 public:
  // `guard` must outlive the service.
  explicit PrincipalService(const Guard& guard) : guard_(guard) {}
  std::string_view interface_name() const override { return kCallInterface; }
  HostReply Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) override;

 private:
  const Guard& guard_;
};

}  // namespace cordon::services
