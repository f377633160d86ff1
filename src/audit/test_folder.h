// A state folder of a test's own, and what is in its log. For tests of this room only.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "audit/audit_log.h"

namespace cordon::audit {

inline constexpr char kCheckpointMark[] = "\"event\":\"checkpoint\"";

class Folder {
 public:
  Folder() {
    std::string text = (std::filesystem::temp_directory_path() / "cordon-audit-XXXXXX").string();
    path_ = ::mkdtemp(text.data());
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path state() const { return path_ / "state"; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline Record Decision(policy::Verdict verdict, std::string target) {
  Record record;
  record.plugin = "acme/linkcheck";
  record.capability = "fs:read:/data=workspace";
  record.target = std::move(target);
  record.rule = "no-grant";
  record.decision = verdict;
  return record;
}
inline Record Deny(std::string target) { return Decision(policy::Verdict::kDeny, std::move(target)); }
inline Record Allow(std::string target) { return Decision(policy::Verdict::kAllow, std::move(target)); }

inline std::vector<std::string> Lines(const Folder& folder, std::string_view file = kAuditFile) {
  std::ifstream in(folder.state() / file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// Without the checkpoints.
inline std::vector<std::string> Records(const Folder& folder) {
  std::vector<std::string> lines = Lines(folder);
  std::erase_if(lines, [](const std::string& line) { return line.find(kCheckpointMark) != std::string::npos; });
  return lines;
}

inline void Rewrite(const Folder& folder, const std::vector<std::string>& lines, std::string_view file = kAuditFile) {
  std::ofstream out(folder.state() / file, std::ios::trunc);
  for (const std::string& line : lines) out << line << "\n";
}

inline void WriteSome(const Folder& folder, int count) {
  auto log = *AuditLog::Open(folder.state());
  for (int i = 0; i < count; ++i) ASSERT_TRUE(log->On(Deny("/data/" + std::to_string(i))));
}

}  // namespace cordon::audit
