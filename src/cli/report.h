// Errors and JSON documents as people and programs see them. Everything that came from outside is escaped here.
// Pure; thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "cli/terminal.h"
#include "cordon/error.h"
#include "formats/json.h"

namespace cordon::cli {

// Several lines: code and message, the place with its source line and a caret, rules, causes, what to do.
std::string ErrorText(const Error& error, const Terminal& terminal);

// {"code", "message", "remedy", "details", "causes", "place", "backtrace"}; what is empty is left out.
OrderedJson ErrorJson(const Error& error);

// Compact JSON text that is safe on a terminal: control, bidirectional and invisible characters and bytes that are not
// UTF-8 are escaped.
std::string SafeJson(const OrderedJson& value);

// The same JSON, indented. REQUIRES: `json` is well-formed.
std::string PrettyJson(std::string_view json);

}  // namespace cordon::cli
