// The escape drill: what an attacker does who has taken a worker over. Only in the program cordon-worker-drill, which
// tests start in place of cordon-worker; nobody installs it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/message.h"
#include "worker/link.h"

namespace cordon::worker {

// One line for each attack: its name, and "got in" or how the system refused it. `folders` are the worker's own.
std::string Attack(std::span<const int> folders);
// Uses all memory that there is.
[[noreturn]] void EatMemory();
// One line for each way to use sockets that its host was not asked about. Those that a host ends it for are done alone:
// `what` is one of "connect", "bind", "listen", "datagram", "raw", "found"; else all others.
std::string MisuseSockets(std::string_view what, HostChannel& host);
// How many threads it could start.
int StartThreads();
// Asks the host for what the plugin was not linked with.
void AskForMore(HostChannel& host);
// Asks for what it may without a pause. kTaken: its host never waits for it. kLeft: it never hears an answer.
enum class Answers : std::uint8_t { kTaken, kLeft };
[[noreturn]] void AskForEver(Link& link, Answers answers);
// Gives its result a byte at a time, so that the next one always comes soon.
[[noreturn]] void Dribble();

}  // namespace cordon::worker
