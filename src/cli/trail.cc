// `trail verify`, `trail show`, `trail export`, `trail key`: the audit log.
#include "audit/trail.h"

#include <unistd.h>

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
constexpr std::size_t kChunkBytes = 64 << 10;

constexpr Option kPluginFilter = {"--plugin", "NAME", "only records of this plugin"};
constexpr Option kEventFilter = {"--event",
                                 "EVENT",
                                 "only records of this kind",
                                 Option::Times::kOnce,
                                 Offer::kWords,
                                 "decision grant revoke call host-call load note switch checkpoint prune"};
constexpr Option kDecisionFilter = {"--decision",         "allow|deny",  "only decisions of this kind",
                                    Option::Times::kOnce, Offer::kWords, "allow deny"};
constexpr Option kSinceFilter = {"--since", "TIME", "only records of this time or later: 2026-01-31T12:00Z"};
constexpr Option kUntilFilter = {"--until", "TIME", "only records before this time"};

constexpr Option kVerifyOptions[] = {
    {"--key", "FILE", "hold the checkpoints to this public key, not to the one beside the log", Option::Times::kOnce,
     Offer::kFile},
};
constexpr Option kShowOptions[] = {
    {"--lines", "N", "at most so many, from the end (50)"},
    kPluginFilter,
    kEventFilter,
    kDecisionFilter,
    kSinceFilter,
    kUntilFilter,
};
constexpr Option kExportOptions[] = {
    {"--format", "jsonl|csv", "lines of JSON as they are (default), or a table", Option::Times::kOnce, Offer::kWords,
     "jsonl csv"},
    kPluginFilter,
    kEventFilter,
    kDecisionFilter,
    kSinceFilter,
    kUntilFilter,
};

Result<int> Verify(Session& session) {
  CORDON_ASSIGN(const fs::path folder, session.StateFolder());
  std::optional<audit::PublicKey> key;
  if (const auto file = session.arguments().One("--key")) {
    CORDON_ASSIGN(key, audit::PublicKey::Load(*file));
  }
  CORDON_ASSIGN(const audit::Verification checked, audit::Verify(folder, key));
  if (checked.bad) {
    const audit::BadRecord& bad = *checked.bad;
    return Fail(Error(Code::kDigest,
                      "the audit log is not as it was written: line " + std::to_string(bad.line) + " of " + bad.file +
                          ", " + bad.why,
                      "keep the file as it is, and compare it with a copy")
                    .With("line", std::to_string(bad.line))
                    .With("sequence", std::to_string(bad.sequence))
                    .With("file", (folder / bad.file).string()));
  }
  if (session.json()) {
    session.PrintDocument({{"file", Escape((folder / audit::kAuditFile).string())},
                           {"files", checked.files},
                           {"records", checked.records},
                           {"first_sequence", checked.first_sequence},
                           {"last_sequence", checked.last_sequence},
                           {"checkpoints", checked.checkpoints},
                           {"unsigned_records", checked.unsigned_records},
                           {"key", checked.key}});
    return 0;
  }
  std::string text = std::to_string(checked.records) + " records, the chain is whole\n";
  if (checked.first_sequence > 1) {
    text += "records 1 to " + std::to_string(checked.first_sequence - 1) + " were removed by rotation, as it says\n";
  }
  if (checked.checkpoints > 0) {
    text += std::to_string(checked.checkpoints) + " checkpoints hold, the last " +
            std::to_string(checked.unsigned_records) + " records are after them; key " + checked.key + "\n";
  }
  session.Print(text);
  return 0;
}

// ---- Filters --------------------------------------------------------------------------------------------------------

// A text that sorts as the log's times do: "2026-01-31", with "T12", "T12:00", "T12:00:00", a fraction, a Z.
Result<std::string> TimeBound(std::string_view flag, const std::optional<std::string>& given) {
  if (!given) return std::string();
  constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd.dddddd";
  std::string text = *given;
  if (text.ends_with('Z')) text.pop_back();
  const bool cut_well = text.size() == 10 || text.size() == 13 || text.size() == 16 || text.size() == 19 ||
                        (text.size() > 20 && text.size() <= kShape.size());
  bool good = cut_well;
  for (std::size_t i = 0; good && i < text.size(); ++i) {
    good = kShape[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : text[i] == kShape[i];
  }
  if (good) return text;
  return Fail(Code::kUsage, std::string(flag) + " cannot be '" + EscapeShort(*given, 40) + "'",
              "write a time in UTC, such as 2026-01-31 or 2026-01-31T12:00:00Z");
}

struct Filter {
  std::vector<std::string> patterns;
  std::string since, until;

  bool Wants(std::string_view line) const {
    if (!since.empty() || !until.empty()) {
      constexpr std::string_view kTime = ",\"time\":\"";
      const std::size_t at = line.find(kTime);
      const std::string_view time = at == std::string_view::npos ? "" : line.substr(at + kTime.size(), 27);
      if (!since.empty() && time < since) return false;
      if (!until.empty() && time >= until) return false;
    }
    return std::ranges::all_of(patterns,
                               [&](const std::string& one) { return line.find(one) != std::string_view::npos; });
  }
};

// The log writes its keys in one way only, and escapes the quotes of every text.
Result<Filter> FilterOf(const Session& session) {
  const Arguments& arguments = session.arguments();
  Filter filter;
  for (const std::string_view key : {"plugin", "event", "decision"}) {
    const auto value = arguments.One("--" + std::string(key));
    if (!value) continue;
    filter.patterns.push_back(SafeJson(OrderedJson(std::string(key))) + ":" + SafeJson(OrderedJson(*value)));
  }
  CORDON_ASSIGN(filter.since, TimeBound("--since", arguments.One("--since")));
  CORDON_ASSIGN(filter.until, TimeBound("--until", arguments.One("--until")));
  return filter;
}

// ---- show -----------------------------------------------------------------------------------------------------------

std::string FieldText(const Json& record, std::string_view key) {
  const auto found = record.find(std::string(key));
  if (found == record.end()) return {};
  return found->is_string() ? Escape(found->get_ref<const std::string&>()) : found->dump();
}

// "time  event  decision  plugin  capability → target  (rule) code", of what there is.
std::string LineText(const Json& record) {
  const auto text = [&](const char* key) { return FieldText(record, key); };
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
  CORDON_ASSIGN(const std::size_t shown, LineCount(session.arguments().One("--lines")));
  CORDON_ASSIGN(const Filter filter, FilterOf(session));
  CORDON_ASSIGN(const fs::path folder, session.StateFolder());
  // Checkpoints say nothing about plugins: they are shown when they are asked for.
  const bool own = session.arguments().One("--event").has_value();
  std::deque<std::string> lines;
  CORDON_TRY(audit::ForEachLine(folder, [&](const audit::TrailFile&, std::string_view line) {
    const bool hidden = !own && line.find("\",\"event\":\"checkpoint\",") != std::string_view::npos;
    if (hidden || !filter.Wants(line)) return true;
    lines.emplace_back(line);
    if (lines.size() > shown) lines.pop_front();
    return true;
  }));
  for (const std::string& line : lines) {
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

// ---- export ---------------------------------------------------------------------------------------------------------

constexpr std::string_view kColumns[] = {"seq",    "time",  "event",    "plugin", "digest", "action",      "capability",
                                         "target", "rule",  "decision", "code",   "count",  "duration_us", "actor",
                                         "note",   "trace", "callers",  "usage",  "tenant"};

// A cell that a program for tables would take for a formula gets an apostrophe: guests write them.
std::string Cell(std::string text) {
  if (!text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos) text.insert(0, "'");
  if (text.find_first_of("\",\n\r") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

std::string CsvLine(std::string_view line) {
  const auto record = json::Parse(line, "audit");
  std::string out;
  for (const std::string_view column : kColumns) {
    if (column != std::begin(kColumns)[0]) out += ',';
    if (record && record->is_object()) out += Cell(FieldText(*record, column));
  }
  return out + "\r\n";
}

std::string CsvHeader() {
  std::string out;
  for (const std::string_view column : kColumns) out += (out.empty() ? "" : ",") + std::string(column);
  return out + "\r\n";
}

Result<int> Export(Session& session) {
  const std::string format = session.arguments().One("--format").value_or("jsonl");
  if (format != "jsonl" && format != "csv") {
    return Fail(Code::kUsage, "--format cannot be '" + EscapeShort(format, 40) + "'", "write jsonl or csv");
  }
  CORDON_ASSIGN(const Filter filter, FilterOf(session));
  CORDON_ASSIGN(const fs::path folder, session.StateFolder());
  const bool csv = format == "csv";
  std::string out = csv ? CsvHeader() : "";
  Written written = Written::kAll;
  // A log may be larger than memory, so it goes out as it is read.
  CORDON_TRY(audit::ForEachLine(folder, [&](const audit::TrailFile&, std::string_view line) {
    if (!filter.Wants(line)) return true;
    out += csv ? CsvLine(line) : Escape(line) + "\n";
    if (out.size() < kChunkBytes) return true;
    written = WriteAll(STDOUT_FILENO, out);
    out.clear();
    return written == Written::kAll;
  }));
  if (written == Written::kFailed) {
    return Fail(Code::kIo, "cannot write the export to standard output: " + ErrnoText(errno), "make room");
  }
  session.Print(out);
  return 0;
}

Result<int> ShowKey(Session& session) {
  CORDON_ASSIGN(const fs::path folder, session.StateFolder());
  CORDON_ASSIGN(const audit::PublicKey key, audit::PublicKey::Load(folder / audit::kPublicKeyFile));
  if (session.json()) {
    session.PrintDocument({{"fingerprint", key.Fingerprint()}, {"pem", key.Pem()}});
  } else {
    session.Print(key.Pem());
    session.Note(key.Fingerprint());
  }
  return 0;
}

}  // namespace

Command TrailVerifyCommand() {
  return {{.command = "trail verify",
           .summary = "check that the audit log is whole and unchanged",
           .options = kVerifyOptions},
          Verify};
}

Command TrailShowCommand() {
  return {{.command = "trail show", .summary = "show the newest records of the audit log", .options = kShowOptions},
          Show};
}

Command TrailExportCommand() {
  return {{.command = "trail export",
           .summary = "write the records of the audit log, all or some, as lines of JSON or a table",
           .options = kExportOptions},
          Export};
}

Command TrailKeyCommand() {
  return {{.command = "trail key", .summary = "print the public key that checkpoints are signed with"}, ShowKey};
}

}  // namespace cordon::cli
