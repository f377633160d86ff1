// Reading the chain back, trusting nothing in it.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "audit/chain_file.h"
#include "audit/record_text.h"
#include "base/digest.h"
#include "base/file.h"

namespace cordon::audit {
namespace {

class Chain {
 public:
  explicit Chain(std::optional<ChainEnd> head) : head_(std::move(head)) {}

  void Line(std::string_view line) {
    if (result_.bad) return;
    ++line_;
    const auto fields = ReadChainFields(line);
    if (!fields) return Bad(end_.sequence + 1, "it is not a record");
    if (fields->sequence != end_.sequence + 1) {
      return Bad(fields->sequence, "record " + std::to_string(end_.sequence + 1) + " should stand here");
    }
    if (fields->previous_hash != end_.hash) {
      return Bad(fields->sequence, "it does not follow from the record before it, which was altered or replaced");
    }
    end_ = {fields->sequence, Digest::Of(line).Hex()};
    ++result_.records;
    if (head_ && head_->sequence == end_.sequence && head_->hash != end_.hash) {
      Bad(end_.sequence, "it is not the record that was synced under this number");
    }
  }

  Verification Finish(std::string_view left_over) {
    if (!left_over.empty() && !result_.bad) {
      ++line_;
      Bad(end_.sequence + 1, "it is torn");
    }
    if (head_ && head_->sequence > end_.sequence && !result_.bad) {
      ++line_;
      Bad(end_.sequence + 1, "the end was cut off: record " + std::to_string(head_->sequence) + " had been synced");
    }
    result_.last_sequence = end_.sequence;
    return std::move(result_);
  }

 private:
  void Bad(std::uint64_t sequence, std::string why) { result_.bad = BadRecord{line_, sequence, std::move(why)}; }

  std::optional<ChainEnd> head_;
  ChainEnd end_;
  std::uint64_t line_ = 0;
  Verification result_;
};

}  // namespace

Result<Verification> Verify(const std::filesystem::path& state_folder) {
  const std::filesystem::path path = state_folder / kAuditFile;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (!fd) {
    const Code code = errno == ENOENT ? Code::kNotFound : Code::kIo;
    return Fail(code, "cannot open " + path.string() + ": " + ErrnoText(errno));
  }
  CORDON_ASSIGN(const FileLock lock, FileLock::Take(fd.get()));
  const auto head = ReadFile(state_folder / kHeadFile, 256);
  Chain chain(head ? ParseHead(*head) : std::nullopt);
  std::string buffer;
  while (true) {
    const std::size_t old = buffer.size();
    buffer.resize(old + (64 << 10));
    const ssize_t n = ::read(fd.get(), buffer.data() + old, buffer.size() - old);
    buffer.resize(old + static_cast<std::size_t>(n > 0 ? n : 0));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Fail(Code::kIo, "cannot read " + path.string() + ": " + ErrnoText(errno));
    if (n == 0) break;
    std::size_t start = 0;
    for (std::size_t end; (end = buffer.find('\n', start)) != std::string::npos; start = end + 1) {
      chain.Line(std::string_view(buffer).substr(start, end - start));
    }
    buffer.erase(0, start);
    // No record is this long: what comes is not worth reading.
    if (buffer.size() > 2 * kLineBytesMax) break;
  }
  return chain.Finish(buffer);
}

}  // namespace cordon::audit
