// Reads a foreign document so that nothing of it is dropped in silence: whatever nobody took is reported as lost.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cordon/result.h"
#include "foreign/report.h"

namespace cordon::foreign {

// One object of the source. REQUIRES: the object outlives it.
class Walk {
 public:
  // E_TYPE when it is none.
  static Result<Walk> Of(const Json& value, std::string path);

  // The path of a key: "memory.max_pages".
  std::string PathOf(std::string_view key) const;
  const std::string& path() const { return path_; }

  // Null when it is not there, or null. Each key that is asked for counts as taken.
  const Json* Take(std::string_view key);
  // Nothing when it is absent; E_TYPE for another type, naming the path.
  Result<std::optional<std::string>> Text(std::string_view key);
  Result<std::optional<std::int64_t>> Count(std::string_view key);  // E_RANGE below 0
  Result<std::optional<bool>> Flag(std::string_view key);
  Result<std::vector<std::string>> Texts(std::string_view key);  // absent: none
  // An empty one when it is absent.
  Result<Walk> Object(std::string_view key);
  Result<std::vector<Walk>> Objects(std::string_view key);
  // All keys, each taken.
  std::vector<std::pair<std::string, const Json*>> All();

  // Reports what nobody took.
  void Finish(std::vector<Finding>& findings, std::string_view why = "there is nothing like it") const;

 private:
  Walk(const Json& object, std::string path) : object_(&object), path_(std::move(path)) {}
  const Json* object_;
  std::string path_;
  std::set<std::string, std::less<>> taken_;
};

}  // namespace cordon::foreign
