// What is particular to plugins for fledge when one is loaded.
#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "base/file.h"
#include "runtime/load.h"
#include "services/exec/service.h"
#include "services/files.h"
#include "services/fledge.h"
#include "services/kv/service.h"
#include "services/log.h"

namespace cordon::runtime {

// What fledge lets a plugin keep, and no more than the operator does.
Result<std::unique_ptr<services::HostService>> Loader::FledgeStore(const PluginServices& services) {
  const manifest::CeilingLimits& ceiling = rules_->config.limits;
  const services::KvQuota quota = {
      std::min(ceiling.storage, Bytes{services::kFledgeStoreBytesMax}),
      std::min<std::uint64_t>(ceiling.keys, services::kFledgeKeysMax),
  };
  for (services::KvBucket& bucket : services::BucketsOf(plugin_->authority, plugin_->source.name, quota)) {
    if (bucket.name != services::kFledgeBucket) continue;
    CORDON_ASSIGN(std::shared_ptr<services::KvBackend> storage, host_.Storage());
    // The first of them is the store.
    return std::move(services::MakeKvServices(*services.guard, std::move(storage), {bucket}).front());
  }
  return nullptr;
}

Status Loader::SetUpFledge(PluginServices& services) {
  const policy::Authority& authority = plugin_->authority;
  services::FledgeParts parts;
  CORDON_ASSIGN(parts.programs, MakePrograms(services));
  CORDON_ASSIGN(parts.store, FledgeStore(services));
  parts.files = std::make_unique<services::FilesService>(*services.guard);
  if (authority.Allows(policy::Kind::kLog)) {
    parts.log = std::make_unique<services::LogService>(plugin_->source.name, *services.log_sink);
  }
  parts.name = plugin_->source.name;
  parts.version = plugin_->source.manifest ? plugin_->source.manifest->version : "0.0.0";
  for (const OpenFolder& folder : plugin_->folders) {
    parts.has_own_folder = parts.has_own_folder || folder.guest_path == services::kFledgeOwn;
    if (folder.guest_path != services::kFledgeProject) continue;
    UniqueFd fd(::fcntl(folder.fd.get(), F_DUPFD_CLOEXEC, 3));
    if (!fd) return Fail(Code::kIo, "cannot keep the folder " + folder.guest_path + ": " + ErrnoText(errno));
    parts.project = {std::move(fd), folder.host_path.filename().string()};
  }
  const auto project = policy::MakeCaller("project");
  if (project && authority.Decide(*project).allowed()) parts.metadata = services::FledgeParts::Metadata::kGranted;
  const std::vector<std::string> granted = authority.EnvironmentNames();
  for (const auto& [name, value] : request_.environment) {
    if (std::ranges::find(granted, name) != granted.end()) parts.environment.emplace_back(name, value);
  }
  services.router->Add(std::make_unique<services::FledgeService>(*services.guard, std::move(parts)));
  return {};
}

}  // namespace cordon::runtime
