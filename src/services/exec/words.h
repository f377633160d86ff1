// A command line as the words that it stands for, when it needs no shell to say so. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cordon/result.h"

namespace cordon::services {

// Words by the rules of POSIX for blanks, quotes and backslashes. E_INVALID for whatever else a shell would act on (a
// pipe, a list, a redirection, an expansion, a pattern, a comment), for a quote that is not closed, for a control
// character, and for no word at all: what is not exactly an argument vector is not guessed at.
Result<std::vector<std::string>> SplitCommand(std::string_view line);

}  // namespace cordon::services
