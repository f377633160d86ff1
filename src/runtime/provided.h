// What plugins provide to the host: memory, and channels. They are called like any plugin, in the name of whoever
// remembers or sends, and what they answer is checked.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cordon/memory.h"
#include "cordon/messaging.h"
#include "runtime/plugin.h"
#include "services/messaging/queue.h"

namespace cordon::runtime {

// Whether a binary exports what its manifest says that it provides; the first error of each, with the manifest's key.
std::vector<std::pair<std::string, Error>> CheckProvides(const manifest::Provides& provides,
                                                         const wit::Contract& contract);

// E_INVALID when plugin.yaml does not say `provides: { memory: true }`; E_NOT_FOUND or E_TYPE when it does not export
// cordon:memory/provider.
Result<std::shared_ptr<Memory>> ProvidedMemory(std::shared_ptr<const Plugin> plugin);

// Once through: hands what waits in `channel` to the plugin, and puts what it heard into "CHANNEL.in". A message that
// the plugin does not take waits again. E_INVALID when plugin.yaml does not name the channel under `provides.channels`;
// E_NOT_FOUND or E_TYPE when it exports neither cordon:messaging/channel nor, for Extism, channel_send and
// channel_listen; E_LIMIT when "CHANNEL.in" is full: then what was heard and did not fit is lost.
Result<Relayed> Relay(services::MessageQueue& queue, std::string_view channel, const Plugin& plugin);

}  // namespace cordon::runtime
