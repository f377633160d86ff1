// A plugin that calls a plugin, beside the host that calls it.
#include <unistd.h>

#include <fstream>

#include "cordon/host.h"
#include "rows.h"

namespace cordon::bench {
namespace {

namespace fs = std::filesystem;

constexpr char kPeer[] = "a fresh call of the same action by name";
constexpr std::uint32_t kCallsAtOnce = 200;  // within one call of the caller, far from its deadline

// A folder that goes with the row.
class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / ("cordon-bench-tools-" + std::to_string(::getpid()))) {
    fs::create_directories(path_);
  }
  ~Folder() {
    std::error_code error;
    fs::remove_all(path_, error);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

Result<Plugin> Load(Host& host, const Plan& plan, const fs::path& into, const std::string& name,
                    std::vector<std::string> grants) {
  const fs::path folder = into / name;
  fs::create_directories(folder);
  fs::copy_file(plan.guests / "tools.wasm", folder / "guest.wasm", fs::copy_options::overwrite_existing);
  std::ofstream file(folder / "plugin.yaml");
  file << "manifest: 1\nname: bench/" << name
       << "\nversion: 1.0.0\nruntime: {abi: component, artifact: guest.wasm}\n"
          "actions: {echo: {export: \"cordon:tools-guest/relay@0.1.0#echo\"},"
          " ask: {export: \"cordon:tools-guest/relay@0.1.0#ask-often\"}}\n"
          "permissions: {optional: [{storage: {bucket: kept}}, {call: [\"bench/callee#*\"]}]}\n";
  file.close();
  return host.Load(folder, {.grants = std::move(grants)});
}

Result<Row> MeasureToolCall(const Plan& plan, CordonSide&, RawSide&) {
  const Folder folder;
  HostOptions options;
  options.compiler = HostOptions::Compiler::kInProcess;
  CORDON_ASSIGN(Host host, Host::Create(std::move(options)));
  CORDON_ASSIGN(const Plugin callee, Load(host, plan, folder.path(), "callee", {}));
  CORDON_ASSIGN(const Plugin caller, Load(host, plan, folder.path(), "caller", {"call:bench/callee#echo"}));
  const auto ask = [&](std::uint64_t times) -> Status {
    const std::string input =
        R"({"action": "bench/callee#echo", "input": "{\"text\": \"hello\"}", "times": )" + std::to_string(times) + "}";
    CORDON_ASSIGN(const Answer answer, caller.Call("ask", input));
    if (answer.json == "[" + std::to_string(times) + R"(,"\"hello\""])") return {};
    return Fail(Code::kInternal, "the guest answered something else than was asked for: " + answer.json);
  };
  const Side nested = [&](std::uint64_t iterations) -> Status {
    for (std::uint64_t done = 0; done < iterations; done += kCallsAtOnce) {
      CORDON_TRY(ask(std::min<std::uint64_t>(kCallsAtOnce, iterations - done)));
    }
    return {};
  };
  const Side direct = [&](std::uint64_t iterations) -> Status {
    for (std::uint64_t i = 0; i < iterations; ++i) CORDON_TRY(callee.Call("echo", R"({"text": "hello"})"));
    return {};
  };
  CORDON_ASSIGN(const Rounds rounds, Interleave(plan, nested, direct));
  return Summarise({"plugin-to-plugin", kPeer, "ns", Row::Judged::kRatio, 2.0}, rounds);
}

}  // namespace

std::vector<NamedRow> ToolRows() { return {{"plugin-to-plugin", MeasureToolCall}}; }

}  // namespace cordon::bench
