#include "services/exec/service.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <limits>
#include <optional>

#include "base/file.h"
#include "base/text.h"
#include "base/wire.h"
#include "policy/exec_match.h"
#include "services/exec/run.h"

namespace cordon::services {
namespace {

using policy::Capability;
using policy::Decision;
using policy::ExecArgument;
using policy::ExecScope;

constexpr std::size_t kShownBytesMax = 200;
constexpr std::size_t kArgumentsReadMax = 4096;  // a grant has far fewer; more are counted, not kept
constexpr std::int64_t kWithoutDeadlineNs = 60'000'000'000;

std::int64_t NowNs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

UniqueFd OpenBeneath(int folder, const char* path, std::uint64_t flags) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, folder, path, &how, sizeof how)));
}

// Counts one that runs.
class Running {
 public:
  explicit Running(std::atomic<int>& count) : count_(count), number_(count.fetch_add(1) + 1) {}
  ~Running() { count_.fetch_sub(1); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  int number() const { return number_; }

 private:
  std::atomic<int>& count_;
  int number_;
};

}  // namespace

struct ExecService::Request {
  std::string program;
  std::vector<std::string> arguments;
  std::optional<std::string> directory;
  std::span<const std::uint8_t> input;
  std::optional<std::uint32_t> timeout_ms;
};

// The interface's `error`, or what ends the guest's call.
struct ExecService::Refusal {
  enum class Form : std::uint32_t { kAccessDenied, kOther, kTrap } form = Form::kOther;
  std::string text;  // the rule, when denied
  Code code = Code::kDenied;
  std::string target;

  static Refusal Denied(std::string rule, std::string target = {}) {
    return {Form::kAccessDenied, std::move(rule), Code::kDenied, std::move(target)};
  }
  static Refusal Other(Code code, const std::string& message) {
    return {Form::kOther, std::string(CodeName(code)) + ": " + message, code, {}};
  }
  static Refusal Of(const Decision& decision) {
    if (decision.code == Code::kAuditUnavailable) {
      return {Form::kTrap, "the audit cannot be written", decision.code, {}};
    }
    return Denied(decision.rule);
  }
};

// What was decided to be run.
struct ExecService::Command {
  const Program* program = nullptr;
  std::vector<std::string> arguments;
  UniqueFd directory;
};

const ExecFolder* ExecService::FolderOf(std::string_view path) const {
  const ExecFolder* nearest = nullptr;
  for (const ExecFolder& folder : options_.folders) {
    if (!policy::IsBeneath(folder.guest_path, path)) continue;
    if (nearest == nullptr || folder.guest_path.size() > nearest->guest_path.size()) nearest = &folder;
  }
  return nearest;
}

// The host's path for one of the guest's, when no link is on the way. What is swapped after this look leads nowhere:
// the program's own rules know the granted folders only.
ExecService::Answer<std::string> ExecService::HostPath(std::string_view path) const {
  const auto denied = [&] { return std::unexpected(Refusal::Denied("exec:path", EscapeShort(path, kShownBytesMax))); };
  const ExecFolder* folder = FolderOf(path);
  if (folder == nullptr) return denied();
  if (path.size() == folder->guest_path.size()) return folder->host_path.string();
  const std::string below(path.substr(folder->guest_path.size() + 1));
  if (!OpenBeneath(folder->fd.get(), below.c_str(), O_PATH)) {
    // A file that the program is to make: its folder has to be there.
    if (errno != ENOENT) return denied();
    const std::size_t slash = below.rfind('/');
    const std::string parent = slash == std::string::npos ? "." : below.substr(0, slash);
    if (!OpenBeneath(folder->fd.get(), parent.c_str(), O_PATH | O_DIRECTORY)) return denied();
  }
  return (folder->host_path / below).string();
}

ExecService::Answer<UniqueFd> ExecService::Directory(std::string_view path) const {
  const auto denied = [&] { return std::unexpected(Refusal::Denied("exec:path", EscapeShort(path, kShownBytesMax))); };
  const ExecFolder* folder = policy::IsPlainPath(path) ? FolderOf(path) : nullptr;
  if (folder == nullptr) return denied();
  const std::string below =
      path.size() == folder->guest_path.size() ? "." : std::string(path.substr(folder->guest_path.size() + 1));
  UniqueFd fd = OpenBeneath(folder->fd.get(), below.c_str(), O_PATH | O_DIRECTORY);
  if (!fd) return denied();
  return fd;
}

// The request as a capability, its paths where an effective grant wants one; else as it stands.
Capability ExecService::AskedFor(const Request& request, const Capability& literal) const {
  for (const policy::Ruling& ruling : guard_.authority().rulings()) {
    const ExecScope* scope = ruling.effective ? ruling.effective->exec() : nullptr;
    if (scope == nullptr || scope->program != request.program) continue;
    if (scope->arguments.size() != request.arguments.size()) continue;
    std::vector<ExecArgument> arguments;
    for (std::size_t i = 0; i < request.arguments.size(); ++i) {
      const bool path = scope->arguments[i].form == ExecArgument::Form::kPath;
      arguments.push_back({path ? ExecArgument::Form::kPath : ExecArgument::Form::kLiteral, request.arguments[i]});
    }
    auto asked = policy::MakeExec(request.program, arguments);
    if (asked && ruling.effective->Covers(*asked)) return std::move(*asked);
  }
  return literal;
}

// Whether the request fails by an argument that looks like an option where the plugin chooses one.
bool ExecService::HasOption(const Request& request) const {
  for (const policy::Ruling& ruling : guard_.authority().rulings()) {
    const ExecScope* scope = ruling.effective ? ruling.effective->exec() : nullptr;
    if (scope == nullptr || scope->program != request.program) continue;
    for (std::size_t i = 0; i < std::min(scope->arguments.size(), request.arguments.size()); ++i) {
      const auto form = scope->arguments[i].form;
      const bool chosen = form == ExecArgument::Form::kPattern || form == ExecArgument::Form::kPath;
      if (chosen && policy::LooksLikeOption(request.arguments[i])) return true;
    }
  }
  return false;
}

// Whatever else has to hold for a request that the authority allows.
ExecService::Answer<ExecService::Command> ExecService::Prepare(const Caller& caller, const Capability& asked,
                                                               const Request& request) const {
  Command command;
  const bool has_path = std::ranges::any_of(
      asked.exec()->arguments, [](const ExecArgument& one) { return one.form == ExecArgument::Form::kPath; });
  if ((has_path || request.directory) && !caller.passed.Has(policy::Kind::kFiles)) {
    return std::unexpected(Refusal::Denied("call:not-passed"));
  }
  const auto found = options_.programs.find(request.program);
  if (found == options_.programs.end()) return std::unexpected(Refusal::Denied("exec:program"));
  if (!found->second) {
    const bool changed = found->second.error().code == Code::kChanged;
    return std::unexpected(Refusal::Denied(changed ? "exec:program-changed" : "exec:program"));
  }
  command.program = &*found->second;
  if (!command.program->Unchanged()) return std::unexpected(Refusal::Denied("exec:program-changed"));
  command.arguments.push_back(request.program);
  for (const ExecArgument& argument : asked.exec()->arguments) {
    if (argument.form != ExecArgument::Form::kPath) {
      command.arguments.push_back(argument.text);
      continue;
    }
    auto path = HostPath(argument.text);
    if (!path) return std::unexpected(path.error());
    command.arguments.push_back(std::move(*path));
  }
  if (request.directory) {
    auto directory = Directory(*request.directory);
    if (!directory) return std::unexpected(directory.error());
    command.directory = std::move(*directory);
  }
  return command;
}

// One record, whatever the answer.
ExecService::Answer<ExecService::Command> ExecService::Decide(const Caller& caller, const Request& request) const {
  std::vector<ExecArgument> arguments;
  for (const std::string& text : request.arguments) arguments.push_back({ExecArgument::Form::kLiteral, text});
  auto literal = policy::MakeExec(request.program, arguments);
  if (!literal) {
    const std::string shown = "exec:" + EscapeShort(request.program, 64);
    return std::unexpected(Refusal::Of(guard_.Refuse(caller, shown, literal.error().message, "exec:argv")));
  }
  const Capability asked = AskedFor(request, *literal);
  const auto refuse = [&](const std::string& target, const std::string& rule) {
    return std::unexpected(Refusal::Of(guard_.Refuse(caller, asked.ToString(), target, rule)));
  };
  std::string target = request.program;
  if (!guard_.authority().Decide(asked).allowed()) {
    if (HasOption(request)) return refuse(target, "exec:option");
    return std::unexpected(Refusal::Of(guard_.Check(caller, asked, target)));
  }
  auto command = Prepare(caller, asked, request);
  if (!command) return refuse(command.error().target.empty() ? target : command.error().target, command.error().text);
  target = command->program->pin.path.string() + " " + command->program->pin.digest.ToString();
  const Decision decision = guard_.Check(caller, asked, target);
  if (!decision.allowed()) return std::unexpected(Refusal::Of(decision));
  return command;
}

namespace {

void WriteBytes(wire::Writer& out, std::string_view bytes) {
  out.Count(bytes.size());
  out.Raw({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

// record { ended: variant { exited(u32), signalled(u32), timed-out }, stdout, stderr, and whether each was cut }
HostReply Answered(const RunOutcome& outcome) {
  HostReply reply;
  wire::Writer out(reply.payload);
  out.Bool(false);
  out.U32(static_cast<std::uint32_t>(outcome.ended));
  if (outcome.ended != RunOutcome::Ended::kTimedOut) out.U32(outcome.number);
  WriteBytes(out, outcome.out);
  WriteBytes(out, outcome.err);
  out.Bool(outcome.out_truncated);
  out.Bool(outcome.err_truncated);
  return reply;
}

}  // namespace

HostReply ExecService::Run(const Caller& caller, const Request& request) {
  const auto refused = [](const Refusal& refusal) {
    if (refusal.form == Refusal::Form::kTrap) return Trap(refusal.code, refusal.text);
    HostReply reply;
    wire::Writer out(reply.payload);
    out.Bool(true);
    out.U32(static_cast<std::uint32_t>(refusal.form));
    out.String(refusal.text);
    return reply;
  };
  const auto failed = [&](const Error& error) { return refused(Refusal::Other(error.code, error.message)); };
  auto command = Decide(caller, request);
  if (!command) return refused(command.error());
  if (request.input.size() > kExecInputBytesMax) {
    return failed(Error(Code::kInputSize, "the input of a program has at most 1 MiB"));
  }
  const Running running(running_);
  if (running.number() > kExecRunningMax) return failed(Error(Code::kBusy, "8 programs of this plugin run already"));
  std::vector<const Program*> programs;
  for (const auto& [name, program] : options_.programs) {
    if (program && program->Unchanged()) programs.push_back(&*program);
  }
  std::span<const ExecFolder> folders;
  if (caller.passed.Has(policy::Kind::kFiles)) folders = options_.folders;
  const auto rules = MakeRules(programs, folders);
  if (!rules) return failed(rules.error());
  RunRequest run;
  run.program = command->program;
  run.arguments = std::move(command->arguments);
  run.directory = command->directory ? command->directory.get() : -1;
  run.rules = rules->get();
  run.input = request.input;
  run.output_bytes_max = kExecOutputBytesMax;
  const std::int64_t now = NowNs();
  run.deadline_ns = caller.deadline_ns != 0 ? caller.deadline_ns : now + kWithoutDeadlineNs;
  if (request.timeout_ms) {
    run.deadline_ns = std::min(run.deadline_ns, now + std::int64_t{*request.timeout_ms} * 1'000'000);
  }
  if (options_.calls != nullptr && options_.calls->Has(caller.call_id)) {
    run.stopped = [this, id = caller.call_id] { return !options_.calls->Has(id); };
  }
  const auto outcome = RunProgram(run);
  return outcome ? Answered(*outcome) : failed(outcome.error());
}

// run(program, arguments, record { directory: option<string>, stdin: list<u8>, timeout-ms: option<u32> })
HostReply ExecService::Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) {
  if (function != "run") {
    return Trap(Code::kLink, "nothing answers " + std::string(kExecInterface) + "#" + std::string(function));
  }
  wire::Reader in(payload);
  Request request;
  request.program = in.String();
  const std::uint32_t count = in.Count(4);
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    const std::string_view argument = in.String();
    if (i < kArgumentsReadMax) request.arguments.emplace_back(argument);
  }
  if (in.Bool()) request.directory = in.String();
  request.input = in.Raw(in.Count(1));
  if (in.Bool()) request.timeout_ms = in.U32();
  if (const Status read = in.Finish(); !read) return Trap(Code::kInvalid, read.error().message);
  return Run(caller, request);
}

}  // namespace cordon::services
