// The one idea: effective = requested ∩ granted ∩ ceiling, computed once when a plugin is loaded. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/capability.h"
#include "policy/ceiling.h"
#include "policy/grant.h"
#include "policy/risk.h"

namespace cordon::policy {

enum class Need : std::uint8_t { kRequired, kOptional };

// One permission of a manifest.
struct Request {
  Capability capability;
  Need need = Need::kRequired;
  std::string reason;            // the author's words: escape before display
  std::optional<Bytes> quota{};  // of a bucket
};

// `link: strict` forbids stubs; lenient links a denying stub for an optional permission that is not effective.
enum class LinkMode : std::uint8_t { kStrict, kLenient };

enum class Verdict : std::uint8_t { kAllow, kDeny };

// The answer to one question. Rules are stable: "grant:<capability>", "default-on", "level:relaxed", "no-grant",
// "not-requested", "withdrawn", "unenforceable", "ceiling:level-strict", "ceiling:policy", "limit:until"; the guard
// adds "limit:uses", "limit:rate", "limit:bytes" and "revoked", services their own ("fs:beneath").
struct Decision {
  Verdict verdict = Verdict::kDeny;
  std::string rule;
  std::string remedy;         // when denied: what would allow it; may be empty
  Code code = Code::kDenied;  // when denied
  bool allowed() const { return verdict == Verdict::kAllow; }
};

// What became of one request, or of one default.
struct Ruling {
  enum class State : std::uint8_t { kEffective, kDenied, kUnenforceable };
  enum class Source : std::uint8_t { kManifest, kDefault };
  Request request;
  Source source = Source::kManifest;
  State state = State::kDenied;
  std::string rule{};
  std::optional<Capability> effective{};  // when effective; may be narrower than the request
  std::string smallest_grant{};           // when denied: the text for `--grant` that would allow it
  std::string why{};                      // when a ceiling denied it: which, and what would change it
  std::optional<Bytes> quota{};           // of a bucket: the tightest that the request or a grant of it writes
  KindSet passed = KindSet::All();        // of a call: what every grant of it passes on
  std::vector<LimitedGrant> limits{};     // of every grant that has any: all of them hold

  bool narrowed() const { return effective && !(*effective == request.capability); }
};
std::string_view StateName(Ruling::State state);

// The effective set of one plugin. Immutable; a value type.
class Authority {
 public:
  // No authority at all, defaults included.
  Authority() = default;
  // Every ruling, denials of required permissions included: what `explain` shows. A grant that has ended by `now` gives
  // nothing. E_INVALID when two permissions give one mount to different folders.
  static Result<Authority> Evaluate(std::span<const Request> requests, std::span<const Grant> grants,
                                    const Ceiling& ceiling, LinkMode link, std::span<const Kind> withdrawn = {},
                                    Timestamp now = {});
  // As Evaluate, then CheckRequired.
  static Result<Authority> Compute(std::span<const Request> requests, std::span<const Grant> grants,
                                   const Ceiling& ceiling, LinkMode link, std::span<const Kind> withdrawn = {});
  // One error for all required permissions that are not effective, else for a risk above the ceiling's: E_DENIED
  // (E_UNENFORCEABLE when that is the reason of
  // each), with one cause for each; a cause has the details "capability", "rule" and, when a grant would help, "grant".
  Status CheckRequired() const;

  std::span<const Ruling> rulings() const { return rulings_; }  // the manifest's first, then the defaults
  LinkMode link() const { return link_; }
  // Grants that no request asked for; worth a warning.
  std::span<const Grant> unused() const { return unused_; }

  // Whether anything of this kind is effective: its imports are linked, otherwise stubbed or absent.
  bool Allows(Kind kind) const;
  // The ruling to name when an import of this kind is not linked: an effective one, else a denied one, else nullptr.
  const Ruling* RulingFor(Kind kind) const;
  // One scope per mount, sorted by mount.
  std::vector<FilesScope> FilesGrants() const;
  std::vector<std::string> EnvironmentNames() const;
  bool AllowsArguments() const { return Allows(Kind::kArguments); }
  std::optional<ClockPrecision> Clock() const;  // nothing when withdrawn

  Decision Decide(const Capability& asked) const;
  // Takes away everything that `capability` has a part of.
  void Remove(const Capability& capability);
  // The capabilities that are effective here and not in `other`, as they are written, sorted.
  std::vector<std::string> Beyond(const Authority& other) const;
  // Of an allowed call: what the plugin that is called may use of its own rights meanwhile.
  KindSet PassedOn(const Capability& asked) const;
  // Of the effective set.
  RiskLevel risk() const;
  Level level() const { return level_; }

 private:
  Status CheckRisk() const;

  std::vector<Ruling> rulings_;
  std::vector<Grant> unused_;
  LinkMode link_ = LinkMode::kLenient;
  Level level_ = Level::kDefault;
  std::optional<RiskCap> risk_cap_;
};

// What to type to be granted `capability`: `--grant 'fs:read:/data=workspace' --root workspace=PATH`.
std::string GrantFlags(const Capability& capability);

}  // namespace cordon::policy
