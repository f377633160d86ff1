// Recording what a guest asked and what it was answered, and answering it again from the record alone.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/message.h"
#include "engine/engine.h"
#include "formats/wit.h"
#include "services/router.h"

namespace cordon::runtime {

// One question of a guest and its answer; bytes in the wire format (docs/formats/wire.md).
struct HostExchange {
  std::string interface_name, function;
  std::vector<std::uint8_t> asked, answered;
  std::optional<Code> trap;  // it ended the guest's call
};

// One call of a plugin, whole: docs/formats/fixture.md.
struct Fixture {
  std::string plugin;
  Digest digest;
  std::string source;         // where the plugin was
  std::string action, input;  // JSON
  std::vector<HostExchange> exchanges;
  std::optional<Code> code;  // of a call that failed
  std::string output;        // JSON, of one that did not
};

inline constexpr std::size_t kFixtureBytesMax = 256 << 20;
std::string FixtureText(const Fixture& fixture);
// E_SYNTAX, E_INVALID, E_LIMIT, naming file and line.
Result<Fixture> ParseFixture(std::string_view text, const std::string& file);

// Keeps every exchange of one call, in order. Thread-safe.
class Recorder final : public services::HostCallWatch {
 public:
  void After(const services::Caller& caller, const HostRequest& request, const HostReply& reply,
             std::chrono::steady_clock::time_point began) override;
  // E_LIMIT when it was more than a fixture may hold: then there is no record.
  Result<std::vector<HostExchange>> Take();

 private:
  std::mutex mutex_;
  std::vector<HostExchange> exchanges_;
  std::size_t bytes_ = 0;
};

// Tells a second observer of each record that the first took.
class WitnessedObserver final : public audit::Observer {
 public:
  WitnessedObserver(std::shared_ptr<audit::Observer> inner, std::shared_ptr<audit::Observer> witness)
      : inner_(std::move(inner)), witness_(std::move(witness)) {}
  Status On(const audit::Record& record) override {
    CORDON_TRY(inner_->On(record));
    return witness_->On(record);
  }

 private:
  std::shared_ptr<audit::Observer> inner_, witness_;
};

// Answers from a fixture, in its order. The first question that is not the one recorded ends the guest's call, and
// all that follow. Thread-safe.
class Replayer final : public HostChannel {
 public:
  explicit Replayer(std::vector<HostExchange> exchanges) : exchanges_(std::move(exchanges)) {}
  HostReply Send(const HostRequest& request) override;
  // What was asked otherwise than recorded, or not asked at all; nothing: the call went as it was recorded.
  std::optional<std::string> Divergence() const;

 private:
  mutable std::mutex mutex_;
  const std::vector<HostExchange> exchanges_;
  std::size_t next_ = 0;
  std::optional<std::string> divergence_;
};

// Whether every call of what is linked can be recorded: E_UNENFORCEABLE naming what cannot.
Status CheckRecordable(const wit::Contract& contract, const engine::LinkSpec& spec);
// The same link, with WASI answered by the engine and told of, or every import asked of the channel.
engine::LinkSpec TracedLink(const wit::Contract& contract, const engine::LinkSpec& spec);
engine::LinkSpec ReplayedLink(const wit::Contract& contract);

}  // namespace cordon::runtime
