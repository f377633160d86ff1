// What the host itself sends and receives, and what plugins provide to it.
#include "embed/state.h"
#include "runtime/provided.h"

namespace cordon {
namespace {

// Of the calls that the host itself makes: all of one process hold together.
std::string HostOf(const services::MessageQueue& queue) { return queue.process() + ":host"; }

Status CheckUp(const Host::State& state) {
  if (!state.down.load(std::memory_order_relaxed)) return {};
  return Fail(Code::kUnavailable, "the host was shut down", "make a new Host");
}

}  // namespace

Result<std::string> Host::Send(std::string_view channel, ByteView body) {
  return embed::Guarded([&]() -> Result<std::string> {
    CORDON_TRY(CheckUp(*state_));
    CORDON_TRY(policy::MakeMessaging("send", channel));
    CORDON_ASSIGN(const auto queue, state_->host->Messages());
    return queue->Send(channel, "", body, 0);
  });
}

Result<std::vector<Message>> Host::Receive(std::string_view channel, std::size_t count_max,
                                           std::chrono::nanoseconds hold) {
  return embed::Guarded([&]() -> Result<std::vector<Message>> {
    CORDON_TRY(CheckUp(*state_));
    CORDON_TRY(policy::MakeMessaging("receive", channel));
    CORDON_ASSIGN(const auto queue, state_->host->Messages());
    const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(hold);
    return queue->Receive(channel, {HostOf(*queue), time}, count_max, 0);
  });
}

Result<bool> Host::Acknowledge(std::string_view channel, std::string_view id) {
  return embed::Guarded([&]() -> Result<bool> {
    CORDON_TRY(CheckUp(*state_));
    CORDON_ASSIGN(const auto queue, state_->host->Messages());
    return queue->Acknowledge(channel, id, HostOf(*queue), 0);
  });
}

Result<Relayed> Host::Relay(std::string_view channel, const Plugin& plugin) {
  return embed::Guarded([&]() -> Result<Relayed> {
    CORDON_TRY(CheckUp(*state_));
    CORDON_TRY(embed::CheckUsable(plugin.state()));
    CORDON_ASSIGN(const auto queue, state_->host->Messages());
    return runtime::Relay(*queue, channel, *plugin.state().plugin);
  });
}

Result<std::shared_ptr<Memory>> MemoryOf(const Plugin& plugin) {
  return embed::Guarded([&]() -> Result<std::shared_ptr<Memory>> {
    CORDON_TRY(embed::CheckUsable(plugin.state()));
    return runtime::ProvidedMemory(plugin.state().plugin);
  });
}

}  // namespace cordon
