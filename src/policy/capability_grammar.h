// The pieces that the parsers of the capability grammar share. For the files of this room only. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/capability.h"

namespace cordon::policy {

// The only way to make a Capability, for parsers that have checked every part.
struct CapabilityMaker {
  static Capability Make(Kind kind, Scope scope) { return Capability(kind, std::move(scope)); }
};

// The start of `text`, short enough for a message.
std::string Excerpt(std::string_view text);

bool IsLower(char c);
bool IsDigit(char c);
bool IsAlphanumeric(char c);

// `[a-z0-9][a-z0-9EXTRA]{0,63}`
bool IsSlug(std::string_view text, std::string_view extra);

// A relative path of plain segments: no empty, `.` or `..` segment, no character outside `[A-Za-z0-9._@+,-]`.
enum class PathFault : std::uint8_t { kNone, kEmptySegment, kDots, kCharacter, kTooLong };
PathFault CheckSegments(std::string_view path);

// Text of exec arguments as one word: bytes outside the plain set become %XX.
std::string EncodeWord(std::string_view text, std::string_view plain_extra);
// E_SYNTAX for a bad escape, a control character, or what is not UTF-8.
Result<std::string> DecodeWord(std::string_view word);

Result<Capability> ParseHttp(std::string_view rest);
Result<Capability> ParseSocket(std::string_view rest);
Result<Capability> ParseExec(std::string_view rest);
std::string HttpText(const HttpScope& scope);
std::string SocketText(const SocketScope& scope);
std::string ExecText(const ExecScope& scope);

// What both hosts match; "" when nothing.
std::string IntersectHosts(const std::string& a, const std::string& b);

}  // namespace cordon::policy
