// From a path and an operator's word to a plugin that can be called, or to every reason why not.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "abi/zeroclaw/service.h"
#include "runtime/programs.h"
#include "runtime/state.h"
#include "services/settings.h"

namespace cordon::runtime {

// One load. Not thread-safe; several may run at once.
class Loader {
 public:
  Loader(const std::shared_ptr<Host::State>& host, const LoadRequest& request)
      : host_(*host), rules_(host->RulesNow()), request_(request) {
    plugin_->host = host;
  }
  Result<std::unique_ptr<Plugin::State>> Run();
  const std::shared_ptr<const Rules>& rules() const { return rules_; }

 private:
  Result<std::unique_ptr<Plugin::State>> Prepare();
  Result<std::unique_ptr<Plugin::State>> PrepareReplay();
  void Stage(std::string_view name) const;
  Status ReadAndDescribe();
  Status ComputeLimits();
  Status CollectGrants();
  Status CollectGrantSet(const policy::Subject& subject);
  Status AddMountFlags(std::span<const policy::Request> requests);
  void AskForArguments();
  Status ComputeAuthority();
  // Everything that stands between the plugin and a run, as one error; nothing when it may run.
  std::optional<Error> WhyNot() const;
  Status AuditLoad(const std::optional<Error>& failure);
  Status OpenMounts();
  Status Compile();
  // In workers when the configuration, the level or the host says so.
  void DecidePlace();
  Status CheckBackend() const;
  Status CompileForWorkers();
  Result<UniqueFd> SealedCode(const engine::Engine& engine, std::span<const std::uint8_t> wasm, const Digest& digest);
  using EngineRef = std::shared_ptr<const engine::Engine>;
  Result<std::shared_ptr<const engine::Compiled>> FindCode(const EngineRef& engine, std::span<const std::uint8_t> wasm,
                                                           const Digest& digest);
  Result<engine::Precompiled> MakeCode(const engine::Engine& engine, std::span<const std::uint8_t> wasm) const;
  Status CheckAbi();
  Status Join();
  Result<std::vector<engine::Library>> Libraries(const EngineRef& engine);
  Result<std::shared_ptr<const engine::Compiled>> ExtismKernel(const EngineRef& engine);
  Status SetUpExtism(PluginServices& services);
  Status SetUpFledge(PluginServices& services);
  Status DescribeNative();
  std::optional<Error> WhyNotNative() const;
  void ListUnusableNative();
  Status ConfineNative();
  Result<std::unique_ptr<services::HostService>> FledgeStore(const PluginServices& services);
  // Adds it to the plugin's services; of a plugin for Extism what zeroclaw's functions ask is kept for these.
  void Offer(PluginServices& services, std::unique_ptr<services::HostService> service);
  void AuditRefusedCode(engine::CodeCache::Refusal refusal, const std::string& entry, std::string_view why);
  void AuditCodeNotKept(const std::string& entry, std::string_view why);
  bool MayHaveSecrets() const;
  Result<engine::LinkSpec> LinkOf() const;
  void SetUpInstance();
  Status SetUpServices();
  Status SetUpQuota();
  engine::LinkSpec HeldLink() const;
  services::ServiceRouter::Later LaterWhile(const std::shared_ptr<PluginServices>& services) const;
  Status CheckQuota(const services::LimitEnforcer& enforcer) const;
  // Counters of limited grants, and what watches over grants that are taken back.
  Result<services::Accounts> SetUpAccounts();
  Status OpenNetwork();
  Status SetUpNetwork(PluginServices& services);
  Status SetUpStorage(PluginServices& services);
  // Null when no program is granted.
  Result<std::unique_ptr<services::HostService>> MakePrograms(const PluginServices& services);
  Status SetUpMemory(PluginServices& services);
  Status SetUpMessaging(PluginServices& services);
  Status SetUpSettings(PluginServices& services);
  Result<std::vector<services::SettingValue>> Settings() const;
  Status BindActions();
  // Of plugins whose instances stay.
  manifest::InstancePolicy Instances() const;
  Status CheckInstances() const;
  Status KeepInstances();
  Status KeepResident(InstanceRecipe recipe);
  Result<BoundAction> Bind(const std::string& name, const manifest::Action& action) const;

  Host::State& host_;
  const std::shared_ptr<const Rules> rules_;  // of the moment at which it began
  const LoadRequest& request_;
  std::unique_ptr<Plugin::State> plugin_ = std::make_unique<Plugin::State>();
  std::vector<policy::Request> requests_;
  std::vector<policy::Grant> grants_;
  std::vector<policy::Kind> withdrawn_;
  std::optional<policy::GrantSet> kept_;     // what the source, or a file of this load, grants
  std::vector<policy::Grant> own_;           // of flags
  std::vector<policy::Kind> own_withdrawn_;  // by the manifest
  std::uint64_t version_ = 0;                // of the source of `kept_`
  FolderMap folders_;
  ProgramMap programs_;
  abi::ZeroclawParts zeroclaw_;  // of a plugin for Extism
  bool refusal_audited_ = false;
  Status cache_audit_;  // what could not be written of the cache's refusals
};

}  // namespace cordon::runtime
