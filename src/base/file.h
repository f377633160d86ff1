// Reading and writing whole files, with limits. Thread-safe; errors are E_IO, E_NOT_FOUND, E_LIMIT.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "cordon/result.h"

namespace cordon {

// The whole content of a regular file (or of a pipe, when `path` is "-": standard input), never more than
// `max_bytes`. Anything else (a folder, a device) is E_NOT_REGULAR; a FIFO is never waited for.
Result<std::string> ReadFile(const std::filesystem::path& path, std::size_t max_bytes);

// Replaces `path` atomically: temporary file beside it, fsync, rename, fsync of the folder. On failure the
// old content stands and no temporary file is left.
enum class FileMode { kPrivate /* 0600 */, kShared /* 0644 */ };
Status WriteFileAtomically(const std::filesystem::path& path, std::string_view content, FileMode mode);

// Text for an errno value, e.g. "permission denied".
std::string ErrnoText(int error);

}  // namespace cordon
