#include "services/vault/vault.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <map>

#include "base/file.h"
#include "base/text.h"
#include "base/unique_fd.h"

namespace cordon::services {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHead = "cordon-secrets 1\n";
constexpr std::string_view kSettingPrefix = "config:";
constexpr std::string_view kEveryPlugin = "-";
constexpr std::size_t kFileBytesMax = 64 << 20;
constexpr std::size_t kNameBytesMax = 256;

bool IsName(std::string_view text) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == ':' || c == '/';
  };
  return !text.empty() && text.size() <= kNameBytesMax && text != kEveryPlugin && std::ranges::all_of(text, plain);
}

// What is bound to a sealed value, so that one cannot be put in another's place.
std::string LabelOf(const Vault::Name& name) {
  std::string label = "secret";
  label.append(1, '\0').append(name.plugin).append(1, '\0').append(name.name);
  return label;
}

std::unexpected<Error> Tampered(std::string_view how) {
  return Fail(Code::kDigest, "the file of the secrets " + std::string(how),
              "put back a copy of secrets and secrets.seen that belong together, or remove both and set them again");
}

// Takes the text up to `end` off the front; nothing where there is no `end`.
std::optional<std::string_view> Take(std::string_view& text, char end) {
  const std::size_t at = text.find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(at + 1);
  return part;
}

std::optional<std::uint64_t> NumberOf(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// A file that somebody else may read or write is no place for a key.
Status CheckPrivate(const fs::path& file) {
  struct stat about{};
  if (::lstat(file.c_str(), &about) != 0) {
    if (errno == ENOENT) return Fail(Code::kNotFound, "there is no " + file.string());
    return Fail(Code::kIo, "cannot look at " + file.string() + ": " + ErrnoText(errno));
  }
  if (S_ISREG(about.st_mode) && about.st_uid == ::geteuid() && (about.st_mode & 077) == 0) return {};
  return Fail(Code::kIo, file.string() + " is not a file of its owner alone",
              "chmod 600 " + file.string() + ", as the user who runs cordon; if others could read it, make a new key");
}

}  // namespace

std::string SettingName(std::string_view key) { return std::string(kSettingPrefix) + std::string(key); }

struct Vault::Book {
  std::uint64_t generation = 0;
  std::map<Name, std::string> entries;  // sealed

  std::string Text() const {
    std::string text(kHead);
    text += std::to_string(generation) + "\n";
    for (const auto& [name, sealed] : entries) {
      text += (name.plugin.empty() ? kEveryPlugin : std::string_view(name.plugin));
      text += " " + name.name + " " + sealed + "\n";
    }
    return text;
  }

  // The part of the file that the tag is of.
  static std::optional<Book> Parse(std::string_view text) {
    if (!text.starts_with(kHead)) return std::nullopt;
    text.remove_prefix(kHead.size());
    Book book;
    const auto first = Take(text, '\n');
    const auto generation = first ? NumberOf(*first) : std::nullopt;
    if (!generation) return std::nullopt;
    book.generation = *generation;
    while (!text.empty()) {
      auto line = Take(text, '\n');
      const auto plugin = line ? Take(*line, ' ') : std::nullopt;
      const auto name = plugin ? Take(*line, ' ') : std::nullopt;
      if (!name || book.entries.size() >= kSecretsMax) return std::nullopt;
      book.entries[{*plugin == kEveryPlugin ? "" : std::string(*plugin), std::string(*name)}] = *line;
    }
    return book;
  }
};

Result<SealKey> Vault::Key(Missing missing) const {
  if (!key_.empty()) return SealKey::Parse(key_.reveal());
  const fs::path file = folder_ / kSecretsKeyFile;
  const Status found = CheckPrivate(file);
  if (found) {
    CORDON_ASSIGN(std::string text, ReadFile(file, 1024));
    auto key = SealKey::Parse(text);
    WipeText(text.data(), text.size());
    return key;
  }
  if (found.error().code != Code::kNotFound) return Fail(found.error());
  std::error_code error;
  if (missing == Missing::kIsAnError || fs::exists(folder_ / kSecretsFile, error)) {
    return Fail(Code::kUnavailable, "the key of the secrets is not there: " + file.string(),
                "put it back, or give it as CORDON_SECRETS_KEY");
  }
  CORDON_ASSIGN(SealKey key, SealKey::Random());
  CORDON_TRY(WriteFileAtomically(file, key.ToHex().reveal(), FileMode::kPrivate));
  return key;
}

Result<std::uint64_t> Vault::ReadSeen(const SealKey& key, std::string_view text) {
  const auto number = Take(text, '\n');
  const auto tag = number ? Take(text, '\n') : std::nullopt;
  const auto generation = number ? NumberOf(*number) : std::nullopt;
  if (!generation || !tag) return Tampered("has a secrets.seen that is damaged");
  CORDON_ASSIGN(const std::string expected, key.Tag("seen " + std::string(*number)));
  if (!EqualTags(*tag, expected)) return Tampered("has a secrets.seen that was changed, or of another key");
  return *generation;
}

// An older file than the newest that was seen is a file that somebody put back.
Result<Vault::Book> Vault::Read(const SealKey& key) const {
  auto text = ReadFile(folder_ / kSecretsFile, kFileBytesMax);
  if (!text && text.error().code != Code::kNotFound) return Fail(text.error());
  auto seen_text = ReadFile(folder_ / kSecretsSeenFile, 1024);
  if (!seen_text && seen_text.error().code != Code::kNotFound) return Fail(seen_text.error());
  if (!text && !seen_text) return Book();
  if (!seen_text) return Tampered("has no secrets.seen beside it");
  CORDON_ASSIGN(const std::uint64_t seen, ReadSeen(key, *seen_text));
  if (!text && seen == 0) return Book();
  if (!text) return Tampered("is not there any more");
  std::string_view rest = *text;
  const std::size_t tag_at = rest.rfind("tag ");
  if (tag_at == std::string_view::npos || !rest.ends_with('\n')) return Tampered("is cut off");
  std::string_view tag = rest.substr(tag_at + 4);
  tag.remove_suffix(1);
  CORDON_ASSIGN(const std::string expected, key.Tag(rest.substr(0, tag_at)));
  const auto book = Book::Parse(rest.substr(0, tag_at));
  if (!EqualTags(tag, expected) || !book) return Tampered("was changed, or belongs to another key");
  if (book->generation < seen) return Tampered("is older than the newest that was written");
  return *book;
}

Status Vault::WriteSeen(const SealKey& key, std::uint64_t generation) const {
  const std::string number = std::to_string(generation);
  CORDON_ASSIGN(const std::string tag, key.Tag("seen " + number));
  return WriteFileAtomically(folder_ / kSecretsSeenFile, number + "\n" + tag + "\n", FileMode::kPrivate);
}

// First the file, then what was seen: after a crash between them the file is newer, which is no harm.
Status Vault::Write(const SealKey& key, Book& book) const {
  ++book.generation;
  std::string text = book.Text();
  CORDON_ASSIGN(const std::string tag, key.Tag(text));
  if (book.generation == 1) CORDON_TRY(WriteSeen(key, 0));
  CORDON_TRY(WriteFileAtomically(folder_ / kSecretsFile, text + "tag " + tag + "\n", FileMode::kPrivate));
  return WriteSeen(key, book.generation);
}

Status Vault::Change(const std::function<Status(const SealKey&, Book&)>& change) const {
  const UniqueFd lock(::open((folder_ / "secrets.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock || ::flock(lock.get(), LOCK_EX) != 0) {
    return Fail(Code::kIo, "cannot lock the secrets: " + ErrnoText(errno), "let their owner write to the state folder");
  }
  CORDON_ASSIGN(const SealKey key, Key(Missing::kIsMade));
  CORDON_ASSIGN(Book book, Read(key));
  CORDON_TRY(change(key, book));
  return Write(key, book);
}

Result<std::optional<SecretText>> Vault::Find(std::string_view plugin, std::string_view name) {
  std::error_code error;
  if (!fs::exists(folder_ / kSecretsFile, error) && !fs::exists(folder_ / kSecretsSeenFile, error)) return std::nullopt;
  CORDON_ASSIGN(const SealKey key, Key(Missing::kIsAnError));
  CORDON_ASSIGN(const Book book, Read(key));
  Name wanted{std::string(plugin), std::string(name)};
  auto found = book.entries.find(wanted);
  if (found == book.entries.end() && !name.starts_with(kSettingPrefix)) {
    wanted.plugin.clear();
    found = book.entries.find(wanted);
  }
  if (found == book.entries.end()) return std::nullopt;
  CORDON_ASSIGN(SecretText value, key.Unseal(found->second, LabelOf(wanted)));
  return value;
}

Result<std::vector<Vault::Name>> Vault::List() {
  std::vector<Name> names;
  std::error_code error;
  if (!fs::exists(folder_ / kSecretsFile, error) && !fs::exists(folder_ / kSecretsSeenFile, error)) return names;
  CORDON_ASSIGN(const SealKey key, Key(Missing::kIsAnError));
  CORDON_ASSIGN(const Book book, Read(key));
  for (const auto& [name, sealed] : book.entries) names.push_back(name);
  return names;
}

Status Vault::Set(const Name& name, std::string_view value) {
  if (!IsName(name.name) || (!name.plugin.empty() && !IsName(name.plugin))) {
    return Fail(Code::kName, "'" + EscapeShort(name.name, 80) + "' is not the name of a secret",
                "use letters, digits and -_.");
  }
  if (value.empty() || value.size() > kSecretBytesMax) {
    return Fail(Code::kLimit, "a secret has 1 to " + std::to_string(kSecretBytesMax) + " bytes");
  }
  if (value.find('\0') != std::string_view::npos || !IsUtf8(value)) {
    return Fail(Code::kInvalid, "a secret is text: UTF-8 without NUL", "encode it, with base64 for example");
  }
  return Change([&](const SealKey& key, Book& book) -> Status {
    if (book.entries.size() >= kSecretsMax && !book.entries.contains(name)) {
      return Fail(Code::kLimit, "there are " + std::to_string(kSecretsMax) + " secrets already");
    }
    CORDON_ASSIGN(book.entries[name], key.Seal(value, LabelOf(name)));
    return {};
  });
}

Status Vault::Remove(const Name& name) {
  CORDON_ASSIGN(const std::vector<Name> names, List());
  const auto gone = [&] {
    return Fail(Code::kNotFound, "there is no secret '" + EscapeShort(name.name, 80) + "'",
                "see what there is: cordon secret list");
  };
  if (std::ranges::find(names, name) == names.end()) return gone();
  return Change([&](const SealKey&, Book& book) -> Status {
    if (book.entries.erase(name) == 0) return gone();
    return {};
  });
}

}  // namespace cordon::services
