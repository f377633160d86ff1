// The files of a log as they were at one moment, opened. For this room only.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "audit/chain_file.h"
#include "audit/trail.h"
#include "base/unique_fd.h"

namespace cordon::audit {

class TrailSnapshot {
 public:
  // Takes the writers' lock for a moment, so that head and files fit each other.
  static Result<TrailSnapshot> Take(const std::filesystem::path& state_folder);
  const std::optional<ChainEnd>& head() const { return head_; }
  // `torn` is called for a file whose last line has no end.
  Status Read(const LineVisitor& visit, const std::function<void(const TrailFile& file)>& torn) const;

 private:
  struct Part {
    TrailFile file;
    UniqueFd fd;
  };
  std::vector<Part> parts_;
  std::optional<ChainEnd> head_;
};

}  // namespace cordon::audit
