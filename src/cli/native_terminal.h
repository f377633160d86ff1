// Answers to the questions of native plugins, from the terminal that the command has.
#pragma once

#include <memory>

#include "runtime/native.h"

namespace cordon::cli {

// Null unless standard input and standard error are a terminal.
std::shared_ptr<runtime::NativeTerminal> FindTerminal();

}  // namespace cordon::cli
