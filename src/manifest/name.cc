#include "manifest/name.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace cordon::manifest {
namespace {

constexpr std::size_t kSegmentMax = 64;
constexpr std::size_t kPathMax = 1024;
constexpr std::size_t kShownMax = 80;

bool IsLowerOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool IsSegment(std::string_view text, std::string_view also) {
  if (text.empty() || text.size() > kSegmentMax || !IsLowerOrDigit(text.front())) return false;
  return std::ranges::all_of(text, [&](char c) { return IsLowerOrDigit(c) || also.find(c) != also.npos; });
}

// Names become folders; on Windows these would open devices.
bool IsDeviceName(std::string_view text) {
  constexpr std::array<std::string_view, 4> kPlain = {"con", "nul", "prn", "aux"};
  if (std::ranges::find(kPlain, text) != kPlain.end()) return true;
  return text.size() == 4 && (text.starts_with("com") || text.starts_with("lpt")) && text[3] >= '0' && text[3] <= '9';
}

std::string Quoted(std::string_view text) { return "'" + EscapeShort(text, kShownMax) + "'"; }

}  // namespace

Result<std::string> ParsePluginName(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view space = slash == text.npos ? std::string_view("local") : text.substr(0, slash);
  const std::string_view name = slash == text.npos ? text : text.substr(slash + 1);
  for (std::string_view part : {space, name}) {
    if (!IsSegment(part, "-")) {
      return Fail(
          Code::kName, Quoted(text) + " is not a plugin name",
          "write namespace/name, each of lower-case letters a-z, digits and '-', at most 64, not starting with '-'");
    }
    if (IsDeviceName(part)) {
      return Fail(Code::kName,
                  Quoted(text) + " is not a plugin name: '" + std::string(part) + "' is a device on some systems",
                  "choose another name");
    }
  }
  return std::string(space) + "/" + std::string(name);
}

Result<std::string> ParseActionName(std::string_view text) {
  if (IsSegment(text, "-_")) return std::string(text);
  return Fail(Code::kName, Quoted(text) + " is not an action name",
              "use lower-case letters a-z, digits, '-' and '_', at most 64, and name the export with 'export:'");
}

Result<std::string> ParseFolderPath(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return Fail(Code::kInvalid, Quoted(text) + " is not a path inside the plugin's folder: " + std::string(why),
                "name a file beneath the folder of the plugin.yaml, such as ./schemas/input.json");
  };
  std::string_view rest = text;
  while (rest.starts_with("./")) rest.remove_prefix(2);
  if (rest.empty()) return refuse("it is empty");
  if (text.size() > kPathMax) return refuse("it is longer than 1,024 bytes");
  if (rest.front() == '/') return refuse("it is absolute");
  if (rest.find_first_of("\\:") != rest.npos) return refuse("it has a backslash or a colon");
  if (std::ranges::any_of(rest, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
    return refuse("it has a control character");
  }
  for (std::size_t start = 0; start <= rest.size();) {
    const std::size_t end = std::min(rest.find('/', start), rest.size());
    const std::string_view segment = rest.substr(start, end - start);
    if (segment == "..") return refuse("it has '..'");
    if (segment.empty() || segment == ".") return refuse("it has an empty segment or '.'");
    start = end + 1;
  }
  return std::string(rest);
}

}  // namespace cordon::manifest
