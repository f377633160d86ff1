#include "peer.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "base/file.h"
#include "formats/json.h"

namespace cordon::bench {
namespace {

constexpr std::size_t kFileBytesMax = 1 << 16;

Result<std::pair<UniqueFd, UniqueFd>> Pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Fail(Code::kIo, "a pipe cannot be made");
  return std::pair<UniqueFd, UniqueFd>(ends[0], ends[1]);
}

}  // namespace

Result<PeerCommands> ReadPeers(const std::filesystem::path& file) {
  CORDON_ASSIGN(const std::string text, ReadFile(file, kFileBytesMax));
  const Json peers = Json::parse(text, nullptr, false);
  if (!peers.is_object()) return Fail(Code::kUsage, "the file of peers is not an object of JSON");
  PeerCommands commands;
  for (const auto& [name, peer] : peers.items()) {
    PeerCommand command;
    command.skipped = peer.value("skipped", std::string());
    if (command.skipped.empty()) command.words = peer.value("command", std::vector<std::string>());
    if (command.skipped.empty() && command.words.empty()) command.skipped = "no command is given";
    commands.emplace(name, std::move(command));
  }
  return commands;
}

Result<std::unique_ptr<Peer>> Peer::Start(const PeerCommand& command) {
  if (!command.skipped.empty()) return Fail(Code::kUnavailable, command.skipped);
  CORDON_ASSIGN(auto in, Pipe());
  CORDON_ASSIGN(auto out, Pipe());
  std::vector<char*> argv;
  for (const std::string& word : command.words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  std::unique_ptr<Peer> peer(new Peer);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in.first.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, out.second.get(), STDOUT_FILENO);
  const int failed = ::posix_spawnp(&peer->child_, argv.front(), &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    peer->child_ = 0;
    return Fail(Code::kUnavailable, command.words.front() + " cannot be started");
  }
  out.second = UniqueFd();
  peer->to_ = std::move(in.second);
  peer->from_ = std::move(out.first);
  CORDON_ASSIGN(const std::string line, peer->ReadLine());
  if (!line.starts_with("ready ")) return Fail(Code::kUnavailable, "it failed its own check: " + line);
  peer->version_ = line.substr(6);
  return peer;
}

Peer::~Peer() {
  to_ = UniqueFd();
  if (child_ != 0) ::waitpid(child_, nullptr, 0);
}

Result<std::string> Peer::ReadLine() {
  std::string line;
  for (char byte = 0; ::read(from_.get(), &byte, 1) == 1;) {
    if (byte == '\n') return line;
    line += byte;
  }
  return Fail(Code::kUnavailable, "it ended without an answer: " + line);
}

Result<double> Peer::Ask(std::string_view call, std::uint64_t times, std::string_view unit) {
  const std::string question = std::string(call) + " " + std::to_string(times) + "\n";
  if (::write(to_.get(), question.data(), question.size()) != static_cast<ssize_t>(question.size())) {
    return Fail(Code::kUnavailable, "it has ended");
  }
  CORDON_ASSIGN(const std::string line, ReadLine());
  const std::string start = std::string(unit) + " ";
  if (!line.starts_with(start)) return Fail(Code::kUnavailable, "it answered: " + line);
  return std::strtod(line.c_str() + start.size(), nullptr);
}

Result<double> Peer::Run(std::string_view call, std::uint64_t times) { return Ask(call, times, "ns"); }
Result<double> Peer::Hold(std::uint64_t count) { return Ask("hold", count, "kib"); }

}  // namespace cordon::bench
