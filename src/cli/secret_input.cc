#include "cli/secret_input.h"

#include <termios.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"
#include "base/text.h"
#include "cli/grant_records.h"

namespace cordon::cli {
namespace {

// Typed text is not shown while this lives.
class NoEcho {
 public:
  NoEcho() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    changed_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;
  ~NoEcho() {
    if (changed_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }

 private:
  termios before_{};
  bool changed_ = false;
};

}  // namespace

Result<SecretText> ReadSecret(const Session& session, std::string_view name) {
  const bool asks = ::isatty(STDIN_FILENO) == 1;
  const NoEcho silent;
  if (asks) (void)WriteAll(STDERR_FILENO, "Value of " + EscapeShort(name, 80) + ": ");
  std::string bytes;
  bytes.reserve(services::kSecretBytesMax + 2);  // never moved, so that no copy is left behind
  while (bytes.size() <= services::kSecretBytesMax + 1) {
    char byte = 0;
    const ssize_t got = ::read(STDIN_FILENO, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || (asks && byte == '\n')) break;
    bytes += byte;
  }
  if (asks) (void)WriteAll(STDERR_FILENO, "\n");
  std::string_view value = bytes;
  if (value.ends_with('\n')) value.remove_suffix(1);
  if (value.ends_with('\r')) value.remove_suffix(1);
  SecretText secret(value);
  const std::size_t size = value.size();
  WipeText(bytes.data(), bytes.size());
  if (size == 0) {
    return Fail(Code::kMissing, "no value was given",
                "write it to standard input: cordon " + session.command() + " … < FILE");
  }
  if (size > services::kSecretBytesMax) {
    return Fail(Code::kLimit, "a secret has at most " + std::to_string(services::kSecretBytesMax) + " bytes");
  }
  return secret;
}

Result<std::shared_ptr<services::Vault>> OpenVault(const Session& session) {
  CORDON_ASSIGN(const std::filesystem::path folder, session.StateFolder());
  const auto key = session.environment()("CORDON_SECRETS_KEY");
  return std::make_shared<services::Vault>(folder, key ? SecretText(*key) : SecretText());
}

Status AuditOperator(audit::AuditLog& log, const std::string& plugin, const std::string& target, std::string note) {
  audit::Record record;
  record.event = audit::Event::kNote;
  record.plugin = plugin;
  record.target = target;
  record.rule = "operator";
  record.actor = Actor();
  record.note = std::move(note);
  return log.On(record);
}

}  // namespace cordon::cli
