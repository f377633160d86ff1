#include "cli/watch.h"

#include <chrono>
#include <thread>

#include "base/text.h"
#include "runtime/plugin.h"

namespace cordon::cli {
namespace {

namespace fs = std::filesystem;

constexpr auto kLookEvery = std::chrono::milliseconds(150);

// Two looks in a row have to see the same, so that nothing half-written is run.
std::vector<fs::path> WaitForChange(const FileMarks& marks) {
  FileMarks last = marks;
  while (true) {
    std::this_thread::sleep_for(kLookEvery);
    FileMarks now = marks.Again();
    if (now != marks && now == last) return now.Differing(marks);
    last = std::move(now);
  }
}

std::string NamesOf(const std::vector<fs::path>& paths) {
  std::string names;
  for (const fs::path& path : paths) names += (names.empty() ? "" : ", ") + Escape(path.filename().string());
  return names;
}

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + Escape(word);
  return text;
}

}  // namespace

void SeeNamedFiles(const Session& session, const Reads& reads) {
  const Arguments& arguments = session.arguments();
  const auto named = arguments.One("--config");
  const auto variable = session.environment()("CORDON_CONFIG");
  if (named) {
    reads(*named);
  } else if (variable && !variable->empty()) {
    reads(*variable);
  } else {
    if (const auto home = manifest::ConfigHome(session.environment())) reads(*home / "config.yaml");
    reads("/etc/cordon/config.yaml");
  }
  if (const auto state = session.StateFolder()) reads(GrantStore(*state).file());
  for (const std::string& file : arguments.All("--policy")) reads(file);
  if (const auto file = arguments.One("--grants")) reads(*file);
  if (const auto input = arguments.One("--input"); input && input->starts_with('@')) reads(input->substr(1));
}

Result<int> RunUntilStopped(Session& session, const WatchedRun& run) {
  FileMarks known;
  session.changed.emplace();
  for (bool is_first = true;; is_first = false) {
    FileMarks marks = known.Again();  // as they are before anything is read
    session.failure_fields = OrderedJson::object();
    std::string note;
    const Result<int> outcome = run([&marks](const fs::path& path) { marks.Add(path); }, note);
    const std::optional<Code> failure = outcome ? std::nullopt : std::optional(outcome.error().code);
    if (failure == Code::kInterrupted || (is_first && failure == Code::kUsage)) return outcome;
    session.failure_fields["changed"] = *session.changed;
    if (session.Report(outcome) != Written::kAll) return outcome;
    if (!note.empty()) session.Note(note);
    known = std::move(marks);
    const std::vector<fs::path> changed = WaitForChange(known);
    session.Note(session.terminal().Paint(Style::kDim, NamesOf(changed) + " changed; running again"));
    session.changed->clear();
    for (const fs::path& path : changed) session.changed->push_back(Escape(path.string()));
  }
}

std::vector<std::string> Differences(const runtime::Plugin& before, const runtime::Plugin& now) {
  std::vector<std::string> lines;
  const auto version = [](const runtime::Plugin& plugin) {
    return plugin.manifest() == nullptr ? std::string() : Escape(plugin.manifest()->version) + " ";
  };
  if (before.digest() != now.digest() || version(before) != version(now)) {
    lines.push_back(Escape(now.name()) + " " + version(now) + "(" + now.digest().Short() + ") in place of " +
                    version(before) + "(" + before.digest().Short() + ")");
  }
  const std::vector<std::string> gained = now.authority().Beyond(before.authority());
  const std::vector<std::string> lost = before.authority().Beyond(now.authority());
  if (!gained.empty()) lines.push_back("it may by now: " + Joined(gained));
  if (!lost.empty()) lines.push_back("it may no longer: " + Joined(lost));
  return lines;
}

}  // namespace cordon::cli
