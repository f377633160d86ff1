// "extism:host/env" beyond memory: what plugins written for Extism ask of their host, answered by the services that
// answer the same questions of components.
//
//   config_get(key: string) -> option<list<u8>>       wasi:config/store#get
//   log_trace(line: string), … log_error              wasi:logging/logging#log
//   var_get(key: string) -> option<list<u8>>          wasi:keyvalue/store, the bucket `vars`
//   var_set(key: string, value: option<list<u8>>)     the same; E_LIMIT when it is full
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "services/router.h"

namespace cordon::services {

inline constexpr std::string_view kExtismInterface = "extism:host/env";
// The bucket that keeps variables.
inline constexpr std::string_view kVarsBucket = "vars";

// Whatever is null is not linked, so nobody asks for it.
struct ExtismParts {
  std::unique_ptr<HostService> settings;  // as wasi:config/store
  std::unique_ptr<HostService> log;       // as wasi:logging/logging
  std::unique_ptr<HostService> vars;      // as wasi:keyvalue/store, with the bucket of variables alone
};

// Thread-safe. It decides nothing by itself: what it asks does.
class ExtismService final : public HostService {
 public:
  explicit ExtismService(ExtismParts parts) : parts_(std::move(parts)) {}
  std::string_view interface_name() const override { return kExtismInterface; }
  HostReply Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) override;

 private:
  HostReply Setting(const Caller& caller, std::span<const std::uint8_t> payload) const;
  HostReply Log(const Caller& caller, std::string_view level, std::span<const std::uint8_t> payload) const;
  HostReply GetVar(const Caller& caller, std::span<const std::uint8_t> payload) const;
  HostReply SetVar(const Caller& caller, std::span<const std::uint8_t> payload) const;
  ExtismParts parts_;
};

}  // namespace cordon::services
