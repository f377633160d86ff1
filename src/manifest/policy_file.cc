#include "manifest/policy_file.h"

#include <array>
#include <utility>

#include "base/file.h"
#include "base/text.h"
#include "manifest/fields.h"
#include "manifest/keys.h"
#include "manifest/name.h"

namespace cordon::manifest {
namespace {

using policy::Level;
using policy::PolicyRules;
using yaml::Node;

constexpr std::size_t kPolicyBytesMax = 1 << 20;
constexpr std::size_t kAllowMax = 1024;  // entries of one list
constexpr std::array<std::string_view, 4> kLevels = {"relaxed", "default", "strict", "paranoid"};
constexpr std::array<std::string_view, 4> kRisks = {"low", "medium", "high", "critical"};

class PolicyParser {
 public:
  explicit PolicyParser(const yaml::Document& document) : document_(document), findings_(document) {}

  Result<policy::Policy> Run() {
    policy::Policy policy;
    policy.file = document_.file;
    const Fields root(findings_, &document_.root, "", KeysAt(PolicyKeys(), ""));
    policy.others = Rules(root, Level::kRelaxed);
    Plugins(root.Get("plugins"), policy);
    if (!findings_.empty()) return Fail(std::move(findings_).Take());
    return policy;
  }

 private:
  // `floor`: what the file says for everybody; a plugin may have a stricter level, and no weaker.
  PolicyRules Rules(const Fields& fields, Level floor) {
    PolicyRules rules;
    rules.level = floor;
    if (const Node* level = fields.Get("level")) {
      const auto word = ReadWord(findings_, *level, fields.NameOf("level"), kLevels);
      if (word && static_cast<Level>(*word) < floor) {
        findings_.At(*level, Code::kInvalid,
                     "'" + level->text + "' is weaker than the level of the file, '" +
                         std::string(policy::LevelName(floor)) + "'",
                     "a policy only narrows: write a stricter level, or leave the key out");
      } else if (word) {
        rules.level = static_cast<Level>(*word);
      }
    }
    if (const Node* risk = fields.Get("risk")) {
      const auto word = ReadWord(findings_, *risk, fields.NameOf("risk"), kRisks);
      if (word) rules.risk = static_cast<policy::RiskLevel>(*word);
    }
    ReadList(fields, "allow", [&](const Node& item, const std::string& text) {
      auto allowance = policy::Allowance::Parse(text);
      if (allowance) {
        rules.allow.push_back(std::move(*allowance));
      } else {
        findings_.AddAt(item, std::move(allowance).error());
      }
    });
    return rules;
  }

  void ReadList(const Fields& fields, std::string_view key, auto&& read) {
    const Node* list = fields.Get(key);
    if (list == nullptr || IsNothing(*list)) return;
    const std::string name = fields.NameOf(key);
    if (list->kind != Node::Kind::kSequence) {
      findings_.At(*list, Code::kType, "'" + name + "' must be a list, not " + std::string(KindName(*list)),
                   "write one entry a line, each behind '- '");
      return;
    }
    if (list->items.size() > kAllowMax) {
      findings_.At(*list, Code::kLimit, "'" + name + "' has more than " + std::to_string(kAllowMax) + " entries");
      return;
    }
    for (const Node& item : list->items) {
      if (const auto text = ReadText(findings_, item, name)) read(item, *text);
    }
  }

  void Plugins(const Node* section, policy::Policy& policy) {
    if (section == nullptr || IsNothing(*section)) return;
    if (section->kind != Node::Kind::kMapping) {
      findings_.At(*section, Code::kType, "'plugins' must be a mapping, not " + std::string(KindName(*section)),
                   "write one key per plugin: its name, or the digest of its bytes");
      return;
    }
    for (const Node::Entry& entry : section->entries) {
      const auto place = document_.PlaceAt(entry.line, entry.column);
      const bool is_digest = entry.key.starts_with("sha256:");
      if (is_digest) {
        if (auto digest = Digest::Parse(entry.key); !digest) findings_.Add(std::move(digest).error().At(place));
      } else if (auto name = ParsePluginName(entry.key); !name) {
        findings_.Add(std::move(name).error().At(place));
      }
      policy.plugins[entry.key] = Plugin(entry, policy.others, is_digest);
    }
  }

  PolicyRules Plugin(const Node::Entry& entry, const PolicyRules& others, bool is_digest) {
    const Fields fields(findings_, &entry.value, "plugins." + entry.key, KeysAt(PolicyKeys(), "plugins.*"));
    PolicyRules rules = Rules(fields, others.level);
    const Node* risk = fields.Get("risk");
    if (risk != nullptr && rules.risk && others.risk && *others.risk < *rules.risk) {
      findings_.At(*risk, Code::kInvalid, "'" + risk->text + "' is above the risk of the file",
                   "a policy only narrows: write a lower risk, or leave the key out");
    }
    ReadList(fields, "artifacts", [&](const Node& item, const std::string& text) {
      auto digest = Digest::Parse(text);
      if (digest && !is_digest) {
        rules.artifacts.push_back(*digest);
      } else if (digest) {
        findings_.At(item, Code::kInvalid, "'plugins." + Escape(entry.key) + "' is named by its digest already",
                     "leave 'artifacts' out");
      } else {
        findings_.AddAt(item, std::move(digest).error());
      }
    });
    return rules;
  }

  const yaml::Document& document_;
  Findings findings_;
};

}  // namespace

Result<policy::Policy> ParsePolicy(std::string_view text, std::string file) {
  yaml::Limits limits;
  limits.bytes = kPolicyBytesMax;
  limits.nodes = 64 << 10;
  CORDON_ASSIGN(const yaml::Document document, yaml::Parse(text, std::move(file), limits));
  return PolicyParser(document).Run();
}

Result<std::shared_ptr<const policy::Policy>> LoadPolicy(const std::filesystem::path& file) {
  Result<std::string> text = ReadFile(file, kPolicyBytesMax);
  if (!text) {
    Error error = std::move(text).error();
    error.message = "the policy cannot be read, so nothing is allowed: " + error.message;
    if (error.remedy.empty()) error.remedy = "write the file, or name another with --policy or plugins.policy";
    return Fail(std::move(error));
  }
  CORDON_ASSIGN(policy::Policy policy, ParsePolicy(*text, file.string()));
  return std::make_shared<const policy::Policy>(std::move(policy));
}

}  // namespace cordon::manifest
