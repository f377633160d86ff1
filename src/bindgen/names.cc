#include "bindgen/names.h"

#include <algorithm>
#include <cctype>

namespace cordon::bindgen {
namespace {

// Keywords and alternative tokens; then what headers define as macros, and the two namespaces that the generated text
// is written in.
constexpr std::string_view kReserved[] = {
    "alignas",
    "alignof",
    "and",
    "and_eq",
    "asm",
    "auto",
    "bitand",
    "bitor",
    "bool",
    "break",
    "case",
    "catch",
    "char",
    "char16_t",
    "char32_t",
    "char8_t",
    "class",
    "co_await",
    "co_return",
    "co_yield",
    "compl",
    "concept",
    "const",
    "const_cast",
    "consteval",
    "constexpr",
    "constinit",
    "continue",
    "contract_assert",
    "decltype",
    "default",
    "delete",
    "do",
    "double",
    "dynamic_cast",
    "else",
    "enum",
    "explicit",
    "export",
    "extern",
    "false",
    "float",
    "for",
    "friend",
    "goto",
    "if",
    "import",
    "inline",
    "int",
    "long",
    "module",
    "mutable",
    "namespace",
    "new",
    "noexcept",
    "not",
    "not_eq",
    "nullptr",
    "operator",
    "or",
    "or_eq",
    "private",
    "protected",
    "public",
    "register",
    "reinterpret_cast",
    "requires",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "static_assert",
    "static_cast",
    "struct",
    "switch",
    "template",
    "this",
    "thread_local",
    "throw",
    "true",
    "try",
    "typedef",
    "typeid",
    "typename",
    "union",
    "unsigned",
    "using",
    "virtual",
    "void",
    "volatile",
    "wchar_t",
    "while",
    "xor",
    "xor_eq",
    "alloca",
    "assert",
    "errno",
    "far",
    "i386",
    "interface",
    "linux",
    "near",
    "offsetof",
    "setjmp",
    "small",
    "stderr",
    "stdin",
    "stdout",
    "unix",
    "cordon",
    "std",
};

bool IsReserved(std::string_view name) {
  if (std::find(std::begin(kReserved), std::end(kReserved), name) != std::end(kReserved)) return true;
  // Without a small letter it may be a macro: EOF, NULL.
  return name.size() > 1 && std::none_of(name.begin(), name.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

// WIT names are ASCII; what a binary smuggles in besides is not let through.
bool IsWordCharacter(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

std::string Guarded(std::string name) {
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name.front())) != 0) name.insert(0, "n");
  if (IsReserved(name)) name += '_';
  return name;
}

}  // namespace

std::string SnakeName(std::string_view wit) {
  std::string name;
  for (const char c : wit) name += IsWordCharacter(c) ? c : '_';
  return Guarded(std::move(name));
}

std::string TitleName(std::string_view wit) {
  std::string name;
  bool starts_word = true;
  for (const char c : wit) {
    if (!IsWordCharacter(c)) {
      starts_word = true;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    name += static_cast<char>(starts_word ? std::toupper(byte) : std::tolower(byte));
    starts_word = false;
  }
  return Guarded(std::move(name));
}

bool IsIdentifier(std::string_view text) {
  return !text.empty() && text.front() != '_' && std::isdigit(static_cast<unsigned char>(text.front())) == 0 &&
         std::all_of(text.begin(), text.end(), [](char c) { return IsWordCharacter(c) || c == '_'; }) &&
         text.find("__") == std::string_view::npos && !IsReserved(text);
}

std::string Scope::Take(std::string name) {
  if (taken_.contains(name) && !name.ends_with('_')) name += '_';
  const std::string stem = name;
  for (int n = 2; taken_.contains(name); ++n) name = stem + std::to_string(n);
  taken_.insert(name);
  return name;
}

InterfaceName Split(std::string_view name) {
  InterfaceName parts;
  const std::size_t at = name.find('@');
  if (at != std::string_view::npos) {
    parts.version = name.substr(at + 1);
    name = name.substr(0, at);
  }
  const std::size_t slash = name.find('/');
  const std::size_t colon = name.find(':');
  parts.interface_name = slash == std::string_view::npos ? name : name.substr(slash + 1);
  if (slash == std::string_view::npos || colon == std::string_view::npos || colon > slash) return parts;
  parts.space = name.substr(0, colon);
  parts.package = name.substr(colon + 1, slash - colon - 1);
  return parts;
}

}  // namespace cordon::bindgen
