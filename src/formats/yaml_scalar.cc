#include "formats/yaml_scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>

#include "base/text.h"

namespace cordon::yaml {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool AllDigits(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), IsDigit); }

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string_view WithoutSign(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return text;
}

// Words that YAML 1.1 or another reader takes for a boolean, null, or a number.
bool IsLoadedWord(std::string_view text) {
  static constexpr std::array kWords = {"y",     "n",    "yes",  "no",  "on",       "off", "true",
                                        "false", "null", ".inf", "inf", "infinity", "nan", ".nan"};
  std::string lower = Lower(WithoutSign(text));
  return std::find(kWords.begin(), kWords.end(), lower) != kWords.end() || text == "=";
}

// JSON's grammar: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?
bool IsJsonNumber(std::string_view text, bool* is_integer) {
  if (text.starts_with('-')) text.remove_prefix(1);
  std::size_t whole = 0;
  while (whole < text.size() && IsDigit(text[whole])) ++whole;
  if (whole == 0 || (whole > 1 && text[0] == '0')) return false;
  text.remove_prefix(whole);
  *is_integer = text.empty();
  if (text.starts_with('.')) {
    std::size_t digits = 1;
    while (digits < text.size() && IsDigit(text[digits])) ++digits;
    if (digits == 1) return false;
    text.remove_prefix(digits);
  }
  if (text.empty()) return true;
  if (text[0] != 'e' && text[0] != 'E') return false;
  return AllDigits(WithoutSign(text.substr(1)));
}

// A date, which YAML 1.1 makes a timestamp: 2026-01-02, 2026-1-2T03:04:05Z.
bool IsTimestamp(std::string_view text) {
  if (text.size() < 8 || !AllDigits(text.substr(0, 4)) || text[4] != '-') return false;
  std::size_t day = text.find('-', 5);
  if (day == std::string_view::npos || day > 7 || !AllDigits(text.substr(5, day - 5))) return false;
  std::size_t end = day + 1;
  while (end < text.size() && IsDigit(text[end])) ++end;
  if (end == day + 1 || end > day + 3) return false;
  if (end == text.size()) return true;
  return (text[end] == 'T' || text[end] == 't' || text[end] == ' ') && end + 1 < text.size() && IsDigit(text[end + 1]);
}

// Base 60 of YAML 1.1: 1:30, 190:20:30.5.
bool IsSexagesimal(std::string_view text) {
  text = WithoutSign(text);
  std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || !IsDigit(text[0])) return false;
  for (char c : text.substr(0, colon)) {
    if (!IsDigit(c) && c != '_') return false;
  }
  while (colon != std::string_view::npos) {
    text.remove_prefix(colon + 1);
    colon = text.find(':');
    std::string_view part = text.substr(0, colon);
    if (colon == std::string_view::npos) part = part.substr(0, part.find('.'));
    if (part.empty() || part.size() > 2 || !AllDigits(part) || (part.size() == 2 && part[0] > '5')) return false;
  }
  return true;
}

// Other spellings of numbers: 012, 0x10, 0o7, 0b1, +1, 1_000, .5, 1., 1e+.
bool LooksNumeric(std::string_view text) {
  std::string_view body = WithoutSign(text);
  if (body.empty()) return false;
  if (body.size() > 2 && body[0] == '0' && (body[1] == 'x' || body[1] == 'X')) {
    return body.find_first_not_of("0123456789abcdefABCDEF_", 2) == std::string_view::npos;
  }
  if (body.size() > 2 && body[0] == '0' && (body[1] == 'o' || body[1] == 'O' || body[1] == 'b' || body[1] == 'B')) {
    return body.find_first_not_of("01234567_", 2) == std::string_view::npos;
  }
  if (!IsDigit(body[0]) && !(body[0] == '.' && body.size() > 1 && IsDigit(body[1]))) return false;
  std::size_t at = body.find_first_not_of("0123456789_");
  if (at == std::string_view::npos) return true;
  if (body[at] == '.') {
    at = body.find_first_not_of("0123456789_", at + 1);
    if (at == std::string_view::npos) return true;
  }
  return (body[at] == 'e' || body[at] == 'E') && AllDigits(WithoutSign(body.substr(at + 1)));
}

std::unexpected<Error> Ambiguous(const Node& node, const char* why) {
  std::string shown = EscapeShort(node.text, 60);
  return Fail(Code::kType, "'" + shown + "' " + why, "quote it: \"" + shown + "\"");
}

Status TypeNumber(Node& node, bool is_integer) {
  std::string shown = EscapeShort(node.text, 40);
  const char* begin = node.text.data();
  const char* end = begin + node.text.size();
  if (is_integer) {
    auto [at, problem] = std::from_chars(begin, end, node.integer);
    if (problem != std::errc() || at != end) {
      return Fail(Code::kRange, "the integer " + shown + " does not fit 64 bits", "use a smaller number");
    }
    node.kind = Node::Kind::kInteger;
    return {};
  }
  auto [at, problem] = std::from_chars(begin, end, node.real);
  if (problem != std::errc() || at != end || !std::isfinite(node.real)) {
    return Fail(Code::kRange, "the number " + shown + " does not fit a double", "use a smaller number");
  }
  node.kind = Node::Kind::kReal;
  return {};
}

}  // namespace

Status TypePlainScalar(Node& node) {
  std::string_view text = node.text;
  node.kind = Node::Kind::kString;
  if (text.empty() || text == "~" || text == "null") {
    node.kind = Node::Kind::kNull;
    return {};
  }
  if (text == "true" || text == "false") {
    node.kind = Node::Kind::kBool;
    node.boolean = text == "true";
    return {};
  }
  bool is_integer = false;
  if (IsJsonNumber(text, &is_integer)) return TypeNumber(node, is_integer);
  if (IsLoadedWord(text)) return Ambiguous(node, "means a truth value, null or a number to some readers of YAML");
  if (IsTimestamp(text)) return Ambiguous(node, "means a point in time to some readers of YAML");
  if (IsSexagesimal(text)) return Ambiguous(node, "means a number in base 60 to some readers of YAML");
  if (LooksNumeric(text)) return Ambiguous(node, "is a number in a spelling that readers of YAML disagree about");
  return {};
}

std::size_t FindForbidden(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    auto c = static_cast<unsigned char>(text[at]);
    if (c < 0x80) {
      bool allowed = c >= 0x20 ? c != 0x7f : c == '\t' || c == '\n' || (c == '\r' && text.substr(at + 1, 1) == "\n");
      if (!allowed) return at;
      ++at;
      continue;
    }
    std::size_t size = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (!IsUtf8(text.substr(at, size))) return at;
    char32_t point = c & (0xff >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) point = (point << 6) | (static_cast<unsigned char>(text[at + i]) & 0x3f);
    // Bidirectional and invisible marks are left to the grammar of each field: names refuse them (E_NAME), and every
    // sink escapes them. A byte order mark is no text.
    const bool forbidden = point < 0xa0 || point == 0xfeff;
    if (forbidden) return at;
    at += size;
  }
  return std::string_view::npos;
}

}  // namespace cordon::yaml
