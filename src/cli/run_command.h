// Runs a plugin that is a command as the shell would run a program.
#pragma once

#include "cli/session.h"
#include "runtime/host.h"
#include "runtime/plugin.h"

namespace cordon::cli {

// Whether `cordon run` means the command itself: nothing names an action or an input for one.
bool MeansCommand(const Session& session, const runtime::Plugin& plugin);

// A load failed: if it was of a command, the exit code says that the failure is ours.
void JudgeFailedLoad(Session& session, runtime::Host& host, const runtime::LoadRequest& request);

// Its standard streams are ours while it runs, and its exit status is the exit code. With --json its output is in the
// document.
Result<int> RunAsCommand(Session& session, const Parts& parts, const runtime::Plugin& plugin,
                         runtime::CallOptions options);

}  // namespace cordon::cli
