#include "base/text.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace cordon {
namespace {

// One scalar value and its length in bytes; length 0 means that the first byte starts no valid sequence.
struct Scalar {
  std::uint32_t value;
  std::size_t length;
};

Scalar Decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xf0 && first < 0xf5   ? 4
                             : first >= 0xe0 && first < 0xf0 ? 3
                             : first >= 0xc2 && first < 0xe0 ? 2
                                                             : 0;
  if (length == 0 || text.size() < length) return {0, 0};
  std::uint32_t value = first & (0xff >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {0, 0};
    value = value << 6 | (byte(i) & 0x3f);
  }
  const bool too_short = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  if (too_short || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return {0, 0};
  return {value, length};
}

bool IsUnsafe(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x00ad || c == 0x061c || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
         (c >= 0xe0000 && c <= 0xe007f);
}

void AppendEscaped(std::string& out, std::uint32_t c) {
  char buffer[16];
  std::snprintf(buffer, sizeof buffer, c > 0xffff ? "\\u{%x}" : "\\u%04x", c);
  out += buffer;
}

}  // namespace

std::string Escape(std::string_view text, Lines lines) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Scalar c = Decode(text);
    if (c.length == 0) {
      char buffer[8];
      std::snprintf(buffer, sizeof buffer, "\\x%02x", static_cast<unsigned>(static_cast<std::uint8_t>(text[0])));
      out += buffer;
      text.remove_prefix(1);
      continue;
    }
    const bool kept = lines == Lines::kKeep && (c.value == '\n' || c.value == '\t');
    if (IsUnsafe(c.value) && !kept) {
      AppendEscaped(out, c.value);
    } else {
      out += text.substr(0, c.length);
    }
    text.remove_prefix(c.length);
  }
  return out;
}

std::string EscapeShort(std::string_view text, std::size_t max) {
  if (text.size() <= max) return Escape(text);
  std::size_t cut = max;
  while (cut > 0 && (static_cast<std::uint8_t>(text[cut]) & 0xc0) == 0x80) --cut;
  return Escape(text.substr(0, cut)) + "… (" + std::to_string(text.size() - cut) + " more bytes)";
}

namespace {

// How many bytes at the front are ASCII, in whole blocks: most text is, and blocks of a fixed size become vector code.
std::size_t AsciiPrefix(std::string_view text) {
  constexpr std::size_t kBlock = 64;
  std::size_t at = 0;
  for (; at + kBlock <= text.size(); at += kBlock) {
    unsigned char seen = 0;
    for (std::size_t i = 0; i < kBlock; ++i) seen |= static_cast<unsigned char>(text[at + i]);
    if (seen >= 0x80) break;
  }
  return at;
}

}  // namespace

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    text.remove_prefix(AsciiPrefix(text));
    if (text.empty()) break;
    const Scalar c = Decode(text);
    if (c.length == 0) return false;
    text.remove_prefix(c.length);
  }
  return true;
}

std::string_view Nearest(std::string_view word, std::span<const std::string_view> candidates) {
  if (word.size() > 64) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (std::string_view candidate : candidates) {
    std::vector<std::size_t> row(candidate.size() + 1);
    for (std::size_t j = 0; j <= candidate.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= word.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j <= candidate.size(); ++j) {
        const std::size_t above = row[j];
        row[j] = std::min({row[j - 1] + 1, above + 1, diagonal + (word[i - 1] == candidate[j - 1] ? 0 : 1)});
        diagonal = above;
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

}  // namespace cordon
