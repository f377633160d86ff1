// The messages of fledge-v1, answered by the services that answer the same questions of components. Texts of JSON both
// ways, as they are; docs/formats/native-protocol.md tells them.
//
//   init(list<string>)        the message with which the host begins; the payload are the arguments
//   exec, metadata            cordon:exec/runner#run; what is denied is an answer, not an error
//   store_set, store_get      wasi:keyvalue/store, the bucket `fledge`; E_LIMIT, E_INVALID end the guest's call
//   log(string, string)       wasi:logging/logging#log
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "formats/json.h"
#include "services/router.h"

namespace cordon::services {

inline constexpr std::string_view kFledgeInterface = "fledge";
// The bucket that keeps a plugin's values, and what fledge lets it hold.
inline constexpr std::string_view kFledgeBucket = "fledge";
inline constexpr std::size_t kFledgeKeyBytesMax = 256;
inline constexpr std::size_t kFledgeValueBytesMax = 64 << 10;
inline constexpr std::size_t kFledgeKeysMax = 256;
inline constexpr std::size_t kFledgeStoreBytesMax = 1 << 20;

inline constexpr std::string_view kFledgeProject = "/project";
inline constexpr std::string_view kFledgeOwn = "/plugin";

// Whatever is null was not granted.
struct FledgeParts {
  std::unique_ptr<HostService> programs;  // as cordon:exec/runner
  std::unique_ptr<HostService> store;     // as wasi:keyvalue/store, with the bucket `fledge` alone
  std::unique_ptr<HostService> files;     // as cordon:host/files
  std::unique_ptr<HostService> log;       // as wasi:logging/logging
  std::string name, version;              // of the plugin
  struct Project {
    UniqueFd fd;
    std::string name;  // of its folder
  };
  std::optional<Project> project;  // when /project is granted
  bool has_own_folder = false;     // when /plugin is
  enum class Metadata : std::uint8_t { kNone, kGranted } metadata = Metadata::kNone;
  std::vector<std::pair<std::string, std::string>> environment;  // that was granted
};

// Thread-safe. It decides over the metadata alone; for the rest, what it asks does.
class FledgeService final : public HostService {
 public:
  // `guard` must outlive the service.
  FledgeService(const Guard& guard, FledgeParts parts) : guard_(guard), parts_(std::move(parts)) {}
  std::string_view interface_name() const override { return kFledgeInterface; }
  HostReply Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) override;

 private:
  HostReply Init(const Caller& caller, std::span<const std::uint8_t> payload) const;
  HostReply Exec(const Caller& caller, std::string_view request) const;
  HostReply StoreSet(const Caller& caller, std::string_view request) const;
  HostReply StoreGet(const Caller& caller, std::string_view key) const;
  HostReply Metadata(const Caller& caller, std::string_view request) const;
  HostReply Log(const Caller& caller, std::span<const std::uint8_t> payload) const;
  HostReply Denied(const Caller& caller, std::string_view function) const;

  bool MayTell(const Caller& caller) const;
  Json Project(const Caller& caller) const;
  Json Git(const Caller& caller) const;
  Json Settings(const Caller& caller) const;
  Json MetadataOf(const Caller& caller, std::string_view key) const;
  // What the granted git says; nothing when it was not run, or failed.
  std::optional<std::string> AskGit(const Caller& caller, std::span<const std::string_view> arguments) const;

  const Guard& guard_;
  FledgeParts parts_;
};

}  // namespace cordon::services
