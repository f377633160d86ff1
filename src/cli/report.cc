#include "cli/report.h"

#include <algorithm>

#include "abi/json_text.h"
#include "base/text.h"

namespace cordon::cli {
namespace {

constexpr std::size_t kExcerptColumns = 100;

// Details that the message or the remedy has said already are not said again.
constexpr std::string_view kSaid[] = {"command"};

bool IsStart(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

std::size_t Columns(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), IsStart));
}

// Text of several lines: each after the first is marked, so that it cannot pass for a line of ours.
std::string Block(std::string_view text, std::string_view indent) {
  std::string escaped = Escape(text, Lines::kKeep);
  while (!escaped.empty() && escaped.back() == '\n') escaped.pop_back();
  std::string out;
  for (char c : escaped) {
    out += c;
    if (c == '\n') out += std::string(indent) + "| ";
  }
  return out;
}

// The bytes of the first `count` characters.
std::size_t BytesOf(std::string_view text, std::size_t count) {
  std::size_t at = 0;
  while (at < text.size() && count > 0) {
    ++at;
    while (at < text.size() && !IsStart(text[at])) ++at;
    --count;
  }
  return at;
}

// The source line and a caret under the column, cut to a window around it when it is long.
std::string Excerpt(const Place& place, const Terminal& terminal) {
  std::string line = place.excerpt;
  std::replace(line.begin(), line.end(), '\t', ' ');
  const std::size_t column = place.column > 0 ? place.column - 1 : 0;
  const std::size_t first = column > kExcerptColumns / 2 ? column - kExcerptColumns / 2 : 0;
  const std::size_t begin = BytesOf(line, first);
  const std::size_t caret = BytesOf(line, column);
  const std::size_t end = BytesOf(line, first + kExcerptColumns);
  const std::string head = (first > 0 ? "…" : "") + Escape(std::string_view(line).substr(begin, caret - begin));
  const std::string tail = Escape(std::string_view(line).substr(caret, end - caret)) + (end < line.size() ? "…" : "");
  const std::string number = std::to_string(place.line);
  const std::string margin(number.size(), ' ');
  const std::string bar = terminal.Paint(Style::kDim, "|");
  return margin + " " + bar + "\n" + terminal.Paint(Style::kDim, number) + " " + bar + " " + head + tail + "\n" +
         margin + " " + bar + " " + std::string(Columns(head), ' ') + terminal.Paint(Style::kError, "^") + "\n";
}

std::string PlaceText(const Place& place) {
  std::string text = Escape(place.file);
  if (place.line > 0) text += ":" + std::to_string(place.line) + ":" + std::to_string(std::max(place.column, 1u));
  return text;
}

void AppendDetails(std::string& out, const Error& error, std::string_view indent, const Terminal& terminal) {
  for (const auto& [key, value] : error.details) {
    const bool said = std::ranges::find(kSaid, key) != std::end(kSaid) || value.empty() ||
                      error.message.find(value) != std::string::npos || error.remedy.find(value) != std::string::npos;
    if (said) continue;
    out += std::string(indent) + terminal.Paint(Style::kDim, Escape(key) + ":") + " " + Block(value, indent) + "\n";
  }
}

void AppendPlace(std::string& out, const Error& error, std::string_view indent, const Terminal& terminal) {
  if (!error.place) return;
  out += std::string(indent) + terminal.Paint(Style::kDim, "-->") + " " + PlaceText(*error.place) + "\n";
  if (error.place->line > 0 && !error.place->excerpt.empty()) out += Excerpt(*error.place, terminal);
}

void AppendRemedy(std::string& out, const Error& error, std::string_view indent, const Terminal& terminal) {
  if (error.remedy.empty()) return;
  out += std::string(indent) + terminal.Paint(Style::kGood, "fix:") + " " + Block(error.remedy, indent) + "\n";
}

void AppendCauses(std::string& out, const std::vector<Error>& causes, const std::string& indent,
                  const Terminal& terminal) {
  for (const Error& cause : causes) {
    out += indent + "- " + terminal.Paint(Style::kStrong, CodeName(cause.code)) + " " + Block(cause.message, indent) +
           "\n";
    const std::string inner = indent + "    ";
    AppendPlace(out, cause, inner, terminal);
    AppendDetails(out, cause, inner, terminal);
    AppendRemedy(out, cause, inner, terminal);
    AppendCauses(out, cause.causes, inner, terminal);
  }
}

void AppendValue(std::string& out, const OrderedJson& value) {
  switch (value.type()) {
    case OrderedJson::value_t::object: {
      out += '{';
      bool first = true;
      for (const auto& [key, member] : value.items()) {
        if (!first) out += ',';
        first = false;
        AppendValue(out, OrderedJson(key));
        out += ':';
        AppendValue(out, member);
      }
      out += '}';
      return;
    }
    case OrderedJson::value_t::array: {
      out += '[';
      for (std::size_t i = 0; i < value.size(); ++i) {
        if (i > 0) out += ',';
        AppendValue(out, value[i]);
      }
      out += ']';
      return;
    }
    case OrderedJson::value_t::string: {
      const std::string& text = value.get_ref<const std::string&>();
      abi::AppendQuoted(out, IsUtf8(text) ? text : Escape(text, Lines::kKeep));
      return;
    }
    default: out += value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  }
}

}  // namespace

std::string ErrorText(const Error& error, const Terminal& terminal) {
  std::string out = terminal.Paint(Style::kError, "error[" + std::string(CodeName(error.code)) + "]") + ": " +
                    terminal.Paint(Style::kStrong, Block(error.message, "  ")) + "\n";
  AppendPlace(out, error, " ", terminal);
  AppendDetails(out, error, "  ", terminal);
  AppendCauses(out, error.causes, "  ", terminal);
  if (!error.backtrace.empty()) {
    out +=
        "  " + terminal.Paint(Style::kDim, "backtrace of the plugin:") + "\n  | " + Block(error.backtrace, "  ") + "\n";
  }
  AppendRemedy(out, error, "  ", terminal);
  return out;
}

OrderedJson ErrorJson(const Error& error) {
  OrderedJson json;
  json["code"] = CodeName(error.code);
  json["message"] = Escape(error.message, Lines::kKeep);
  json["remedy"] = Escape(error.remedy, Lines::kKeep);
  json["details"] = OrderedJson::object();
  for (const auto& [key, value] : error.details) {
    OrderedJson& slot = json["details"][Escape(key)];
    const std::string text = Escape(value, Lines::kKeep);
    // A key that comes more than once becomes a list.
    if (slot.is_null()) {
      slot = text;
    } else if (slot.is_array()) {
      slot.push_back(text);
    } else {
      slot = OrderedJson::array({slot, text});
    }
  }
  if (!error.causes.empty()) {
    json["causes"] = OrderedJson::array();
    for (const Error& cause : error.causes) json["causes"].push_back(ErrorJson(cause));
  }
  if (error.place) {
    json["place"]["file"] = Escape(error.place->file);
    if (error.place->line > 0) {
      json["place"]["line"] = error.place->line;
      json["place"]["column"] = error.place->column;
    }
  }
  if (!error.backtrace.empty()) {
    json["backtrace"] = OrderedJson::array();
    std::string_view text = error.backtrace;
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      if (end > 0) json["backtrace"].push_back(Escape(text.substr(0, end)));
      text.remove_prefix(std::min(text.size(), end + 1));
    }
  }
  return json;
}

std::string SafeJson(const OrderedJson& value) {
  std::string out;
  AppendValue(out, value);
  return out;
}

std::string PrettyJson(std::string_view json) {
  std::string out;
  std::size_t depth = 0;
  const auto line = [&] { out.append("\n").append(2 * depth, ' '); };
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (c == '"') {
      const std::size_t start = i++;
      while (i < json.size() && json[i] != '"') i += json[i] == '\\' ? 2 : 1;
      out += json.substr(start, i + 1 - start);
    } else if (c == '{' || c == '[') {
      out += c;
      std::size_t next = i + 1;
      while (next < json.size() && (json[next] == ' ' || json[next] == '\n')) ++next;
      if (next < json.size() && (json[next] == '}' || json[next] == ']')) {
        out += json[next];
        i = next;
        continue;
      }
      ++depth;
      line();
    } else if (c == '}' || c == ']') {
      if (depth > 0) --depth;
      line();
      out += c;
    } else if (c == ',') {
      out += c;
      line();
    } else if (c == ':') {
      out += ": ";
    } else if (c != ' ' && c != '\n' && c != '\t' && c != '\r') {
      out += c;
    }
  }
  return out;
}

}  // namespace cordon::cli
