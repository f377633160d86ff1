#include "bindgen/cpp_text.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/text.h"

namespace cordon::bindgen {
namespace {

// Items from `column` on, each line as full as it can be. Empty when one of them does not fit at all.
std::string Filled(std::size_t column, std::span<const std::string> items, std::string_view tail) {
  std::string out;
  std::size_t at = column;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const bool last = i + 1 == items.size();
    const std::size_t width = items[i].size() + (last ? tail.size() : 1);
    if (column + width > kColumns) return {};
    if (i > 0 && at + 1 + width > kColumns) {
      out += '\n' + std::string(column, ' ');
      at = column;
    } else if (i > 0) {
      out += ' ';
      ++at;
    }
    out += items[i];
    out += last ? std::string(tail) : ",";
    at += width;
  }
  return out;
}

// Where the last bracket of the outermost level opens and closes, or npos.
std::pair<std::size_t, std::size_t> LastBracket(std::string_view text) {
  std::size_t open = std::string_view::npos, close = std::string_view::npos;
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((text[i] == '<' || text[i] == '(') && depth++ == 0) open = i;
    if ((text[i] == '>' || text[i] == ')') && --depth == 0) close = i;
  }
  return {open, close};
}

std::vector<std::string> SplitAtCommas(std::string_view text) {
  std::vector<std::string> parts(1);
  int depth = 0;
  for (const char c : text) {
    depth += c == '<' || c == '(' ? 1 : c == '>' || c == ')' ? -1 : 0;
    if (c == ',' && depth == 0) {
      parts.emplace_back();
    } else if (c != ' ' || !parts.back().empty()) {
      parts.back() += c;
    }
  }
  return parts;
}

// A type from `column` on, its arguments below each other where one line has no room for them.
std::string Wrapped(std::size_t column, std::string_view type) {
  if (column + type.size() <= kColumns) return std::string(type);
  const auto [open, close] = LastBracket(type);
  if (open == std::string_view::npos) return std::string(type);
  const std::string head(type.substr(0, open + 1)), tail(type.substr(close));
  const std::vector<std::string> parts = SplitAtCommas(type.substr(open + 1, close - open - 1));
  if (parts.size() == 1) return head + Wrapped(column + head.size(), parts.front()) + tail;
  const std::string filled = Filled(column + head.size(), parts, tail);
  return filled.empty() ? std::string(type) : head + filled;
}

// A line that ends in a backslash goes on below, and so does one that ends in its trigraph.
bool RunsOn(std::string_view line) { return line.ends_with('\\') || line.ends_with("?\?/"); }

void AddCommentLine(std::string& out, std::size_t indent, std::string_view line) {
  out.append(indent, ' ');
  out += "//";
  if (!line.empty()) (out += ' ') += line;
  if (RunsOn(line)) out += " .";
  out += '\n';
}

}  // namespace

std::string Call(std::size_t indent, std::string_view head, std::span<const std::string> items, std::string_view tail) {
  std::string out(indent, ' ');
  (out += head) += '(';
  const std::string end = ')' + std::string(tail);
  if (items.empty()) return out + end;
  if (std::string aligned = Filled(out.size(), items, end); !aligned.empty()) return out + aligned;
  const std::size_t column = indent + 4;
  out += '\n' + std::string(column, ' ');
  if (std::string below = Filled(column, items, end); !below.empty()) return out + below;
  // Names too long for any line: one for each.
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += ",\n" + std::string(column, ' ');
    out += items[i];
  }
  return out + end;
}

std::string FunctionText(std::size_t indent, std::string_view head, std::span<const std::string> parameters,
                         std::string_view suffix, std::string_view body_head, std::span<const std::string> arguments) {
  std::string joined, passed;
  for (const std::string& one : parameters) joined += (joined.empty() ? "" : ", ") + one;
  for (const std::string& one : arguments) passed += (passed.empty() ? "" : ", ") + one;
  const std::string line = std::string(indent, ' ') + std::string(head) + '(' + joined + ')' + std::string(suffix) +
                           " { " + std::string(body_head) + '(' + passed + "); }";
  if (line.size() <= kColumns) return line + '\n';
  return Call(indent, head, parameters, std::string(suffix) + " {") + '\n' +
         Call(indent + 2, body_head, arguments, ";") + '\n' + std::string(indent, ' ') + "}\n";
}

std::string TypeLine(std::size_t indent, std::string_view type, std::string_view rest) {
  const std::string pad(indent, ' ');
  if (indent + type.size() + 1 + rest.size() <= kColumns)
    return pad + std::string(type) + ' ' + std::string(rest) + '\n';
  return pad + Wrapped(indent, type) + '\n' + std::string(indent + 4, ' ') + std::string(rest) + '\n';
}

std::string Comment(std::size_t indent, std::string_view text) {
  std::string out;
  const std::size_t width = kColumns - indent - 3;
  while (!text.empty()) {
    const std::size_t newline = text.find('\n');
    std::string line;
    for (const char c : text.substr(0, newline)) line += c == '\t' ? "  " : std::string(1, c);
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
    while (line.ends_with(' ') || line.ends_with('\r')) line.pop_back();
    line = Escape(line);
    // clang-format counts columns, not bytes; a line with other letters is only shorter than it could be.
    while (line.size() > width) {
      std::size_t cut = line.rfind(' ', width);
      if (cut == std::string::npos || cut == 0) cut = line.find(' ');
      if (cut == std::string::npos) break;
      std::string_view part = std::string_view(line).substr(0, cut);
      AddCommentLine(out, indent, part);
      line.erase(0, cut + 1);
    }
    AddCommentLine(out, indent, line);
  }
  return out;
}

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (c == '"' || c == '\\' || c == '?') out += '\\';
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
      continue;
    }
    constexpr char kOctal[] = "01234567";
    ((((out += '\\') += kOctal[byte >> 6]) += kOctal[(byte >> 3) & 7]) += kOctal[byte & 7]);
  }
  return out + '"';
}

}  // namespace cordon::bindgen
