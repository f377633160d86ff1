// `completion SHELL`: scripts made from the syntax of every command, so that they cannot fall behind.
#include <functional>

#include "cli/command.h"

namespace cordon::cli {
namespace {

constexpr Positional kWords[] = {
    {"SHELL", "bash, zsh or fish", Positional::Count::kOne, Offer::kWords, "bash zsh fish"}};

std::vector<Option> OptionsOf(const Syntax& syntax) {
  std::vector<Option> options(syntax.options.begin(), syntax.options.end());
  options.insert(options.end(), CommonOptions().begin(), CommonOptions().end());
  return options;
}

std::string FirstWord(std::string_view command) { return std::string(command.substr(0, command.find(' '))); }

std::string SecondWord(std::string_view command) {
  const std::size_t space = command.find(' ');
  return space == std::string_view::npos ? std::string() : std::string(command.substr(space + 1));
}

// The first words of all commands, each once; or the second words of one group.
std::string Words(std::string_view group = {}) {
  std::string out, last;
  for (const Command& one : Commands()) {
    const std::string first = FirstWord(one.syntax.command);
    const std::string word = group.empty() ? first : first == group ? SecondWord(one.syntax.command) : "";
    if (word.empty() || word == last) continue;
    out += (out.empty() ? "" : " ") + word;
    last = word;
  }
  return out;
}

void ForEachGroup(const std::function<void(const std::string&)>& visit) {
  std::string last;
  for (const Command& one : Commands()) {
    const std::string first = FirstWord(one.syntax.command);
    if (SecondWord(one.syntax.command).empty() || first == last) continue;
    visit(first);
    last = first;
  }
}

// In single quotes, as all three shells read them.
std::string Quoted(std::string_view text) {
  std::string out = "'";
  for (char c : text) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

std::string BashOffer(Offer offer, std::string_view words) {
  switch (offer) {
    case Offer::kFile: return "COMPREPLY=($(compgen -f -- \"$cur\")); compopt -o filenames";
    case Offer::kFolder: return "COMPREPLY=($(compgen -d -- \"$cur\")); compopt -o filenames";
    case Offer::kWords: return "COMPREPLY=($(compgen -W " + Quoted(words) + " -- \"$cur\"))";
    case Offer::kNothing: return "COMPREPLY=()";
  }
  return {};
}

std::string BashCommand(const Syntax& syntax) {
  std::string names, values;
  for (const Option& option : OptionsOf(syntax)) {
    names += (names.empty() ? "" : " ") + std::string(option.name);
    if (option.value.empty()) continue;
    values += "        " + std::string(option.name) + ") " + BashOffer(option.offer, option.words) + "; return;;\n";
  }
  const Offer offer = syntax.positionals.empty() ? Offer::kNothing : syntax.positionals.front().offer;
  const std::string_view words = syntax.positionals.empty() ? "" : syntax.positionals.front().words;
  return "    " + Quoted(syntax.command) + ")\n      case \"$prev\" in\n" + values + "      esac\n" +
         "      if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W " + Quoted(names) + " -- \"$cur\"))\n      else " +
         BashOffer(offer, words) + "; fi;;\n";
}

std::string Bash() {
  std::string groups, commands;
  ForEachGroup([&](const std::string& group) {
    groups += "  if [[ $command == " + group +
              " ]]; then\n    if (( COMP_CWORD == 2 )); then COMPREPLY=($(compgen -W " + Quoted(Words(group)) +
              " -- \"$cur\")); return; fi\n    command=\"$command ${COMP_WORDS[2]}\"\n  fi\n";
  });
  for (const Command& one : Commands()) commands += BashCommand(one.syntax);
  return "# bash completion for cordon: source <(cordon completion bash)\n_cordon() {\n"
         "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}\n"
         "  if (( COMP_CWORD == 1 )); then COMPREPLY=($(compgen -W " +
         Quoted(Words() + " --help --version") + " -- \"$cur\")); return; fi\n" + groups + "  case \"$command\" in\n" +
         commands + "  esac\n}\ncomplete -F _cordon cordon\n";
}

// In a specification of _arguments, brackets and colons have a meaning.
std::string ZshText(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string ZshOffer(Offer offer, std::string_view words) {
  switch (offer) {
    case Offer::kFile: return "_files";
    case Offer::kFolder: return "_files -/";
    case Offer::kWords: return "(" + std::string(words) + ")";
    case Offer::kNothing: return " ";
  }
  return {};
}

std::string ZshCommand(const Syntax& syntax) {
  std::string out = "    " + Quoted(syntax.command) + ") _arguments";
  for (const Option& option : OptionsOf(syntax)) {
    const bool many = option.times == Option::Times::kMany;
    std::string spec = (many ? "*" : "") + std::string(option.name) + "[" + ZshText(option.help) + "]";
    if (!option.value.empty()) spec += ":" + ZshText(option.value) + ":" + ZshOffer(option.offer, option.words);
    out += " \\\n      " + Quoted(spec);
  }
  for (const Positional& word : syntax.positionals) {
    const bool many = word.count == Positional::Count::kAny;
    out += " \\\n      " + Quoted((many                                         ? "*:"
                                   : word.count == Positional::Count::kOptional ? "::"
                                                                                : ":") +
                                  ZshText(word.name) + ":" + ZshOffer(word.offer, word.words));
  }
  return out + ";;\n";
}

std::string Zsh() {
  std::string groups, commands;
  ForEachGroup([&](const std::string& group) {
    groups += "  if [[ $command == " + group + " ]]; then\n    if (( CURRENT == 3 )); then compadd " + Words(group) +
              "; return; fi\n    command=\"$command ${words[3]}\"; shift words; (( CURRENT-- ))\n  fi\n";
  });
  for (const Command& one : Commands()) commands += ZshCommand(one.syntax);
  return "#compdef cordon\n# zsh completion for cordon: cordon completion zsh > \"${fpath[1]}/_cordon\"\n_cordon() {\n"
         "  if (( CURRENT == 2 )); then compadd " +
         Words() + " ; return; fi\n  local command=${words[2]}\n" + groups +
         "  shift words; (( CURRENT-- ))\n  case $command in\n" + commands + "  esac\n}\n" +
         "if [[ $funcstack[1] == _cordon ]]; then _cordon; else compdef _cordon cordon; fi\n";
}

std::string FishSeen(const Syntax& syntax) {
  std::string condition = "__fish_seen_subcommand_from " + FirstWord(syntax.command);
  const std::string second = SecondWord(syntax.command);
  if (!second.empty()) condition += "; and __fish_seen_subcommand_from " + second;
  return Quoted(condition);
}

std::string FishOffer(Offer offer, std::string_view words) {
  switch (offer) {
    case Offer::kFile: return " -r -F";
    case Offer::kFolder: return " -x -a '(__fish_complete_directories)'";
    case Offer::kWords: return " -x -a " + Quoted(words);
    case Offer::kNothing: return " -x";
  }
  return {};
}

std::string Fish() {
  std::string out = "# fish completion for cordon: cordon completion fish | source\ncomplete -c cordon -f\n";
  out += "complete -c cordon -n __fish_use_subcommand -a " + Quoted(Words()) + "\n";
  ForEachGroup([&](const std::string& group) {
    out += "complete -c cordon -n '__fish_seen_subcommand_from " + group + "; and not __fish_seen_subcommand_from " +
           Words(group) + "' -a " + Quoted(Words(group)) + "\n";
  });
  for (const Command& one : Commands()) {
    const std::string line = "complete -c cordon -n " + FishSeen(one.syntax);
    for (const Option& option : OptionsOf(one.syntax)) {
      out += line + " -l " + std::string(option.name.substr(2)) + " -d " + Quoted(option.help);
      out += option.value.empty() ? "\n" : FishOffer(option.offer, option.words) + "\n";
    }
    if (one.syntax.positionals.empty()) continue;
    const Positional& word = one.syntax.positionals.front();
    if (word.offer == Offer::kFile) out += line + " -F\n";
    if (word.offer == Offer::kWords) out += line + " -a " + Quoted(word.words) + "\n";
  }
  return out;
}

Result<int> Completion(Session& session) {
  const std::string shell = session.arguments().Get("SHELL");
  if (shell != "bash" && shell != "zsh" && shell != "fish") {
    return Fail(Code::kUsage, "there is no completion for that shell", "name one of: bash, zsh, fish");
  }
  session.Print(shell == "bash" ? Bash() : shell == "zsh" ? Zsh() : Fish());
  return 0;
}

}  // namespace

Command CompletionCommand() {
  return {{.command = "completion", .summary = "print a completion script for a shell", .positionals = kWords},
          Completion};
}

}  // namespace cordon::cli
