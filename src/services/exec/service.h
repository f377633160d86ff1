// cordon:exec for one plugin: programs that it was granted, with the arguments that it was granted.
//
// One record for each request. Rules of its own: "exec:argv" for what is no argument at all, "exec:option" for one that
// the program could take for an option, "exec:path" for a path outside the plugin's folders, "exec:program" and
// "exec:program-changed" for a file that is not there or not the one that was granted.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "services/exec/confine.h"
#include "services/exec/program.h"
#include "services/router.h"

namespace cordon::services {

inline constexpr std::string_view kExecInterface = "cordon:exec/runner";
inline constexpr std::size_t kExecInputBytesMax = 1 << 20;
inline constexpr std::size_t kExecOutputBytesMax = 1 << 20;  // of each of its two streams
inline constexpr int kExecRunningMax = 8;                    // at once, of one plugin

struct ExecOptions {
  std::map<std::string, Result<Program>, std::less<>> programs;  // by the name in `exec:NAME …`
  std::vector<ExecFolder> folders;
  // The calls that run now. A program ends with the call that it was run for, also when that is stopped from outside.
  // May be null; must outlive the service.
  const CallChains* calls = nullptr;
};

class ExecService final : public HostService {
 public:
  // `guard` must outlive the service.
  ExecService(const Guard& guard, ExecOptions options) : guard_(guard), options_(std::move(options)) {}
  std::string_view interface_name() const override { return kExecInterface; }
  HostReply Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) override;

 private:
  struct Request;
  struct Refusal;
  struct Command;
  template <typename T>
  using Answer = std::expected<T, Refusal>;

  Answer<Command> Decide(const Caller& caller, const Request& request) const;
  policy::Capability AskedFor(const Request& request, const policy::Capability& literal) const;
  bool HasOption(const Request& request) const;
  Answer<Command> Prepare(const Caller& caller, const policy::Capability& asked, const Request& request) const;
  Answer<std::string> HostPath(std::string_view path) const;
  Answer<UniqueFd> Directory(std::string_view path) const;
  const ExecFolder* FolderOf(std::string_view path) const;
  HostReply Run(const Caller& caller, const Request& request);

  const Guard& guard_;
  const ExecOptions options_;
  std::atomic<int> running_{0};
};

}  // namespace cordon::services
