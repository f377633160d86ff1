#include "embed/deployment.h"

#include <algorithm>
#include <thread>

#include "audit/observer.h"
#include "manifest/policy_file.h"

namespace cordon {
namespace {

constexpr std::size_t kVersionsMax = 16;  // of one deployment, that still run
constexpr int kReadsMax = 3;              // of files that change meanwhile
constexpr int kProofsMax = 50;            // while no instance is free
constexpr auto kProofPause = std::chrono::milliseconds(20);

std::string VersionOf(const runtime::Plugin& plugin) {
  return plugin.manifest() == nullptr ? std::string() : plugin.manifest()->version;
}

Reloaded Compare(const Plugin::State& before, const Plugin::State& now) {
  Reloaded out;
  out.digest_before = before.digest;
  out.digest = now.digest;
  out.version_before = VersionOf(*before.plugin);
  out.version = VersionOf(*now.plugin);
  out.gained = now.plugin->authority().Beyond(before.plugin->authority());
  out.lost = before.plugin->authority().Beyond(now.plugin->authority());
  out.limits_before = embed::LimitsOf(before.plugin->limits());
  out.limits = embed::LimitsOf(now.plugin->limits());
  return out;
}

// A guest whose initialisers do not come to an end is not worth waiting for beyond its own limit.
Status Prove(const runtime::Plugin& plugin, const embed::Stopped& stopped) {
  for (int i = 0;; ++i) {
    Status proved = plugin.Prove();
    const bool busy = !proved && proved.error().code == Code::kBusy;
    if (!busy || i + 1 == kProofsMax || (stopped && stopped())) return proved;
    std::this_thread::sleep_for(kProofPause);
  }
}

// A version that is ready to serve, and is not in service yet. `marks` are of the files that it was read from.
Result<std::shared_ptr<const Plugin::State>> MakeVersion(Deployment::State& deployment, const embed::Stopped& stopped,
                                                         FileMarks& marks) {
  CORDON_ASSIGN(runtime::LoadRequest request, embed::Prepare(*deployment.host, deployment.options));
  request.source = deployment.source;
  request.publication = runtime::LoadRequest::Publication::kLater;
  request.regranted = runtime::PluginStanding::Regranted::kServesOut;
  request.tally = deployment.tally;
  if (stopped) request.cancelled = stopped;
  for (int i = 0; i < kReadsMax; ++i) {
    marks = FileMarks();
    request.reads = [&marks](const std::filesystem::path& path) { marks.Add(path); };
    auto made = embed::LoadState(deployment.host, request);
    const FileMarks again = marks.Again();
    if (again != marks) continue;
    if (!made) return made;
    CORDON_TRY(Prove(*(*made)->plugin, stopped));
    return made;
  }
  return Fail(Code::kBusy, "the files of " + deployment.source.string() + " change while they are read",
              "write them beside, and rename them into place");
}

Status AuditReload(Host::State& host, const runtime::Plugin& plugin, const Result<Reloaded>& outcome) {
  audit::Record record;
  record.event = audit::Event::kReload;
  record.plugin = plugin.name();
  record.digest = outcome ? outcome->digest : plugin.digest().ToString();
  record.decision = outcome ? policy::Verdict::kAllow : policy::Verdict::kDeny;
  if (outcome) {
    record.note = "in place of " + outcome->digest_before;
  } else {
    record.code = outcome.error().code;
    record.note = outcome.error().message;
  }
  return host.host->Tell(record);
}

Status CheckInService(const Deployment::State& deployment) {
  if (!deployment.ended) return {};
  return Fail(Code::kUnavailable, deployment.current->plugin->name() + " was unloaded", "deploy it again");
}

// From now on whoever asks for the plugin by its name gets `now`; in the order of loads it has the place of the version
// before.
Status PutInService(Deployment::State& deployment, const std::shared_ptr<const Plugin::State>& now) {
  std::shared_ptr<const Plugin::State> before;
  Host::State& host = *deployment.host;
  {
    const std::lock_guard lock(deployment.mutex);
    CORDON_TRY(CheckInService(deployment));
    before = std::exchange(deployment.current, now);
  }
  host.host->Publish(now->plugin, before == nullptr ? nullptr : before->plugin.get());
  if (now->plugin->manifest() != nullptr) {
    const std::lock_guard lock(host.mutex);
    const auto place = std::ranges::find_if(host.loaded, [&](const auto& one) { return one.lock() == before; });
    if (before != nullptr && place != host.loaded.end()) {
      *place = now;
    } else {
      host.loaded.push_back(now);
    }
  }
  if (before == nullptr) return {};
  before->plugin->Retire();
  deployment.before.emplace_back(before);
  return {};
}

Result<Reloaded> TakeUp(Deployment::State& deployment, const embed::Stopped& stopped, FileMarks& marks) {
  std::shared_ptr<const Plugin::State> before;
  {
    const std::lock_guard lock(deployment.mutex);
    CORDON_TRY(CheckInService(deployment));
    before = deployment.current;
  }
  std::erase_if(deployment.before, [](const auto& one) { return one.expired(); });
  if (deployment.before.size() >= kVersionsMax) {
    return Fail(Code::kBusy, std::to_string(kVersionsMax) + " old versions of " + before->plugin->name() + " still run",
                "let calls end, and keep no Plugin of Deployment::Current for longer than a call");
  }
  CORDON_ASSIGN(auto now, MakeVersion(deployment, stopped, marks));
  if (now->plugin->name() != before->plugin->name()) {
    return Fail(Error(Code::kChanged,
                      deployment.source.string() + " is " + now->plugin->name() + " by now, and " +
                          before->plugin->name() + " was deployed",
                      "deploy it as a plugin of its own")
                    .With("was", before->plugin->name())
                    .With("now", now->plugin->name()));
  }
  Result<Reloaded> outcome = Compare(*before, *now);
  CORDON_TRY(AuditReload(*deployment.host, *now->plugin, outcome));
  // A resident goes on from what the one before it left, so its first call waits for that.
  now->plugin->HoldCalls();
  Status put = PutInService(deployment, now);
  if (put) {
    before->plugin->SucceededBy(now->plugin);
    before->plugin->Drain();
  }
  now->plugin->LetCalls();
  CORDON_TRY(put);
  return outcome;
}

}  // namespace

namespace embed {

Result<Reloaded> ReloadOne(Deployment::State& deployment, const Stopped& stopped) {
  const std::lock_guard loading(deployment.reloading);
  FileMarks marks;
  Result<Reloaded> outcome = TakeUp(deployment, stopped, marks);
  std::shared_ptr<const Plugin::State> current;
  {
    const std::lock_guard lock(deployment.mutex);
    deployment.marks = marks.empty() ? deployment.marks.Again() : std::move(marks);
    deployment.refused = !outcome.has_value();
    current = deployment.current;
  }
  // The refusal stands, written down or not.
  if (!outcome) (void)AuditReload(*deployment.host, *current->plugin, outcome);
  return outcome;
}

std::vector<std::shared_ptr<Deployment::State>> DeploymentsOf(Host::State& host) {
  std::vector<std::shared_ptr<Deployment::State>> found;
  const std::lock_guard lock(host.mutex);
  std::erase_if(host.deployments, [](const auto& one) { return one.expired(); });
  for (const auto& one : host.deployments) {
    if (auto deployment = one.lock()) found.push_back(std::move(deployment));
  }
  return found;
}

Result<OperatorFiles> ReadOperatorFiles(const HostOptions& options, FileMarks& marks) {
  OperatorFiles out;
  if (!options.config_file.empty()) {
    marks.Add(options.config_file);
    const auto nothing = [](std::string_view) -> std::optional<std::string> { return std::nullopt; };
    CORDON_ASSIGN(out.rules.config, manifest::LoadConfig(nothing, options.config_file));
    CORDON_TRY(telemetry::OtlpExporter::Check(out.rules.config.otlp_endpoint));
    out.rules.files.push_back(options.config_file);
    // A host that is configured by an operator runs plugins when the operator says so.
    if (!out.rules.config.enabled) out.held = "plugins.enabled is not true in " + options.config_file.string();
  }
  for (const std::filesystem::path& file : {out.rules.config.policy, options.policy_file}) {
    if (file.empty()) continue;
    marks.Add(file);
    CORDON_ASSIGN(auto policy, manifest::LoadPolicy(file));
    out.rules.policies.push_back(std::move(policy));
    out.rules.files.push_back(file);
  }
  return out;
}

Status TakeUpOperatorFiles(Host::State& host) {
  const std::lock_guard taking(host.operator_files);
  FileMarks marks;
  auto read = ReadOperatorFiles(host.options, marks);
  audit::Record record;
  record.event = audit::Event::kReload;
  record.rule = "operator-files";
  record.decision = read ? policy::Verdict::kAllow : policy::Verdict::kDeny;
  if (!read) {
    record.code = read.error().code;
    record.note = read.error().message;
  }
  Status written = host.host->Tell(record);
  {
    const std::lock_guard lock(host.mutex);
    host.operator_marks = std::move(marks);
  }
  if (!read) return Fail(std::move(read).error());
  // What cannot be recorded is taken up all the same: it may take authority away.
  if (host.spans != nullptr) CORDON_TRY(host.spans->SendTo(read->rules.config.otlp_endpoint));
  host.host->Hold(std::move(read->held));
  host.host->Adopt(std::move(read->rules));
  return written;
}

}  // namespace embed

Result<Deployment> Host::Deploy(const std::filesystem::path& source, const LoadOptions& options) {
  return embed::Guarded([&]() -> Result<Deployment> {
    auto state = std::make_shared<Deployment::State>();
    state->host = state_;
    state->source = source;
    state->options = options;
    CORDON_ASSIGN(state->tally, services::Tally::InMemory());
    FileMarks marks;
    CORDON_ASSIGN(auto made, MakeVersion(*state, {}, marks));
    // What belongs to the first load alone.
    state->options.cancel = {};
    state->options.progress = nullptr;
    state->marks = std::move(marks);
    CORDON_TRY(PutInService(*state, made));
    const std::lock_guard lock(state_->mutex);
    state_->deployments.push_back(state);
    return Deployment(std::move(state));
  });
}

Result<std::vector<Reload>> Host::ReloadAll() {
  return embed::Guarded([&]() -> Result<std::vector<Reload>> {
    CORDON_TRY(embed::Prepare(*state_, {}));
    CORDON_TRY(embed::TakeUpOperatorFiles(*state_));
    std::vector<Reload> reloads;
    for (const auto& deployment : embed::DeploymentsOf(*state_)) {
      std::string name;
      {
        const std::lock_guard lock(deployment->mutex);
        if (deployment->ended) continue;
        name = deployment->current->plugin->name();
      }
      reloads.push_back({std::move(name), embed::ReloadOne(*deployment, {})});
    }
    state_->host->EndMisplaced();
    return reloads;
  });
}

Plugin Deployment::Current() const {
  const std::lock_guard lock(state_->mutex);
  return Plugin(state_->current);
}

Result<Answer> Deployment::Call(std::string_view action, std::string_view input_json,
                                const CallOptions& options) const {
  return Current().Call(action, input_json, options);
}

Status Deployment::Call(std::string_view action, std::string_view input_json, const CallOptions& options,
                        Answer& answer) const {
  return Current().Call(action, input_json, options, answer);
}

Pending<Answer> Deployment::CallAsync(std::string action, std::string input_json, Executor executor,
                                      CallOptions options) const {
  return Current().CallAsync(std::move(action), std::move(input_json), std::move(executor), std::move(options));
}

Result<Reloaded> Deployment::Reload() const {
  return embed::Guarded([&] { return embed::ReloadOne(*state_, {}); });
}

void Deployment::Unload() const {
  const std::lock_guard lock(state_->mutex);
  state_->ended = true;
  Plugin(state_->current).Unload();
}

}  // namespace cordon
