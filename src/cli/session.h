// What a command is given: its words, the streams, the environment, and the parts of Cordon when it asks for them.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/audit_log.h"
#include "cli/stop.h"
#include "cli/syntax.h"
#include "cli/terminal.h"
#include "formats/json.h"
#include "manifest/config.h"
#include "manifest/paths.h"
#include "runtime/grant_store.h"
#include "runtime/host.h"

namespace cordon::cli {

using runtime::GrantStore;

class Session;

// "plugin grant" → "cordon.plugin.grant/1", the name of its documents.
std::string SchemaName(std::string command);

// The parts that main.cc puts together. `audit` is null for commands that only look.
struct Parts {
  std::shared_ptr<audit::AuditLog> audit;
  std::shared_ptr<const GrantStore> grants;
  std::unique_ptr<runtime::Host> host;
};

// kRun: with the audit, which must open. kLook: nothing runs and nothing is decided. kLookUngranted: and the grants on
// disk do not count, to look at a plugin that changed since.
enum class Use : std::uint8_t { kRun, kLook, kLookUngranted };
using Connect = std::function<Result<Parts>(Session& session, const manifest::Config& config, Use use)>;

// One command from its start to its exit. Used by the main thread; Interrupted is for the thread of Stop.
class Session {
 public:
  Session(std::string command, Arguments arguments, manifest::Environment environment, Connect connect);

  const std::string& command() const { return command_; }
  const Arguments& arguments() const { return arguments_; }
  const manifest::Environment& environment() const { return environment_; }
  const Terminal& terminal() const { return terminal_; }
  bool json() const { return arguments_.Has("--json"); }
  bool quiet() const { return arguments_.Has("--quiet"); }
  bool verbose() const { return arguments_.Has("--verbose"); }

  // config.yaml, with the flags over it.
  Result<manifest::Config> LoadConfig() const;
  // The configured policy and those of --policy: each of them narrows.
  Result<std::vector<std::shared_ptr<const policy::Policy>>> LoadPolicies(const manifest::Config& config) const;
  Result<std::filesystem::path> StateFolder() const { return manifest::StateHome(environment_); }
  // Our own folders: never mapped as a root. Those that exist are canonical.
  std::vector<std::filesystem::path> OwnFolders(const manifest::Config& config) const;
  // Opens the audit on its own, for commands that change authority without a host.
  Result<std::shared_ptr<audit::AuditLog>> OpenAudit();
  Result<Parts> Open(const manifest::Config& config, Use use) { return connect_(*this, config, use); }
  // Signals end this command in order from here on. REQUIRES: no thread of ours yet.
  Stop& CatchSignals();

  // Results, to stdout; kept until Finish. A document is indented on a terminal; `schema` is "cordon.COMMAND/1".
  void Print(std::string_view text) { out_ += text; }
  void PrintJson(std::string_view json);
  // As they are, without a line end.
  void PrintBytes(std::string_view bytes) { out_ += bytes; }
  void PrintDocument(const OrderedJson& fields) { PrintJson(DocumentText(fields)); }
  // {"schema":…,"ok":true, and the fields.
  std::string DocumentText(const OrderedJson& fields) const;

  // To stderr: `Note` unless --quiet, `Detail` only with --verbose. REQUIRES: escaped.
  void Note(std::string_view text) const;
  void Warn(std::string_view text) const;
  void Detail(std::string_view text) const;

  // Keys that the failure document gets beside `error`.
  OrderedJson failure_fields = OrderedJson::object();

  // Added to the code of a failure of ours, so that it is told apart from the exit status of a command.
  int failure_base = 0;

  // Of a command that watches files: those that changed since its last run. Set: documents name them.
  std::optional<std::vector<std::string>> changed;

  // Writes what was printed so far, or the error; more may follow.
  Written Report(const Result<int>& outcome);
  // Writes what was printed, or the error; the exit code.
  int Finish(const Result<int>& outcome);

 private:
  void ReportError(const Error& error);
  void Interrupted();

  std::string command_;
  Arguments arguments_;
  manifest::Environment environment_;
  Connect connect_;
  Terminal terminal_;
  std::string out_;
  std::mutex mutex_;  // guards audit_, reported_
  std::shared_ptr<audit::AuditLog> audit_;
  bool reported_ = false;
  std::unique_ptr<Stop> stop_;  // last, so that its thread ends first
};

}  // namespace cordon::cli
