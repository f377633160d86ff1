#include <algorithm>
#include <cstring>
#include <optional>
#include <span>

#include "guest_calls.h"
#include "peer.h"
#include "rows.h"

namespace cordon::bench {
namespace {

constexpr std::uint64_t kExtismLive = 1'000;
constexpr char kExtism[] = "extism";

// What Cordon does in a row beside a peer. Its echo is a component's: core modules have no strings.
enum class Guest : std::uint8_t { kComponent, kCore, kExtism };

std::unexpected<Error> Unexpected() {
  return Fail(Code::kInternal, "the guest answered something else than was asked for");
}

Result<Side> FreshSide(const Plugin& plugin) {
  CORDON_ASSIGN(const Add add, plugin.Function<std::int32_t(std::int32_t, std::int32_t)>("add"));
  return [add](std::uint64_t times) -> Status {
    for (std::uint64_t i = 0; i < times; ++i) {
      CORDON_ASSIGN(const std::int32_t sum, add(40, 2));
      if (sum != 42) return Unexpected();
    }
    return {};
  };
}

Result<Side> AddSide(const Plugin& plugin) {
  CORDON_ASSIGN(const Add add, plugin.Function<std::int32_t(std::int32_t, std::int32_t)>("add"));
  CORDON_ASSIGN(Instance opened, plugin.NewInstance());
  auto instance = std::make_shared<Instance>(std::move(opened));
  return [add, instance](std::uint64_t times) -> Status {
    for (std::uint64_t i = 0; i < times; ++i) {
      CORDON_ASSIGN(const std::int32_t sum, add.On(*instance, 40, 2));
      if (sum != 42) return Unexpected();
    }
    return {};
  };
}

Result<Side> EchoSide(const Plugin& plugin, std::size_t bytes) {
  CORDON_ASSIGN(const auto echo, plugin.Function<std::string(std::string_view)>("echo-string"));
  CORDON_ASSIGN(Instance opened, plugin.NewInstance());
  auto instance = std::make_shared<Instance>(std::move(opened));
  const std::string text = SampleText(bytes);
  CORDON_ASSIGN(const std::string first, echo.On(*instance, text));
  if (first != text) return Unexpected();
  return [echo, instance, text](std::uint64_t times) -> Status {
    for (std::uint64_t i = 0; i < times; ++i) {
      CORDON_ASSIGN(const std::string answer, echo.On(*instance, text));
      if (answer.size() != text.size()) return Unexpected();
    }
    return {};
  };
}

// As bench/peers/extism.cc does it: two numbers as bytes in, their sum as bytes out.
Status AddByExtism(const ExtismCall& add, Instance* instance) {
  constexpr std::int32_t kNumbers[] = {40, 2};
  const auto bytes = std::as_bytes(std::span(kNumbers));
  const std::span<const std::uint8_t> input(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  CORDON_ASSIGN(const auto answer, instance == nullptr ? add(input) : add.On(*instance, input));
  std::int32_t sum = 0;
  if (!answer || answer->size() != sizeof sum) return Unexpected();
  std::memcpy(&sum, answer->data(), sizeof sum);
  return sum == 42 ? Status{} : Unexpected();
}

Result<Side> ExtismAddSide(const Plugin& plugin, bool warm) {
  CORDON_ASSIGN(const ExtismCall add, plugin.Function<ExtismSignature>("add"));
  CORDON_ASSIGN(Instance opened, plugin.NewInstance());
  auto instance = std::make_shared<Instance>(std::move(opened));
  return [add, instance, warm](std::uint64_t times) -> Status {
    for (std::uint64_t i = 0; i < times; ++i) CORDON_TRY(AddByExtism(add, warm ? instance.get() : nullptr));
    return {};
  };
}

Result<Side> ExtismEchoSide(const Plugin& plugin, std::size_t bytes) {
  CORDON_ASSIGN(const ExtismCall echo, plugin.Function<ExtismSignature>("echo"));
  CORDON_ASSIGN(Instance opened, plugin.NewInstance());
  auto instance = std::make_shared<Instance>(std::move(opened));
  const std::vector<std::uint8_t> sample = SampleBytes(bytes);
  CORDON_ASSIGN(const auto first, echo.On(*instance, sample));
  if (!first || *first != sample) return Unexpected();
  return [echo, instance, sample](std::uint64_t times) -> Status {
    for (std::uint64_t i = 0; i < times; ++i) {
      CORDON_ASSIGN(const auto answer, echo.On(*instance, sample));
      if (!answer || answer->size() != sample.size()) return Unexpected();
    }
    return {};
  };
}

constexpr std::string_view kVowelsIn = "Hello, World!", kVowelsOut = R"({"count":3})";

Status CountVowels(const ExtismCall& count, Instance* instance) {
  const std::span<const std::uint8_t> input(reinterpret_cast<const std::uint8_t*>(kVowelsIn.data()), kVowelsIn.size());
  CORDON_ASSIGN(const auto answer, instance == nullptr ? count(input) : count.On(*instance, input));
  if (!answer || !std::ranges::equal(*answer, kVowelsOut)) return Unexpected();
  return {};
}

Result<Side> VowelsSide(const Plugin& plugin, bool warm) {
  CORDON_ASSIGN(const ExtismCall count, plugin.Function<ExtismSignature>("count_vowels"));
  CORDON_ASSIGN(Instance opened, plugin.NewInstance());
  auto instance = std::make_shared<Instance>(std::move(opened));
  return [count, instance, warm](std::uint64_t times) -> Status {
    for (std::uint64_t i = 0; i < times; ++i) CORDON_TRY(CountVowels(count, warm ? instance.get() : nullptr));
    return {};
  };
}

Result<Side> ExtismSide(const std::string& call, const CordonSide& cordon) {
  if (call.starts_with("vowels")) return VowelsSide(cordon.vowels(), call == "vowels-warm");
  const Plugin& plugin = cordon.extism();
  if (call.starts_with("echo")) return ExtismEchoSide(plugin, call == "echo-64k" ? 64 << 10 : 1 << 10);
  return ExtismAddSide(plugin, call != "fresh");
}

Result<Side> OurSide(const std::string& call, Guest guest, const CordonSide& cordon) {
  if (guest == Guest::kExtism) return ExtismSide(call, cordon);
  const Plugin& numbers = guest == Guest::kCore ? cordon.core() : cordon.plugin();
  if (call == "fresh") return FreshSide(numbers);
  if (call == "warm-add") return AddSide(numbers);
  return EchoSide(cordon.plugin(), call == "echo-64k" ? 64 << 10 : 1 << 10);
}

Result<PeerCommand> Find(const Plan& plan, const std::string& peer) {
  const auto found = plan.peers.find(peer);
  if (found == plan.peers.end()) return Fail(Code::kUnavailable, "bench/run.py did not offer it");
  return found->second;
}

NamedRow Beside(const std::string& name, const std::string& peer_name, const std::string& call, Guest guest,
                std::optional<double> bar = {}) {
  return {name, [=](const Plan& plan, CordonSide& cordon, RawSide&) -> Result<Row> {
            CORDON_ASSIGN(const PeerCommand command, Find(plan, peer_name));
            CORDON_ASSIGN(const std::unique_ptr<Peer> peer, Peer::Start(command));
            CORDON_ASSIGN(const Side ours, OurSide(call, guest, cordon));
            const TimedSide theirs = [&](std::uint64_t times) { return peer->Run(call, times); };
            CORDON_ASSIGN(const Rounds rounds, Interleave(plan, Timed(ours), theirs));
            const bool same_bytes = guest == Guest::kCore && !call.starts_with("echo");
            const char* const abi = peer_name == kExtism ? ", Extism's ABI; cordon: the same bytes"
                                    : same_bytes         ? ", core module; cordon: the same bytes"
                                                         : ", core module; cordon: component";
            RowSpec spec{name, peer->version() + abi, "ns", Row::Judged::kStated};
            if (bar) {
              spec.judged = Row::Judged::kRatio;
              spec.bar = *bar;
            }
            return Summarise(spec, rounds);
          }};
}

// A process of each side for each round, as in idle-rss.
Result<Row> MeasureExtismIdle(const Plan& plan, CordonSide&, RawSide&) {
  CORDON_ASSIGN(const PeerCommand command, Find(plan, kExtism));
  Rounds rounds;
  std::string version;
  for (std::size_t round = 0; round < plan.slow_rounds; ++round) {
    CORDON_ASSIGN(const std::unique_ptr<Peer> peer, Peer::Start(command));
    CORDON_ASSIGN(const double theirs, peer->Hold(kExtismLive));
    CORDON_ASSIGN(const double ours, IdleKiB(plan, "extism"));
    rounds.cordon.push_back(ours);
    rounds.against.push_back(theirs);
    version = peer->version();
  }
  const RowSpec spec{"extism-rss", version + ", 1,000 live of the same bytes", "KiB", Row::Judged::kRatio, 0.5};
  return Summarise(spec, rounds);
}

}  // namespace

std::vector<NamedRow> PeerRows() {
  std::vector<NamedRow> rows = {
      Beside("extism-fresh", kExtism, "fresh", Guest::kExtism, 1.0 / 40),
      Beside("extism-warm", kExtism, "warm-add", Guest::kExtism, 1.0 / 10),
      Beside("extism-echo-1k", kExtism, "echo-1k", Guest::kExtism, 1),  // never slower
      Beside("extism-echo-64k", kExtism, "echo-64k", Guest::kExtism, 1),
      Beside("extism-vowels-fresh", kExtism, "vowels-fresh", Guest::kExtism),
      Beside("extism-vowels-warm", kExtism, "vowels-warm", Guest::kExtism),
      {"extism-rss", MeasureExtismIdle},
  };
  for (const std::string peer : {"wazero", "node"}) {
    rows.push_back(Beside(peer + "-fresh", peer, "fresh", Guest::kCore));
    rows.push_back(Beside(peer + "-warm", peer, "warm-add", Guest::kCore));
    rows.push_back(Beside(peer + "-echo-1k", peer, "echo-1k", Guest::kCore));
    rows.push_back(Beside(peer + "-echo-64k", peer, "echo-64k", Guest::kCore));
  }
  return rows;
}

}  // namespace cordon::bench
