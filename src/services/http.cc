#include "services/http.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/wire.h"
#include "services/addresses.h"

namespace cordon::services {
namespace {

using policy::Capability;

// Rules of the way out (bridge/net, policy.rs).
constexpr std::array<std::string_view, 4> kRules = {"http:url", "http:header", "http:certificate", "http:limit"};
constexpr std::size_t kAddressesMax = 64;
constexpr std::size_t kReservedMax = 1024;

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// A path as a server that decodes it, again and again, would see it at last; without dots.
std::string DecodedPath(std::string_view path) {
  std::string text(path);
  for (int round = 0; round < 4 && text.find('%') != std::string::npos; ++round) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const bool escape =
          text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 && HexDigit(text[i + 2]) >= 0;
      decoded += escape ? static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2])) : text[i];
      if (escape) i += 2;
    }
    if (decoded == text) break;
    text = std::move(decoded);
  }
  std::replace(text.begin(), text.end(), '\\', '/');
  std::vector<std::string_view> kept;
  std::string_view rest = text;
  bool folder = false;
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::size_t slash = rest.find('/');
    const std::string_view segment = rest.substr(0, slash);
    folder = segment.empty() || segment == "." || segment == "..";
    if (segment == ".." && !kept.empty()) kept.pop_back();
    if (!folder) kept.push_back(segment);
    rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash);
  }
  std::string normal;
  for (std::string_view segment : kept) normal += "/" + std::string(segment);
  return folder || normal.empty() ? normal + "/" : normal;
}

enum class Rated : std::uint8_t { kNo = 0, kYes = 1 };

void PutResult(wire::Writer& out, const EgressLimits& limits, Rated rated) {
  out.U8(0);
  for (const Duration limit : {limits.connect, limits.first_byte, limits.idle, limits.total}) {
    out.U64(static_cast<std::uint64_t>(limit.count()));
  }
  out.U32(limits.header_count);
  out.U32(limits.header_bytes);
  out.U64(limits.request_bytes);
  out.U64(limits.response_bytes);
  out.U8(static_cast<std::uint8_t>(rated));
}

HostReply Refused(Code code) {
  HostReply reply;
  wire::Writer out(reply.payload);
  out.U8(1);
  const auto refusal = code == Code::kAuditUnavailable ? EgressRefusal::kAuditUnavailable : EgressRefusal::kNotGranted;
  out.U32(static_cast<std::uint32_t>(refusal));
  return reply;
}

}  // namespace

bool IsHeaderValue(std::string_view text) {
  const auto is_plain = [](char c) { return c >= 0x20 && c < 0x7f; };
  return text.size() <= kHeaderValueBytesMax && std::ranges::all_of(text, is_plain);
}

struct EgressService::Request {
  std::string_view method, scheme, host;
  std::uint16_t port = 0;
  std::string_view path;

  static Request Read(wire::Reader& in) {
    Request request;
    request.method = in.String();
    request.scheme = in.String();
    request.host = in.String();
    request.port = in.U16();
    request.path = in.String();
    return request;
  }

  Result<Capability> Asked(std::string_view as_path) const {
    return policy::MakeHttpRequest(method, scheme, host, port, as_path);
  }
  // For the audit: a query may hold what is nobody's business.
  std::string Url() const {
    if (host.empty()) return {};
    const std::uint16_t usual = scheme == "https" ? 443 : 80;
    return std::string(scheme) + "://" + std::string(host) + (port == usual ? "" : ":" + std::to_string(port)) +
           std::string(path);
  }
  std::string CapabilityText() const {
    const auto asked = Asked(path);
    return asked ? asked->ToString() : "http:" + std::string(method) + ":" + Url();
  }
};

HostReply EgressService::Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) {
  if (function == "moved") return Moved(payload);
  wire::Reader in(payload);
  const Request request = Request::Read(in);
  std::vector<std::string_view> found;
  std::string_view target, rule;
  if (function == "addresses") {
    const std::uint32_t count = in.Count(4);
    for (std::uint32_t i = 0; i < count && in.ok(); ++i) found.push_back(in.String());
  } else if (function == "report") {
    target = in.String();
    rule = in.String();
  } else if (function == "done") {
    in.U16();
    const std::uint64_t up = in.U64(), down = in.U64();
    in.U64();
    bytes_up_ += up;
    bytes_down_ += down;
    ++requests_;
    if (options_.on_done) options_.on_done(up, down);
    Settle(request, up + down);
  } else if (function != "admit") {
    return Trap(Code::kLink, "nothing answers " + std::string(kEgressInterface) + "#" + std::string(function));
  }
  if (const Status read = in.Finish(); !read) return Trap(Code::kInvalid, read.error().message);
  if (found.size() > kAddressesMax) return Trap(Code::kLimit, "too many addresses");
  if (function == "admit") return Admit(caller, request);
  if (function == "addresses") return Addresses(caller, request, found);
  if (function == "report") return Report(caller, request, target, rule);
  return {};
}

HostReply EgressService::Moved(std::span<const std::uint8_t> payload) const {
  wire::Reader in(payload);
  const std::uint64_t bytes = in.U64();
  if (const Status end = in.Finish(); !end) return Trap(Code::kInvalid, end.error().message);
  const Duration wait =
      options_.enforcer == nullptr ? Duration(0) : options_.enforcer->Spend(Resource::kNetwork, bytes);
  HostReply reply;
  wire::Writer(reply.payload).U64(static_cast<std::uint64_t>(wait.count()));
  return reply;
}

policy::Decision EgressService::Reserve(const Caller& caller, const Request& request, const Capability& asked,
                                        EgressLimits& limits) {
  const std::uint64_t left = guard_.BytesLeft(asked);
  if (left == UINT64_MAX) return {policy::Verdict::kAllow, {}, {}, Code::kDenied};
  const std::uint64_t mine = std::min(left, limits.request_bytes + limits.response_bytes);
  policy::Decision decision = guard_.Spend(caller, asked, request.Url(), mine);
  if (!decision.allowed()) return decision;
  const bool reads = request.method == "GET" || request.method == "HEAD";
  limits.request_bytes = std::min(limits.request_bytes, mine / (reads ? 16 : 2));
  limits.response_bytes = std::min(limits.response_bytes, mine - limits.request_bytes);
  const std::lock_guard lock(mutex_);
  // Those that were given up stay here, and have used all of theirs.
  if (reserved_.size() >= kReservedMax) reserved_.erase(reserved_.begin());
  reserved_.emplace(std::string(request.method) + " " + request.Url(), Reservation{asked, mine});
  return decision;
}

void EgressService::Settle(const Request& request, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (reserved_.empty()) return;
  const auto found = reserved_.find(std::string(request.method) + " " + request.Url());
  if (found == reserved_.end()) return;
  if (found->second.bytes > bytes) guard_.GiveBack(found->second.asked, found->second.bytes - bytes);
  reserved_.erase(found);
}

HostReply EgressService::Admit(const Caller& caller, const Request& request) {
  auto asked = request.Asked(request.path);
  if (!asked) {
    return Refused(guard_.Refuse(caller, request.CapabilityText(), request.Url(), "http:host").code);
  }
  // What a server may make of the path has to be allowed as well.
  constexpr std::string_view kMarks[] = {"%", "//", "/.", "\\"};
  if (std::ranges::any_of(kMarks, [&](auto mark) { return request.path.find(mark) != std::string_view::npos; })) {
    auto decoded = request.Asked(DecodedPath(request.path));
    if (decoded && !guard_.authority().Decide(*decoded).allowed()) asked = std::move(decoded);
  }
  std::vector<std::pair<const InjectedHeader*, SecretText>> added;
  const bool may = guard_.authority().Decide(*asked).allowed();
  for (const InjectedHeader& header : options_.headers) {
    if (!may || !header.where.Covers(*asked)) continue;
    auto value = ValueOf(header);
    // Without the header it would be another request than the operator wanted.
    if (!value) return Refused(guard_.Refuse(caller, request.CapabilityText(), request.Url(), "http:secret").code);
    added.emplace_back(&header, std::move(*value));
  }
  const policy::Decision decision = guard_.Check(caller, *asked, request.Url());
  if (!decision.allowed()) return Refused(decision.code);
  EgressLimits limits = options_.limits;
  const policy::Decision reserved = Reserve(caller, request, *asked, limits);
  if (!reserved.allowed()) return Refused(reserved.code);
  HostReply reply;
  wire::Writer out(reply.payload);
  const bool has_rate = options_.enforcer != nullptr && options_.enforcer->Bounds(Resource::kNetwork);
  PutResult(out, limits, has_rate ? Rated::kYes : Rated::kNo);
  out.Count(added.size());
  for (const auto& [header, value] : added) {
    out.String(header->name);
    out.String(value.reveal());
  }
  return reply;
}

std::optional<SecretText> EgressService::ValueOf(const InjectedHeader& header) const {
  if (header.secret.empty()) return SecretText(header.value);
  if (options_.secrets == nullptr) return std::nullopt;
  const auto secret = options_.secrets->Find(guard_.plugin(), header.secret);
  if (!secret || !*secret) return std::nullopt;
  std::string whole = header.value + std::string((*secret)->reveal());
  std::optional<SecretText> value;
  if (IsHeaderValue(whole)) value.emplace(whole);
  WipeText(whole.data(), whole.size());
  return value;
}

std::string EgressService::RuleFor(const Request& request, std::string_view address) const {
  const std::string rule = RuleAgainst(guard_.authority(), options_.private_blocks, request.host, address);
  const bool is_never = rule == "net:metadata" || rule == "net:unspecified" || rule == "net:unknown";
  if (rule.empty() || is_never) return rule;
  // An address that a grant names is the operator's word; the request was covered by it.
  const bool is_v6 = address.find(':') != std::string_view::npos;
  return request.host == (is_v6 ? "[" + std::string(address) + "]" : std::string(address)) ? std::string() : rule;
}

HostReply EgressService::Addresses(const Caller& caller, const Request& request,
                                   std::span<const std::string_view> found) const {
  std::vector<std::uint32_t> allowed;
  std::string first_rule, refused;
  for (std::uint32_t i = 0; i < found.size(); ++i) {
    const std::string rule = RuleFor(request, found[i]);
    if (rule.empty()) {
      allowed.push_back(i);
      continue;
    }
    if (first_rule.empty()) first_rule = rule;
    if (refused.size() < 256) refused += (refused.empty() ? "" : ", ") + std::string(found[i]);
  }
  if (allowed.empty()) {
    guard_.Refuse(caller, request.CapabilityText(), request.Url() + " at " + refused,
                  first_rule.empty() ? "net:unknown" : first_rule);
  }
  HostReply reply;
  wire::Writer out(reply.payload);
  out.Count(allowed.size());
  for (const std::uint32_t index : allowed) out.U32(index);
  return reply;
}

HostReply EgressService::Report(const Caller& caller, const Request& request, std::string_view target,
                                std::string_view rule) const {
  const bool known = std::ranges::find(kRules, rule) != kRules.end();
  const std::string url = request.Url();
  const std::string aim(target);
  const std::string shown = url.empty() || aim.empty() ? url + aim : url + " to " + aim;
  const policy::Decision decision =
      guard_.Refuse(caller, url.empty() ? "http" : request.CapabilityText(), shown, known ? rule : "http:unknown");
  if (decision.code == Code::kAuditUnavailable) return Trap(decision.code, "the audit cannot be written");
  return {};
}

EgressTotals EgressService::totals() const { return {requests_.load(), bytes_up_.load(), bytes_down_.load()}; }

}  // namespace cordon::services
