// What `run`, `record` and `replay` share: which action, with what input.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cli/session.h"
#include "manifest/config.h"
#include "runtime/host.h"

namespace cordon::cli {

inline constexpr Option kInputOption = {"--input", "JSON|@FILE|-",
                                        "the parameters by name: text, a file, or standard input ({})",
                                        Option::Times::kOnce, Offer::kFile};

// `text`, `@FILE` or `-`, within the operator's limit.
Result<std::string> ReadInput(const std::optional<std::string>& given, const manifest::Config& config);

// The action that is meant: the named one, else the only one.
Result<std::string> ChooseAction(const Session& session, const runtime::Plugin& plugin);

// Loads with progress, and so that a signal ends it.
Result<std::shared_ptr<const runtime::Plugin>> LoadToRun(Session& session, runtime::Host& host,
                                                         runtime::LoadRequest& request);

// Calls so that a signal ends it.
Status CallInterruptibly(Session& session, const runtime::Plugin& plugin, const std::string& action,
                         const std::string& input, runtime::CallOptions options, runtime::CallReport& report);

}  // namespace cordon::cli
