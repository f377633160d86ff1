#include "services/fledge.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/file.h"
#include "base/text.h"
#include "base/wire.h"
#include "formats/toml.h"
#include "services/exec/run.h"
#include "services/exec/service.h"
#include "services/exec/words.h"
#include "services/files.h"
#include "services/log.h"

namespace cordon::services {
namespace {

// The release of fledge whose protocol this is.
constexpr std::string_view kFledgeVersion = "1.7.2";
constexpr std::string_view kProtocol = "fledge-v1";
constexpr std::string_view kConfigFile = "fledge.toml";
constexpr std::size_t kConfigBytesMax = 256 << 10;
constexpr std::size_t kMetadataKeysMax = 64;
constexpr std::size_t kTagsMax = 100;
constexpr std::int64_t kTimeoutSeconds = 30, kTimeoutSecondsMax = 300;
constexpr std::uint32_t kGitTimeoutMs = 10'000;

// As a shell and the program `timeout` have them.
constexpr int kNotPossible = 1, kTimedOut = 124, kNotAllowed = 126, kSignalled = 128;

HostReply Text(std::string_view text) {
  HostReply reply;
  reply.payload.assign(text.begin(), text.end());
  return reply;
}

// What programs write need not be UTF-8.
HostReply Answer(const Json& value) { return Text(value.dump(-1, ' ', false, Json::error_handler_t::replace)); }

HostReply Ended(int code, std::string_view out, std::string_view err) {
  return Answer({{"code", code}, {"stdout", std::string(out)}, {"stderr", std::string(err)}});
}

std::string_view Chars(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::vector<std::string> LinesOf(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (const auto line = text.substr(0, end); !line.empty()) lines.emplace_back(line);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  return lines;
}

// A request of cordon:exec/runner#run.
wire::Buffer RunPayload(std::span<const std::string> words, const std::optional<std::string>& directory,
                        std::uint32_t timeout_ms) {
  wire::Buffer payload;
  wire::Writer out(payload);
  out.String(words.front());
  out.Count(words.size() - 1);
  for (const std::string& word : words.subspan(1)) out.String(word);
  out.Bool(directory.has_value());
  if (directory) out.String(*directory);
  out.Count(0);
  out.Bool(true);
  out.U32(timeout_ms);
  return payload;
}

// What came of it.
struct Ran {
  std::optional<HostReply> trap;
  std::string denied;  // the rule
  std::string failed;  // another reason why it did not run
  int code = 0;
  std::string out, err;
};

Ran ReadRun(HostReply reply) {
  Ran ran;
  if (reply.outcome != HostReply::Outcome::kDone) return ran.trap = std::move(reply), ran;
  wire::Reader in(reply.payload);
  if (in.Bool()) {
    constexpr std::uint32_t kCases = 2, kAccessDenied = 0;
    const bool is_denied = in.Case(kCases) == kAccessDenied;
    (is_denied ? ran.denied : ran.failed) = in.String();
    return ran;
  }
  const auto ended = static_cast<RunOutcome::Ended>(in.Case(3));
  if (ended == RunOutcome::Ended::kTimedOut) {
    ran.code = kTimedOut;
  } else {
    const auto number = static_cast<int>(in.U32());
    ran.code = ended == RunOutcome::Ended::kSignalled ? kSignalled + number : number;
  }
  ran.out = Chars(in.Raw(in.Count(1)));
  ran.err = Chars(in.Raw(in.Count(1)));
  if (ended == RunOutcome::Ended::kTimedOut && ran.err.empty()) ran.err = "the time of the command is over";
  return ran;
}

// What a plugin means by `cwd`: a path of its own, or one below its project. Nothing: where programs start anyway.
std::optional<std::string> DirectoryOf(std::string_view cwd) {
  while (cwd.size() > 1 && cwd.ends_with('/')) cwd.remove_suffix(1);
  if (cwd.starts_with('/')) return std::string(cwd);
  if (cwd.empty() || cwd == ".") return std::nullopt;
  if (cwd.starts_with("./")) cwd.remove_prefix(2);
  return std::string(kFledgeProject) + "/" + std::string(cwd);
}

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

Status CheckKey(std::string_view key) {
  if (key.empty() || key.size() > kFledgeKeyBytesMax || !IsUtf8(key) || std::ranges::any_of(key, IsControl)) {
    return Fail(Code::kLimit, "a key of the store has 1 to 256 bytes of UTF-8, without control characters");
  }
  return {};
}

// A `result` of wasi:keyvalue/store: what follows its case, or what ends the guest's call.
std::optional<HostReply> Refused(const HostReply& reply) {
  if (reply.outcome != HostReply::Outcome::kDone) return reply;
  wire::Reader in(reply.payload);
  if (!in.Bool()) return std::nullopt;
  constexpr std::uint32_t kCases = 3, kOther = 2;  // no-such-store, access-denied, other
  if (in.Case(kCases) != kOther) return Trap(Code::kDenied, "the store is not granted");
  const std::string text(in.String());
  return Trap(text.starts_with(CodeName(Code::kLimit)) ? Code::kLimit : Code::kIo, text);
}

UniqueFd OpenBeneath(int folder, std::string_view name) {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, folder, std::string(name).c_str(), &how, sizeof how)));
}

// A regular file of at most so many bytes.
std::optional<std::string> ReadBeneath(int folder, std::string_view name, std::size_t bytes_max) {
  const UniqueFd fd = OpenBeneath(folder, name);
  struct stat seen{};
  if (!fd || ::fstat(fd.get(), &seen) != 0 || !S_ISREG(seen.st_mode)) return std::nullopt;
  std::string text(bytes_max + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > bytes_max) return std::nullopt;
  text.resize(size);
  return text;
}

// By the file that its tools want.
std::string_view LanguageOf(int folder) {
  constexpr std::pair<const char*, std::string_view> kMarks[] = {
      {"Cargo.toml", "rust"},     {"package.json", "node"}, {"go.mod", "go"},    {"pyproject.toml", "python"},
      {"setup.py", "python"},     {"Gemfile", "ruby"},      {"pom.xml", "java"}, {"build.gradle", "java"},
      {"Package.swift", "swift"}, {"CMakeLists.txt", "cpp"}};
  for (const auto& [file, language] : kMarks) {
    if (::faccessat(folder, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0) return language;
  }
  return "unknown";
}

}  // namespace

HostReply FledgeService::Call(const Caller& caller, std::string_view function, std::span<const std::uint8_t> payload) {
  if (function == "init") return Init(caller, payload);
  if (function == "log") return Log(caller, payload);
  if (function == "exec" && parts_.programs != nullptr) return Exec(caller, Chars(payload));
  if (function == "store_set" && parts_.store != nullptr) return StoreSet(caller, Chars(payload));
  if (function == "store_get" && parts_.store != nullptr) return StoreGet(caller, Chars(payload));
  if (function == "metadata" && parts_.metadata == FledgeParts::Metadata::kGranted) {
    return Metadata(caller, Chars(payload));
  }
  return Denied(caller, function);
}

// What a module does not import, since it is not linked, and a native plugin asks for all the same.
HostReply FledgeService::Denied(const Caller& caller, std::string_view function) const {
  constexpr std::array<std::array<std::string_view, 3>, 4> kDenials = {{
      {"exec", "exec", R"({"code":126,"stdout":"","stderr":"exec capability not granted"})"},
      {"store_set", "kv:write:fledge", ""},
      {"store_get", "kv:read:fledge", "null"},
      {"metadata", "ctx:project", "{}"},
  }};
  for (const auto& [name, capability, answer] : kDenials) {
    if (name != function) continue;
    const policy::Decision told = guard_.Refuse(caller, capability, "fledge", "no-grant");
    if (told.code == Code::kAuditUnavailable) return Trap(told.code, "the audit cannot be written");
    return Text(answer);
  }
  return Trap(Code::kLink, "nothing answers " + std::string(kFledgeInterface) + "#" + std::string(function));
}

// ---- The host's first message --------------------------------------------------------------------------------------

HostReply FledgeService::Init(const Caller& caller, std::span<const std::uint8_t> payload) const {
  wire::Reader in(payload);
  Json arguments = Json::array();
  for (std::uint32_t left = in.Count(4); left > 0 && in.ok(); --left) arguments.push_back(std::string(in.String()));
  if (const Status read = in.Finish(); !read) return Trap(Code::kInvalid, read.error().message);
  const bool has_metadata = parts_.metadata == FledgeParts::Metadata::kGranted;
  Json init = {{"type", "init"},
               {"protocol", kProtocol},
               {"args", std::move(arguments)},
               {"project", Project(caller)},
               {"plugin",
                {{"name", parts_.name},
                 {"version", parts_.version},
                 {"dir", parts_.has_own_folder ? std::string(kFledgeOwn) : std::string()}}},
               {"fledge", {{"version", kFledgeVersion}}},
               {"capabilities",
                {{"exec", parts_.programs != nullptr},
                 {"store", parts_.store != nullptr},
                 {"metadata", has_metadata},
                 {"filesystem", parts_.has_own_folder ? "plugin"
                                : parts_.project      ? "project"
                                                      : "none"}}}};
  return Answer(init);
}

bool FledgeService::MayTell(const Caller& caller) const {
  if (parts_.metadata != FledgeParts::Metadata::kGranted) return false;
  const auto asked = policy::MakeCaller("project");
  return asked && guard_.Check(caller, *asked, "project").allowed();
}

// What the plugin sees of the project anyway; more of it when it may know.
Json FledgeService::Project(const Caller& caller) const {
  if (!parts_.project || !caller.passed.Has(policy::Kind::kFiles)) return nullptr;
  Json project = {{"name", "project"}, {"root", kFledgeProject}, {"language", "unknown"}, {"git", nullptr}};
  if (!MayTell(caller)) return project;
  project["name"] = parts_.project->name;
  project["language"] = LanguageOf(parts_.project->fd.get());
  project["git"] = Git(caller);
  return project;
}

// Only where a git was granted: its absence is no denial of something that the plugin asked for.
Json FledgeService::Git(const Caller& caller) const {
  const auto is_git = [](const policy::Ruling& ruling) {
    const policy::ExecScope* scope = ruling.effective ? ruling.effective->exec() : nullptr;
    return scope != nullptr && scope->program == "git";
  };
  if (parts_.programs == nullptr || std::ranges::none_of(guard_.authority().rulings(), is_git)) return nullptr;
  constexpr std::string_view kBranch[] = {"rev-parse", "--abbrev-ref", "HEAD"};
  constexpr std::string_view kStatus[] = {"status", "--porcelain"};
  constexpr std::string_view kRemote[] = {"remote", "get-url", "origin"};
  const auto branch = AskGit(caller, kBranch);
  if (!branch) return nullptr;
  const auto first = [](const std::optional<std::string>& text) -> Json {
    if (!text) return nullptr;
    const std::vector<std::string> lines = LinesOf(*text);
    return lines.empty() ? Json(nullptr) : Json(lines.front());
  };
  const auto status = AskGit(caller, kStatus);
  const Json url = first(AskGit(caller, kRemote));
  return {{"branch", first(branch)},
          {"dirty", status && !status->empty()},
          {"remote", url.is_null() ? Json(nullptr) : Json("origin")},
          {"remote_url", url}};
}

// ---- Programs ------------------------------------------------------------------------------------------------------

HostReply FledgeService::Exec(const Caller& caller, std::string_view request) const {
  const auto read = json::Parse(request, "exec");
  if (!read || !read->is_object()) return Trap(Code::kInvalid, "exec was given what is no JSON object");
  const auto text = [&](const char* key) -> std::optional<std::string> {
    const auto found = read->find(key);
    return found != read->end() && found->is_string() ? std::optional(found->get<std::string>()) : std::nullopt;
  };
  const std::string line = text("command").value_or("");
  const auto words = SplitCommand(line);
  if (!words) {
    const policy::Decision told = guard_.Refuse(caller, "exec", EscapeShort(line, 200), "exec:shell");
    if (told.code == Code::kAuditUnavailable) return Trap(told.code, "the audit cannot be written");
    return Ended(kNotAllowed, "", words.error().message);
  }
  std::optional<std::string> directory;
  const auto cwd = text("cwd");
  if (cwd) directory = DirectoryOf(*cwd);
  if (!directory && parts_.project) directory = std::string(kFledgeProject);
  const auto given = read->find("timeout");
  const bool has_timeout = given != read->end() && given->is_number_integer();
  const std::int64_t wanted = has_timeout ? given->get<std::int64_t>() : kTimeoutSeconds;
  const auto seconds = static_cast<std::uint32_t>(std::clamp<std::int64_t>(wanted, 0, kTimeoutSecondsMax));
  Ran ran = ReadRun(parts_.programs->Call(caller, "run", RunPayload(*words, directory, seconds * 1000)));
  if (ran.trap) return *ran.trap;
  if (ran.denied == "exec:path" && cwd) {
    return Ended(kNotPossible, "", "the working directory is in no folder that was granted: " + Escape(*cwd));
  }
  if (!ran.denied.empty()) {
    return Ended(
        kNotAllowed, "",
        "not granted (" + ran.denied + "): " + EscapeShort(line, 200) + "; what would allow it: cordon explain");
  }
  if (!ran.failed.empty()) return Ended(kNotAllowed, "", ran.failed);
  return Ended(ran.code, ran.out, ran.err);
}

std::optional<std::string> FledgeService::AskGit(const Caller& caller,
                                                 std::span<const std::string_view> arguments) const {
  std::vector<std::string> words = {"git"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  if (parts_.programs == nullptr) {
    std::string asked = "exec:git";
    for (const std::string_view word : arguments) asked += " " + std::string(word);
    guard_.Refuse(caller, asked, "git", "no-grant");
    return std::nullopt;
  }
  const std::optional<std::string> directory =
      parts_.project ? std::optional(std::string(kFledgeProject)) : std::nullopt;
  Ran ran = ReadRun(parts_.programs->Call(caller, "run", RunPayload(words, directory, kGitTimeoutMs)));
  if (ran.trap || !ran.denied.empty() || !ran.failed.empty() || ran.code != 0) return std::nullopt;
  return std::move(ran.out);
}

// ---- The store -----------------------------------------------------------------------------------------------------

HostReply FledgeService::StoreSet(const Caller& caller, std::string_view request) const {
  const auto read = json::Parse(request, "store_set");
  const auto text = [&](const char* key) -> const std::string* {
    const auto found = read->find(key);
    return found == read->end() ? nullptr : found->get_ptr<const std::string*>();
  };
  const std::string* const key = read && read->is_object() ? text("key") : nullptr;
  const std::string* const value = key != nullptr ? text("value") : nullptr;
  if (value == nullptr) return Trap(Code::kInvalid, "store_set takes an object with the texts key and value");
  if (const Status fits = CheckKey(*key); !fits) return Trap(fits.error().code, fits.error().message);
  if (value->size() > kFledgeValueBytesMax) return Trap(Code::kLimit, "a value of the store has at most 64 KiB");
  wire::Buffer asked;
  wire::Writer out(asked);
  out.U32(0);
  out.String(*key);
  out.String(*value);
  const auto refused = Refused(parts_.store->Call(caller, "[method]bucket.set", asked));
  return refused.value_or(HostReply{});
}

HostReply FledgeService::StoreGet(const Caller& caller, std::string_view key) const {
  if (const Status fits = CheckKey(key); !fits) return Trap(fits.error().code, fits.error().message);
  wire::Buffer asked;
  wire::Writer out(asked);
  out.U32(0);
  out.String(key);
  const HostReply reply = parts_.store->Call(caller, "[method]bucket.get", asked);
  if (auto refused = Refused(reply)) return std::move(*refused);
  wire::Reader in(reply.payload);
  in.Bool();
  if (!in.Bool()) return Text("null");
  return Answer(std::string(Chars(in.Raw(in.Count(1)))));
}

// ---- Metadata ------------------------------------------------------------------------------------------------------

Json FledgeService::Settings(const Caller& caller) const {
  if (!parts_.project || parts_.files == nullptr || !caller.passed.Has(policy::Kind::kFiles)) return nullptr;
  wire::Buffer asked;
  wire::Writer out(asked);
  out.String(kFledgeProject);
  out.String(kConfigFile);
  out.U32(static_cast<std::uint32_t>(FileAccess::kRead));
  const HostReply reply = parts_.files->Call(caller, "open", asked);
  const bool may = reply.outcome == HostReply::Outcome::kDone && !reply.payload.empty() && reply.payload.front() == 0;
  if (!may) return nullptr;
  const auto text = ReadBeneath(parts_.project->fd.get(), kConfigFile, kConfigBytesMax);
  if (!text) return nullptr;
  auto settings = ParseToml(*text, std::string(kConfigFile));
  return settings ? std::move(*settings) : Json(nullptr);
}

Json FledgeService::MetadataOf(const Caller& caller, std::string_view key) const {
  const auto git = [&](std::span<const std::string_view> arguments, std::size_t lines_max) -> Json {
    const auto text = AskGit(caller, arguments);
    if (!text) return nullptr;
    std::vector<std::string> lines = LinesOf(*text);
    if (lines.size() > lines_max) lines.resize(lines_max);
    return lines;
  };
  constexpr std::string_view kTags[] = {"tag", "--sort=-v:refname"};
  constexpr std::string_view kStatus[] = {"status", "--porcelain"};
  constexpr std::string_view kLog[] = {"log", "--oneline", "-20"};
  if (key == "fledge_config") return Settings(caller);
  if (key == "git_tags") return git(kTags, kTagsMax);
  if (key == "git_status") return git(kStatus, SIZE_MAX);
  if (key == "git_log") return git(kLog, SIZE_MAX);
  if (key != "env") return nullptr;
  Json environment = Json::object();
  if (!caller.passed.Has(policy::Kind::kEnvironment)) return environment;
  for (const auto& [name, value] : parts_.environment) environment[name] = value;
  return environment;
}

// What was taken back since the load, or is not passed on, is told as what was never granted.
HostReply FledgeService::Metadata(const Caller& caller, std::string_view request) const {
  Json told = Json::object();
  const auto keys = json::Parse(request, "metadata");
  if (!MayTell(caller) || !keys || !keys->is_array()) return Answer(told);
  for (const Json& key : *keys) {
    const auto* name = key.get_ptr<const std::string*>();
    if (name == nullptr || told.contains(*name)) continue;
    if (told.size() == kMetadataKeysMax) return Trap(Code::kLimit, "metadata was asked for more than 64 keys");
    told[*name] = MetadataOf(caller, *name);
  }
  return Answer(told);
}

// ---- The log -------------------------------------------------------------------------------------------------------

HostReply FledgeService::Log(const Caller& caller, std::span<const std::uint8_t> payload) const {
  if (parts_.log == nullptr) return {};
  wire::Reader in(payload);
  const std::string_view level = in.String();
  const std::string_view message = in.String();
  if (const Status read = in.Finish(); !read) return Trap(Code::kInvalid, read.error().message);
  auto number = LogLevel::kInfo;
  for (std::uint32_t i = 0; i <= static_cast<std::uint32_t>(LogLevel::kCritical); ++i) {
    if (LogLevelName(static_cast<LogLevel>(i)) == level) number = static_cast<LogLevel>(i);
  }
  wire::Buffer line;
  wire::Writer out(line);
  out.U32(static_cast<std::uint32_t>(number));
  out.String({});
  out.String(message);
  return parts_.log->Call(caller, "log", line);
}

}  // namespace cordon::services
