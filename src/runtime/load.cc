#include "runtime/load.h"

#include <algorithm>

#include "abi/extism.h"
#include "abi/wasi_table.h"
#include "policy/roots.h"
#include "runtime/host_call_watch.h"
#include "runtime/kill_switch.h"
#include "runtime/network.h"
#include "runtime/recording.h"
#include "runtime/tool_calls.h"
#include "services/files.h"
#include "services/http.h"
#include "services/kv/service.h"
#include "services/log.h"
#include "services/memory/service.h"
#include "services/messaging/service.h"
#include "services/principal.h"
#include "services/sockets.h"

namespace cordon::runtime {
namespace {

const policy::FilesScope* RequestedMount(std::span<const policy::Request> requests, std::string_view guest_path) {
  for (const policy::Request& request : requests) {
    const policy::FilesScope* files = request.capability.files();
    if (files != nullptr && files->mount == guest_path) return files;
  }
  return nullptr;
}

std::string FromText(const policy::FilesScope& scope) {
  return scope.below.empty() ? scope.root : scope.root + "/" + scope.below;
}

Timestamp WallNow() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

// A flag above the ceiling is an error: the operator asked for what the operator's own file forbids.
Error AboveCeiling(std::string_view flag, const std::string& asked, const std::string& ceiling, std::string_view key) {
  return Error(Code::kRange, std::string(flag) + " " + asked + " is above the ceiling of " + ceiling,
               "ask for less, or raise " + std::string(key) + " in config.yaml");
}

}  // namespace

void Loader::Stage(std::string_view name) const {
  if (request_.progress) request_.progress(name);
}

Status Loader::ReadAndDescribe() {
  Stage("reading");
  CORDON_ASSIGN(plugin_->source, request_.bytes ? SourceOfBytes(request_.source.string(), *request_.bytes)
                                                : ReadSource(request_.source, request_.reads));
  CORDON_TRY(ComputeLimits());
  const auto& manifest = plugin_->source.manifest;
  if (manifest && manifest->runtime.abi == manifest::Abi::kNative) return DescribeNative();
  auto contract = wit::Describe(plugin_->source.wasm(),
                                {.max_functions = plugin_->limits.functions, .wit_folder = plugin_->source.wit_folder});
  if (!contract) {
    Error error = std::move(contract).error();
    if (!error.place) error.details.emplace_back("file", plugin_->source.artifact.string());
    return Fail(std::move(error));
  }
  plugin_->contract = std::make_shared<const wit::Contract>(std::move(*contract));
  return CheckAbi();
}

Status Loader::ComputeLimits() {
  const manifest::Config& config = rules_->config;
  const manifest::Manifest* manifest = plugin_->source.manifest ? &*plugin_->source.manifest : nullptr;
  manifest::Limits& limits = plugin_->limits = manifest::EffectiveLimits(manifest, config);
  if (request_.timeout) {
    if (*request_.timeout > config.limits.timeout) {
      return Fail(AboveCeiling("--timeout", FormatDuration(*request_.timeout), FormatDuration(config.limits.timeout),
                               "plugins.limits.timeout"));
    }
    limits.timeout = *request_.timeout;
    limits.decided_by["timeout"] = "--timeout";
  }
  if (request_.memory) {
    if (*request_.memory > config.limits.memory) {
      return Fail(AboveCeiling("--memory", FormatBytes(*request_.memory), FormatBytes(config.limits.memory),
                               "plugins.limits.memory"));
    }
    limits.memory = *request_.memory;
    limits.decided_by["memory"] = "--memory";
  }
  const manifest::IsolationConfig& isolation = config.isolation;
  if (isolation.Isolates(plugin_->source.name)) {
    if (isolation.timeout && *isolation.timeout < limits.timeout) {
      limits.timeout = *isolation.timeout;
      limits.decided_by["timeout"] = "plugins.isolation.timeout";
    }
    if (isolation.max_memory && *isolation.max_memory < limits.memory) {
      limits.memory = *isolation.max_memory;
      limits.decided_by["memory"] = "plugins.isolation.limits.max_memory";
    }
  }
  manifest::AddQuota(manifest, config, plugin_->source.name, limits);
  if (request_.fuel) {
    limits.fuel = *request_.fuel;
    limits.decided_by["fuel"] = "--fuel";
  }
  return {};
}

// `--mount` names a folder and grants it in one word. A manifest's own request for that mount keeps its root's name; a
// bare .wasm requests exactly what it is given.
Status Loader::AddMountFlags(std::span<const policy::Request> requests) {
  int number = 0;
  for (const MountFlag& flag : request_.mounts) {
    ++number;
    const policy::FilesScope* requested = RequestedMount(requests, flag.guest_path);
    const std::string from = requested != nullptr ? FromText(*requested) : "mount-" + std::to_string(number);
    CORDON_ASSIGN(policy::Capability capability, policy::MakeFiles(flag.guest_path, from, flag.access));
    folders_.mounts[capability.files()->mount] = flag.host_path;
    grants_.push_back({std::move(capability), policy::Lifetime::kSession});
  }
  return {};
}

Status Loader::CollectGrantSet(const policy::Subject& subject) {
  std::optional<policy::GrantSet> set = request_.grant_set;
  if (set && (set->artifact != subject.artifact || set->manifest != subject.manifest)) {
    return Fail(policy::ChangedError(*set, subject));
  }
  own_ = grants_;
  own_withdrawn_ = withdrawn_;
  if (!set && host_.options.grants != nullptr && plugin_->source.manifest) {
    version_ = host_.options.grants->Version();
    CORDON_ASSIGN(set, host_.options.grants->Find(subject));
  }
  if (!set) return {};
  kept_ = set;
  for (const policy::Grant& grant : set->granted) {
    // A folder of --mount has the access that its flag says; the set's grant was for another folder.
    const policy::FilesScope* files = grant.capability.files();
    if (files != nullptr && folders_.mounts.contains(files->mount)) continue;
    grants_.push_back(grant);
    grants_.back().keep = policy::LimitedGrant::Keep::kDisk;
  }
  for (const auto& [name, path] : set->roots) folders_.roots.emplace(name, path);
  programs_.pins.insert(set->programs.begin(), set->programs.end());
  withdrawn_.insert(withdrawn_.end(), set->denied.begin(), set->denied.end());
  return {};
}

Status Loader::CollectGrants() {
  const auto& manifest = plugin_->source.manifest;
  if (manifest) {
    requests_ = manifest->permissions;
    withdrawn_ = manifest->withdrawn;
  }
  for (const auto& [name, path] : request_.roots) {
    CORDON_TRY(policy::CheckRootName(name));
    folders_.roots[name] = path;
  }
  for (const auto& [name, path] : request_.programs) {
    CORDON_TRY(policy::MakeExec(name, {}));
    programs_.named[name] = path;
  }
  for (const std::string& text : request_.grants) {
    // What only a stricter level forbids becomes a ruling, with the other denials.
    const policy::Level level = std::min(plugin_->ceiling.level(), policy::Level::kDefault);
    CORDON_ASSIGN(policy::Grant grant, policy::Grant::Parse(text, level));
    if (grant.capability.exec() != nullptr) programs_.session.insert(grant.capability.exec()->program);
    grants_.push_back(std::move(grant));
  }
  for (const auto& [name, value] : request_.environment) {
    CORDON_ASSIGN(policy::Capability capability, policy::MakeEnvironment(name));
    grants_.push_back({std::move(capability), policy::Lifetime::kSession});
  }
  if (!request_.arguments.empty()) grants_.push_back({policy::MakeArguments(), policy::Lifetime::kSession});
  CORDON_TRY(AddMountFlags(requests_));
  const policy::Subject subject = {plugin_->source.name, plugin_->source.digest, plugin_->source.manifest_digest,
                                   requests_};
  CORDON_TRY(CollectGrantSet(subject));
  if (manifest && plugin_->ceiling.GrantsRequests() && host_.options.grants != nullptr &&
      request_.purpose == LoadRequest::Purpose::kRun) {
    CORDON_ASSIGN(const bool widens, host_.options.grants->Widens(subject));
    if (widens) plugin_->ceiling.Widened();
  }
  const bool is_command = manifest && manifest::IsProgram(manifest->runtime.abi);
  if (is_command && !request_.arguments.empty()) AskForArguments();
  if (!manifest) {
    for (const policy::Grant& grant : grants_) {
      requests_.push_back({grant.capability, policy::Need::kOptional, "asked for on the command line"});
    }
  }
  return {};
}

// Whoever runs a command with arguments means them for it, whether its manifest asks or not.
void Loader::AskForArguments() {
  const auto asks = [](const policy::Request& one) { return one.capability.kind() == policy::Kind::kArguments; };
  if (std::ranges::any_of(requests_, asks)) return;
  requests_.push_back({policy::MakeArguments(), policy::Need::kOptional, "a command takes arguments"});
}

Status Loader::ComputeAuthority() {
  abi::LinkOptions link_options{.plugin = request_.source.string()};
  CeilingSubject& subject = plugin_->ceiling_subject;
  subject = {plugin_->source.name, plugin_->source.digest, request_.level, {}};
  for (const HostedInterface& hosted : request_.hosted) {
    link_options.offered.push_back(hosted.offer);
    for (const abi::OfferedFunction& function : hosted.offer.functions) {
      subject.host_names.push_back(function.capability);
    }
  }
  policy::Ceiling& ceiling = plugin_->ceiling;
  ceiling = CeilingOf(*rules_, subject);
  const bool is_fledge = plugin_->abi_kind == manifest::Abi::kFledge;
  if (is_fledge) link_options.abi = engine::LinkSpec::Abi::kFledge;
  if (plugin_->abi_kind == manifest::Abi::kExtism) link_options.abi = engine::LinkSpec::Abi::kExtism;
  for (const Source::Library& library : plugin_->source.libraries) link_options.libraries.push_back(library.name);
  CORDON_TRY(CollectGrants());
  const auto& manifest = plugin_->source.manifest;
  const policy::LinkMode bare = is_fledge ? policy::LinkMode::kStrict : policy::LinkMode::kLenient;
  const policy::LinkMode link = manifest ? manifest->link : bare;
  CORDON_ASSIGN(plugin_->authority,
                policy::Authority::Evaluate(requests_, grants_, ceiling, link, withdrawn_, WallNow()));
  for (const policy::Ruling& ruling : plugin_->authority.rulings()) {
    const policy::ExecScope* scope = ruling.effective ? ruling.effective->exec() : nullptr;
    const auto pin = scope == nullptr ? programs_.pins.end() : programs_.pins.find(scope->program);
    if (pin != programs_.pins.end()) plugin_->programs.insert(*pin);
  }
  plugin_->plan = abi::PlanLink(*plugin_->contract, plugin_->authority, link_options);
  if (plugin_->abi_kind == manifest::Abi::kNative) {
    plugin_->plan.unusable.clear();
    ListUnusableNative();
  }
  return {};
}

std::optional<Error> Loader::WhyNot() const {
  if (Status enabled = CheckEnabled(*rules_, plugin_->source.name); !enabled) return std::move(enabled).error();
  std::optional<Error> why;
  if (Status runnable = plugin_->ceiling.CheckRunnable(); !runnable) why = std::move(runnable).error();
  const auto add = [&why](Error error) {
    if (why) {
      why->causes.push_back(std::move(error));
    } else {
      why = std::move(error);
    }
  };
  if (plugin_->abi_kind == manifest::Abi::kNative) {
    if (auto native = WhyNotNative()) add(std::move(*native));
  }
  if (Status required = plugin_->authority.CheckRequired(); !required) add(std::move(required).error());
  if (plugin_->plan.complete()) return why;
  Error unlinked = abi::UnlinkedError(plugin_->plan);
  if (!why) return unlinked;
  for (Error& cause : unlinked.causes) add(std::move(cause));
  return why;
}

Status Loader::AuditLoad(const std::optional<Error>& failure) {
  if (request_.purpose == LoadRequest::Purpose::kInspect) return {};
  audit::Observer& observer = *host_.options.observer;
  for (const policy::Ruling& ruling : plugin_->authority.rulings()) {
    if (ruling.source == policy::Ruling::Source::kDefault && ruling.state == policy::Ruling::State::kEffective)
      continue;
    audit::Record record = plugin_->NewRecord(audit::Event::kDecision);
    record.capability = (ruling.effective ? *ruling.effective : ruling.request.capability).ToString();
    record.rule = ruling.rule;
    const bool effective = ruling.state == policy::Ruling::State::kEffective;
    record.decision = effective ? policy::Verdict::kAllow : policy::Verdict::kDeny;
    CORDON_TRY(observer.On(record));
  }
  for (const abi::ImportDecision& decision : plugin_->plan.decisions) {
    if (decision.state != abi::LinkState::kNotLinked) continue;
    audit::Record record = plugin_->NewRecord(audit::Event::kDecision);
    record.capability = decision.capability;
    record.target = "import " + decision.import;
    record.rule = decision.rule;
    record.decision = policy::Verdict::kDeny;
    record.code = Code::kLink;
    CORDON_TRY(observer.On(record));
  }
  audit::Record record = plugin_->NewRecord(audit::Event::kLoad);
  record.decision = failure ? policy::Verdict::kDeny : policy::Verdict::kAllow;
  refusal_audited_ = failure.has_value();
  if (failure) record.code = failure->code;
  return observer.On(record);
}

Status Loader::OpenMounts() {
  const std::vector<policy::FilesScope> scopes = plugin_->authority.FilesGrants();
  std::vector<std::filesystem::path> forbidden = host_.options.forbidden_roots;
  forbidden.insert(forbidden.end(), rules_->files.begin(), rules_->files.end());
  CORDON_ASSIGN(plugin_->folders, OpenFolders(scopes, folders_, forbidden));
  // Code that imports no file system has no use for a folder, granted or not.
  const bool is_native = plugin_->abi_kind == manifest::Abi::kNative;
  const bool has_files = is_native || std::ranges::any_of(plugin_->plan.spec.wasi, [](const std::string& name) {
                           return name == "wasi:filesystem/preopens" || name == abi::kPreview1;
                         });
  for (const OpenFolder& folder : plugin_->folders) {
    plugin_->mounts.push_back({folder.guest_path, folder.host_path, folder.access});
    if (!has_files) continue;
    plugin_->instance.preopens.push_back({folder.fd.get(), folder.guest_path, folder.access == policy::Access::kWrite});
  }
  return {};
}

// Three forgeries in ten minutes are not bad luck.
bool Loader::MayHaveSecrets() const {
  if (plugin_->authority.Allows(policy::Kind::kSecrets)) return true;
  const auto& manifest = plugin_->source.manifest;
  return plugin_->authority.Allows(policy::Kind::kConfig) && manifest && manifest->config &&
         manifest->config->dump().find("\"x-secret\":true") != std::string::npos;
}

Result<engine::LinkSpec> Loader::LinkOf() const {
  const wit::Contract& contract = *plugin_->contract;
  if (request_.replayer == nullptr && request_.recorder == nullptr) return HeldLink();
  if (request_.recorder != nullptr && MayHaveSecrets()) {
    return Fail(Code::kUnenforceable, plugin_->source.name + " may read secrets, which a fixture would hold",
                "withhold them: cordon plugin revoke, or record without the grant");
  }
  if (manifest::IsProgram(plugin_->abi_kind)) {
    return Fail(Code::kUnenforceable,
                plugin_->source.name + " is a command, whose output is no host call, so a record would not be whole",
                "run it without a record");
  }
  CORDON_TRY(CheckRecordable(contract, request_.replayer != nullptr ? engine::LinkSpec() : plugin_->plan.spec));
  return request_.replayer != nullptr ? ReplayedLink(contract) : TracedLink(contract, plugin_->plan.spec);
}

Result<services::Accounts> Loader::SetUpAccounts() {
  services::Accounts accounts;
  for (const policy::Ruling& ruling : plugin_->authority.rulings()) {
    for (const policy::LimitedGrant& grant : ruling.limits) {
      if (!grant.limits.counted()) continue;
      const bool on_disk = grant.keep == policy::LimitedGrant::Keep::kDisk;
      std::shared_ptr<services::Tally>& tally = on_disk ? accounts.disk : accounts.run;
      if (tally != nullptr) continue;
      if (!on_disk && request_.tally != nullptr) {
        tally = request_.tally;
      } else if (on_disk) {
        CORDON_ASSIGN(tally, host_.DiskTally());
      } else {
        CORDON_ASSIGN(tally, services::Tally::InMemory());
      }
    }
  }
  PluginStanding::Basis basis;
  basis.plugin = plugin_->source.name;
  basis.artifact = plugin_->source.digest;
  basis.manifest = plugin_->source.manifest_digest;
  basis.requests = requests_;
  basis.own = own_;
  basis.kept = kept_;
  basis.withdrawn = own_withdrawn_;
  basis.ceiling = plugin_->ceiling;
  basis.link = plugin_->authority.link();
  basis.source = host_.options.grants;
  basis.version = version_;
  basis.authority = plugin_->authority;
  basis.regranted = request_.regranted;
  plugin_->standing = std::make_shared<PluginStanding>(std::move(basis));
  accounts.standing = plugin_->standing;
  plugin_->is_plain = plugin_->is_plain && !plugin_->standing->can_end();
  return accounts;
}

Status Loader::SetUpServices() {
  const std::string& name = plugin_->source.name;
  auto services = std::make_shared<PluginServices>();
  services->authority = plugin_->authority;
  services->observer = host_.options.observer;
  if (request_.witness != nullptr) {
    services->observer = std::make_shared<WitnessedObserver>(services->observer, request_.witness);
  }
  services->log_sink = host_.options.log_sink;
  services->chains = host_.chains;
  services->meter = plugin_->meter;
  CORDON_ASSIGN(services::Accounts accounts, SetUpAccounts());
  services->guard = std::make_unique<services::Guard>(services->authority, *services->observer, name,
                                                      plugin_->source.digest.ToString(), std::move(accounts));
  services->router = std::make_unique<services::ServiceRouter>(*services->guard, services->chains.get());
  services->router->CountIn(services->meter->host_calls());
  if (plugin_->enforcer != nullptr && plugin_->enforcer->Bounds(services::Resource::kRequests)) {
    services->router->HoldTo(plugin_->enforcer, LaterWhile(services));
  }
  if (plugin_->detail >= policy::AuditDetail::kHostCalls) {
    services->router->Watch(
        std::make_shared<HostCallAudit>(services->observer, name, plugin_->source.digest.ToString()));
  }
  if (host_.options.spans != nullptr) {
    services->router->Watch(std::make_shared<HostCallSpans>(host_.options.spans, name));
  }
  services->router->Add(std::make_unique<services::FilesService>(*services->guard, plugin_->enforcer));
  services->router->Add(std::make_unique<services::LogService>(name, *services->log_sink));
  services->router->Add(std::make_unique<services::ToolCalleeService>());
  if (plugin_->authority.Allows(policy::Kind::kCall)) {
    auto calls = std::make_shared<HostToolCalls>(plugin_->host);
    Offer(*services, std::make_unique<services::ToolCallerService>(*services->guard, std::move(calls)));
  }
  if (request_.recorder != nullptr) services->router->Watch(request_.recorder);
  for (const HostedInterface& hosted : request_.hosted) Offer(*services, hosted.serve(*services->guard));
  for (const abi::Stub& stub : plugin_->plan.stubs) {
    if (stub.reply == abi::Stub::Reply::kTrap) continue;
    services->router->SetStub(stub.import.interface_name, stub.import.function, stub.answer);
  }
  CORDON_TRY(SetUpNetwork(*services));
  CORDON_TRY(SetUpStorage(*services));
  CORDON_TRY(SetUpMemory(*services));
  CORDON_TRY(SetUpMessaging(*services));
  CORDON_TRY(SetUpSettings(*services));
  if (plugin_->abi_kind == manifest::Abi::kFledge || plugin_->abi_kind == manifest::Abi::kNative) {
    CORDON_TRY(SetUpFledge(*services));
  } else {
    CORDON_ASSIGN(auto programs, MakePrograms(*services));
    if (programs != nullptr) Offer(*services, std::move(programs));
  }
  if (plugin_->authority.Allows(policy::Kind::kContext)) {
    Offer(*services, std::make_unique<services::PrincipalService>(*services->guard));
  }
  if (plugin_->abi_kind == manifest::Abi::kExtism) CORDON_TRY(SetUpExtism(*services));
  HostChannel* channel = services->router.get();
  if (host_.options.channel == HostOptions::Channel::kCodec) {
    services->codec = std::make_unique<CodecChannel>(*services->router);
    channel = services->codec.get();
  }
  plugin_->channel = std::shared_ptr<HostChannel>(services, channel);
  SetUpInstance();
  return {};
}

void Loader::SetUpInstance() {
  engine::InstanceOptions& instance = plugin_->instance;
  const std::vector<std::string> granted = plugin_->authority.EnvironmentNames();
  for (const auto& [variable, value] : request_.environment) {
    if (std::ranges::find(granted, variable) != granted.end()) instance.environment.emplace_back(variable, value);
  }
  if (plugin_->authority.AllowsArguments()) instance.arguments = request_.arguments;
  const auto clock = plugin_->authority.Clock();
  instance.clock = clock == policy::ClockPrecision::kFine ? engine::ClockKind::kFine : engine::ClockKind::kCoarse;
  if (plugin_->ceiling.level() == policy::Level::kParanoid) instance.clock = engine::ClockKind::kStepped;
  const manifest::Limits& limits = plugin_->limits;
  instance.limits.memory_bytes = limits.memory.count;
  instance.limits.table_elements = limits.tables;
  instance.limits.instances = limits.instances;
  instance.limits.handles = limits.handles;
  instance.limits.stdout_bytes = limits.stdout_bytes.count;
  instance.limits.var_bytes = limits.vars.count;
  instance.limits.http_response_bytes = limits.http_response.count;
  // A result crosses in one piece, so what the guest may hand over at once is what an output may be.
  instance.limits.host_call_bytes = limits.output.count;
}

Status Loader::OpenNetwork() {
  if (plugin_->instance.network != nullptr) return {};
  CORDON_ASSIGN(const engine::NetworkOptions network, NetworkOptionsOf(rules_->config.network));
  CORDON_ASSIGN(plugin_->instance.network, engine::Network::Create(network));
  return {};
}

// A plugin whose requests are all denied has no way to the network at all.
Status Loader::SetUpNetwork(PluginServices& services) {
  const policy::Authority& authority = plugin_->authority;
  if (!authority.Allows(policy::Kind::kHttp) && !authority.Allows(policy::Kind::kSockets)) return {};
  const manifest::Config& config = rules_->config;
  CORDON_TRY(OpenNetwork());
  CORDON_ASSIGN(services::EgressOptions egress, EgressOptionsOf(config, plugin_->source.name, host_.options.secrets));
  egress.enforcer = plugin_->enforcer;
  egress.on_done = [meter = plugin_->meter](std::uint64_t up, std::uint64_t down) { meter->CountNetwork(up, down); };
  services.router->Add(std::make_unique<services::SocketsService>(*services.guard, egress.private_blocks));
  services.router->Add(std::make_unique<services::EgressService>(*services.guard, std::move(egress)));
  return {};
}

Status Loader::SetUpStorage(PluginServices& services) {
  const manifest::CeilingLimits& ceiling = rules_->config.limits;
  std::vector<services::KvBucket> buckets =
      services::BucketsOf(plugin_->authority, plugin_->source.name, {ceiling.storage, ceiling.keys});
  if (buckets.empty()) return {};
  CORDON_ASSIGN(std::shared_ptr<services::KvBackend> storage, host_.Storage());
  for (auto& service : services::MakeKvServices(*services.guard, std::move(storage), std::move(buckets))) {
    services.router->Add(std::move(service));
  }
  return {};
}

Status Loader::SetUpMemory(PluginServices& services) {
  if (!plugin_->authority.Allows(policy::Kind::kMemory)) return {};
  const manifest::CeilingLimits& ceiling = rules_->config.limits;
  CORDON_ASSIGN(std::shared_ptr<Memory> memory, host_.Memories());
  const services::MemoryQuota quota = {ceiling.keys, ceiling.storage.count};
  Offer(services, std::make_unique<services::MemoryService>(*services.guard, std::move(memory), quota));
  return {};
}

Status Loader::SetUpMessaging(PluginServices& services) {
  if (!plugin_->authority.Allows(policy::Kind::kMessaging)) return {};
  CORDON_ASSIGN(const std::shared_ptr<services::MessageQueue> queue, host_.Messages());
  const std::uint32_t rate = rules_->config.messaging.rate;
  Offer(services, std::make_unique<services::ProducerService>(*services.guard, queue, rate));
  services.router->Add(std::make_unique<services::DirectoryService>(*services.guard));
  services.router->Add(std::make_unique<services::ConsumerService>(*services.guard, queue));
  return {};
}

Result<std::unique_ptr<services::HostService>> Loader::MakePrograms(const PluginServices& services) {
  if (!plugin_->authority.Allows(policy::Kind::kExec)) return nullptr;
  CORDON_ASSIGN(services::ExecOptions options, OpenPrograms(plugin_->authority, programs_, plugin_->folders));
  options.calls = services.chains.get();
  plugin_->runs_programs = true;
  plugin_->is_plain = false;
  return std::make_unique<services::ExecService>(*services.guard, std::move(options));
}

Result<BoundAction> Loader::Bind(const std::string& name, const manifest::Action& action) const {
  BoundAction bound;
  const bool is_command = manifest::IsProgram(plugin_->source.manifest->runtime.abi);
  if (is_command) bound.command = action.command;
  bound.idempotent = action.idempotent;
  const manifest::Limits& limits = plugin_->limits;
  bound.limits = {.wall = limits.timeout, .cpu = limits.cpu, .fuel = limits.fuel};
  if (action.timeout) bound.limits.wall = std::min(bound.limits.wall, *action.timeout);
  if (action.input) {
    CORDON_ASSIGN(bound.input, Schema::Compile(*action.input));
  }
  if (action.output) {
    CORDON_ASSIGN(bound.output, Schema::Compile(*action.output));
  }
  if (plugin_->native != nullptr) return bound;
  const auto entry = is_command ? abi::CommandEntry(*plugin_->contract) : std::nullopt;
  auto binding = plugin_->abi->Bind(*plugin_->linked, entry ? entry->ToString() : action.export_name);
  if (!binding) {
    Error error = std::move(binding).error();
    error.message = "action '" + name + "': " + error.message;
    return Fail(std::move(error));
  }
  bound.binding = std::move(*binding);
  return bound;
}

Status Loader::BindActions() {
  const manifest::Limits& limits = plugin_->limits;
  const abi::ValueLimits values{.wire_bytes = std::max(limits.input, limits.output).count,
                                .json_bytes = 4 * std::max(limits.input, limits.output).count};
  plugin_->abi = plugin_->abi_kind == manifest::Abi::kExtism
                     ? std::make_unique<abi::ExtismAbi>(plugin_->contract, values)
                     : abi::MakeGuestAbi(plugin_->contract, values);
  if (!plugin_->source.manifest) return {};
  for (const auto& [name, action] : plugin_->source.manifest->actions) {
    CORDON_ASSIGN(BoundAction bound, Bind(name, action));
    plugin_->actions.emplace(name, std::move(bound));
  }
  return {};
}

// A binary or a grant that is refused before there is a plan leaves one record too, and so does a folder that is
// refused after it.
Result<std::unique_ptr<Plugin::State>> Loader::Run() {
  const bool runs = request_.purpose != LoadRequest::Purpose::kInspect;
  if (host_.options.kill_switch != nullptr && runs) {
    if (Status on = host_.options.kill_switch->Check(); !on) {
      audit::Record record = plugin_->NewRecord(audit::Event::kLoad);
      record.plugin = request_.source.filename().string();
      record.rule = "switched-off";
      record.decision = policy::Verdict::kDeny;
      record.code = on.error().code;
      CORDON_TRY(host_.options.observer->On(record));
      return Fail(std::move(on).error());
    }
  }
  auto state = Prepare();
  if (state || refusal_audited_ || request_.purpose == LoadRequest::Purpose::kInspect) return state;
  std::error_code ignored;
  if (state.error().code == Code::kNotFound && !std::filesystem::exists(request_.source, ignored)) return state;
  audit::Record record = plugin_->NewRecord(audit::Event::kLoad);
  if (record.plugin.empty()) record.plugin = request_.source.filename().string();
  record.decision = policy::Verdict::kDeny;
  record.code = state.error().code;
  record.note = state.error().message;
  CORDON_TRY(host_.options.observer->On(record));
  return state;
}

// Without any authority: every question of the guest goes to the record.
Result<std::unique_ptr<Plugin::State>> Loader::PrepareReplay() {
  if (plugin_->source.digest != request_.replayed_digest) {
    return Fail(Code::kChanged,
                plugin_->source.name + " is " + plugin_->source.digest.Short() + ", and " +
                    request_.replayed_digest.Short() + " was recorded",
                "replay with the plugin that was recorded, or record it again");
  }
  plugin_->authority = policy::Authority();
  audit::Record record = plugin_->NewRecord(audit::Event::kLoad);
  record.decision = policy::Verdict::kAllow;
  record.rule = "replay";
  CORDON_TRY(host_.options.observer->On(record));
  CORDON_TRY(Compile());
  plugin_->channel = request_.replayer;
  SetUpInstance();
  CORDON_TRY(BindActions());
  return std::move(plugin_);
}

Result<std::unique_ptr<Plugin::State>> Loader::Prepare() {
  CORDON_TRY(ReadAndDescribe());
  CORDON_TRY(ComputeAuthority());
  DecidePlace();
  plugin_->detail = std::max(host_.options.audit_detail, plugin_->ceiling.audit());
  plugin_->meter = host_.meter->Of(plugin_->source.name);
  plugin_->is_plain = host_.options.kill_switch == nullptr && host_.options.spans == nullptr &&
                      plugin_->detail < policy::AuditDetail::kDigests;
  if (request_.replayer != nullptr) return PrepareReplay();
  plugin_->not_runnable = WhyNot();
  CORDON_TRY(AuditLoad(plugin_->not_runnable));
  if (request_.purpose == LoadRequest::Purpose::kInspect) return std::move(plugin_);
  if (plugin_->not_runnable) return Fail(std::move(*plugin_->not_runnable));
  CORDON_TRY(CheckInstances());
  CORDON_TRY(OpenMounts());
  CORDON_TRY(SetUpQuota());
  CORDON_TRY(Compile());
  CORDON_TRY(SetUpServices());
  CORDON_TRY(BindActions());
  CORDON_TRY(KeepInstances());
  return std::move(plugin_);
}

}  // namespace cordon::runtime
