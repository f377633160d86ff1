#include "cli/what_if.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "services/files.h"

namespace cordon::cli {
namespace {

constexpr std::string_view kMethods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"};

std::string FromOf(const policy::FilesScope& scope) {
  return scope.below.empty() ? scope.root : scope.root + "/" + scope.below;
}

// The mount that a path lies in, of those that are effective: the longest.
const policy::FilesScope* MountOf(const std::vector<policy::FilesScope>& scopes, std::string_view path) {
  const policy::FilesScope* best = nullptr;
  for (const policy::FilesScope& scope : scopes) {
    const bool in =
        path == scope.mount || scope.mount == "/" || (path.starts_with(scope.mount) && path[scope.mount.size()] == '/');
    if (in && (best == nullptr || scope.mount.size() > best->mount.size())) best = &scope;
  }
  return best;
}

// As the service of files judges it: the mount by the path's own words, and no way out of it.
Result<WhatIf> AskPath(const policy::Authority& authority, std::string_view path, policy::Access access) {
  const std::vector<policy::FilesScope> scopes = authority.FilesGrants();
  const policy::FilesScope* mount = MountOf(scopes, path);
  const std::string word = access == policy::Access::kRead ? "read" : "write";
  WhatIf answer;
  if (mount == nullptr) {
    answer.capability = "fs:" + word + ":" + std::string(path);
    answer.decision = {policy::Verdict::kDeny, "no-grant",
                       "mount a folder there: --mount DIR:" + std::string(path) + (word == "write" ? ":rw" : "")};
    return answer;
  }
  std::string_view below = path.substr(std::min(path.size(), mount->mount.size()));
  const std::string target = services::NormaliseTarget(mount->mount, below);
  answer.capability = "fs:" + word + ":" + mount->mount + "=" + FromOf(*mount);
  if (target.find("/..") != std::string::npos) {
    answer.decision = {policy::Verdict::kDeny, "fs:beneath", "name a path below " + mount->mount};
    return answer;
  }
  if (access > mount->access) {
    answer.decision = {policy::Verdict::kDeny, "fs:read-only", "grant it: --grant '" + answer.capability + "'"};
    return answer;
  }
  CORDON_ASSIGN(const policy::Capability asked, policy::MakeFiles(mount->mount, FromOf(*mount), access));
  answer.decision = authority.Decide(asked);
  answer.note = "symbolic links are judged when the path is opened";
  return answer;
}

struct UrlParts {
  std::string scheme, host, path;
  std::uint16_t port = 0;
};

// Whether a segment is "." or "..", however it is spelt.
bool HasDots(std::string_view path) {
  std::string plain;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const std::string_view code = path.substr(i, 3);
    const bool dot = code == "%2e" || code == "%2E";
    plain += dot ? '.' : path[i];
    if (dot) i += 2;
  }
  plain += '/';
  return plain.find("/./") != std::string::npos || plain.find("/../") != std::string::npos;
}

Result<UrlParts> SplitUrl(std::string_view url) {
  const auto wrong = [&] {
    return Fail(Code::kUsage, "'" + EscapeShort(url, 120) + "' is not a URL", "write https://host/path");
  };
  UrlParts parts;
  const std::size_t scheme = url.find("://");
  parts.scheme = std::string(url.substr(0, scheme));
  if (parts.scheme != "http" && parts.scheme != "https") return wrong();
  std::string_view rest = url.substr(scheme + 3);
  const std::size_t slash = rest.find_first_of("/?#");
  const std::string_view authority = rest.substr(0, slash);
  rest = slash == std::string_view::npos ? "/" : rest.substr(slash);
  parts.path = std::string(rest.substr(0, rest.find_first_of("?#")));
  if (parts.path.empty()) parts.path = "/";
  if (HasDots(parts.path)) {
    return Fail(Code::kUsage, "'" + EscapeShort(url, 120) + "' has dots in its path, which are resolved before",
                "write the path that it comes to");
  }
  if (authority.find('@') != std::string_view::npos || authority.empty()) return wrong();
  const std::size_t bracket = authority.find(']'), colon = authority.rfind(':');
  const bool has_port = colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  parts.host = std::string(has_port ? authority.substr(0, colon) : authority);
  std::ranges::transform(parts.host, parts.host.begin(), [](unsigned char c) { return std::tolower(c); });
  parts.port = parts.scheme == "https" ? 443 : 80;
  if (has_port) {
    const std::string_view port = authority.substr(colon + 1);
    const auto parsed = std::from_chars(port.data(), port.data() + port.size(), parts.port);
    if (parsed.ec != std::errc() || parsed.ptr != port.data() + port.size() || parts.port == 0) return wrong();
  }
  return parts;
}

Result<WhatIf> AskUrl(const policy::Authority& authority, std::string_view method, std::string_view url) {
  CORDON_ASSIGN(const UrlParts parts, SplitUrl(url));
  CORDON_ASSIGN(const policy::Capability asked,
                policy::MakeHttpRequest(method, parts.scheme, parts.host, parts.port, parts.path));
  WhatIf answer;
  answer.capability = asked.ToString();
  answer.decision = authority.Decide(asked);
  answer.note = "its address is judged when it is resolved: private ones are denied unless they are named";
  return answer;
}

}  // namespace

Result<WhatIf> AskWhatIf(const policy::Authority& authority, std::string_view question) {
  const auto asked = [&]() -> Result<WhatIf> {
    if (question.starts_with('/')) return AskPath(authority, question, policy::Access::kRead);
    const std::size_t space = question.find(' ');
    const std::string_view word = question.substr(0, space);
    const std::string_view rest = space == std::string_view::npos ? "" : question.substr(space + 1);
    if (word == "read" || word == "write") {
      if (!rest.starts_with('/')) return Fail(Code::kUsage, "'" + EscapeShort(question, 120) + "' names no path");
      return AskPath(authority, rest, word == "read" ? policy::Access::kRead : policy::Access::kWrite);
    }
    if (question.starts_with("http://") || question.starts_with("https://")) return AskUrl(authority, "GET", question);
    if (std::ranges::find(kMethods, word) != std::end(kMethods)) return AskUrl(authority, word, rest);
    CORDON_ASSIGN(const policy::Capability capability, policy::Capability::Parse(question));
    return WhatIf{"", capability.ToString(), authority.Decide(capability), ""};
  }();
  if (!asked) return asked;
  WhatIf answer = *asked;
  answer.question = std::string(question);
  return answer;
}

}  // namespace cordon::cli
