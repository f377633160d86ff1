#include "services/sockets.h"

#include <algorithm>
#include <optional>

#include "base/wire.h"
#include "services/addresses.h"

namespace cordon::services {
namespace {

using policy::Capability;

constexpr std::size_t kNamesMax = 256;
constexpr std::size_t kAddressesMax = 64;
constexpr std::size_t kAllowedMax = 1024;

std::string HostText(std::string_view address) {
  return address.find(':') == std::string_view::npos ? std::string(address) : "[" + std::string(address) + "]";
}

std::string_view ActionOf(SocketStep step) {
  switch (step) {
    case SocketStep::kTcpConnect: return "tcp";
    case SocketStep::kUdpSend:
    case SocketStep::kUdpReceive: return "udp";
    case SocketStep::kTcpBind:
    case SocketStep::kTcpListen:
    case SocketStep::kTcpAccept: return "listen-tcp";
    case SocketStep::kUdpBind: break;
  }
  return "listen-udp";
}

// "tcp", "db.internal", "5432" as the guest asks for it; nothing when no grant could name it.
std::optional<Capability> Socket(std::string_view action, std::string_view host, const std::string& ports) {
  auto made = Capability::Parse("net:" + std::string(action) + ":" + std::string(host) + ":" + ports);
  if (!made) return std::nullopt;
  return std::move(*made);
}

}  // namespace

HostReply SocketsService::Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) {
  wire::Reader in(payload);
  HostReply reply;
  wire::Writer out(reply.payload);
  if (function == "lookup") {
    const std::string_view name = in.String();
    if (const Status read = in.Finish(); !read) return Trap(Code::kInvalid, read.error().message);
    out.Bool(Lookup(caller, name));
  } else if (function == "found") {
    const std::string_view name = in.String();
    std::vector<std::string_view> addresses(std::min<std::size_t>(in.Count(4), kAddressesMax));
    for (std::string_view& address : addresses) address = in.String();
    if (const Status read = in.Finish(); !read) return Trap(Code::kInvalid, read.error().message);
    const std::vector<std::uint32_t> allowed = Found(caller, name, addresses);
    out.Count(allowed.size());
    for (const std::uint32_t index : allowed) out.U32(index);
  } else if (function == kSocketUse) {
    const Result<SocketUse> use = DecodeSocketUse(payload);
    if (!use) return Trap(Code::kInvalid, use.error().message);
    out.Bool(Use(caller, use->step, use->address, use->port));
  } else {
    return Trap(Code::kLink, "nothing answers " + std::string(kSocketsInterface) + "#" + std::string(function));
  }
  return reply;
}

// A name may be looked up when something may be sent to it, on whatever port.
bool SocketsService::Lookup(const Caller& caller, std::string_view name) const {
  const std::string target = "lookup " + std::string(name);
  // A pattern is no name, though a grant may be one.
  const bool is_name = name.find_first_of("*/") == std::string_view::npos;
  for (const policy::Ruling& ruling : guard_.authority().rulings()) {
    const policy::SocketScope* scope = ruling.effective ? ruling.effective->socket() : nullptr;
    if (scope == nullptr || !is_name) continue;
    const auto asked = Socket(scope->action, name, std::to_string(scope->ports.first));
    if (asked && ruling.effective->Covers(*asked)) return guard_.Check(caller, *asked, target).allowed();
  }
  guard_.Refuse(caller, "net:tcp:" + std::string(name), target, "no-grant");
  return false;
}

std::vector<std::uint32_t> SocketsService::Found(const Caller& caller, std::string_view name,
                                                 std::span<const std::string_view> addresses) {
  std::vector<std::uint32_t> allowed;
  std::string first_rule;
  for (std::uint32_t i = 0; i < addresses.size(); ++i) {
    const std::string rule = RuleAgainst(guard_.authority(), private_blocks_, name, addresses[i]);
    if (rule.empty()) {
      allowed.push_back(i);
      Remember(name, addresses[i]);
    } else if (first_rule.empty()) {
      first_rule = rule;
    }
  }
  if (allowed.empty() && !addresses.empty()) {
    guard_.Refuse(caller, "net:tcp:" + std::string(name), "lookup " + std::string(name), first_rule);
  }
  return allowed;
}

void SocketsService::Remember(std::string_view name, std::string_view address) {
  const std::lock_guard lock(mutex_);
  std::pair<std::string, std::string> entry(name, address);
  std::erase(names_, entry);
  names_.push_back(std::move(entry));
  if (names_.size() > kNamesMax) names_.pop_front();
}

Capability SocketsService::Asked(std::string_view action, const std::string& host, std::uint16_t port) const {
  const std::string ports = std::to_string(port);
  if (!action.starts_with("listen-")) {
    const std::lock_guard lock(mutex_);
    for (auto entry = names_.rbegin(); entry != names_.rend(); ++entry) {
      if (HostText(entry->second) != host) continue;
      auto named = Socket(action, entry->first, ports);
      if (named && guard_.authority().Decide(*named).allowed()) return std::move(*named);
    }
  }
  return *Socket(action, host, ports);
}

bool SocketsService::Decide(const Caller& caller, std::string_view action, const std::string& host,
                            std::uint16_t port) {
  const std::string target = host + ":" + std::to_string(port);
  if (!Socket(action, host, std::to_string(port))) {
    guard_.Refuse(caller, "net:" + std::string(action), target, "net:address");
    return false;
  }
  const Capability asked = Asked(action, host, port);
  const std::tuple question(std::string(action), host, port);
  {
    const std::lock_guard lock(mutex_);
    if (call_id_ != caller.call_id || allowed_.size() > kAllowedMax) allowed_.clear();
    call_id_ = caller.call_id;
    if (action != "tcp" && allowed_.contains(question)) return guard_.authority().Decide(asked).allowed();
  }
  if (!guard_.Check(caller, asked, target).allowed()) return false;
  const std::lock_guard lock(mutex_);
  allowed_.insert(question);
  return true;
}

bool SocketsService::Use(const Caller& caller, SocketStep step, std::string_view address, std::uint16_t port) {
  const auto what = policy::ClassOf(address);
  if (!what) return false;
  switch (step) {
    // A port that the system picks is not one that anybody waits at; what may be heard and sent is asked for later.
    case SocketStep::kTcpBind:
    case SocketStep::kUdpBind:
      if (port == 0) return true;
      break;
    // Whoever may listen may accept.
    case SocketStep::kTcpAccept: return true;
    // Answers come from whom the guest may send to, or to a port at which it may listen; nothing is asked by the guest.
    case SocketStep::kUdpReceive: {
      if (guard_.authority().Decide(Asked("udp", HostText(address), std::max<std::uint16_t>(port, 1))).allowed()) {
        return true;
      }
      return std::ranges::any_of(guard_.authority().rulings(), [](const policy::Ruling& ruling) {
        const policy::SocketScope* scope = ruling.effective ? ruling.effective->socket() : nullptr;
        return scope != nullptr && scope->action == "listen-udp";
      });
    }
    case SocketStep::kTcpListen:
    case SocketStep::kTcpConnect:
    case SocketStep::kUdpSend: break;
  }
  const bool leaves = step == SocketStep::kTcpConnect || step == SocketStep::kUdpSend;
  if (leaves && (*what == policy::AddressClass::kMetadata || *what == policy::AddressClass::kUnspecified)) {
    guard_.Refuse(caller, "net:" + std::string(ActionOf(step)) + ":" + HostText(address) + ":" + std::to_string(port),
                  HostText(address), "net:" + std::string(policy::AddressClassName(*what)));
    return false;
  }
  return Decide(caller, ActionOf(step), HostText(address), port);
}

}  // namespace cordon::services
