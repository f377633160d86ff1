// A guest of one kind, loaded into a host of its own at one placement, and what was seen of it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "kinds.h"
#include "runtime/host.h"
#include "site.h"

namespace cordon::conformance {

// What the operator gives beyond the guest, which asks for all that its kind can ask for.
struct Setup {
  policy::Access access = policy::Access::kRead;  // to /data
  std::vector<std::string> grants = {"kv:write:vars", "kv:write:fledge", "memory:store:agent", "memory:recall:agent",
                                     "config"};
  std::vector<std::string> pages = {};  // paths of the test's server that are granted: "/*"
  std::optional<Bytes> memory = {};
  std::optional<std::uint64_t> fuel = {};
  manifest::CeilingLimits limits = {};
};

// What a call came to: the text that the guest answered, the text of its own error, or the code of its end.
struct Answer {
  std::string text, own_error, code;
  std::string exit_status;  // where the guest ended itself
  runtime::CallReport report;
};

struct AskOptions {
  Duration timeout{std::chrono::seconds(20)};  // a guard against hangs
  std::shared_ptr<runtime::CallHandle> handle = nullptr;
  // Whether what comes back is the same each time, and belongs into the record.
  enum class Text : std::uint8_t { kSame, kDiffers } text = Text::kSame;
};

class Stage {
 public:
  Stage(const Kind& kind, const Placement& placement, const Site& site);
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  // Calls before are of another host, and what they left is gone.
  void Load(const Setup& setup = {});
  Status TryLoad(const Setup& setup);
  // Another plugin of the same kind in the same host; what follows asks it.
  void LoadAnother();
  // A module that imports "module#function" and does nothing else, with everything granted.
  Status LoadModuleThatImports(std::string_view import);

  Answer Ask(std::string_view behaviour, std::string_view input = "", const AskOptions& options = {});
  // The text of an answer that must come.
  std::string Text(std::string_view behaviour, std::string_view input = "");
  // The guest's own error, which must come.
  std::string OwnError(std::string_view behaviour, std::string_view input = "");
  std::string Code(std::string_view behaviour, std::string_view input = "", const AskOptions& options = {});

  const runtime::Plugin& plugin() const { return *plugin_; }
  const Kind& kind() const { return kind_; }
  const Site& site() const { return site_; }
  std::string url(std::string_view path) const;
  // /data of the guest. Beside it lies secret.txt, in it inside.txt, and `out` that leads to /etc/passwd.
  std::filesystem::path data() const { return folder_ / "data"; }
  std::vector<audit::Record> records() const;  // of the host that is loaded
  const std::vector<services::LogLine>& log() const;
  // All that was seen, in words that do not depend on the run: for comparing placements.
  const std::vector<std::string>& seen() const { return seen_; }

 private:
  class KeptLog;
  Status LoadAs(const std::string& name);
  std::filesystem::path WritePlugin(const std::string& name) const;
  void NoteRecords();

  const Kind& kind_;
  const Placement& placement_;
  const Site& site_;
  std::filesystem::path folder_;
  Setup setup_;
  std::shared_ptr<audit::MemoryObserver> observer_;
  std::shared_ptr<KeptLog> log_;
  std::unique_ptr<runtime::Host> host_;
  std::shared_ptr<const runtime::Plugin> plugin_;
  std::size_t noted_ = 0;
  std::vector<std::string> seen_;
};

// What a guest tells of its clocks and of chance.
struct Clocks {
  std::uint64_t now = 0;       // nanoseconds since 1970
  std::uint64_t readings = 0;  // different ones of the other clock
  std::uint64_t fine = 0;      // of these, no whole milliseconds
  std::string random;
};
Clocks ReadClocks(Stage& stage);
inline constexpr std::uint64_t kLongAgoNs = 1'700'000'000'000'000'000;

}  // namespace cordon::conformance
