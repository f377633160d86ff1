// What is known of the two output streams, and how to write to them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "manifest/paths.h"

namespace cordon::cli {

enum class Style : std::uint8_t { kError, kWarning, kGood, kStrong, kDim };

// A value type.
struct Terminal {
  bool out_is_tty = false;
  bool err_is_tty = false;
  bool colour_wanted = false;  // NO_COLOR is unset and the terminal is not dumb
  bool colour = false;         // where Paint is used: on stderr

  static Terminal Detect(const manifest::Environment& environment);
  // The same for text that goes to stdout.
  Terminal ForResults() const;
  // `text` with the style's codes around it, where there is colour. `text` must be escaped already.
  std::string Paint(Style style, std::string_view text) const;
};

// Writes all of `text`, or as much as the reader takes. kGone: nobody reads any more (EPIPE).
enum class Written : std::uint8_t { kAll, kGone, kFailed };
Written WriteAll(int fd, std::string_view text);

}  // namespace cordon::cli
