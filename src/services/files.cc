#include "services/files.h"

#include <algorithm>
#include <array>

#include "base/wire.h"

namespace cordon::services {
namespace {

// The rules by which the file layer refuses. A report of another one is not believed.
constexpr std::array<std::string_view, 7> kRules = {
    "fs:beneath", "fs:cross-mount", "fs:mount-crossing", "fs:not-regular", "fs:path", "fs:read-only", "fs:symlink-out"};
// Those that only a change of files can meet.
constexpr std::array<std::string_view, 3> kChangeRules = {"fs:cross-mount", "fs:read-only", "fs:symlink-out"};
constexpr std::uint32_t kAccessCount = 4;

const policy::FilesScope* FindMount(const std::vector<policy::FilesScope>& scopes, std::string_view mount) {
  for (const policy::FilesScope& scope : scopes) {
    if (scope.mount == mount) return &scope;
  }
  return nullptr;
}

std::string FromOf(const policy::FilesScope& scope) {
  return scope.below.empty() ? scope.root : scope.root + "/" + scope.below;
}

// The compact form as far as it is known: the root of a mount that was not granted is nobody's.
std::string AskedText(const policy::FilesScope* scope, std::string_view mount, policy::Access access) {
  const std::string word = access == policy::Access::kRead ? "read" : "write";
  return "fs:" + word + ":" + std::string(mount) + (scope == nullptr ? "" : "=" + FromOf(*scope));
}

HostReply Granted() {
  HostReply reply;
  wire::Writer(reply.payload).U8(0);
  return reply;
}

HostReply Refused(FileRefusal refusal) {
  HostReply reply;
  wire::Writer out(reply.payload);
  out.U8(1);
  out.U32(static_cast<std::uint32_t>(refusal));
  return reply;
}

HostReply Answer(const policy::Decision& decision, FileRefusal refusal) {
  if (decision.allowed()) return Granted();
  return Refused(decision.code == Code::kAuditUnavailable ? FileRefusal::kAuditUnavailable : refusal);
}

}  // namespace

std::string NormaliseTarget(std::string_view mount, std::string_view path) {
  std::vector<std::string_view> kept;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (segment.empty() || segment == ".") continue;
    if (segment == ".." && !kept.empty() && kept.back() != "..") {
      kept.pop_back();
    } else {
      kept.push_back(segment);
    }
  }
  std::string target(mount == "/" ? "" : mount);
  for (std::string_view segment : kept) target += "/" + std::string(segment);
  return target.empty() ? "/" : target;
}

HostReply FilesService::Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) {
  if (function == "open") return Open(caller, payload);
  if (function == "report") return Report(caller, payload);
  if (function == "spend") return Spend(payload);
  return Trap(Code::kLink, "nothing answers " + std::string(kFilesInterface) + "#" + std::string(function));
}

HostReply FilesService::Open(const Caller& caller, std::span<const std::uint8_t> payload) const {
  wire::Reader in(payload);
  const std::string_view mount = in.String();
  const std::string_view path = in.String();
  const auto wanted = static_cast<FileAccess>(in.Case(kAccessCount));
  if (const Status read = in.Finish(); !read) return Trap(Code::kInvalid, read.error().message);

  const policy::Access access = wanted == FileAccess::kRead ? policy::Access::kRead : policy::Access::kWrite;
  const std::string target = NormaliseTarget(mount, path);
  const auto scopes = guard_.authority().FilesGrants();
  const policy::FilesScope* scope = FindMount(scopes, mount);
  if (scope == nullptr) {
    return Answer(guard_.Refuse(caller, AskedText(scope, mount, access), target, "no-grant"), FileRefusal::kNotGranted);
  }
  if (access > scope->access) {
    const auto decision = guard_.Refuse(caller, AskedText(scope, mount, access), target, "fs:read-only");
    return Answer(decision, FileRefusal::kReadOnly);
  }
  const auto asked = policy::MakeFiles(mount, FromOf(*scope), access);
  if (!asked) return Trap(Code::kInternal, "a granted mount has no text form");
  return Answer(guard_.Check(caller, *asked, target), FileRefusal::kNotGranted);
}

HostReply FilesService::Spend(std::span<const std::uint8_t> payload) const {
  wire::Reader in(payload);
  const std::uint64_t read = in.U64(), written = in.U64();
  if (const Status end = in.Finish(); !end) return Trap(Code::kInvalid, end.error().message);
  Duration wait{0};
  if (enforcer_ != nullptr) {
    wait = std::max({enforcer_->Spend(Resource::kRead, read), enforcer_->Spend(Resource::kWrite, written),
                     enforcer_->Spend(Resource::kOperations, 1)});
  }
  HostReply reply;
  wire::Writer(reply.payload).U64(static_cast<std::uint64_t>(wait.count()));
  return reply;
}

HostReply FilesService::Report(const Caller& caller, std::span<const std::uint8_t> payload) const {
  wire::Reader in(payload);
  const std::string_view mount = in.String();
  const std::string_view path = in.String();
  const std::string_view rule = in.String();
  if (const Status read = in.Finish(); !read) return Trap(Code::kInvalid, read.error().message);

  const bool known = std::find(kRules.begin(), kRules.end(), rule) != kRules.end();
  const auto scopes = guard_.authority().FilesGrants();
  const policy::FilesScope* scope = FindMount(scopes, mount);
  const bool changes = std::find(kChangeRules.begin(), kChangeRules.end(), rule) != kChangeRules.end();
  const policy::Access access = changes ? policy::Access::kWrite : policy::Access::kRead;
  const Code code = rule == "fs:not-regular" ? Code::kNotRegular : Code::kDenied;
  const policy::Decision decision = guard_.Refuse(caller, AskedText(scope, mount, access), NormaliseTarget(mount, path),
                                                  known ? rule : "fs:unknown", code);
  if (decision.code == Code::kAuditUnavailable) return Trap(decision.code, "the audit cannot be written");
  return {};
}

}  // namespace cordon::services
