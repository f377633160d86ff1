// The table of the conformance suite: one line for each kind of guest, one for each placement.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "runtime/host.h"

namespace cordon::conformance {

class Stage;

// A behaviour that a kind cannot have. The suite prints why, and shows that it is so.
struct NotApplicable {
  std::string_view behaviour;
  std::string_view reason;
  void (*show)(Stage& stage, std::string_view what);  // one of absence.h
  std::string_view what;
};

struct Kind {
  std::string_view name;  // the folder in tests/guests/conformance
  // How a behaviour and its input reach the guest's action `run`, and how it answers.
  enum class Speaks : std::uint8_t {
    kJson,          // {"behaviour": …, "input": …}; a text, {"ok": text}, or {"err": …} comes back
    kProgram,       // the same goes in; a text of output comes back, or status 1 and words on stderr
    kStandardText,  // stdin: the behaviour, a line feed, the input; the answer is stdout; the result 1 for an error
  } speaks = Speaks::kJson;
  std::vector<NotApplicable> lacks = {};
  // kProcess: a confined process of this machine. It has the machine's clock and ends by its signals, nobody counts its
  // instructions, and what folders it has was settled when it began.
  enum class Runs : std::uint8_t { kWebAssembly, kProcess } runs = Runs::kWebAssembly;

  const NotApplicable* Lacks(std::string_view behaviour) const;
};
std::span<const Kind> Kinds();

// Where the guest runs, and what stands between it and its services.
struct Placement {
  std::string_view name;
  void (*choose)(runtime::HostOptions& options);
};
// The first is what every other one is held against.
std::span<const Placement> Placements();

}  // namespace cordon::conformance
