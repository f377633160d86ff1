// Requests, names and addresses from hostile hands: what is let through is what a plain reading of the grants lets
// through. The input is lines, METHOD SCHEME HOST PORT PATH, apart by blanks; the host is taken for an address too.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/wire.h"
#include "services/http.h"
#include "services/sockets.h"

namespace {

using namespace cordon;

void Require(bool holds) {
  if (!holds) std::abort();
}

policy::Authority Granted() {
  std::vector<policy::Request> requests;
  std::vector<policy::Grant> grants;
  for (const char* text : {"http:GET:http://h.test:8080/v1/*", "http:GET,POST:https://*.wild.test/*",
                           "net:tcp:10.0.0.0/8:5432", "net:udp:*.dns.test:53"}) {
    requests.push_back({*policy::Capability::Parse(text), policy::Need::kOptional, ""});
    grants.push_back(*policy::Grant::Parse(text));
  }
  return *policy::Authority::Compute(requests, grants, policy::Ceiling::Default(), policy::LinkMode::kLenient);
}

struct Line {
  std::string method, scheme, host, path;
  unsigned port = 0;
};

void Check(services::EgressService& egress, services::SocketsService& sockets, const Line& line) {
  const auto port = static_cast<std::uint16_t>(line.port);
  std::vector<std::uint8_t> payload;
  wire::Writer out(payload);
  for (const std::string& text : {line.method, line.scheme, line.host}) out.String(text);
  out.U16(port);
  out.String(line.path);
  const HostReply admitted = egress.Call({}, "admit", payload);
  if (admitted.outcome == HostReply::Outcome::kDone && admitted.payload.at(0) == 0) {
    const bool plain = line.method == "GET" && line.scheme == "http" && line.host == "h.test" && port == 8080 &&
                       line.path.starts_with("/v1/") && line.path.find("/../") == std::string::npos;
    const bool wild = (line.method == "GET" || line.method == "POST") && line.scheme == "https" && port == 443 &&
                      line.host.size() > 10 && line.host.ends_with(".wild.test") &&
                      line.host.find_first_of("*@/:%") == std::string::npos;
    Require(plain || wild);
  }
  // A granted name that leads to the host as an address.
  std::vector<std::uint8_t> led;
  wire::Writer leads(led);
  for (const std::string_view text : {"GET", "http", "h.test"}) leads.String(text);
  leads.U16(8080);
  leads.String("/v1/a");
  leads.Count(1);
  leads.String(line.host);
  const HostReply chosen = egress.Call({}, "addresses", led);
  if (chosen.outcome == HostReply::Outcome::kDone && chosen.payload.at(0) == 1) {
    const auto what = policy::ClassOf(line.host);
    const auto block = policy::AddressBlock::Parse(line.host);
    Require(what &&
            (*what == policy::AddressClass::kPublic || policy::AddressBlock::Parse("10.0.0.0/8")->Holds(*block)));
  }
  std::vector<std::uint8_t> name;
  wire::Writer(name).String(line.host);
  const HostReply found = sockets.Call({}, "lookup", name);
  if (found.outcome == HostReply::Outcome::kDone && found.payload.at(0) == 1) {
    Require(line.host.ends_with(".dns.test") || policy::AddressBlock::Parse(line.host));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const policy::Authority authority = Granted();
  audit::MemoryObserver observer;
  const services::Guard guard(authority, observer, "fuzz/egress", "");
  services::EgressService egress(guard, {});
  services::SocketsService sockets(guard, {});
  for (const char* function : {"admit", "addresses", "report", "done"}) egress.Call({}, function, {data, size});
  for (const char* function : {"lookup", "found", "use"}) sockets.Call({}, function, {data, size});
  std::istringstream lines(std::string(reinterpret_cast<const char*>(data), size));
  for (std::string text; std::getline(lines, text);) {
    std::istringstream words(text);
    Line line;
    if (words >> line.method >> line.scheme >> line.host >> line.port >> line.path) Check(egress, sockets, line);
  }
  return 0;
}
