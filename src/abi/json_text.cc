#include "abi/json_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/text.h"

namespace cordon::abi {
namespace {

constexpr char kHex[] = "0123456789abcdef";

void AppendUnicodeEscape(std::string& out, std::uint32_t scalar) {
  const auto unit = [&out](std::uint32_t u) {
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) out += kHex[(u >> shift) & 0xf];
  };
  if (scalar < 0x10000) return unit(scalar);
  unit(0xd800 + ((scalar - 0x10000) >> 10));
  unit(0xdc00 + ((scalar - 0x10000) & 0x3ff));
}

// The bytes that need a look: controls, quote, backslash, DEL, and the lead bytes of unsafe characters.
constexpr std::array<bool, 256> MakeSpecial() {
  std::array<bool, 256> special{};
  for (int i = 0; i < 0x20; ++i) special[i] = true;
  for (int c : {0x22, 0x5c, 0x7f, 0xc2, 0xd8, 0xe2, 0xef, 0xf3}) special[c] = true;
  return special;
}
constexpr std::array<bool, 256> kSpecial = MakeSpecial();

void AppendAscii(std::string& out, unsigned char c) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    default: AppendUnicodeEscape(out, c);
  }
}

bool IsUnsafe(std::uint32_t c) {
  return (c >= 0x80 && c < 0xa0) || c == 0x00ad || c == 0x061c || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
         (c >= 0xe0000 && c <= 0xe007f);
}

// One character of valid UTF-8 that starts with a multi-byte lead.
std::size_t AppendWide(std::string& out, std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::size_t length = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  if (text.size() < length) return 1;
  std::uint32_t scalar = byte(0) & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) scalar = scalar << 6 | (byte(i) & 0x3f);
  if (IsUnsafe(scalar)) {
    AppendUnicodeEscape(out, scalar);
  } else {
    out.append(text.substr(0, length));
  }
  return length;
}

void AppendFinite(std::string& out, const char* begin, const char* end) {
  const std::string_view text(begin, static_cast<std::size_t>(end - begin));
  out.append(text);
  if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

bool AppendSpecial(std::string& out, double value) {
  if (std::isfinite(value)) return false;
  out += std::isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  return true;
}

// Plain digits where people would write them, an exponent elsewhere.
template <typename T>
char* ShortestText(char* begin, char* end, T value) {
  const T size = std::fabs(value);
  const bool plain = size == 0 || (size >= static_cast<T>(1e-5) && size < static_cast<T>(1e15));
  return std::to_chars(begin, end, value, plain ? std::chars_format::fixed : std::chars_format::scientific).ptr;
}

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::uint8_t, 256> MakeReverse() {
  std::array<std::uint8_t, 256> reverse{};
  for (auto& r : reverse) r = 0xff;
  for (std::uint8_t i = 0; i < 64; ++i) reverse[static_cast<unsigned char>(kAlphabet[i])] = i;
  return reverse;
}
constexpr std::array<std::uint8_t, 256> kReverse = MakeReverse();

std::uint32_t Sextet(char c) { return kReverse[static_cast<unsigned char>(c)]; }

}  // namespace

void AppendQuoted(std::string& out, std::string_view text) {
  out += '"';
  std::size_t run = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (!kSpecial[c]) {
      ++i;
      continue;
    }
    out.append(text.substr(run, i - run));
    if (c < 0x80) {
      AppendAscii(out, c);
      ++i;
    } else {
      i += AppendWide(out, text.substr(i));
    }
    run = i;
  }
  out.append(text.substr(run));
  out += '"';
}

void AppendNumber(std::string& out, double value) {
  if (AppendSpecial(out, value)) return;
  char buffer[64];
  AppendFinite(out, buffer, ShortestText(buffer, buffer + sizeof buffer, value));
}

void AppendNumber(std::string& out, float value) {
  if (AppendSpecial(out, value)) return;
  char buffer[64];
  char* end = ShortestText(buffer, buffer + sizeof buffer, value);
  // A reader takes the text for a double first: for a handful of floats that rounds twice and ends elsewhere, and the
  // shortest text of the largest float is a double beyond it.
  double read_back = 0;
  std::from_chars(buffer, end, read_back);
  const bool is_within = std::fabs(read_back) <= static_cast<double>(std::numeric_limits<float>::max());
  if (!is_within || static_cast<float>(read_back) != value) return AppendNumber(out, static_cast<double>(value));
  AppendFinite(out, buffer, end);
}

void AppendBase64(std::string& out, std::span<const std::uint8_t> bytes) {
  std::size_t at = out.size();
  out.resize(at + (bytes.size() + 2) / 3 * 4);
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const std::uint32_t block = bytes[i] << 16 | bytes[i + 1] << 8 | bytes[i + 2];
    out[at++] = kAlphabet[block >> 18];
    out[at++] = kAlphabet[(block >> 12) & 63];
    out[at++] = kAlphabet[(block >> 6) & 63];
    out[at++] = kAlphabet[block & 63];
  }
  const std::size_t rest = bytes.size() - i;
  if (rest == 0) return;
  const std::uint32_t block = bytes[i] << 16 | (rest == 2 ? bytes[i + 1] << 8 : 0);
  out[at++] = kAlphabet[block >> 18];
  out[at++] = kAlphabet[(block >> 12) & 63];
  out[at++] = rest == 2 ? kAlphabet[(block >> 6) & 63] : '=';
  out[at++] = '=';
}

Base64 DecodeBase64(std::string_view text, std::vector<std::uint8_t>& out) {
  if (text.size() % 4 != 0) return Base64::kMalformed;
  if (text.empty()) return Base64::kOk;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  const std::size_t whole = padding == 0 ? text.size() : text.size() - 4;
  std::size_t at = out.size();
  out.resize(at + text.size() / 4 * 3 - padding);
  for (std::size_t i = 0; i < whole; i += 4) {
    const std::uint32_t a = Sextet(text[i]), b = Sextet(text[i + 1]), c = Sextet(text[i + 2]), d = Sextet(text[i + 3]);
    if ((a | b | c | d) > 63) return Base64::kMalformed;
    const std::uint32_t block = a << 18 | b << 12 | c << 6 | d;
    out[at++] = static_cast<std::uint8_t>(block >> 16);
    out[at++] = static_cast<std::uint8_t>(block >> 8);
    out[at++] = static_cast<std::uint8_t>(block);
  }
  if (padding == 0) return Base64::kOk;
  const std::uint32_t a = Sextet(text[whole]), b = Sextet(text[whole + 1]);
  const std::uint32_t c = padding == 1 ? Sextet(text[whole + 2]) : 0;
  // Bits that belong to no byte are zero: one value has one spelling.
  if ((a | b | c) > 63 || (padding == 2 ? b & 15 : c & 3) != 0) return Base64::kMalformed;
  out[at++] = static_cast<std::uint8_t>(a << 2 | b >> 4);
  if (padding == 1) out[at++] = static_cast<std::uint8_t>(b << 4 | c >> 2);
  return Base64::kOk;
}

bool IsUtf8Fast(std::string_view text) {
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    if (word & 0x8080808080808080ull) break;
  }
  for (; i < text.size() && static_cast<unsigned char>(text[i]) < 0x80;) ++i;
  return i == text.size() || IsUtf8(text.substr(i));
}

}  // namespace cordon::abi
