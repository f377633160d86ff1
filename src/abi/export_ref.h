// Which export a name means. Pure; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cordon/result.h"
#include "formats/wit.h"

namespace cordon::abi {

// Points into the contract that it was resolved from, which must outlive it.
struct ExportRef {
  std::string_view interface_name;  // as exported, version included; "" for a function at the root
  const wit::Function* function = nullptr;

  std::string ToString() const;  // "acme:linkcheck/checker@0.1.0#check", or "check"
};

// `name`: "acme:linkcheck/checker@0.1.0#check", the same without the version when one version is exported, or the bare
// "check" when one export has it (a function at the root comes before those of interfaces). E_NOT_FOUND lists the
// exports, with the nearest name in the remedy.
Result<ExportRef> ResolveExport(const wit::Contract& contract, std::string_view name);

// What makes a binary a command: `_start` of a core module, or `run` of a component's wasi:cli/run. Nothing when it is
// none.
std::optional<ExportRef> CommandEntry(const wit::Contract& contract);
// E_INVALID, for what was to be one.
Error NoCommand(std::string_view what);

// Every exported function, in the binary's order.
std::vector<ExportRef> Exports(const wit::Contract& contract);

}  // namespace cordon::abi
