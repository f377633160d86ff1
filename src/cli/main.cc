// The command. The only place where the parts of Cordon are put together.
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>

#include "base/text.h"
#include "cli/command.h"
#include "cli/report.h"
#include "cli/secret_input.h"
#include "cli/settings_store.h"
#include "runtime/kill_switch.h"
#include "services/kv/sqlite_backend.h"
#include "services/memory/sqlite_memory.h"
#include "services/tools.h"
#include "telemetry/otlp.h"
#include "worker/keeper_protocol.h"

namespace {

using namespace cordon;
using namespace cordon::cli;

constexpr const char* kSecretsKey = "CORDON_SECRETS_KEY";

// The key of the secrets is taken out of the environment at the start, so that no process that we start inherits it.
std::optional<std::string> TakeSecretsKey() {
  char* value = std::getenv(kSecretsKey);
  if (value == nullptr) return std::nullopt;
  std::string key = value;
  WipeText(value, std::strlen(value));
  ::unsetenv(kSecretsKey);
  return key;
}

std::optional<std::string> FromEnvironment(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

// What guests log, as lines on stderr.
class StderrSink final : public services::LogSink {
 public:
  explicit StderrSink(const Session& session) : terminal_(session.terminal()), quiet_(session.quiet()) {}

  void Write(const services::LogLine& line) override {
    if (quiet_) return;
    const Style style = line.level >= services::LogLevel::kError  ? Style::kError
                        : line.level >= services::LogLevel::kWarn ? Style::kWarning
                                                                  : Style::kDim;
    std::string text =
        terminal_.Paint(style, "[" + line.plugin + " " + std::string(services::LogLevelName(line.level)) + "]");
    if (!line.source.empty()) text += " " + line.source + ":";
    text += " " + line.message;
    if (line.dropped_lines > 0) text += " (" + std::to_string(line.dropped_lines) + " lines before it were dropped)";
    (void)WriteAll(STDERR_FILENO, text + "\n");
  }

 private:
  Terminal terminal_;
  bool quiet_;
};

// Once a secret was read, this process leaves no core behind, and no other of the same user looks into it.
class UndumpedSecrets final : public services::SecretSource {
 public:
  explicit UndumpedSecrets(std::shared_ptr<services::SecretSource> inner) : inner_(std::move(inner)) {}
  Result<std::optional<SecretText>> Find(std::string_view plugin, std::string_view name) override {
    (void)::prctl(PR_SET_DUMPABLE, 0);
    return inner_->Find(plugin, name);
  }

 private:
  std::shared_ptr<services::SecretSource> inner_;
};

// Whether values that may be secret are in this process from the start: of --env, and of headers.
bool HoldsSecrets(const Session& session, const manifest::Config& config) {
  return session.arguments().Has("--env") ||
         std::ranges::any_of(config.entries, [](const auto& entry) { return !entry.second.egress.empty(); });
}

// For commands that decide nothing.
class Unwatched final : public audit::Observer {
 public:
  Status On(const audit::Record&) override { return {}; }
};

// Without it plugins still run: they are compiled each time, and the operator is told.
std::shared_ptr<engine::CodeCache> OpenCodeCache(const Session& session, const manifest::CacheConfig& config) {
  if (config.directory.empty() || session.arguments().Has("--no-cache")) return nullptr;
  auto opened = engine::CodeCache::Open(config.directory / "code", config.size.count);
  if (opened) return *opened;
  session.Warn(Escape(opened.error().message) + "; compiling without it" +
               (opened.error().remedy.empty() ? "" : " (" + Escape(opened.error().remedy) + ")"));
  return nullptr;
}

Result<Parts> ConnectParts(Session& session, const manifest::Config& config, Use use) {
  Parts parts;
  std::shared_ptr<audit::Observer> observer = std::make_shared<Unwatched>();
  if (use == Use::kRun) {
    CORDON_ASSIGN(parts.audit, session.OpenAudit());
    observer = parts.audit;
  }
  if (use != Use::kLookUngranted) {
    auto folder = session.StateFolder();
    if (folder) parts.grants = std::make_shared<const GrantStore>(*folder);
  }
  if (use == Use::kRun && HoldsSecrets(session, config)) (void)::prctl(PR_SET_DUMPABLE, 0);
  runtime::HostOptions options;
  options.config = config;
  options.observer = observer;
  CORDON_ASSIGN(options.policies, session.LoadPolicies(config));
  options.log_sink = std::make_shared<StderrSink>(session);
  options.grants = parts.grants;
  options.forbidden_roots = session.OwnFolders(config);
  // One, and one for each plugin that another one waits for.
  options.max_instances = session.arguments().Has("--with") ? 1 + services::kToolChainMax : 1;
  if (use == Use::kRun) {
    CORDON_ASSIGN(const std::filesystem::path folder, session.StateFolder());
    options.kill_switch = runtime::KillSwitch::Make(folder / runtime::kSwitchFile);
    if (!config.otlp_endpoint.empty()) {
      CORDON_ASSIGN(options.spans, telemetry::OtlpExporter::Make({.endpoint = config.otlp_endpoint}));
    }
  }
  if (use == Use::kRun) {
    if (auto compiler = engine::FindCompiler({})) {
      options.compiler = std::move(*compiler);
    } else {
      options.no_compiler = std::move(compiler).error();
    }
    if (auto worker = engine::FindProgram(worker::kProgramName, {})) {
      options.worker = std::move(*worker);
    } else {
      options.no_worker = std::move(worker).error();
    }
    options.code_cache = OpenCodeCache(session, config.cache);
  }
  if (auto folder = session.StateFolder(); folder && use == Use::kRun) {
    CORDON_ASSIGN(auto vault, OpenVault(session));
    options.secrets = std::make_shared<UndumpedSecrets>(std::move(vault));
    options.settings = [store = SettingsStore(*folder)](const std::string& plugin) { return store.Of(plugin); };
    options.open_storage = [file = *folder / "kv.db"]() -> Result<std::shared_ptr<services::KvBackend>> {
      return services::SqliteBackend::Open(file);
    };
    options.open_tally = [file = *folder / services::kTallyFile] { return services::Tally::Open(file); };
    options.open_memory = [file = *folder / "memory.db"] { return services::SqliteMemory::Open(file); };
    options.open_messages = [file = *folder / "messages.db"](const services::QueueLimits& limits) {
      return services::MessageQueue::Open(file, limits);
    };
  }
  CORDON_ASSIGN(parts.host, runtime::Host::Create(std::move(options)));
  return parts;
}

// Before there is a session: an error in the words that choose the command.
int Refuse(const std::vector<std::string>& words, const Error& error, std::string_view command = "error") {
  const bool json = std::find(words.begin(), words.end(), "--json") != words.end();
  const Terminal terminal = Terminal::Detect(FromEnvironment);
  if (json) {
    const OrderedJson document = {
        {"schema", SchemaName(std::string(command))}, {"ok", false}, {"error", ErrorJson(error)}};
    (void)WriteAll(STDOUT_FILENO, SafeJson(document) + "\n");
  } else {
    (void)WriteAll(STDERR_FILENO, ErrorText(error, terminal));
  }
  return ExitCode(error.code);
}

int Show(std::string_view text) { return WriteAll(STDOUT_FILENO, text) == Written::kFailed ? ExitCode(Code::kIo) : 0; }

int Overview(const std::vector<std::string>& words) {
  const std::string group = words.empty() || words.front().starts_with('-') ? "" : words.front();
  for (const std::string& word : words) {
    if (word == "--help" || word == "-h" || word == "help") return Show(OverviewText(group == "help" ? "" : group));
  }
  (void)WriteAll(STDERR_FILENO, OverviewText(group));
  return ExitCode(Code::kUsage);
}

// A file that is opened later must never become one of the three streams.
void FillStandardStreams() {
  int fd = 0;
  do {
    fd = ::open("/dev/null", O_RDWR);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) ::close(fd);
}

int Main(std::vector<std::string> words) {
  const auto environment = [key = TakeSecretsKey()](std::string_view name) {
    return name == kSecretsKey ? key : FromEnvironment(name);
  };
  if (!words.empty() && words.front() == "help") {
    words.erase(words.begin());
    words.push_back("--help");
  }
  if (!words.empty() && words.front() == "--version") words.front() = "version";
  const std::vector<std::string> given = words;
  auto command = FindCommand(words);
  if (!command) return Refuse(given, command.error());
  if (*command == nullptr) return Overview(given);
  const Syntax& syntax = (*command)->syntax;
  auto arguments = ParseArguments(syntax, words);
  if (!arguments) return Refuse(given, arguments.error(), syntax.command);
  if (arguments->Has("--help")) return Show(HelpText(syntax));
  Session session(std::string(syntax.command), std::move(*arguments), environment, ConnectParts);
  return session.Finish((*command)->run(session));
}

}  // namespace

int main(int argc, char** argv) {
  // A reader that goes away and a file that may not grow are answers to write(2), not ends of ours.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  FillStandardStreams();
  try {
    return Main({argv + (argc > 0 ? 1 : 0), argv + argc});
  } catch (const std::bad_alloc&) {
    return Refuse({}, Error(Code::kInternal, "there is not enough memory"));
  } catch (const std::exception& error) {
    return Refuse({}, Error(Code::kInternal, std::string("a fault of ours: ") + error.what(), "please report it"));
  }
}
