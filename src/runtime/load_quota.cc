// What a plugin may use while it runs: who counts, and what could not be held to it.
#include "runtime/load.h"
#include "services/quota.h"

namespace cordon::runtime {
namespace {

Error NotMeasured(const std::string& plugin, std::string_view quota, std::string_view by, std::string_view remedy) {
  return Error(Code::kUnenforceable,
               "'" + std::string(quota) + "' is set, and " + plugin + " may " + std::string(by) + ", which has no rate",
               std::string(remedy))
      .With("quota", std::string(quota));
}

}  // namespace

// A bound that something would pass by is none.
Status Loader::CheckQuota(const services::LimitEnforcer& enforcer) const {
  using services::Resource;
  const policy::Authority& authority = plugin_->authority;
  const std::string& name = plugin_->source.name;
  if (enforcer.Bounds(Resource::kNetwork) && authority.Allows(policy::Kind::kSockets)) {
    return Fail(NotMeasured(name, "io.network", "use sockets", "withhold the permission, or remove the quota"));
  }
  if (!enforcer.BoundsFiles()) return {};
  if (plugin_->abi_kind == manifest::Abi::kNative && !authority.FilesGrants().empty()) {
    return Fail(NotMeasured(name, "io.read, io.write or io.operations", "use files as a native program",
                            "withhold its files, or remove the quota"));
  }
  if (authority.Allows(policy::Kind::kExec) && !authority.FilesGrants().empty()) {
    return Fail(NotMeasured(name, "io.read, io.write or io.operations", "run programs that use its files",
                            "withhold the programs, or remove the quota"));
  }
  return {};
}

// A request that has to wait for its rate leaves the guest's thread to others.
engine::LinkSpec Loader::HeldLink() const {
  using Kind = engine::HostImport::Kind;
  engine::LinkSpec spec = plugin_->plan.spec;
  const bool is_held = plugin_->enforcer != nullptr && plugin_->enforcer->Bounds(services::Resource::kRequests);
  if (!is_held || plugin_->abi_kind != manifest::Abi::kComponent) return spec;
  for (engine::HostImport& import : spec.host) {
    if (import.kind == Kind::kQuick && services::CountsAsRequest(import.interface_name, import.function)) {
      import.kind = Kind::kDeferred;
    }
  }
  return spec;
}

services::ServiceRouter::Later Loader::LaterWhile(const std::shared_ptr<PluginServices>& services) const {
  return [delays = host_.delays, while_there = std::weak_ptr(services)](MonotonicTime when, auto go) {
    return delays->Put(when, [while_there, go = std::move(go)]() mutable {
      if (const auto there = while_there.lock()) go();
    });
  };
}

Status Loader::SetUpQuota() {
  const policy::Quota& own = plugin_->limits.quota;
  const std::shared_ptr<services::QuotaAccount> sum = host_.QuotaInSum();
  if (!own.any() && sum == nullptr) return {};
  const auto account = own.any() ? host_.AccountOf(plugin_->source.name, own) : nullptr;
  auto enforcer = std::make_shared<services::LimitEnforcer>(account, sum, &std::chrono::steady_clock::now);
  CORDON_TRY(CheckQuota(*enforcer));
  enforcer->OnRoom(host_.options.on_room);
  if (enforcer->BoundsFiles()) plugin_->instance.file_rate = engine::InstanceOptions::FileRate::kAsked;
  plugin_->is_plain = false;
  plugin_->enforcer = std::move(enforcer);
  return {};
}

}  // namespace cordon::runtime
