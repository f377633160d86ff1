#include "manifest/lifecycle.h"

#include "manifest/fields.h"
#include "manifest/keys.h"

namespace cordon::manifest {
namespace {

using yaml::Node;

constexpr std::array<std::string_view, 3> kInstances = {"per-call", "pooled", "resident"};  // as InstancePolicy
constexpr std::array<std::string_view, 3> kRestarts = {"never", "on-failure", "always"};    // as RestartPolicy
constexpr std::array<std::string_view, 3> kDegradations = {"closed", "open", "last-good"};  // as Degradation

std::optional<Duration> ReadWithin(Findings& findings, const Node& node, std::string_view name, Duration least,
                                   Duration most) {
  const std::optional<Duration> duration = ReadDuration(findings, node, name);
  if (!duration || (*duration >= least && *duration <= most)) return duration;
  findings.At(node, Code::kRange,
              "'" + std::string(name) + "' is " + FormatDuration(*duration) + ", and not between " +
                  FormatDuration(least) + " and " + FormatDuration(most),
              "write a duration within these bounds");
  return std::nullopt;
}

}  // namespace

std::string_view InstancePolicyName(InstancePolicy policy) { return kInstances[static_cast<std::size_t>(policy)]; }

Lifecycle ReadLifecycle(Findings& findings, const Fields& fields) {
  Lifecycle lifecycle;
  if (const Node* restart = fields.Get("restart")) {
    const auto word = ReadWord(findings, *restart, "lifecycle.restart", kRestarts);
    if (word) lifecycle.restart = static_cast<RestartPolicy>(*word);
  }
  if (const Node* failure = fields.Get("on-failure")) {
    const auto word = ReadWord(findings, *failure, "lifecycle.on-failure", kDegradations);
    if (word) lifecycle.on_failure = static_cast<Degradation>(*word);
  }
  constexpr Duration kLeast = std::chrono::milliseconds(1);
  if (const Node* drain = fields.Get("drain")) {
    lifecycle.drain = ReadWithin(findings, *drain, "lifecycle.drain", kLeast, kDrainMax).value_or(lifecycle.drain);
  }
  const Node* probe = fields.Get("liveness");
  const Fields probing(findings, probe, "lifecycle.liveness", KeysAt(ManifestKeys(), "lifecycle.liveness"));
  if (probe != nullptr && !IsNothing(*probe)) {
    Lifecycle::Liveness liveness;
    if (const Node* every = probing.Require("every", "write how often: liveness: { every: 10s }")) {
      liveness.every = ReadWithin(findings, *every, "lifecycle.liveness.every", kProbeEveryMin, kProbeEveryMax)
                           .value_or(liveness.every);
      liveness.timeout = std::min(liveness.timeout, liveness.every);
    }
    if (const Node* timeout = probing.Get("timeout")) {
      const Duration most = std::min(kProbeTimeoutMax, liveness.every);
      liveness.timeout =
          ReadWithin(findings, *timeout, "lifecycle.liveness.timeout", kLeast, most).value_or(liveness.timeout);
    }
    lifecycle.liveness = liveness;
  }
  const Node* state = fields.Get("state");
  const Fields keeping(findings, state, "lifecycle.state", KeysAt(ManifestKeys(), "lifecycle.state"));
  if (state != nullptr && !IsNothing(*state)) {
    if (const Node* snapshot = keeping.Require("snapshot", "write how often: state: { snapshot: 30s }")) {
      lifecycle.snapshot =
          ReadWithin(findings, *snapshot, "lifecycle.state.snapshot", kSnapshotEveryMin, kSnapshotEveryMax);
    }
  }
  return lifecycle;
}

}  // namespace cordon::manifest
