// Asks the guard before the engine touches a file. The engine's file layer opens; this service says whether.
//
// Interface "cordon:host/files", not importable by guests. Payloads (docs/formats/wire.md):
//   open(mount: string, path: string, access: FileAccess as u32) -> result<_, FileRefusal as u32>
//   report(mount: string, path: string, rule: string): the file layer refused by itself; audited as one denial
//   spend(read: u64, written: u64) -> u64: one operation on files that have a rate; how many nanoseconds it is to wait
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "services/router.h"

namespace cordon::services {

inline constexpr std::string_view kFilesInterface = "cordon:host/files";

enum class FileAccess : std::uint32_t { kRead = 0, kWrite = 1, kCreate = 2, kMutate = 3 /* rename, link, unlink, … */ };
enum class FileRefusal : std::uint32_t { kNotGranted = 0, kReadOnly = 1, kAuditUnavailable = 2 };

class FilesService final : public HostService {
 public:
  // `guard` must outlive the service.
  // `enforcer` may be null: files have no rate.
  explicit FilesService(const Guard& guard, std::shared_ptr<LimitEnforcer> enforcer = nullptr)
      : guard_(guard), enforcer_(std::move(enforcer)) {}
  std::string_view interface_name() const override { return kFilesInterface; }
  HostReply Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) override;

 private:
  HostReply Open(const Caller& caller, std::span<const std::uint8_t> payload) const;
  HostReply Report(const Caller& caller, std::span<const std::uint8_t> payload) const;
  HostReply Spend(std::span<const std::uint8_t> payload) const;
  const Guard& guard_;
  const std::shared_ptr<LimitEnforcer> enforcer_;
};

// "/data" and "a/./b//c" → "/data/a/b/c". `..` is kept where it leaves the mount, so that the audit shows it.
std::string NormaliseTarget(std::string_view mount, std::string_view path);

}  // namespace cordon::services
