#include "cli/session.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/file.h"
#include "cli/report.h"
#include "manifest/policy_file.h"

namespace cordon::cli {
namespace fs = std::filesystem;

std::string SchemaName(std::string command) {
  std::replace(command.begin(), command.end(), ' ', '.');
  return "cordon." + command + "/1";
}

Session::Session(std::string command, Arguments arguments, manifest::Environment environment, Connect connect)
    : command_(std::move(command)),
      arguments_(std::move(arguments)),
      environment_(std::move(environment)),
      connect_(std::move(connect)),
      terminal_(Terminal::Detect(environment_)) {}

Result<manifest::Config> Session::LoadConfig() const {
  std::optional<fs::path> file;
  if (const auto named = arguments_.One("--config")) file = *named;
  CORDON_ASSIGN(manifest::Config config, manifest::LoadConfig(environment_, file));
  for (const auto& [flag, value] : arguments_.settings) {
    const auto setting = std::ranges::find(manifest::Settings(), flag, &manifest::Setting::flag);
    CORDON_TRY(manifest::SetSetting(config, setting->key, value, flag, environment_));
  }
  if (config.level == policy::Level::kRelaxed && config.LevelAt(std::chrono::system_clock::now()) != config.level) {
    Warn(config.level_until ? "level relaxed ended at " + FormatTimestamp(*config.level_until) + "; level default holds"
                            : "level relaxed has no end (plugins.level_until); level default holds");
  }
  return config;
}

Result<std::vector<std::shared_ptr<const policy::Policy>>> Session::LoadPolicies(const manifest::Config& config) const {
  std::vector<fs::path> files;
  if (!config.policy.empty()) files.push_back(config.policy);
  for (const std::string& file : arguments_.All("--policy")) files.emplace_back(file);
  std::vector<std::shared_ptr<const policy::Policy>> policies;
  for (const fs::path& file : files) {
    CORDON_ASSIGN(auto policy, manifest::LoadPolicy(file));
    policies.push_back(std::move(policy));
  }
  return policies;
}

std::vector<fs::path> Session::OwnFolders(const manifest::Config& config) const {
  std::vector<fs::path> folders;
  const auto add = [&](const Result<fs::path>& folder) {
    if (!folder) return;
    std::error_code error;
    fs::path canonical = fs::weakly_canonical(*folder, error);
    folders.push_back(error ? *folder : std::move(canonical));
  };
  add(manifest::StateHome(environment_));
  add(manifest::ConfigHome(environment_));
  add(manifest::CacheHome(environment_));
  add(manifest::PluginsHome(environment_));
  if (!config.cache.directory.empty()) add(config.cache.directory);
  if (config.file) add(*config.file);
  return folders;
}

Result<std::shared_ptr<audit::AuditLog>> Session::OpenAudit() {
  auto folder = StateFolder();
  if (!folder) {
    Error error(Code::kAuditUnavailable, "there is no place for the audit log: " + folder.error().message,
                folder.error().remedy);
    return Fail(std::move(error));
  }
  CORDON_ASSIGN(std::shared_ptr<audit::AuditLog> log, audit::AuditLog::Open(*folder));
  const std::lock_guard lock(mutex_);
  audit_ = log;
  return log;
}

Stop& Session::CatchSignals() {
  if (stop_ == nullptr) stop_ = Stop::Begin([this] { Interrupted(); });
  return *stop_;
}

void Session::PrintJson(std::string_view json) {
  out_ += terminal_.out_is_tty ? PrettyJson(json) : std::string(json);
  out_ += '\n';
}

std::string Session::DocumentText(const OrderedJson& fields) const {
  OrderedJson document = {{"schema", SchemaName(command_)}, {"ok", true}};
  document.update(fields);
  return SafeJson(document);
}

void Session::Note(std::string_view text) const {
  if (!quiet()) (void)WriteAll(STDERR_FILENO, std::string(text) + "\n");
}

void Session::Warn(std::string_view text) const {
  Note(terminal_.Paint(Style::kWarning, "warning") + ": " + std::string(text));
}

void Session::Detail(std::string_view text) const {
  if (verbose()) (void)WriteAll(STDERR_FILENO, "cordon: " + std::string(text) + "\n");
}

void Session::ReportError(const Error& error) {
  if (!json()) {
    (void)WriteAll(STDERR_FILENO, ErrorText(error, terminal_));
    return;
  }
  OrderedJson document = {{"schema", SchemaName(command_)}, {"ok", false}, {"error", ErrorJson(error)}};
  document.update(failure_fields);
  out_.clear();
  PrintJson(SafeJson(document));
}

Written Session::Report(const Result<int>& outcome) {
  if (!outcome) ReportError(outcome.error());
  const Written written = WriteAll(STDOUT_FILENO, out_);
  out_.clear();
  return written;
}

int Session::Finish(const Result<int>& outcome) {
  int exit_code = outcome ? *outcome : ExitCode(outcome.error().code);
  if (!outcome && outcome.error().code != Code::kInterrupted) exit_code += failure_base;
  {
    const std::lock_guard lock(mutex_);
    reported_ = true;
    // A call that a deadline left behind may hold the log for a moment longer than this process lives.
    if (audit_ != nullptr) (void)audit_->Flush();
  }
  switch (Report(outcome)) {
    case Written::kAll:
    case Written::kGone: break;  // a reader that has enough, like head, is no failure
    case Written::kFailed: {
      const Error error(Code::kIo, "cannot write the result to standard output: " + ErrnoText(errno),
                        "make room, or send the output elsewhere");
      (void)WriteAll(STDERR_FILENO, ErrorText(error, terminal_));
      exit_code = ExitCode(error.code);
    }
  }
  return exit_code;
}

void Session::Interrupted() {
  std::shared_ptr<audit::AuditLog> audit;
  {
    const std::lock_guard lock(mutex_);
    audit = audit_;
    if (reported_) return;
    reported_ = true;
  }
  if (audit != nullptr) (void)audit->Close();
  if (terminal_.err_is_tty) (void)WriteAll(STDERR_FILENO, "\r\x1b[K");
  const Error error(Code::kInterrupted, "interrupted");
  if (!json()) {
    (void)WriteAll(STDERR_FILENO, ErrorText(error, terminal_));
    return;
  }
  const OrderedJson document = {{"schema", SchemaName(command_)}, {"ok", false}, {"error", ErrorJson(error)}};
  (void)WriteAll(STDOUT_FILENO, SafeJson(document) + "\n");
}

}  // namespace cordon::cli
