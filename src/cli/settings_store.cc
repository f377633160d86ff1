#include "cli/settings_store.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "base/file.h"
#include "base/unique_fd.h"

namespace cordon::cli {
namespace {

constexpr const char* kFile = "settings.json";
constexpr const char* kLockFile = "settings.lock";
constexpr std::size_t kBytesMax = 4 << 20;

}  // namespace

Result<Json> SettingsStore::Read() const {
  const std::filesystem::path file = folder_ / kFile;
  auto text = ReadFile(file, kBytesMax);
  if (!text && text.error().code == Code::kNotFound) return Json{{"version", 1}, {"plugins", Json::object()}};
  if (!text) return Fail(std::move(text).error());
  CORDON_ASSIGN(Json document, json::Parse(*text, file.string()));
  const bool right = document.is_object() && document.value("version", Json()) == Json(1) &&
                     document.contains("plugins") && document["plugins"].is_object();
  if (right) return document;
  return Fail(Code::kInvalid, file.string() + " is not a file of settings, or of a newer cordon", "move it away");
}

Result<Json> SettingsStore::Of(const std::string& plugin) const {
  CORDON_ASSIGN(Json document, Read());
  const Json& plugins = document["plugins"];
  const auto found = plugins.find(plugin);
  return found != plugins.end() && found->is_object() ? *found : Json::object();
}

Status SettingsStore::Update(const std::string& plugin, const std::function<Status(Json& settings)>& change) const {
  const UniqueFd lock(::open((folder_ / kLockFile).c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock || ::flock(lock.get(), LOCK_EX) != 0) {
    return Fail(Code::kIo, "cannot lock the settings: " + ErrnoText(errno),
                "let their owner write to the state folder");
  }
  CORDON_ASSIGN(Json document, Read());
  Json& settings = document["plugins"][plugin];
  if (!settings.is_object()) settings = Json::object();
  CORDON_TRY(change(settings));
  if (settings.empty()) document["plugins"].erase(plugin);
  const std::string text = document.dump(2) + "\n";
  if (text.size() > kBytesMax) return Fail(Code::kLimit, "the settings would be more than 4 MiB");
  return WriteFileAtomically(folder_ / kFile, text, FileMode::kPrivate);
}

}  // namespace cordon::cli
