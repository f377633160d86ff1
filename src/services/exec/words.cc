#include "services/exec/words.h"

#include <optional>

#include "base/text.h"

namespace cordon::services {
namespace {

constexpr std::string_view kShell = "|&;<>$`()*?[~";
constexpr std::string_view kLiveInDoubleQuotes = "$`";
constexpr std::string_view kEscapedInDoubleQuotes = "$`\"\\";

Error NeedsShell(char c) {
  return Error(Code::kInvalid,
               "the command line has '" + Escape(std::string_view(&c, 1)) +
                   "', which only a shell could act on, and no shell is ever run",
               "quote it to mean the character, or ask for one program at a time");
}

class Splitter {
 public:
  explicit Splitter(std::string_view line) : line_(line) {}

  Result<std::vector<std::string>> Run() {
    while (at_ < line_.size()) CORDON_TRY(Step());
    Close();
    if (words_.empty()) return Fail(Code::kInvalid, "the command line has no word", "name a program");
    return std::move(words_);
  }

 private:
  void Close() {
    if (word_) words_.push_back(std::move(*word_));
    word_.reset();
  }

  void Add(char c) {
    if (!word_) word_.emplace();
    *word_ += c;
  }

  Status Step() {
    const char c = line_[at_++];
    if (c == ' ' || c == '\t') return Close(), Status();
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return Fail(NeedsShell(c));
    if (c == '\'' || c == '"') return Quoted(c);
    if (c == '\\') return Escaped();
    if (kShell.contains(c) || (c == '#' && !word_)) return Fail(NeedsShell(c));
    Add(c);
    return {};
  }

  // After a backslash, outside of quotes.
  Status Escaped() {
    if (at_ == line_.size()) return Fail(Code::kInvalid, "the command line ends with a backslash", "write two");
    const char c = line_[at_++];
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return Fail(NeedsShell(c));
    Add(c);
    return {};
  }

  Status Quoted(char quote) {
    if (!word_) word_.emplace();
    while (at_ < line_.size()) {
      char c = line_[at_++];
      if (c == quote) return {};
      if (c == '\0') return Fail(NeedsShell(c));
      if (quote == '"' && kLiveInDoubleQuotes.contains(c)) return Fail(NeedsShell(c));
      if (quote == '"' && c == '\\' && at_ < line_.size() && kEscapedInDoubleQuotes.contains(line_[at_])) {
        c = line_[at_++];
      }
      *word_ += c;
    }
    return Fail(Code::kInvalid, std::string("the command line has a ") + quote + " that is not closed", "close it");
  }

  std::string_view line_;
  std::size_t at_ = 0;
  std::optional<std::string> word_;
  std::vector<std::string> words_;
};

}  // namespace

Result<std::vector<std::string>> SplitCommand(std::string_view line) { return Splitter(line).Run(); }

}  // namespace cordon::services
