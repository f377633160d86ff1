// What `cordon doctor` looks at. Each check says what it found and, when that is not well, what to do. What can be
// decided without looking at the machine is a function of values, for the tests.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/trail.h"
#include "cordon/result.h"
#include "groups/group.h"
#include "manifest/config.h"

namespace cordon::cli {

struct Finding {
  enum class Grade : std::uint8_t { kPass, kWarn, kFail } grade = Grade::kPass;
  std::string category;  // "host", "configuration", "state", "audit", "cache", "engine", "plugins"
  std::string check;     // stable: docs/reference/doctor.md
  std::string message;
  std::string hint;  // when it did not pass
};
std::string_view GradeName(Finding::Grade grade);

// ---- Of values ------------------------------------------------------------------------------------------------------

// "wasmtime 48.0.8 …" against the floors of security_floor.h.
Finding CheckEngineFloor(std::string_view engine_version, std::string_view mitigated, std::string_view floor);
// Two engines that make different code must not share a key of the cache.
Finding CheckCacheKey(const std::array<std::uint8_t, 32>& one, const std::array<std::uint8_t, 32>& other);
Finding CheckTrail(const Result<audit::Verification>& verification);
struct Access {
  enum class Type : std::uint8_t { kAbsent, kFolder, kFile, kLink, kOther } type = Type::kAbsent;
  std::uint32_t mode = 0;
  std::uint32_t owner = 0, user = 0;
};
enum class Secrecy : std::uint8_t { kSecret /* nobody else reads it */, kTrusted /* nobody else writes it */ };
// What is absent passes: it is made when it is needed.
Finding CheckAccess(std::string category, std::string check, const std::filesystem::path& path, const Access& access,
                    Access::Type expected, Secrecy secrecy);
Finding CheckMemory(std::uint64_t memory_bytes, std::uint64_t address_limit_bytes, std::uint64_t ceiling_bytes);
Finding CheckLandlock(int abi);                   // below 1: there is none
Finding CheckConfinement(std::string_view text);  // of `cordon-worker --json`
// Of a group that was asked to bound all that there is.
Finding CheckGroups(const groups::Bounds& holds);

// ---- Of this machine ------------------------------------------------------------------------------------------------

Access AccessOf(const std::filesystem::path& path);
Finding CheckNative(manifest::Config::Native native, const std::filesystem::path& bubblewrap);
std::vector<Finding> CheckHost(const manifest::Config& config);
std::vector<Finding> CheckState(const std::filesystem::path& folder);
std::vector<Finding> CheckCache(const manifest::Config& config);
std::vector<Finding> CheckEngine();

}  // namespace cordon::cli
