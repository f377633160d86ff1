// Plugins whose instances stay from call to call: `runtime.instance` and `lifecycle`.
#include <algorithm>
#include <memory>
#include <random>

#include "abi/export_ref.h"
#include "abi/type_shape.h"
#include "runtime/load.h"

namespace cordon::runtime {
namespace {

using manifest::InstancePolicy;

constexpr std::string_view kSnapshot = "cordon:lifecycle/state@1.0.0#snapshot";
constexpr std::string_view kRestore = "cordon:lifecycle/state@1.0.0#restore";
constexpr std::string_view kAlive = "cordon:lifecycle/liveness@1.0.0#alive";

Status CheckExport(const wit::Contract& contract, std::string_view name, std::string_view shape, std::string_view key) {
  const auto found = abi::ResolveExport(contract, name);
  const std::string remedy = "export it as wit/cordon-lifecycle has it, or remove the key";
  if (!found) {
    return Fail(Code::kNotFound,
                "'" + std::string(key) + "' needs the export " + std::string(name) + ", which is not there", remedy);
  }
  const std::string has = abi::FunctionShape(contract, *found->function);
  if (has == shape) return {};
  return Fail(Code::kType, std::string(name) + " is exported as " + has + ", not as " + std::string(shape), remedy);
}

// One for each resident: what falls together does not rise together.
std::function<double()> Chance() {
  auto numbers = std::make_shared<std::mt19937_64>(std::random_device{}());
  return [numbers] { return std::uniform_real_distribution<double>(0, 1)(*numbers); };
}

}  // namespace

// A binary without a manifest has what it was granted on the command line.
InstancePolicy Loader::Instances() const {
  if (plugin_->source.manifest) return plugin_->source.manifest->runtime.instance;
  InstancePolicy policy = InstancePolicy::kPerCall;
  for (const policy::Ruling& ruling : plugin_->authority.rulings()) {
    if (!ruling.effective || ruling.effective->kind() != policy::Kind::kInstance) continue;
    const bool is_resident = ruling.effective->named()->name == "resident";
    policy = std::max(policy, is_resident ? InstancePolicy::kResident : InstancePolicy::kPooled);
  }
  return policy;
}

Status Loader::CheckInstances() const {
  const InstancePolicy instances = Instances();
  if (instances == InstancePolicy::kPerCall) return {};
  const std::string name(manifest::InstancePolicyName(instances));
  if (!plugin_->source.manifest && abi::CommandEntry(*plugin_->contract)) {
    return Fail(Code::kUnenforceable, plugin_->source.name + " is a program, whose instance ends with its call",
                "run it without instance:" + name);
  }
  if (request_.recorder != nullptr && instances == InstancePolicy::kResident) {
    return Fail(Code::kUnenforceable,
                plugin_->source.name + " is a resident, whose answers come of calls before: no record would be whole",
                "run it without a record");
  }
  if (!plugin_->source.manifest) return {};
  const manifest::Lifecycle& lifecycle = plugin_->source.manifest->lifecycle;
  const wit::Contract& contract = *plugin_->contract;
  if (lifecycle.snapshot) {
    CORDON_TRY(CheckExport(contract, kSnapshot, "()->result<list<u8>,string>", "lifecycle.state"));
    CORDON_TRY(CheckExport(contract, kRestore, "(list<u8>)->result<_,string>", "lifecycle.state"));
  }
  if (lifecycle.liveness) CORDON_TRY(CheckExport(contract, kAlive, "()->result<_,string>", "lifecycle.liveness"));
  return {};
}

Status Loader::KeepInstances() {
  const InstancePolicy instances = Instances();
  if (instances == InstancePolicy::kPerCall) return {};
  InstanceRecipe recipe{plugin_->linked, plugin_->instance, plugin_->channel};
  if (instances == InstancePolicy::kResident) return KeepResident(std::move(recipe));
  InstancePool::Bounds bounds;
  bounds.idle_max = std::clamp(host_.options.max_instances / 4, 1u, bounds.idle_max);
  plugin_->kept = std::make_shared<InstancePool>(std::move(recipe), bounds);
  return {};
}

Status Loader::KeepResident(InstanceRecipe recipe) {
  ResidentOptions options;
  options.plugin = plugin_->source.name;
  options.recipe = std::move(recipe);
  const manifest::Limits& limits = plugin_->limits;
  options.limits = {.wall = limits.timeout, .cpu = limits.cpu, .fuel = limits.fuel};
  if (plugin_->source.manifest) options.lifecycle = plugin_->source.manifest->lifecycle;
  options.supervisor.restart = options.lifecycle.restart;
  options.chance = Chance();
  const auto find = [&](std::string_view name, std::optional<engine::Function>& to) -> Status {
    CORDON_ASSIGN(const abi::Binding binding, plugin_->abi->Bind(*plugin_->linked, name));
    to = binding.function;
    return {};
  };
  if (options.lifecycle.snapshot) {
    CORDON_TRY(find(kSnapshot, options.snapshot));
    CORDON_TRY(find(kRestore, options.restore));
    CORDON_ASSIGN(auto storage, host_.Storage());
    options.store = std::make_shared<SnapshotStore>(std::move(storage), plugin_->source.name);
  }
  if (options.lifecycle.liveness) CORDON_TRY(find(kAlive, options.alive));
  if (options.lifecycle.on_failure == manifest::Degradation::kLastGood) {
    plugin_->last_good = std::make_unique<LastGood>();
  }
  options.observer = host_.options.observer;
  options.record = plugin_->NewRecord(audit::Event::kNote);
  options.meter = plugin_->meter;
  options.timer = host_.timer;
  options.kill_switch = host_.options.kill_switch;
  options.standing = plugin_->standing;
  options.call_id = host_.NextCallId();
  plugin_->resident = std::make_shared<Resident>(std::move(options));
  plugin_->kept = plugin_->resident;
  plugin_->serves_all_tenants = IsForAllTenants(*rules_, plugin_->source.name);
  const std::lock_guard lock(host_.mutex);
  std::erase_if(host_.residents, [](const auto& one) { return one.expired(); });
  host_.residents.push_back(plugin_->resident);
  return {};
}

}  // namespace cordon::runtime
