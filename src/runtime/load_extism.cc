// What is particular to plugins for Extism when one is loaded.
#include <algorithm>

#include "abi/export_ref.h"
#include "abi/extism.h"
#include "abi/fledge.h"
#include "runtime/load.h"
#include "services/exec/service.h"
#include "services/extism.h"
#include "services/kv/service.h"
#include "services/log.h"
#include "services/memory/service.h"
#include "services/messaging/service.h"
#include "services/principal.h"
#include "services/tools.h"

namespace cordon::runtime {

// A manifest says what it is; a bare binary shows.
Status Loader::CheckAbi() {
  const auto& manifest = plugin_->source.manifest;
  const bool component = plugin_->contract->kind == wit::Contract::Kind::kComponent;
  const bool extism = abi::ImportsExtism(*plugin_->contract);
  const manifest::Abi seen = component                                ? manifest::Abi::kComponent
                             : extism                                 ? manifest::Abi::kExtism
                             : abi::ImportsFledge(*plugin_->contract) ? manifest::Abi::kFledge
                                                                      : manifest::Abi::kCore;
  plugin_->abi_kind = manifest ? manifest->runtime.abi : seen;
  if (plugin_->abi_kind == manifest::Abi::kCommand) {
    if (!abi::CommandEntry(*plugin_->contract)) return Fail(abi::NoCommand("the artifact"));
    return {};
  }
  if (plugin_->abi_kind == manifest::Abi::kFledge && (component || !abi::CommandEntry(*plugin_->contract))) {
    return Fail(Code::kInvalid, "the artifact is no plugin for fledge: that is a core module that exports _start",
                "see what it exports: cordon inspect PLUGIN");
  }
  if (component != (plugin_->abi_kind == manifest::Abi::kComponent)) {
    return Fail(Code::kInvalid,
                "runtime.abi is " + std::string(manifest::AbiName(manifest->runtime.abi)) + ", but the artifact is a " +
                    (component ? "component" : "core module"),
                "write abi: " + std::string(manifest::AbiName(seen)));
  }
  if (plugin_->abi_kind == manifest::Abi::kExtism) return Join();
  return {};
}

// What the modules of a plugin import is imported by the plugin; what they export is its own affair.
Status Loader::Join() {
  wit::Contract joined = abi::AsExtism(*plugin_->contract);
  for (const Source::Library& library : plugin_->source.libraries) {
    auto contract = wit::Describe(library.wasm(), {.max_functions = plugin_->limits.functions, .wit_folder = {}});
    if (!contract || contract->kind == wit::Contract::Kind::kComponent) {
      Error error =
          contract ? Error(Code::kInvalid, "it is a component", "name a core module") : std::move(contract).error();
      error.message = "the module '" + library.name + "': " + error.message;
      return Fail(std::move(error));
    }
    for (wit::Item& item : contract->imports) {
      const auto same = [&item](const wit::Item& other) {
        return other.name == item.name && other.type_text == item.type_text;
      };
      if (std::ranges::none_of(joined.imports, same)) joined.imports.push_back(std::move(item));
    }
    joined.data_bytes += contract->data_bytes;
    joined.function_count += contract->function_count;
    joined.has_start = joined.has_start || contract->has_start;
  }
  plugin_->contract = std::make_shared<const wit::Contract>(std::move(joined));
  return {};
}

// The modules that the plugin imports from, and the kernel.
Result<std::vector<engine::Library>> Loader::Libraries(const EngineRef& engine) {
  std::vector<engine::Library> libraries;
  if (plugin_->abi_kind != manifest::Abi::kExtism) return libraries;
  CORDON_ASSIGN(auto kernel, ExtismKernel(engine));
  libraries.push_back({std::string(engine::kExtismKernel), std::move(kernel)});
  for (const Source::Library& library : plugin_->source.libraries) {
    CORDON_ASSIGN(auto code, FindCode(engine, library.wasm(), library.digest));
    libraries.push_back({library.name, std::move(code)});
  }
  return libraries;
}

// One for each engine: all plugins of it share the code.
Result<std::shared_ptr<const engine::Compiled>> Loader::ExtismKernel(const EngineRef& engine) {
  {
    const std::lock_guard lock(host_.mutex);
    if (const auto found = host_.kernels.find(engine.get()); found != host_.kernels.end()) return found->second;
  }
  const std::vector<std::uint8_t> wasm = engine::ExtismKernel();
  CORDON_ASSIGN(auto made, FindCode(engine, wasm, Digest::Of(wasm)));
  const std::lock_guard lock(host_.mutex);
  return host_.kernels.try_emplace(engine.get(), std::move(made)).first->second;
}

Status Loader::SetUpExtism(PluginServices& services) {
  const policy::Authority& authority = plugin_->authority;
  services::ExtismParts parts;
  if (authority.Allows(policy::Kind::kConfig)) {
    CORDON_ASSIGN(std::vector<services::SettingValue> values, Settings());
    parts.settings = std::make_unique<services::SettingsService>(*services.guard, std::move(values));
  }
  if (authority.Allows(policy::Kind::kLog)) {
    parts.log = std::make_unique<services::LogService>(plugin_->source.name, *services.log_sink);
  }
  const manifest::CeilingLimits& ceiling = rules_->config.limits;
  for (services::KvBucket& bucket :
       services::BucketsOf(authority, plugin_->source.name, {ceiling.storage, ceiling.keys})) {
    if (bucket.name != services::kVarsBucket) continue;
    CORDON_ASSIGN(std::shared_ptr<services::KvBackend> storage, host_.Storage());
    // The first of them is the store.
    parts.vars = std::move(services::MakeKvServices(*services.guard, std::move(storage), {bucket}).front());
  }
  services.router->Add(std::make_unique<services::ExtismService>(std::move(parts)));
  for (const HostedInterface& hosted : request_.hosted) {
    if (hosted.offer.name != abi::kZeroclawModule) continue;
    for (const abi::OfferedFunction& function : hosted.offer.functions) zeroclaw_.own_names.push_back(function.name);
  }
  services.router->Add(std::make_unique<abi::ZeroclawService>(*services.guard, std::move(zeroclaw_)));
  return {};
}

void Loader::Offer(PluginServices& services, std::unique_ptr<services::HostService> service) {
  std::unique_ptr<services::HostService>* part = nullptr;
  if (plugin_->abi_kind == manifest::Abi::kExtism) {
    const std::string_view name = service->interface_name();
    if (name == services::kMemoryInterface) part = &zeroclaw_.memory;
    if (name == services::kToolCallerInterface) part = &zeroclaw_.calls;
    if (name == services::kProducerInterface) part = &zeroclaw_.producer;
    if (name == services::kExecInterface) part = &zeroclaw_.programs;
    if (name == services::kCallInterface) part = &zeroclaw_.context;
    if (name == abi::kZeroclawModule) part = &zeroclaw_.own;
  }
  if (part != nullptr) {
    *part = std::move(service);
  } else {
    services.router->Add(std::move(service));
  }
}

}  // namespace cordon::runtime
