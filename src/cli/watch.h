// `cordon run --watch`: again whenever something changes that a run depends on.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/file_marks.h"
#include "cli/session.h"

namespace cordon::cli {

// Tells of every file before it is read.
using Reads = std::function<void(const std::filesystem::path& path)>;

// Tells of the files that the options of a run name, and of the operator's.
void SeeNamedFiles(const Session& session, const Reads& reads);

// One run: prints its result, and tells `reads` what it depends on. `note` is for people, after the result; may be left
// empty.
using WatchedRun = std::function<Result<int>(const Reads& reads, std::string& note)>;
// Runs, and runs again after each change, until a signal ends it. What fails is reported, and waited for to be mended;
// E_USAGE of the first run is the end.
Result<int> RunUntilStopped(Session& session, const WatchedRun& run);

// What there is to say when `now` runs in place of `before`: lines for people, without what stayed the same.
std::vector<std::string> Differences(const runtime::Plugin& before, const runtime::Plugin& now);

}  // namespace cordon::cli
