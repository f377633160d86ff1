// A plugin.yaml in the making. Nothing enters it that the grammar of capabilities would refuse at level default.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "foreign/report.h"
#include "policy/capability.h"

namespace cordon::foreign {

class Draft {
 public:
  // `origin` is static text.
  explicit Draft(std::string_view origin);

  // Names become ours: lower case, other characters to '-'; kNarrowed when that changed them.
  void Name(std::string_view from, std::string_view name, std::string_view space = "local");
  void Version(std::string_view from, const std::string& version);
  void Describe(std::string_view from, const std::string& text);
  void Abi(std::string_view abi) { imported_.manifest["runtime"]["abi"] = abi; }
  void Artifact(std::string_view from, const std::string& path);
  void Digest(std::string_view from, const std::string& hex);
  // The name of the action; an export that has no spelling as one is lost.
  std::string Action(std::string_view from, const std::string& name, const std::string& export_name);
  OrderedJson& ActionOf(const std::string& name) { return imported_.manifest["actions"][name]; }
  void Provide(std::string_view from, const std::string& what, const OrderedJson& value);
  void Limit(std::string_view from, const std::string& key, const std::string& value);

  enum class Need { kRequired, kOptional };
  // kGranted: the source is the operator's own word, so it is a grant too.
  enum class Word { kAsked, kGranted };
  // One permission; lost, with the grammar's reason, when it is not one.
  void Permit(std::string_view from, const Result<policy::Capability>& capability, Need need, Word word,
              std::string_view narrowed_why = {});
  // Every request to a host, by both schemes at their usual ports, or to host:port.
  void Host(std::string_view from, std::string_view host, Word word, std::string_view narrowed_why = {});
  // A folder: `name` is the root it stands under; `host_path` empty: the operator maps it.
  void Folder(std::string_view from, std::string_view mount, std::string_view name, policy::Access access,
              const std::filesystem::path& host_path, Word word, std::string_view narrowed_why = {});
  // Settings as plain texts, with the source's values as defaults.
  void Settings(std::string_view from, const std::vector<std::pair<std::string, std::string>>& values, Word word);
  void Schema(std::string_view from, const Json& schema);

  void Carried(std::string_view from, std::string_view to);
  void Narrowed(std::string_view from, std::string_view to, std::string_view why);
  void Lost(std::string_view from, std::string_view why);

  std::vector<Finding>& findings() { return imported_.findings; }
  Imported& imported() { return imported_; }
  // What every manifest has is there from now on.
  Imported Finish() &&;

 private:
  bool WasPermitted(const std::string& text);
  Imported imported_;
  std::vector<std::string> permitted_;
};

// "count_vowels" → "count-vowels"; empty when nothing is left.
std::string SlugOf(std::string_view name);

}  // namespace cordon::foreign
