// exec: a program and its arguments, each of a form that no pattern can smuggle an option through.
#include <algorithm>
#include <array>
#include <charconv>

#include "policy/capability_grammar.h"
#include "policy/exec_match.h"

namespace cordon::policy {
namespace {

constexpr std::size_t kArgumentsMax = 64;
constexpr std::size_t kArgumentBytesMax = 512;
constexpr std::string_view kLiteralExtra = "_./=:@+,-";
constexpr std::string_view kFormExtra = "_./=:@+,-|[]{}()*?^$\\!#&~'";

struct FormRow {
  ExecArgument::Form form;
  std::string_view word;
};
constexpr std::array<FormRow, 4> kForms = {{{ExecArgument::Form::kOneOf, "one-of"},
                                            {ExecArgument::Form::kInteger, "int"},
                                            {ExecArgument::Form::kPath, "path"},
                                            {ExecArgument::Form::kPattern, "re"}}};

bool IsRange(std::string_view text) {
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) return false;
  std::int64_t first = 0, last = 0;
  const char* begin = text.data();
  const char* middle = begin + dots;
  const char* end = begin + text.size();
  const auto a = std::from_chars(begin, middle, first);
  const auto b = std::from_chars(middle + 2, end, last);
  return a.ec == std::errc() && a.ptr == middle && b.ec == std::errc() && b.ptr == end && first <= last;
}

bool IsChoice(std::string_view text) {
  return !text.empty() && text.front() != '|' && text.back() != '|' && text.find("||") == std::string_view::npos;
}

Status CheckArgument(const ExecArgument& argument) {
  const auto wrong = [&](std::string_view why) {
    return Fail(Code::kSyntax, "argument '" + Excerpt(argument.text) + "' " + std::string(why));
  };
  if (argument.text.empty()) return wrong("is empty");
  if (argument.text.size() > kArgumentBytesMax) return wrong("is too long");
  CORDON_TRY(DecodeWord(EncodeWord(argument.text, "")));
  switch (argument.form) {
    case ExecArgument::Form::kLiteral: return {};
    case ExecArgument::Form::kPattern: return CheckPattern(argument.text);
    case ExecArgument::Form::kOneOf: return IsChoice(argument.text) ? Status() : wrong("is not a choice like a|b");
    case ExecArgument::Form::kInteger: return IsRange(argument.text) ? Status() : wrong("is not a range like 1..9");
    case ExecArgument::Form::kPath: return IsPlainPath(argument.text) ? Status() : wrong("is not a mount like /data");
  }
  return wrong("has no form");
}

// One spelling of each: choices in their order, each once; numbers without needless zeros.
void Canonicalise(ExecArgument& argument) {
  if (argument.form == ExecArgument::Form::kInteger) {
    const std::size_t dots = argument.text.find("..");
    std::int64_t first = 0, last = 0;
    std::from_chars(argument.text.data(), argument.text.data() + dots, first);
    std::from_chars(argument.text.data() + dots + 2, argument.text.data() + argument.text.size(), last);
    argument.text = std::to_string(first) + ".." + std::to_string(last);
  }
  if (argument.form != ExecArgument::Form::kOneOf) return;
  std::vector<std::string> choices;
  std::string_view rest = argument.text;
  for (std::size_t bar = rest.find('|'); bar != std::string_view::npos; bar = rest.find('|')) {
    choices.emplace_back(rest.substr(0, bar));
    rest.remove_prefix(bar + 1);
  }
  choices.emplace_back(rest);
  std::ranges::sort(choices);
  choices.erase(std::ranges::unique(choices).begin(), choices.end());
  argument.text.clear();
  for (const std::string& choice : choices) argument.text += (argument.text.empty() ? "" : "|") + choice;
}

Result<ExecArgument> ParseArgument(std::string_view word) {
  ExecArgument argument;
  std::string_view body = word;
  if (word.starts_with('<')) {
    const std::size_t colon = word.find(':');
    if (!word.ends_with('>') || colon == std::string_view::npos) {
      return Fail(Code::kSyntax, "'" + Excerpt(word) + "' is not closed",
                  "write <re:PATTERN>, <one-of:a|b>, <int:1..9>, <path:/data>");
    }
    const std::string_view name = word.substr(1, colon - 1);
    bool known = false;
    for (const FormRow& row : kForms) {
      if (row.word != name) continue;
      argument.form = row.form;
      known = true;
    }
    if (!known)
      return Fail(Code::kSyntax, "'" + Excerpt(name) + "' is not a form of argument", "write re, one-of, int or path");
    body = word.substr(colon + 1, word.size() - colon - 2);
  }
  if (body.find_first_of("<>;") != std::string_view::npos) {
    return Fail(Code::kSyntax, "'" + Excerpt(word) + "' has a character that must be escaped", "write %3C, %3E or %3B");
  }
  CORDON_ASSIGN(argument.text, DecodeWord(body));
  return argument;
}

}  // namespace

Result<Capability> MakeExec(std::string_view program, std::span<const ExecArgument> arguments) {
  bool good = !program.empty() && program.size() <= 64 && IsAlphanumeric(program.front());
  constexpr std::string_view kExtra = "._+-";
  for (char c : program) good = good && (IsAlphanumeric(c) || kExtra.find(c) != std::string_view::npos);
  if (!good) {
    return Fail(Code::kName, "'" + Excerpt(program) + "' is not the name of a program",
                "write a bare name such as git; the operator's grant pins its path");
  }
  if (arguments.size() > kArgumentsMax) return Fail(Code::kLimit, "exec with more than 64 arguments");
  for (const ExecArgument& argument : arguments) CORDON_TRY(CheckArgument(argument));
  ExecScope scope{std::string(program), {arguments.begin(), arguments.end()}};
  for (ExecArgument& argument : scope.arguments) Canonicalise(argument);
  if (ExecText(scope).size() > kCapabilityBytesMax) return Fail(Code::kLimit, "exec with too long arguments");
  return CapabilityMaker::Make(Kind::kExec, std::move(scope));
}

Result<Capability> ParseExec(std::string_view rest) {
  const std::size_t space = rest.find(' ');
  const std::string_view program = rest.substr(0, space);
  std::vector<ExecArgument> arguments;
  while (rest.find(' ') != std::string_view::npos) {
    rest.remove_prefix(rest.find(' ') + 1);
    CORDON_ASSIGN(ExecArgument argument, ParseArgument(rest.substr(0, rest.find(' '))));
    arguments.push_back(std::move(argument));
    if (arguments.size() > kArgumentsMax) break;
  }
  return MakeExec(program, arguments);
}

std::string ExecText(const ExecScope& scope) {
  std::string text = "exec:" + scope.program;
  for (const ExecArgument& argument : scope.arguments) {
    text += ' ';
    if (argument.form == ExecArgument::Form::kLiteral) {
      text += EncodeWord(argument.text, kLiteralExtra);
      continue;
    }
    for (const FormRow& row : kForms) {
      if (row.form != argument.form) continue;
      text += "<" + std::string(row.word) + ":" + EncodeWord(argument.text, kFormExtra) + ">";
    }
  }
  return text;
}

}  // namespace cordon::policy
