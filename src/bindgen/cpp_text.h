// Lines of C++ as clang-format would set them in 120 columns. Not thread-safe; a value.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cordon::bindgen {

constexpr std::size_t kColumns = 120;

// "head(a, b, c)tail": in one line, or with what follows the parenthesis in lines below each other. The first line has
// `indent`.
std::string Call(std::size_t indent, std::string_view head, std::span<const std::string> items, std::string_view tail);

// A function with its body, which is one statement: in one line, or three and more.
std::string FunctionText(std::size_t indent, std::string_view head, std::span<const std::string> parameters,
                         std::string_view suffix, std::string_view body_head, std::span<const std::string> arguments);

// "type rest": what is declared goes below a type that takes all of the line.
std::string TypeLine(std::size_t indent, std::string_view type, std::string_view rest);

// `text`, which may be anything, as // comments: it cannot end the comment, nor run on into the line below.
std::string Comment(std::size_t indent, std::string_view text);

// In quotes, as a C++ string literal.
std::string Quoted(std::string_view text);

}  // namespace cordon::bindgen
