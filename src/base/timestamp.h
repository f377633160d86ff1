// Moments in UTC with one spelling, `2026-01-02T03:04:05Z` (RFC 3339, section 5.6). Pure; thread-safe.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "cordon/result.h"

namespace cordon {

using Timestamp = std::chrono::sys_seconds;

// E_TYPE for another form or a day that is not in the calendar.
Result<Timestamp> ParseTimestamp(std::string_view text);
std::string FormatTimestamp(Timestamp moment);

}  // namespace cordon
