#include "base/trace.h"

#include <openssl/rand.h>

#include <algorithm>
#include <span>

namespace cordon {
namespace {

template <std::size_t N>
bool ReadHex(std::string_view text, std::array<std::uint8_t, N>& out) {
  if (text.size() != 2 * N) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool digit = c >= '0' && c <= '9';
    if (!digit && (c < 'a' || c > 'f')) return false;
    out[i / 2] = static_cast<std::uint8_t>(out[i / 2] << 4 | (digit ? c - '0' : c - 'a' + 10));
  }
  return true;
}

void AppendHex(std::string& out, std::span<const std::uint8_t> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (const std::uint8_t byte : bytes) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
}

template <std::size_t N>
void Fill(std::array<std::uint8_t, N>& out) {
  do {
    if (RAND_bytes(out.data(), static_cast<int>(N)) != 1) out.fill(1);  // an identifier, not a secret
  } while (std::ranges::all_of(out, [](std::uint8_t byte) { return byte == 0; }));
}

template <std::size_t N>
bool IsZero(const std::array<std::uint8_t, N>& bytes) {
  return bytes == std::array<std::uint8_t, N>{};
}

}  // namespace

std::optional<TraceParent> TraceParent::Parse(std::string_view header) {
  // version-trace-span-flags; of later versions more may follow.
  constexpr std::size_t kSize = 55;
  if (header.size() < kSize || header[2] != '-' || header[35] != '-' || header[52] != '-') return std::nullopt;
  std::array<std::uint8_t, 1> version{}, flags{};
  TraceParent parent;
  if (!ReadHex(header.substr(0, 2), version) || version[0] == 0xff) return std::nullopt;
  if (version[0] == 0 ? header.size() != kSize : header.size() > kSize && header[kSize] != '-') return std::nullopt;
  if (!ReadHex(header.substr(3, 32), parent.trace) || IsZero(parent.trace)) return std::nullopt;
  if (!ReadHex(header.substr(36, 16), parent.span) || IsZero(parent.span)) return std::nullopt;
  if (!ReadHex(header.substr(53, 2), flags)) return std::nullopt;
  parent.sampled = (flags[0] & 1) != 0;
  return parent;
}

TraceParent TraceParent::New() {
  TraceParent made;
  Fill(made.trace);
  Fill(made.span);
  made.sampled = true;
  return made;
}

TraceParent TraceParent::Child() const {
  TraceParent child = *this;
  Fill(child.span);
  return child;
}

std::string TraceParent::Header() const { return "00-" + Text() + (sampled ? "-01" : "-00"); }

std::string TraceParent::Text() const {
  std::string text;
  text.reserve(49);
  AppendHex(text, trace);
  text += '-';
  AppendHex(text, span);
  return text;
}

}  // namespace cordon
