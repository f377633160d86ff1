#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "base/digest.h"
#include "base/file.h"
#include "engine/code_cache.h"
#include "rows.h"

namespace cordon::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kWasmBytesMax = 64 << 20;
constexpr double kLoadNsMax = 1e6;
constexpr double kLoadRatioMax = 1.3;
constexpr double kCommandUsMax = 25'000;

// A folder that is gone with this.
class Scratch {
 public:
  static Result<Scratch> Make() {
    std::string name = (fs::temp_directory_path() / "cordon-bench-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) return Fail(Code::kIo, "a temporary folder cannot be made");
    return Scratch(name);
  }
  Scratch(Scratch&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ~Scratch() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  explicit Scratch(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

// A code cache that holds one plugin, and the same bytes for whoever only copies and hashes them.
struct Warm {
  Scratch folder;
  std::shared_ptr<const engine::Engine> engine;
  Digest digest;
  std::vector<std::uint8_t> code;

  static Result<Warm> Make(const fs::path& wasm) {
    CORDON_ASSIGN(Scratch folder, Scratch::Make());
    engine::EngineOptions options;
    options.max_instances = 4;
    CORDON_ASSIGN(auto engine, engine::Engine::Create(options));
    CORDON_ASSIGN(const std::string bytes, ReadFile(wasm, kWasmBytesMax));
    options.compiling = engine::EngineOptions::Compiling::kParallel;
    const auto* at = reinterpret_cast<const std::uint8_t*>(bytes.data());
    CORDON_ASSIGN(engine::Precompiled made, engine::Precompile(options, {at, bytes.size()}));
    Warm warm{std::move(folder), std::move(engine), Digest::Of(bytes), std::move(made.code)};
    CORDON_ASSIGN(const auto cache, engine::CodeCache::Open(warm.folder.path() / "code", 1ull << 30));
    CORDON_ASSIGN(const auto added, cache->Add(warm.engine, warm.digest, warm.code, nullptr));
    return warm;
  }

  // As a process does the first time: found, read, authenticated, sealed, mapped. The cache is opened anew, because one
  // that has an entry does not look again.
  Status Load(std::uint64_t times) const {
    for (std::uint64_t i = 0; i < times; ++i) {
      CORDON_ASSIGN(const auto cache, engine::CodeCache::Open(folder.path() / "code", 1ull << 30));
      if (cache->Find(engine, digest, nullptr) == nullptr) return Fail(Code::kInternal, "the entry is not found");
    }
    return {};
  }
  // The same bytes copied into a memory file, and hashed there.
  Status CopyAndHash(std::uint64_t times) const {
    for (std::uint64_t i = 0; i < times; ++i) {
      CORDON_ASSIGN(const UniqueFd sealed, engine::Sealed(code));
      void* at = ::mmap(nullptr, code.size(), PROT_READ, MAP_PRIVATE, sealed.get(), 0);
      if (at == MAP_FAILED) return Fail(Code::kIo, "the copy cannot be mapped");
      const auto tag = engine::KeyedHash({static_cast<const std::uint8_t*>(at), code.size()});
      ::munmap(at, code.size());
      if (tag == decltype(tag){}) return Fail(Code::kInternal, "nothing was hashed");
    }
    return {};
  }
};

Result<Row> MeasureLoad(const Plan& plan, const RowSpec& spec, const fs::path& wasm) {
  std::error_code error;
  if (!fs::exists(wasm, error)) return Fail(Code::kUnavailable, "there is no " + wasm.filename().string());
  CORDON_ASSIGN(const Warm warm, Warm::Make(wasm));
  const Side ours = [&](std::uint64_t times) { return warm.Load(times); };
  const Side theirs = [&](std::uint64_t times) { return warm.CopyAndHash(times); };
  CORDON_ASSIGN(const Rounds rounds, Interleave(plan, ours, theirs));
  return Summarise(spec, rounds);
}

// Runs a program to its end; microseconds.
Result<double> RunUs(const std::vector<std::string>& words, const std::string& home) {
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  std::string variable = "CORDON_HOME=" + home;
  char* environment[] = {variable.data(), nullptr};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", 1 /* O_WRONLY */, 0);
  const auto start = std::chrono::steady_clock::now();
  pid_t child = 0;
  const int failed = ::posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environment);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return Fail(Code::kUnavailable, "there is no " + words.front());
  int status = 0;
  ::waitpid(child, &status, 0);
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
  if (status != 0) return Fail(Code::kInternal, words.front() + " failed");
  return took.count();
}

Result<Row> MeasureCommand(const Plan& plan, CordonSide&, RawSide&) {
  CORDON_ASSIGN(const Scratch home, Scratch::Make());
  const fs::path command = plan.program.parent_path() / "cordon";
  if (::access(command.c_str(), X_OK) != 0)
    return Fail(Code::kUnavailable, "the command is not built beside the bench");
  const std::vector<std::string> ours = {
      command.string(), "run", (plan.guests / "bench.wasm").string(), "add", "--input", R"({"a":40,"b":2})"};
  const std::vector<std::string> nothing = {"/bin/true"};
  Rounds rounds;
  CORDON_TRY(RunUs(ours, home.path().string()));  // fills the cache
  for (std::size_t i = 0; i < std::max<std::size_t>(plan.slow_rounds, 2); ++i) {
    for (const bool mine : {i % 2 == 0, i % 2 != 0}) {
      CORDON_ASSIGN(const double us, RunUs(mine ? ours : nothing, home.path().string()));
      (mine ? rounds.cordon : rounds.against).push_back(us);
    }
  }
  return Summarise({"run-cli", "/bin/true", "us", Row::Judged::kDifference, kCommandUsMax}, rounds);
}

}  // namespace

std::vector<NamedRow> LoadRows() {
  constexpr char kPeer[] = "copying and hashing the same bytes";
  return {
      {"load-small",
       [](const Plan& plan, CordonSide&, RawSide&) {
         return MeasureLoad(plan, {"load-small", kPeer, "ns", Row::Judged::kTail, kLoadNsMax},
                            plan.guests / "files.wasm");
       }},
      // A component with a JavaScript engine in it, when it could be made (peers/js).
      {"load-js",
       [](const Plan& plan, CordonSide&, RawSide&) {
         return MeasureLoad(plan, {"load-js", kPeer, "ns", Row::Judged::kRatio, kLoadRatioMax},
                            plan.guests / "js.wasm");
       }},
      {"run-cli", MeasureCommand},
  };
}

}  // namespace cordon::bench
