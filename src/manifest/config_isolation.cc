#include "manifest/config_isolation.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "base/text.h"
#include "manifest/keys.h"

namespace cordon::manifest {
namespace {

constexpr std::array<std::string_view, 7> kBackends = {"in-process", "worker",      "bubblewrap", "docker",
                                                       "daytona",    "firecracker", "microvm"};
constexpr std::size_t kForceMax = 256;
constexpr std::uint64_t kGrowthMin = 64ull << 10, kGrowthMax = 64ull << 30;
constexpr double kCpuMin = 0.01, kCpuMax = 1024;

// "acme/*": names of plugins, with '*' in place of any text within a part.
bool IsPattern(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '*' || c == '/';
  };
  return !text.empty() && text.size() <= 129 && std::ranges::all_of(text, fits) && std::ranges::count(text, '/') <= 1 &&
         text.front() != '/' && text.back() != '/';
}

}  // namespace

std::string_view BackendName(IsolationConfig::Backend backend) { return kBackends[static_cast<std::size_t>(backend)]; }

bool IsolationConfig::Forces(std::string_view plugin) const {
  const std::string name(plugin);
  return std::ranges::any_of(force, [&](const std::string& pattern) {
    return ::fnmatch(pattern.c_str(), name.c_str(), FNM_PATHNAME | FNM_NOESCAPE) == 0;
  });
}

void ReadIsolationEnabled(Findings& findings, const yaml::Node& node, std::string_view key, IsolationConfig& out) {
  if (const auto value = ReadBool(findings, node, key)) out.enabled = *value;
}

void ReadIsolationBackend(Findings& findings, const yaml::Node& node, std::string_view key, IsolationConfig& out) {
  if (const auto word = ReadWord(findings, node, key, kBackends)) {
    out.backend = static_cast<IsolationConfig::Backend>(*word);
  }
}

void ReadIsolationForce(Findings& findings, const yaml::Node& node, std::string_view key, IsolationConfig& out) {
  std::vector<std::string> patterns;
  for (const yaml::Node& item : ItemsOf(findings, &node, key, kForceMax)) {
    const auto text = ReadText(findings, item, key);
    if (!text) continue;
    if (IsPattern(*text)) {
      patterns.push_back(*text);
    } else {
      findings.At(item, Code::kName, "'" + EscapeShort(*text, 80) + "' is no name of plugins",
                  "write namespace/name, with * in place of any text: untrusted/*");
    }
  }
  out.force = std::move(patterns);
}

void ReadIsolationNetwork(Findings& findings, const yaml::Node& node, std::string_view key, IsolationConfig& out) {
  if (const auto value = ReadBool(findings, node, key)) out.network = *value;
}

void ReadIsolationTimeout(Findings& findings, const yaml::Node& node, std::string_view key, IsolationConfig& out) {
  if (const auto value = ReadDuration(findings, node, key)) out.timeout = *value;
}

void ReadMaxCpu(Findings& findings, const yaml::Node& node, std::string_view key, IsolationConfig& out) {
  double value = 0;
  const char* end = node.text.data() + node.text.size();
  const auto [at, error] = std::from_chars(node.text.data(), end, value);
  const bool is_number = node.kind == yaml::Node::Kind::kInteger || node.kind == yaml::Node::Kind::kReal;
  if (!is_number || error != std::errc() || at != end) {
    findings.At(node, Code::kType, "'" + std::string(key) + "' must be a number of processors",
                "write a number such as 1 or 0.5");
  } else if (!(value >= kCpuMin && value <= kCpuMax)) {
    findings.At(node, Code::kRange, "'" + std::string(key) + "' must be between 0.01 and 1024, not " + node.text);
  } else {
    out.max_cpu = value;
  }
}

void ReadMaxMemory(Findings& findings, const yaml::Node& node, std::string_view key, IsolationConfig& out) {
  const auto value = ReadBytes(findings, node, key);
  if (!value) return;
  if (value->count < (64u << 10)) {
    findings.At(node, Code::kRange, "'" + std::string(key) + "' must be at least 64KiB, not " + node.text);
    return;
  }
  out.max_memory = *value;
}

void ReadWorkers(Findings& findings, const yaml::Node* node, std::string_view path, WorkersConfig& out) {
  const Fields fields(findings, node, std::string(path), KeysAt(ConfigKeys(), path));
  const auto count = [&](std::string_view key, Range range) -> std::optional<std::uint64_t> {
    const yaml::Node* const value = fields.Get(key);
    return value == nullptr ? std::nullopt : ReadCount(findings, *value, fields.NameOf(key), range);
  };
  if (const auto value = count("most", {1, 4096})) out.most = static_cast<std::uint32_t>(*value);
  if (const auto value = count("idle", {0, 4096})) out.idle = static_cast<std::uint32_t>(*value);
  if (const auto value = count("calls", {1, 1'000'000'000})) out.calls = *value;
  if (const yaml::Node* age = fields.Get("age")) {
    if (const auto value = ReadDuration(findings, *age, fields.NameOf("age"))) out.age = *value;
  }
  const yaml::Node* const growth = fields.Get("growth");
  const auto bytes = growth == nullptr ? std::nullopt : ReadBytes(findings, *growth, fields.NameOf("growth"));
  if (!bytes) return;
  if (bytes->count < kGrowthMin || bytes->count > kGrowthMax) {
    findings.At(*growth, Code::kRange,
                "'" + fields.NameOf("growth") + "' must be between 64KiB and 64GiB, not " + growth->text);
    return;
  }
  out.growth = *bytes;
}

}  // namespace cordon::manifest
