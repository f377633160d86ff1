#include "policy/capability_grammar.h"

#include "base/text.h"

namespace cordon::policy {
namespace {

constexpr std::size_t kPathBytesMax = 1024;
constexpr std::size_t kSegmentBytesMax = 255;

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string Excerpt(std::string_view text) {
  constexpr std::size_t kMax = 96;
  return text.size() <= kMax ? std::string(text) : EscapeShort(text, kMax);
}

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsAlphanumeric(char c) { return IsLower(c) || IsDigit(c) || (c >= 'A' && c <= 'Z'); }

bool IsSlug(std::string_view text, std::string_view extra) {
  if (text.empty() || text.size() > 64 || !(IsLower(text.front()) || IsDigit(text.front()))) return false;
  for (char c : text) {
    if (!IsLower(c) && !IsDigit(c) && extra.find(c) == std::string_view::npos) return false;
  }
  return true;
}

PathFault CheckSegments(std::string_view path) {
  if (path.size() > kPathBytesMax) return PathFault::kTooLong;
  PathFault fault = PathFault::kNone;
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    if (segment == "." || segment == "..") return PathFault::kDots;
    if (segment.empty()) fault = PathFault::kEmptySegment;
    if (segment.size() > kSegmentBytesMax) fault = PathFault::kTooLong;
    for (char c : segment) {
      if (!IsAlphanumeric(c) && std::string_view("._@+,-").find(c) == std::string_view::npos) {
        fault = PathFault::kCharacter;
      }
    }
    if (slash == std::string_view::npos) return fault;
    path.remove_prefix(slash + 1);
  }
}

std::string EncodeWord(std::string_view text, std::string_view plain_extra) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string word;
  for (char c : text) {
    if (IsAlphanumeric(c) || plain_extra.find(c) != std::string_view::npos) {
      word += c;
      continue;
    }
    const auto byte = static_cast<std::uint8_t>(c);
    word += '%';
    word += kHex[byte >> 4];
    word += kHex[byte & 15];
  }
  return word;
}

Result<std::string> DecodeWord(std::string_view word) {
  std::string text;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (word[i] != '%') {
      text += word[i];
      continue;
    }
    const int high = i + 2 < word.size() ? HexValue(word[i + 1]) : -1;
    const int low = i + 2 < word.size() ? HexValue(word[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return Fail(Code::kSyntax, "'" + Excerpt(word) + "' has a '%' that no two hex digits follow", "write %25");
    }
    text += static_cast<char>(high * 16 + low);
    i += 2;
  }
  if (!IsUtf8(text)) return Fail(Code::kSyntax, "'" + Excerpt(word) + "' is not UTF-8");
  for (char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (byte < 0x20 || byte == 0x7f) {
      return Fail(Code::kSyntax, "'" + Excerpt(word) + "' has a control character");
    }
  }
  return text;
}

}  // namespace cordon::policy
