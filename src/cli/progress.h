// Says what takes long: a line on a terminal that goes away again, or plain lines with --verbose.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "cli/terminal.h"

namespace cordon::cli {

// Not thread-safe; Stage is called by the thread that loads. Nothing is shown before the work takes 300 ms.
class Progress {
 public:
  enum class Show : std::uint8_t { kNothing, kLine /* on a terminal */, kPlain /* each stage, at once */ };
  Progress(Show show, std::string what);
  ~Progress();  // clears the line
  // Nothing more is shown: an error or a result comes next.
  void End();
  void Stage(std::string_view stage);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cordon::cli
