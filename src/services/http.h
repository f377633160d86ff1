// Decides over what leaves for the network. The engine's one way out (bridge/net) sends; this service says whether, to
// which addresses, within which limits, and with which headers that the guest never sees.
//
// Interface "cordon:host/egress", not importable by guests. Payloads (docs/formats/wire.md), where `request` is
// method: string, scheme: string, host: string, port: u16, path: string, in the form in which it would be sent:
//   admit(request) -> result<admission, EgressRefusal as u32>, with admission:
//     connect, first-byte, idle, total: u64 nanoseconds; header-count, header-bytes: u32;
//     request-bytes, response-bytes: u64; has-rate: u8; headers: list<tuple<string, string>>
//   addresses(request, found: list<string>) -> list<u32>: the indices of those that it may go to
//   report(request, target: string, rule: string): the way out refused by itself; audited as one denial
//   moved(bytes: u64) -> u64: a piece of a body went by, where bytes have a rate; how many nanoseconds the next one is
//     to wait
//   done(request, status: u16, bytes-up: u64, bytes-down: u64, duration: u64 nanoseconds)
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "policy/network.h"
#include "services/router.h"
#include "services/secret_source.h"

namespace cordon::services {

inline constexpr std::string_view kEgressInterface = "cordon:host/egress";

enum class EgressRefusal : std::uint32_t { kNotGranted = 0, kAuditUnavailable = 1 };

struct EgressLimits {
  Duration connect = std::chrono::seconds(5);
  Duration first_byte = std::chrono::seconds(15);
  Duration idle = std::chrono::seconds(15);  // between two pieces of a body
  Duration total = std::chrono::minutes(2);  // and never beyond the call
  std::uint32_t header_count = 100;          // of a request, and of a response
  std::uint32_t header_bytes = 32 << 10;
  std::uint64_t request_bytes = 8 << 20;
  std::uint64_t response_bytes = 8 << 20;
};

// A header that the host adds to requests that `where` covers.
struct InjectedHeader {
  policy::Capability where;  // of the kind http
  std::string name, value;
  std::string secret{};  // the secret of this name is put behind `value`, read for each request; empty: none is
};
// The longest value, and whether a text may be one: printable ASCII.
inline constexpr std::size_t kHeaderValueBytesMax = 8 << 10;
bool IsHeaderValue(std::string_view text);

struct EgressOptions {
  EgressLimits limits;
  std::vector<policy::AddressBlock> private_blocks;  // that granted names may lead to, though they are not public
  std::vector<InjectedHeader> headers;
  std::shared_ptr<SecretSource> secrets{};                              // of the headers that name one
  std::shared_ptr<LimitEnforcer> enforcer{};                            // null: bytes have no rate
  std::function<void(std::uint64_t up, std::uint64_t down)> on_done{};  // told of the bytes of each request
};

// What a plugin's requests came to.
struct EgressTotals {
  std::uint64_t requests = 0, bytes_up = 0, bytes_down = 0;
};

// Thread-safe.
class EgressService final : public HostService {
 public:
  // `guard` must outlive the service.
  EgressService(const Guard& guard, EgressOptions options) : guard_(guard), options_(std::move(options)) {}
  std::string_view interface_name() const override { return kEgressInterface; }
  HostReply Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) override;
  EgressTotals totals() const;

 private:
  struct Request;
  HostReply Moved(std::span<const std::uint8_t> payload) const;
  HostReply Admit(const Caller& caller, const Request& request);
  // Takes what one request may use from a grant that counts bytes, and narrows `limits` to it: a request that the guest
  // gives up has used all of it.
  policy::Decision Reserve(const Caller& caller, const Request& request, const policy::Capability& asked,
                           EgressLimits& limits);
  // Gives back what a request that ended has not used.
  void Settle(const Request& request, std::uint64_t bytes);
  HostReply Addresses(const Caller& caller, const Request& request, std::span<const std::string_view> found) const;
  HostReply Report(const Caller& caller, const Request& request, std::string_view target, std::string_view rule) const;
  // Nothing when a secret is not there, or is no value of a header.
  std::optional<SecretText> ValueOf(const InjectedHeader& header) const;
  // Empty, or the rule by which a request may not go to an address.
  std::string RuleFor(const Request& request, std::string_view address) const;
  const Guard& guard_;
  EgressOptions options_;
  std::atomic<std::uint64_t> requests_{0}, bytes_up_{0}, bytes_down_{0};
  struct Reservation {
    policy::Capability asked;
    std::uint64_t bytes;
  };
  std::mutex mutex_;                                  // guards what follows
  std::multimap<std::string, Reservation> reserved_;  // by method and URL, of requests on their way
};

}  // namespace cordon::services
