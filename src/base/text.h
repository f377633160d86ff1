// Text that came from outside: made safe to show, checked to be UTF-8, matched to its nearest name.
// Every sink (terminal, log, audit, page) goes through Escape. Pure; thread-safe.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace cordon {

// Control characters (C0, C1, DEL), U+2028/2029, bidirectional and zero-width marks and bytes that are
// not UTF-8 become \uXXXX (or \xNN for a stray byte); the rest is unchanged. A backslash is kept as it is.
// With `keep_newlines`, LF and TAB stay, for text that is shown as a block.
enum class Lines { kEscape, kKeep };
std::string Escape(std::string_view text, Lines lines = Lines::kEscape);

// As Escape, cut after `max` bytes with "… (N more bytes)".
std::string EscapeShort(std::string_view text, std::size_t max);

bool IsUtf8(std::string_view text);

// The candidate within an edit distance of 2 (or a third of the length) of `word`, or empty.
std::string_view Nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace cordon
