// The linker enforces: from what a binary imports and what its plugin may do to exactly what gets linked.
//
// Whatever is not effective is not in the LinkSpec, so it is not there for the guest. Pure; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cordon/result.h"
#include "engine/engine.h"
#include "formats/wit.h"
#include "policy/authority.h"
#include "services/router.h"

namespace cordon::abi {

enum class LinkState : std::uint8_t {
  kLinked,       // with what was granted behind it, or with nothing to grant
  kLinkedEmpty,  // there, because every toolchain imports it, with nothing behind it
  kStub,         // answers "access denied", holds nothing
  kNotLinked,    // not there: the binary cannot be instantiated
};
// "linked", "linked-empty", "stub", "not-linked".
std::string_view LinkStateName(LinkState state);

// What became of one import. Names and types are the guest's own words: escape before display.
struct ImportDecision {
  std::string import;  // "wasi:sockets/tcp@0.2.0", "env.system"
  std::string type;    // "interface", "func(key: string) -> option<string>", "(i32) -> i32"
  LinkState state = LinkState::kNotLinked;
  // Stable: "harmless", "types-only", "grant:…", "default-on" and the other rules of policy::Decision, and
  // "unknown-interface", "unknown-function", "wrong-type", "wasi-version".
  std::string rule;
  std::string capability;  // the kind that it needs ("sockets"), or empty
  std::string grant;       // the smallest grant that would link it, or empty when none would
  std::string command;     // what to type, or to change when there is nothing to type
  std::string message;     // one sentence: why
  std::string meaning{};   // what it does, where its name alone does not say
};

// A denying stub: what the guest imports, and what the router answers. Without `answer.payload` a call traps.
struct Stub {
  engine::HostImport import;
  enum class Reply : std::uint8_t { kPayload, kTrap } reply = Reply::kTrap;
  services::StubAnswers::Answer answer;
};

struct LinkPlan {
  std::string plugin;  // as in LinkOptions
  engine::LinkSpec spec;
  std::vector<ImportDecision> decisions;  // one for each import, in the binary's order
  std::vector<Stub> stubs;                // as in spec.stubs, with their answers
  // What is effective and of no use to the binary, which has no import for it: sockets of a preview 1 module
  // (W_UNUSABLE). Compact forms.
  std::vector<std::string> unusable;

  bool complete() const;  // nothing is kNotLinked
};

// A function that the embedding program answers, of the kind `host`.
struct OfferedFunction {
  std::string name;
  std::string shape;       // as FunctionShape gives it
  std::string capability;  // "prices"
  // kWhole: needs host:prices. kPerTarget: any target of it will do, and the service asks for each.
  enum class Scope : std::uint8_t { kWhole, kPerTarget } scope = Scope::kWhole;
  engine::HostImport::Kind kind = engine::HostImport::Kind::kBlocking;
};
struct OfferedInterface {
  std::string name;  // as guests import it, version included; "" for functions at the root of a world
  std::vector<OfferedFunction> functions;
};

struct LinkOptions {
  std::string plugin = "PLUGIN";  // as the operator would type it
  std::vector<OfferedInterface> offered{};
  engine::LinkSpec::Abi abi = engine::LinkSpec::Abi::kPlain;  // of a core module
  std::vector<std::string> libraries{};                       // modules that one for Extism may import from
};

// Decides over every import. An incomplete plan is not an error here, so that `explain` can show it; whoever links asks
// UnlinkedError first.
LinkPlan PlanLink(const wit::Contract& contract, const policy::Authority& authority, const LinkOptions& options = {});

// E_LINK with one cause for each import that was not linked, in the binary's order; each has the details "import",
// "type", "grant", "rule" and "command". REQUIRES: !plan.complete().
Error UnlinkedError(const LinkPlan& plan);

}  // namespace cordon::abi
