#include "base/timestamp.h"

#include <ctime>

namespace cordon {

Result<Timestamp> ParseTimestamp(std::string_view text) {
  constexpr std::string_view kForm = "0000-00-00T00:00:00Z";
  int parts[6] = {};
  bool fits = text.size() == kForm.size();
  std::size_t part = 0;
  for (std::size_t i = 0; fits && i < kForm.size(); ++i) {
    if (kForm[i] == '0') {
      fits = text[i] >= '0' && text[i] <= '9';
      parts[part] = parts[part] * 10 + (text[i] - '0');
    } else {
      fits = text[i] == kForm[i];
      ++part;
    }
  }
  const std::chrono::year_month_day day{std::chrono::year(parts[0]),
                                        std::chrono::month(static_cast<unsigned>(parts[1])),
                                        std::chrono::day(static_cast<unsigned>(parts[2]))};
  if (!fits || !day.ok() || parts[3] > 23 || parts[4] > 59 || parts[5] > 59) {
    return Fail(Code::kType, "'" + std::string(text.substr(0, 40)) + "' is not a moment in UTC",
                "write it as 2026-01-02T03:04:05Z");
  }
  return std::chrono::sys_days(day) + std::chrono::hours(parts[3]) + std::chrono::minutes(parts[4]) +
         std::chrono::seconds(parts[5]);
}

std::string FormatTimestamp(Timestamp moment) {
  const std::time_t seconds = moment.time_since_epoch().count();
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[40];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return std::string(text, size);
}

}  // namespace cordon
