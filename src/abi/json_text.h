// Pieces of JSON text and base64, written fast. Pure; thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cordon::abi {

// Appends `text` (which is valid UTF-8) as a JSON string. Control, bidirectional and zero-width characters become
// \uXXXX, so the result is safe on a terminal and in a log, and is still the same JSON.
void AppendQuoted(std::string& out, std::string_view text);

// The shortest text that reads back as the same number, always with a point or an exponent; NaN and infinities
// are the strings "NaN", "Infinity" and "-Infinity".
void AppendNumber(std::string& out, double value);
void AppendNumber(std::string& out, float value);

// RFC 4648 base64 with padding, without line breaks.
void AppendBase64(std::string& out, std::span<const std::uint8_t> bytes);
// Appends the bytes, or returns false for anything that AppendBase64 would not have written.
enum class Base64 { kOk, kMalformed };
Base64 DecodeBase64(std::string_view text, std::vector<std::uint8_t>& out);

// As IsUtf8, fast when most of the text is ASCII.
bool IsUtf8Fast(std::string_view text);

}  // namespace cordon::abi
