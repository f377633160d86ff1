#include "audit/record_text.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>

#include "base/digest.h"
#include "base/text.h"

namespace cordon::audit {
namespace {

constexpr std::size_t kFieldBytesMax = 1024;
constexpr std::size_t kNameBytesMax = 128;  // of callers and of what is counted
constexpr std::size_t kCallersMax = 8;
constexpr std::size_t kUsageMax = 16;
constexpr std::string_view kStart = "{\"v\":1,\"seq\":";
constexpr std::string_view kTime = ",\"time\":\"";
constexpr std::string_view kPrevious = "\",\"prev\":\"";

// The first bytes of UTF-8 text, whole characters only.
std::string_view Cut(std::string_view text, std::size_t max) {
  if (text.size() <= max) return text;
  while (max > 0 && (static_cast<std::uint8_t>(text[max]) & 0xc0) == 0x80) --max;
  return text.substr(0, max);
}

// Escape leaves no control character; quote and backslash are left for JSON. What is cut can still be told apart by its
// digest.
std::string Quoted(std::string_view text, std::size_t bytes_max = kFieldBytesMax) {
  std::string escaped = Escape(Cut(text, bytes_max));
  if (text.size() > bytes_max || escaped.size() > bytes_max) {
    escaped = std::string(Cut(escaped, bytes_max / 2)) + "… (" + std::to_string(text.size()) + " bytes, " +
              Digest::Of(text).ToString() + ")";
  }
  std::string out = "\"";
  for (char c : escaped) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

// Neither escapes nor a cut: most texts by far.
bool IsPlain(std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max) return false;
  for (const char c : text) {
    if (c < 0x20 || c == 0x7f || c == '"' || c == '\\') return false;  // bytes above 0x7f are negative
  }
  return true;
}

void AppendQuoted(std::string& out, std::string_view text, std::size_t bytes_max = kFieldBytesMax) {
  if (!IsPlain(text, bytes_max)) {
    out += Quoted(text, bytes_max);
    return;
  }
  out += '"';
  out += text;
  out += '"';
}

void Key(std::string& out, std::string_view key) {
  out += ",\"";
  out += key;
  out += "\":";
}

void Text(std::string& out, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  Key(out, key);
  AppendQuoted(out, value);
}

void AppendNumber(std::string& out, std::uint64_t value) {
  char digits[20];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), value).ptr;
  out.append(digits, static_cast<std::size_t>(end - digits));
}

void Number(std::string& out, std::string_view key, std::uint64_t value) {
  Key(out, key);
  AppendNumber(out, value);
}

void Callers(std::string& out, std::span<const std::string> callers) {
  if (callers.empty()) return;
  out += ",\"callers\":[";
  const std::size_t shown = std::min(callers.size(), kCallersMax);
  for (std::size_t i = 0; i < shown; ++i) {
    if (i > 0) out += ',';
    AppendQuoted(out, callers[i], kNameBytesMax);
  }
  out += "]";
  if (callers.size() > shown) Number(out, "callers_cut", callers.size() - shown);
}

std::string_view VerdictName(policy::Verdict verdict) { return verdict == policy::Verdict::kAllow ? "allow" : "deny"; }

}  // namespace

std::string RecordBody(const Record& record) {
  std::string out = "\"event\":\"" + std::string(EventName(record.event)) + "\"";
  Text(out, "plugin", record.plugin);
  Text(out, "digest", record.digest);
  Callers(out, record.callers);
  Text(out, "action", record.action);
  Text(out, "capability", record.capability);
  Text(out, "target", record.target);
  Text(out, "rule", record.rule);
  if (record.decision) Text(out, "decision", VerdictName(*record.decision));
  if (record.code) Text(out, "code", CodeName(*record.code));
  if (record.count != 1) Number(out, "count", record.count);
  if (record.duration) Number(out, "duration_us", static_cast<std::uint64_t>(record.duration->count()) / 1000);
  if (!record.usage.empty()) {
    std::string usage;
    for (std::size_t i = 0; i < std::min(record.usage.size(), kUsageMax); ++i) {
      const auto& [name, amount] = record.usage[i];
      usage += (i == 0 ? "" : ",") + Quoted(name, kNameBytesMax) + ":" + std::to_string(amount);
    }
    out += ",\"usage\":{" + usage + "}";
  }
  Text(out, "input", record.input_digest);
  Text(out, "output", record.output_digest);
  Text(out, "actor", record.actor);
  Text(out, "note", record.note);
  Text(out, "tenant", record.tenant);
  Text(out, "trace", record.trace);
  return out + "}";
}

void AppendBody(const DecisionView& decision, std::string& out) {
  out += "\"event\":\"decision\"";
  Text(out, "plugin", decision.plugin);
  Text(out, "digest", decision.digest);
  Callers(out, decision.callers);
  Text(out, "capability", decision.capability);
  Text(out, "target", decision.target);
  Text(out, "rule", decision.rule);
  Text(out, "decision", VerdictName(decision.decision));
  if (decision.code) Text(out, "code", CodeName(*decision.code));
  Text(out, "note", decision.note);
  Text(out, "tenant", decision.tenant);
  Text(out, "trace", decision.trace);
  out += '}';
}

void AppendLine(std::string& out, std::uint64_t sequence, std::string_view time, std::string_view previous_hash,
                std::string_view body) {
  out += kStart;
  AppendNumber(out, sequence);
  out += kTime;
  out += time;
  out += kPrevious;
  out += previous_hash;
  out += "\",";
  out += body;
}

std::string_view TimeWriter::Text(std::int64_t micros) {
  constexpr std::size_t kFraction = 20;  // where the digits of the microseconds begin
  if (text_.empty() || micros / 1'000'000 != second_) {
    text_ = TimeText(std::chrono::system_clock::time_point(std::chrono::microseconds(micros)));
    second_ = micros / 1'000'000;
    return text_;
  }
  std::int64_t rest = micros % 1'000'000;
  for (std::size_t i = 6; i-- > 0; rest /= 10) text_[kFraction + i] = static_cast<char>('0' + rest % 10);
  return text_;
}

std::string TimeText(std::chrono::system_clock::time_point time) {
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
  const std::time_t seconds = static_cast<std::time_t>(micros / 1'000'000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", utc.tm_year + 1900, utc.tm_mon + 1,
                utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, static_cast<int>(micros % 1'000'000));
  return text;
}

std::optional<ChainFields> ReadChainFields(std::string_view line) {
  if (!line.starts_with(kStart) || !line.ends_with('}')) return std::nullopt;
  ChainFields fields;
  line.remove_prefix(kStart.size());
  const auto parsed = std::from_chars(line.data(), line.data() + line.size(), fields.sequence);
  if (parsed.ec != std::errc()) return std::nullopt;
  line.remove_prefix(static_cast<std::size_t>(parsed.ptr - line.data()));
  if (!line.starts_with(kTime)) return std::nullopt;
  const std::size_t at = line.find(kPrevious, kTime.size());
  if (at > 64) return std::nullopt;
  fields.time = line.substr(kTime.size(), at - kTime.size());
  const std::string_view hash = line.substr(at + kPrevious.size());
  if (hash.size() < 66 || hash[64] != '"') return std::nullopt;
  fields.previous_hash = hash.substr(0, 64);
  return fields;
}

}  // namespace cordon::audit
