#include "policy/exec_match.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "policy/capability_grammar.h"

namespace cordon::policy {
namespace {

using Form = ExecArgument::Form;

// Of one pattern's program and the states of its match together.
constexpr std::int64_t kPatternMemoryMax = 512 << 10;

RE2::Options PatternOptions() {
  RE2::Options options(RE2::Quiet);
  options.set_max_mem(kPatternMemoryMax);
  options.set_never_capture(true);
  return options;
}

struct Range {
  std::int64_t first = 0, last = 0;
};

// REQUIRES: the text was checked when the argument was made.
Range RangeOf(std::string_view text) {
  Range range;
  const std::size_t dots = text.find("..");
  std::from_chars(text.data(), text.data() + dots, range.first);
  std::from_chars(text.data() + dots + 2, text.data() + text.size(), range.last);
  return range;
}

// One spelling of each number: no sign in front of a positive one, no zeros.
bool InRange(std::string_view text, std::string_view value) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || std::to_string(number) != value) return false;
  const Range range = RangeOf(text);
  return range.first <= number && number <= range.last;
}

template <typename Each>
void EachChoice(std::string_view choices, Each each) {
  while (true) {
    const std::size_t bar = choices.find('|');
    each(choices.substr(0, bar));
    if (bar == std::string_view::npos) return;
    choices.remove_prefix(bar + 1);
  }
}

bool HasChoice(std::string_view choices, std::string_view value) {
  bool has = false;
  EachChoice(choices, [&](std::string_view choice) { has = has || choice == value; });
  return has;
}

std::optional<ExecArgument> CommonChoices(std::string_view choices, const ExecArgument& other) {
  std::string joined;
  EachChoice(choices, [&](std::string_view choice) {
    if (Takes(other, choice)) joined += (joined.empty() ? "" : "|") + std::string(choice);
  });
  if (joined.empty()) return std::nullopt;
  return ExecArgument{Form::kOneOf, std::move(joined)};
}

// Programs that take code, or another program's name, in their arguments or in a file.
constexpr std::array<std::string_view, 75> kInterpreters = {"sh",          "bash",
                                                            "dash",        "ash",
                                                            "ksh",         "mksh",
                                                            "zsh",         "fish",
                                                            "csh",         "tcsh",
                                                            "busybox",     "toybox",
                                                            "awk",         "gawk",
                                                            "mawk",        "nawk",
                                                            "sed",         "perl",
                                                            "python",      "pypy",
                                                            "ruby",        "node",
                                                            "nodejs",      "deno",
                                                            "bun",         "lua",
                                                            "luajit",      "php",
                                                            "tclsh",       "expect",
                                                            "guile",       "emacs",
                                                            "vim",         "vi",
                                                            "nvim",        "ex",
                                                            "ed",          "nano",
                                                            "view",        "env",
                                                            "xargs",       "parallel",
                                                            "nohup",       "nice",
                                                            "ionice",      "timeout",
                                                            "setsid",      "stdbuf",
                                                            "time",        "watch",
                                                            "script",      "strace",
                                                            "ltrace",      "gdb",
                                                            "sudo",        "doas",
                                                            "su",          "runuser",
                                                            "setpriv",     "chroot",
                                                            "nsenter",     "unshare",
                                                            "bwrap",       "flatpak",
                                                            "systemd-run", "at",
                                                            "batch",       "make",
                                                            "ssh",         "docker",
                                                            "podman",      "kubectl",
                                                            "ld.so",       "ld-linux-x86-64.so",
                                                            "original-awk"};

// Programs that do what they were granted for, and run others when an argument says so.
constexpr std::array<std::string_view, 24> kLaunchers = {
    "find", "fd",   "fdfind", "git",  "tar",     "bsdtar", "cpio", "zip",   "unzip", "rsync", "scp",     "sftp",
    "less", "more", "man",    "curl", "tcpdump", "nmap",   "gcc",  "cmake", "ninja", "cargo", "openssl", "dpkg"};

// "python3.11" → "python", "vim.basic" → "vim"
std::string_view Stem(std::string_view name) {
  for (const std::string_view variant : {".basic", ".tiny", ".gtk3", ".nox"}) {
    if (name.ends_with(variant)) name.remove_suffix(variant.size());
  }
  while (!name.empty() && (IsDigit(name.back()) || name.back() == '.' || name.back() == '-')) name.remove_suffix(1);
  return name;
}

template <std::size_t N>
bool Names(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end() || std::ranges::find(names, Stem(name)) != names.end();
}

}  // namespace

Status CheckPattern(std::string_view pattern) {
  const RE2 compiled(re2::StringPiece(pattern.data(), pattern.size()), PatternOptions());
  if (compiled.ok()) return {};
  if (compiled.error_code() == RE2::ErrorPatternTooLarge || compiled.error_code() == RE2::ErrorRepeatSize) {
    return Fail(Code::kLimit, "the pattern '" + Excerpt(pattern) + "' takes too much memory", "repeat less");
  }
  return Fail(Code::kSyntax, "the pattern '" + Excerpt(pattern) + "' cannot be read: " + compiled.error(),
              "write it as RE2 does: no references back, no looking around");
}

bool IsPlainPath(std::string_view path) {
  if (!path.starts_with('/')) return false;
  while (path.starts_with('/')) {
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    if (segment.empty() || segment == "." || segment == "..") return false;
    path.remove_prefix(segment.size());
  }
  return true;
}

bool IsBeneath(std::string_view mount, std::string_view path) {
  return path.starts_with(mount) && (path.size() == mount.size() || path[mount.size()] == '/') && IsPlainPath(path);
}

bool LooksLikeOption(std::string_view value) {
  return value.starts_with('-') || value.starts_with('@') || value.starts_with('+');
}

bool Takes(const ExecArgument& form, std::string_view value) {
  switch (form.form) {
    case Form::kLiteral: return form.text == value;
    case Form::kOneOf: return HasChoice(form.text, value);
    case Form::kInteger: return InRange(form.text, value);
    case Form::kPath: return IsBeneath(form.text, value);
    case Form::kPattern: break;
  }
  if (value.empty() || LooksLikeOption(value)) return false;
  const RE2 compiled(re2::StringPiece(form.text), PatternOptions());
  return compiled.ok() && RE2::FullMatch(re2::StringPiece(value.data(), value.size()), compiled);
}

std::optional<ExecArgument> CommonArgument(const ExecArgument& a, const ExecArgument& b) {
  if (a == b) return a;
  // A path of the guest is another thing than the same text: the program is given the host's path for it.
  if ((a.form == Form::kPath) != (b.form == Form::kPath)) return std::nullopt;
  if (a.form == Form::kLiteral) return Takes(b, a.text) ? std::optional(a) : std::nullopt;
  if (b.form == Form::kLiteral) return Takes(a, b.text) ? std::optional(b) : std::nullopt;
  if (a.form == Form::kOneOf) return CommonChoices(a.text, b);
  if (b.form == Form::kOneOf) return CommonChoices(b.text, a);
  if (a.form != b.form) return std::nullopt;
  if (a.form == Form::kInteger) {
    const Range x = RangeOf(a.text), y = RangeOf(b.text);
    const std::int64_t first = std::max(x.first, y.first), last = std::min(x.last, y.last);
    if (first > last) return std::nullopt;
    return ExecArgument{Form::kInteger, std::to_string(first) + ".." + std::to_string(last)};
  }
  if (a.form != Form::kPath) return std::nullopt;
  if (IsBeneath(a.text, b.text)) return b;
  if (IsBeneath(b.text, a.text)) return a;
  return std::nullopt;
}

std::optional<ExecScope> CommonExec(const ExecScope& a, const ExecScope& b) {
  if (a.program != b.program || a.arguments.size() != b.arguments.size()) return std::nullopt;
  ExecScope both{a.program, {}};
  for (std::size_t i = 0; i < a.arguments.size(); ++i) {
    auto common = CommonArgument(a.arguments[i], b.arguments[i]);
    if (!common) return std::nullopt;
    both.arguments.push_back(std::move(*common));
  }
  return both;
}

bool HasPattern(const ExecScope& scope) {
  return std::ranges::any_of(scope.arguments, [](const ExecArgument& one) { return one.form != Form::kLiteral; });
}

Status CheckLauncher(const ExecScope& scope, std::string_view file_name) {
  const auto wide = [&](std::string_view why, std::string_view remedy) {
    return Fail(Error(Code::kGrantTooWide, "'" + Excerpt(file_name) + "' runs other programs, and " + std::string(why),
                      std::string(remedy))
                    .With("rule", "exec:launcher"));
  };
  if (Names(kInterpreters, file_name)) {
    constexpr std::string_view kRemedy =
        "grant the program that is wanted itself, or spell every argument out: literals, <one-of:a|b>, <int:1..9>";
    if (scope.arguments.empty()) return wide("no argument says which", kRemedy);
    for (const ExecArgument& argument : scope.arguments) {
      if (argument.form == Form::kPath || argument.form == Form::kPattern) {
        return wide("the plugin would choose an argument of it", kRemedy);
      }
    }
  }
  if (Names(kLaunchers, file_name) && (scope.arguments.empty() || scope.arguments[0].form == Form::kPattern)) {
    return wide("its first argument is left to the plugin", "spell out what it is to do, such as exec:git log");
  }
  return {};
}

}  // namespace cordon::policy
