// Questions of zeroclaw's functions from hostile guests, over services that answer anything: the guest's call ends with
// a code, or it gets a JSON object in which what is no success says why. The first byte chooses the function; what
// follows the first NUL is what the service behind it answers.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "abi/zeroclaw/service.h"
#include "abi/zeroclaw/table.h"
#include "base/wire.h"
#include "formats/json.h"

namespace {

using namespace cordon;

void Require(bool holds) {
  if (!holds) std::abort();
}

class Deaf final : public audit::Observer {
 public:
  Status On(const audit::Record&) override { return {}; }
};

// A part of any name.
class Part final : public services::HostService {
 public:
  explicit Part(std::span<const std::uint8_t> answer) : answer_(answer) {}
  std::string_view interface_name() const override { return "part"; }
  HostReply Call(const services::Caller&, std::string_view, std::span<const std::uint8_t> payload) override {
    Require(payload.size() < (8u << 20));
    HostReply reply;
    reply.payload.assign(answer_.begin(), answer_.end());
    return reply;
  }

 private:
  std::span<const std::uint8_t> answer_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto functions = abi::ZeroclawFunctions();
  const std::string_view function = functions[data[0] % functions.size()].name;
  const std::string_view rest(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::size_t end = std::min(rest.find('\0'), rest.size());
  const std::span<const std::uint8_t> question(data + 1, end);
  const std::span<const std::uint8_t> answer(data + 1 + end, size - 1 - end);
  const policy::Authority authority;
  Deaf observer;
  const services::Guard guard(authority, observer, "acme/a", "sha256:0");
  const auto part = [&] { return std::make_unique<Part>(answer.empty() ? answer : answer.subspan(1)); };
  abi::ZeroclawParts parts;
  parts.memory = part();
  parts.calls = part();
  parts.producer = part();
  parts.programs = part();
  parts.context = part();
  abi::ZeroclawService service(guard, std::move(parts));
  wire::Buffer payload;
  wire::Writer out(payload);
  out.Count(question.size());
  out.Raw(question);
  const HostReply reply = service.Call({}, function, payload);
  if (reply.outcome == HostReply::Outcome::kTrap) {
    Require(!reply.message.empty());
    return 0;
  }
  wire::Reader in(reply.payload);
  const auto told = json::Parse(in.String());
  Require(in.Finish().has_value() && told && told->is_object());
  const auto success = told->find("success");
  if (success != told->end()) Require(success->is_boolean());
  return 0;
}
