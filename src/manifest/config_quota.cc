#include "manifest/config_quota.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/text.h"
#include "manifest/keys.h"

namespace cordon::manifest {
namespace {

using policy::Quota;
using yaml::Node;

constexpr double kShareMin = 0.001, kShareMax = 1024;
constexpr std::uint64_t kConcurrencyMax = 1'000'000;
constexpr std::uint64_t kMemoryMin = 64u << 10;
constexpr Duration kPeriodMin = std::chrono::milliseconds(100);
constexpr std::uint64_t kRateMax = 1ull << 50;

void ReadShare(Findings& findings, const Node& node, std::string_view key, Quota& out) {
  double value = 0;
  const char* end = node.text.data() + node.text.size();
  const auto [at, error] = std::from_chars(node.text.data(), end, value);
  const bool is_number = node.kind == Node::Kind::kInteger || node.kind == Node::Kind::kReal;
  if (!is_number || error != std::errc() || at != end) {
    findings.At(node, Code::kType, "'" + std::string(key) + "' must be a number of processors",
                "write a number such as 1 or 0.5");
  } else if (!(value >= kShareMin && value <= kShareMax)) {
    findings.At(node, Code::kRange, "'" + std::string(key) + "' must be between 0.001 and 1024, not " + node.text);
  } else {
    out.cpu_share = value;
  }
}

void ReadTime(Findings& findings, const Node& node, std::string_view key, Quota& out) {
  if (const auto value = ReadDuration(findings, node, key)) out.cpu_time = *value;
}

void ReadPeriod(Findings& findings, const Node& node, std::string_view key, Quota& out) {
  const auto value = ReadDuration(findings, node, key);
  if (!value) return;
  if (*value < kPeriodMin) {
    findings.At(node, Code::kRange, "'" + std::string(key) + "' must be at least 100ms, not " + node.text);
    return;
  }
  out.cpu_period = *value;
}

void ReadMemory(Findings& findings, const Node& node, std::string_view key, Quota& out) {
  const auto value = ReadBytes(findings, node, key);
  if (!value) return;
  if (value->count < kMemoryMin) {
    findings.At(node, Code::kRange, "'" + std::string(key) + "' must be at least 64KiB, not " + node.text);
    return;
  }
  out.memory = *value;
}

void ReadConcurrency(Findings& findings, const Node& node, std::string_view key, Quota& out) {
  if (const auto value = ReadCount(findings, node, key, {1, kConcurrencyMax})) {
    out.concurrency = static_cast<std::uint32_t>(*value);
  }
}

template <std::optional<Rate> Quota::* Field, Result<Rate> (*Parse)(std::string_view)>
void ReadRate(Findings& findings, const Node& node, std::string_view key, Quota& out) {
  const auto text = ReadText(findings, node, key);
  if (!text) return;
  Result<Rate> value = Parse(*text);
  if (!value) {
    Error error = std::move(value).error();
    error.message = "'" + std::string(key) + "': " + error.message;
    findings.AddAt(node, std::move(error));
  } else if (value->amount > kRateMax) {
    findings.At(node, Code::kRange, "'" + std::string(key) + "' is more than there is, " + EscapeShort(*text, 40),
                "leave the key out for no bound");
  } else {
    out.*Field = *value;
  }
}

// "80%".
void ReadAlert(Findings& findings, const Node& node, std::string_view key, Quota& out) {
  const auto text = ReadText(findings, node, key);
  if (!text) return;
  unsigned percent = 0;
  const char* end = text->data() + text->size();
  const auto [at, error] = std::from_chars(text->data(), end, percent);
  const bool is_percent = error == std::errc() && at + 1 == end && *at == '%' && text->front() != '0';
  if (!is_percent) {
    findings.At(node, Code::kType,
                "'" + std::string(key) + "' must be a part such as 80%, not '" + EscapeShort(*text, 40) + "'");
  } else if (percent > 100) {
    findings.At(node, Code::kRange, "'" + std::string(key) + "' must be between 1% and 100%, not " + *text);
  } else {
    out.alert = percent / 100.0;
  }
}

constexpr QuotaKey kKeys[] = {
    {"cpu.share", ReadShare},
    {"cpu.time", ReadTime},
    {"cpu.per", ReadPeriod},
    {"memory", ReadMemory},
    {"concurrency", ReadConcurrency},
    {"io.read", ReadRate<&Quota::read, ParseByteRate>},
    {"io.write", ReadRate<&Quota::write, ParseByteRate>},
    {"io.operations", ReadRate<&Quota::operations, ParseRate>},
    {"io.network", ReadRate<&Quota::network, ParseByteRate>},
    {"io.requests", ReadRate<&Quota::requests, ParseRate>},
    {"alert", ReadAlert},
};

// The keys of one mapping, those of "" being at the top.
void ReadKeys(Findings& findings, const Fields& fields, std::string_view mapping, Quota& out,
              const QuotaOrigin& origin) {
  for (const QuotaKey& key : kKeys) {
    const std::size_t dot = key.path.rfind('.');
    const std::string_view of = dot == key.path.npos ? "" : key.path.substr(0, dot);
    if (of != mapping) continue;
    const std::string_view name = dot == key.path.npos ? key.path : key.path.substr(dot + 1);
    const Node* node = fields.Get(name);
    if (node == nullptr) continue;
    key.read(findings, *node, fields.NameOf(name), out);
    if (origin) origin(fields.NameOf(name), *node);
  }
}

}  // namespace

std::span<const QuotaKey> QuotaKeys() { return kKeys; }

void ReadQuota(Findings& findings, const Node* section, const std::string& path, Quota& out,
               const QuotaOrigin& origin) {
  const Fields fields(findings, section, path, KeysAt(ConfigKeys(), "plugins.quotas"));
  ReadKeys(findings, fields, "", out, origin);
  const Fields cpu(findings, fields.Get("cpu"), path + ".cpu", KeysAt(ConfigKeys(), "plugins.quotas.cpu"));
  ReadKeys(findings, cpu, "cpu", out, origin);
  if (const Node* per = cpu.Get("per"); per != nullptr && cpu.Get("time") == nullptr) {
    findings.At(*per, Code::kUnenforceable, "'" + path + ".cpu.per' is the period of a time that is not there",
                "write time: 10s beside it, or remove it");
  }
  const Fields io(findings, fields.Get("io"), path + ".io", KeysAt(ConfigKeys(), "plugins.quotas.io"));
  ReadKeys(findings, io, "io", out, origin);
}

void ReadIo(Findings& findings, const Node* section, const std::string& path, Quota& out) {
  const Fields io(findings, section, path, KeysAt(ManifestKeys(), "limits.io"));
  ReadKeys(findings, io, "io", out, {});
}

}  // namespace cordon::manifest
