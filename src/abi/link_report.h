// What is said of a plan. For this room only; pure.
#pragma once

#include <string>
#include <string_view>

namespace cordon::abi {

// As one word of a shell.
std::string ShellWord(std::string_view text);

}  // namespace cordon::abi
