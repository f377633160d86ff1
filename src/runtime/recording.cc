#include "runtime/recording.h"

#include <algorithm>

#include "base/text.h"
#include "formats/json.h"

namespace cordon::runtime {
namespace {

constexpr std::string_view kOwnInterfaces = "cordon:host/";  // questions of the engine, not of the guest
constexpr std::size_t kShownBytes = 24;

std::string Hex(std::span<const std::uint8_t> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

std::optional<std::vector<std::uint8_t>> FromHex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::vector<std::uint8_t> out(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool digit = c >= '0' && c <= '9';
    if (!digit && (c < 'a' || c > 'f')) return std::nullopt;
    out[i / 2] = static_cast<std::uint8_t>(out[i / 2] << 4 | (digit ? c - '0' : c - 'a' + 10));
  }
  return out;
}

std::string NameOf(std::string_view interface_name, std::string_view function) {
  return std::string(interface_name) + "#" + std::string(function);
}

std::string Shown(std::span<const std::uint8_t> bytes) {
  return Hex(bytes.first(std::min(bytes.size(), kShownBytes))) + (bytes.size() > kShownBytes ? "…" : "") + " (" +
         std::to_string(bytes.size()) + " bytes)";
}

std::optional<Code> CodeNamed(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(kLastCode); ++i) {  // the last of them
    if (CodeName(static_cast<Code>(i)) == name) return static_cast<Code>(i);
  }
  return std::nullopt;
}

std::string_view WithoutVersion(std::string_view name) { return name.substr(0, name.find('@')); }

// Every function of an import, as a message; of an interface without functions, its resources.
void AddImport(const wit::Item& item, engine::HostImport::Kind kind, std::vector<engine::HostImport>& out) {
  if (item.kind == wit::Item::Kind::kFunction) {
    out.push_back({"", item.name, kind});
    return;
  }
  for (const wit::Function& function : item.functions) out.push_back({item.name, function.name, kind});
  if (item.functions.empty()) out.push_back({item.name, "", kind});
}

OrderedJson ExchangeJson(const HostExchange& exchange) {
  OrderedJson json = {{"call", Escape(NameOf(exchange.interface_name, exchange.function))},
                      {"asked", Hex(exchange.asked)}};
  if (exchange.trap) {
    json["trap"] = CodeName(*exchange.trap);
  } else {
    json["answered"] = Hex(exchange.answered);
  }
  return json;
}

// Reads one line's members; what is missing or of another type is remembered.
class Members {
 public:
  explicit Members(const Json& json) : json_(json) {}
  std::string Text(const char* key) {
    const auto found = json_.find(key);
    good_ = good_ && found != json_.end() && found->is_string();
    return good_ ? found->get<std::string>() : std::string();
  }
  std::vector<std::uint8_t> Bytes(const char* key) {
    auto bytes = FromHex(Text(key));
    good_ = good_ && bytes.has_value();
    return bytes ? std::move(*bytes) : std::vector<std::uint8_t>();
  }
  std::optional<Code> CodeOf(const char* key) {
    if (!json_.contains(key)) return std::nullopt;
    const auto code = CodeNamed(Text(key));
    good_ = good_ && code.has_value();
    return code;
  }
  bool good() const { return good_; }

 private:
  const Json& json_;
  bool good_ = true;
};

bool ReadHeader(const Json& line, Fixture& out) {
  Members members(line);
  out.plugin = members.Text("plugin");
  const auto digest = Digest::Parse(members.Text("digest"));
  out.source = members.Text("source");
  out.action = members.Text("action");
  out.input = members.Text("input");
  if (digest) out.digest = *digest;
  return members.good() && digest && line.value("fixture", 0) == 1;
}

bool ReadExchange(const Json& line, HostExchange& out) {
  Members members(line);
  const std::string name = members.Text("call");
  const std::size_t mark = name.rfind('#');
  out.asked = members.Bytes("asked");
  out.trap = members.CodeOf("trap");
  if (!out.trap) out.answered = members.Bytes("answered");
  if (!members.good() || mark == std::string::npos) return false;
  out.interface_name = name.substr(0, mark);
  out.function = name.substr(mark + 1);
  return true;
}

bool ReadEnd(const Json& line, Fixture& out) {
  Members members(line);
  out.code = members.CodeOf("failed");
  if (!out.code) out.output = members.Text("output");
  return members.good();
}

}  // namespace

std::string FixtureText(const Fixture& fixture) {
  const auto line = [](const OrderedJson& json) { return json.dump() + "\n"; };
  std::string text = line({{"fixture", 1},
                           {"plugin", Escape(fixture.plugin)},
                           {"digest", fixture.digest.ToString()},
                           {"source", Escape(fixture.source)},
                           {"action", Escape(fixture.action)},
                           {"input", fixture.input}});
  for (const HostExchange& exchange : fixture.exchanges) text += line(ExchangeJson(exchange));
  OrderedJson end = OrderedJson::object();
  if (fixture.code) {
    end["failed"] = CodeName(*fixture.code);
  } else {
    end["output"] = fixture.output;
  }
  return text + line(end);
}

Result<Fixture> ParseFixture(std::string_view text, const std::string& file) {
  Fixture fixture;
  std::size_t number = 0;
  bool ended = false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    ++number;
    const std::string place = file + ":" + std::to_string(number);
    CORDON_ASSIGN(const Json line, json::Parse(text.substr(0, end), place, {.bytes = kFixtureBytesMax}));
    text.remove_prefix(std::min(text.size(), end + 1));
    bool good = line.is_object() && !ended;
    if (good && number == 1) {
      good = ReadHeader(line, fixture);
    } else if (good && line.contains("call")) {
      good = ReadExchange(line, fixture.exchanges.emplace_back());
    } else if (good) {
      good = ended = ReadEnd(line, fixture);
    }
    if (!good) return Fail(Code::kInvalid, place + " is not a line of a fixture", "record it again: cordon record");
  }
  if (ended) return fixture;
  return Fail(Code::kInvalid, file + " is a fixture without an end", "record it again: cordon record");
}

void Recorder::After(const services::Caller&, const HostRequest& request, const HostReply& reply,
                     std::chrono::steady_clock::time_point) {
  if (request.interface_name.starts_with(kOwnInterfaces)) return;
  const std::lock_guard lock(mutex_);
  bytes_ += 2 * (request.payload.size() + reply.payload.size()) + 200;
  if (bytes_ > kFixtureBytesMax) {
    exchanges_.clear();
    return;
  }
  HostExchange& one = exchanges_.emplace_back();
  one.interface_name = request.interface_name;
  one.function = request.function;
  one.asked.assign(request.payload.begin(), request.payload.end());
  if (reply.outcome == HostReply::Outcome::kTrap) {
    one.trap = reply.code;
  } else {
    one.answered = reply.payload;
  }
}

Result<std::vector<HostExchange>> Recorder::Take() {
  const std::lock_guard lock(mutex_);
  if (bytes_ <= kFixtureBytesMax) return std::move(exchanges_);
  return Fail(Code::kLimit, "the call asked and was answered more than a fixture may hold",
              "record a smaller call: a fixture has at most " + std::to_string(kFixtureBytesMax >> 20) + " MiB");
}

HostReply Replayer::Send(const HostRequest& request) {
  const std::lock_guard lock(mutex_);
  const std::string name = NameOf(request.interface_name, request.function);
  const std::string which = "call " + std::to_string(next_ + 1) + " of the host";
  if (!divergence_ && next_ >= exchanges_.size()) {
    divergence_ = which + " is " + name + ", and the fixture ends before it";
  }
  if (!divergence_) {
    const HostExchange& expected = exchanges_[next_];
    // What a stub was asked is not kept: it was not looked at.
    const bool is_stub = expected.function.starts_with(services::kStubPrefix);
    const std::string_view function =
        std::string_view(expected.function).substr(is_stub ? services::kStubPrefix.size() : 0);
    if (expected.interface_name != request.interface_name || function != request.function) {
      divergence_ = which + " is " + name + ", and was " + NameOf(expected.interface_name, function);
    } else if (!is_stub && !std::ranges::equal(expected.asked, request.payload)) {
      divergence_ = which + ", " + name + ", asks " + Shown(request.payload) + ", and asked " + Shown(expected.asked);
    }
  }
  if (divergence_) return services::Trap(Code::kDigest, "the replay diverged: " + *divergence_);
  const HostExchange& expected = exchanges_[next_++];
  if (expected.trap) return services::Trap(*expected.trap, "as it was recorded");
  HostReply reply;
  reply.payload = expected.answered;
  return reply;
}

std::optional<std::string> Replayer::Divergence() const {
  const std::lock_guard lock(mutex_);
  if (divergence_ || next_ == exchanges_.size()) return divergence_;
  const HostExchange& missing = exchanges_[next_];
  return "call " + std::to_string(next_ + 1) + " of the host, " + NameOf(missing.interface_name, missing.function) +
         ", was not made";
}

Status CheckRecordable(const wit::Contract& contract, const engine::LinkSpec& spec) {
  const auto refuse = [](const std::string& what) {
    return Fail(Code::kUnenforceable, what + " cannot be recorded by this build, so a record would not be whole",
                "withhold it, or run the plugin without a record");
  };
  if (contract.kind == wit::Contract::Kind::kModule && !contract.imports.empty()) {
    return refuse("what a core module imports (" + EscapeShort(contract.imports.front().name, 80) + ")");
  }
  constexpr std::string_view kTraced[] = {"wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/"};
  for (const std::string& name : spec.wasi) {
    const bool traced = std::ranges::any_of(kTraced, [&](std::string_view one) { return name.starts_with(one); });
    if (!traced) return refuse(name);
  }
  return {};
}

engine::LinkSpec TracedLink(const wit::Contract& contract, const engine::LinkSpec& spec) {
  engine::LinkSpec out = spec;
  out.wasi.clear();
  for (const wit::Item& item : contract.imports) {
    const bool is_wasi = std::ranges::find(spec.wasi, WithoutVersion(item.name)) != spec.wasi.end();
    if (is_wasi) AddImport(item, engine::HostImport::Kind::kTraced, out.host);
  }
  return out;
}

engine::LinkSpec ReplayedLink(const wit::Contract& contract) {
  engine::LinkSpec out;
  for (const wit::Item& item : contract.imports) {
    if (item.kind != wit::Item::Kind::kOther) AddImport(item, engine::HostImport::Kind::kQuick, out.host);
  }
  return out;
}

}  // namespace cordon::runtime
