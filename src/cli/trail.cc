// `trail verify` and `trail show`: the audit log.
#include <algorithm>
#include <charconv>
#include <deque>

#include "audit/audit_log.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/describe.h"
#include "cli/report.h"

namespace cordon::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLinesShown = 50;
constexpr std::size_t kTrailBytesMax = 1 << 30;

constexpr Option kShowOptions[] = {
    {"--lines", "N", "at most so many, from the end (50)"},
    {"--plugin", "NAME", "only records of this plugin"},
    {"--event", "EVENT", "only records of this kind", Option::Times::kOnce, Offer::kWords,
     "decision grant revoke call load note"},
};

Result<int> Verify(Session& session) {
  CORDON_ASSIGN(const fs::path folder, session.StateFolder());
  CORDON_ASSIGN(const audit::Verification verification, audit::Verify(folder));
  if (verification.bad) {
    const audit::BadRecord& bad = *verification.bad;
    return Fail(Error(Code::kDigest,
                      "the audit log is not as it was written: line " + std::to_string(bad.line) + ", " + bad.why,
                      "keep the file as it is, and compare it with a copy")
                    .With("line", std::to_string(bad.line))
                    .With("sequence", std::to_string(bad.sequence))
                    .With("file", (folder / audit::kAuditFile).string()));
  }
  if (session.json()) {
    session.PrintDocument({{"file", Escape((folder / audit::kAuditFile).string())},
                           {"records", verification.records},
                           {"last_sequence", verification.last_sequence}});
  } else {
    session.Print(std::to_string(verification.records) + " records, the chain is whole\n");
  }
  return 0;
}

// What a filter has to find in a line: the log writes its keys in one way only.
std::string Pattern(std::string_view key, const std::optional<std::string>& value) {
  if (!value) return {};
  return SafeJson(OrderedJson(std::string(key))) + ":" + SafeJson(OrderedJson(*value));
}

// "time  event  decision  plugin  capability → target  (rule) code", of what there is.
std::string LineText(const Json& record) {
  const auto text = [&](const char* key) -> std::string {
    const auto found = record.find(key);
    if (found == record.end()) return {};
    return found->is_string() ? Escape(found->get_ref<const std::string&>()) : found->dump();
  };
  std::string out = text("time") + "  " + Padded(text("event"), 9) + Padded(text("decision"), 6);
  const auto add = [&](const std::string& value, std::string_view before, std::string_view after) {
    if (!value.empty()) out += std::string(before) + value + std::string(after);
  };
  add(text("plugin"), " ", "");
  add(text("action"), " ", "");
  add(text("capability"), "  ", "");
  add(text("target"), " → ", "");
  add(text("rule"), "  (", ")");
  add(text("code"), "  ", "");
  add(text("count"), "  ×", "");
  add(text("actor"), "  by ", "");
  add(text("note"), "  ", "");
  return out + "\n";
}

Result<std::size_t> LineCount(const std::optional<std::string>& given) {
  if (!given) return kLinesShown;
  std::size_t count = 0;
  const auto parsed = std::from_chars(given->data(), given->data() + given->size(), count);
  if (parsed.ec == std::errc() && parsed.ptr == given->data() + given->size() && count > 0) return count;
  return Fail(Code::kUsage, "--lines cannot be '" + EscapeShort(*given, 40) + "'",
              "write --lines N, a positive number");
}

Result<int> Show(Session& session) {
  const Arguments& arguments = session.arguments();
  CORDON_ASSIGN(const std::size_t shown, LineCount(arguments.One("--lines")));
  CORDON_ASSIGN(const fs::path folder, session.StateFolder());
  CORDON_ASSIGN(const std::string text, ReadFile(folder / audit::kAuditFile, kTrailBytesMax));
  const std::string patterns[] = {Pattern("plugin", arguments.One("--plugin")),
                                  Pattern("event", arguments.One("--event"))};
  std::deque<std::string_view> lines;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(rest.size(), end + 1));
    const bool wanted = std::ranges::all_of(
        patterns, [&](const std::string& pattern) { return line.find(pattern) != std::string_view::npos; });
    if (!wanted) continue;
    lines.push_back(line);
    if (lines.size() > shown) lines.pop_front();
  }
  for (std::string_view line : lines) {
    // The log holds no control characters; a file that somebody changed might.
    if (session.json()) {
      session.Print(Escape(line) + "\n");
      continue;
    }
    const auto record = json::Parse(line, "audit");
    session.Print(record && record->is_object() ? LineText(*record) : "damaged: " + EscapeShort(line, 200) + "\n");
  }
  return 0;
}

}  // namespace

Command TrailVerifyCommand() {
  return {{.command = "trail verify", .summary = "check that the audit log is whole and unchanged"}, Verify};
}

Command TrailShowCommand() {
  return {{.command = "trail show", .summary = "show the newest records of the audit log", .options = kShowOptions},
          Show};
}

}  // namespace cordon::cli
