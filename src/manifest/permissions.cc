#include "manifest/permissions.h"

#include <algorithm>
#include <array>

#include "manifest/keys.h"
#include "manifest/manifest.h"

namespace cordon::manifest {
namespace {

using policy::Capability;
using yaml::Node;

constexpr std::size_t kItemsMax = 64;
constexpr std::array<std::string_view, 2> kAccess = {"read", "write"};           // as policy::Access
constexpr std::array<std::string_view, 3> kClocks = {"coarse", "fine", "none"};  // as policy::ClockPrecision, and none

// The mappings of both lists have the same keys; the table holds them once.
std::span<const std::string_view> KeysOf(std::string_view kind) {
  return KeysAt(ManifestKeys(), "permissions.required[]" + std::string(kind.empty() ? "" : ".") + std::string(kind));
}

// Reads one item of `required` or `optional`.
class PermissionReader {
 public:
  PermissionReader(Findings& findings, Permissions& out, policy::Need need, std::string path)
      : findings_(findings), out_(out), need_(need), path_(std::move(path)) {}

  void Read(const Node& item) {
    if (item.kind != Node::Kind::kMapping || item.entries.empty()) {
      findings_.At(item, Code::kType,
                   "a permission must be a mapping with one kind, not " + std::string(KindName(item)),
                   "write - files: { mount: /data, from: workspace, access: read }");
      return;
    }
    const Fields fields(findings_, &item, path_, KeysOf(""));
    reason_ = fields.Text("reason").value_or("");
    const Node::Entry* kind = nullptr;
    for (const Node::Entry& entry : item.entries) {
      if (entry.key == "reason" || std::ranges::find(KeysOf(""), entry.key) == KeysOf("").end()) continue;
      if (kind != nullptr) {
        findings_.Add(Error(Code::kInvalid, "a permission of two kinds, '" + kind->key + "' and '" + entry.key + "'",
                            "write one item for each")
                          .At(findings_.document().PlaceAt(entry.line, entry.column)));
        return;
      }
      kind = &entry;
    }
    if (kind != nullptr) {
      ReadKind(kind->key, kind->value);
    } else if (item.entries.size() == 1 && item.entries.front().key == "reason") {
      findings_.At(item, Code::kMissing, "a permission with a reason and no kind",
                   "name what is asked for, such as files");
    }
  }

 private:
  void ReadKind(const std::string& kind, const Node& value) {
    kind_ = kind;
    name_ = path_ + "." + kind;
    if (kind == "files") return Files(value);
    if (kind == "http") return Http(value);
    if (kind == "sockets") return Sockets(value);
    if (kind == "exec") return Exec(value);
    if (kind == "storage") return Storage(value);
    if (kind == "memory") return Memory(value);
    if (kind == "messaging") return Messaging(value);
    if (kind == "clocks") return Clocks(value);
    if (kind == "environment")
      return Each(value, [](const std::string& name) { return policy::MakeEnvironment(name); });
    if (kind == "secrets") return Each(value, [](const std::string& name) { return policy::MakeSecret(name); });
    if (kind == "context") return Each(value, [](const std::string& what) { return policy::MakeCaller(what); });
    if (kind == "host") return Each(value, [](const std::string& name) { return policy::MakeHost(name); });
    if (kind == "call") {
      if (value.kind == Node::Kind::kSequence)
        return Each(value, [](const std::string& target) { return policy::MakeCall(target); });
      if (const auto target = ReadText(findings_, value, name_)) Ask(value, policy::MakeCall(*target));
      return;
    }
    if (kind == "random") return Switch(value, policy::MakeRandom());
    if (kind == "stdio") return Switch(value, policy::MakeStdio());
    if (kind == "log") return Switch(value, policy::MakeLog());
    if (kind == "arguments") return Switch(value, policy::MakeArguments());
    if (kind == "config") return Switch(value, policy::MakeConfig());
  }

  void Ask(const Node& node, Result<Capability> capability) {
    if (!capability) {
      findings_.AddAt(node, std::move(capability).error());
      return;
    }
    out_.requests.push_back({std::move(*capability), need_, reason_, {}});
  }

  // A value that must be a mapping with something in it: an empty one would ask for everything, or for nothing.
  std::optional<Fields> Mapping(const Node& value) {
    Fields fields(findings_, &value, name_, KeysOf(kind_));
    if (value.kind == Node::Kind::kMapping && !value.entries.empty()) return fields;
    if (IsNothing(value)) {
      findings_.At(value, Code::kMissing, "'" + name_ + "' names nothing",
                   "say what is asked for, or remove the permission");
    }
    return std::nullopt;
  }

  std::optional<std::string> Required(const Fields& fields, std::string_view key, std::string_view remedy) {
    const Node* node = fields.Require(key, std::string(remedy));
    return node == nullptr ? std::nullopt : ReadText(findings_, *node, fields.NameOf(key));
  }

  // Absent: the narrower one.
  std::optional<policy::Access> ReadAccess(const Fields& fields) {
    const Node* node = fields.Get("access");
    if (node == nullptr) return policy::Access::kRead;
    const auto word = ReadWord(findings_, *node, fields.NameOf("access"), kAccess);
    return word ? std::optional(static_cast<policy::Access>(*word)) : std::nullopt;
  }

  // A list of texts; one that is empty or too long is a finding.
  std::optional<std::vector<std::string>> ReadTexts(const Node& value, const std::string& name) {
    if (value.kind != Node::Kind::kSequence) {
      findings_.At(value, Code::kType, "'" + name + "' must be a list, not " + std::string(KindName(value)),
                   "write [ONE, TWO]");
      return std::nullopt;
    }
    if (value.items.empty() || value.items.size() > kItemsMax) {
      findings_.At(value, value.items.empty() ? Code::kMissing : Code::kLimit,
                   "'" + name + "' must have 1 to " + std::to_string(kItemsMax) + " items",
                   "an empty list allows nothing: remove the permission instead");
      return std::nullopt;
    }
    std::vector<std::string> texts;
    for (const Node& item : value.items) {
      auto text = ReadText(findings_, item, name);
      if (!text) return std::nullopt;
      texts.push_back(std::move(*text));
    }
    return texts;
  }

  template <typename Make>
  void Each(const Node& value, Make make) {
    const auto texts = ReadTexts(value, name_);
    if (!texts) return;
    for (std::size_t i = 0; i < texts->size(); ++i) Ask(value.items[i], make((*texts)[i]));
  }

  // `true` asks for it; `none` does without it.
  void Switch(const Node& value, Capability capability) {
    const policy::Kind kind = capability.kind();
    const bool can_withdraw = policy::OnByDefault(kind);
    if (value.kind == Node::Kind::kBool && value.boolean) return Ask(value, std::move(capability));
    if (can_withdraw && value.kind == Node::Kind::kString && value.text == "none")
      return out_.withdrawn.push_back(kind);
    findings_.At(
        value, Code::kType,
        "'" + name_ + "' must be true" + (can_withdraw ? " or none" : "") + ", not " + std::string(KindName(value)),
        "write - " + kind_ + ": true");
  }

  void Clocks(const Node& value) {
    const auto word = ReadWord(findings_, value, name_, kClocks);
    if (word == 2) {
      out_.withdrawn.push_back(policy::Kind::kClock);
    } else if (word) {
      Ask(value, policy::MakeClock(static_cast<policy::ClockPrecision>(*word)));
    }
  }

  void Files(const Node& value) {
    const auto fields = Mapping(value);
    if (!fields) return;
    const auto mount = Required(*fields, "mount", "add the path in the plugin, such as mount: /data");
    const auto from = Required(*fields, "from", "add a root of the operator's, such as from: workspace/data");
    const auto access = ReadAccess(*fields);
    if (mount && from && access) Ask(value, policy::MakeFiles(*mount, *from, *access));
  }

  void Http(const Node& value) {
    const auto fields = Mapping(value);
    if (!fields) return;
    const auto url = Required(*fields, "url", "add an address, such as url: \"https://api.example.com/v1/*\"");
    const Node* methods = fields->Require("methods", "name the methods, such as methods: [GET]");
    if (methods == nullptr) return;
    const auto words = ReadTexts(*methods, name_ + ".methods");
    if (url && words) Ask(value, policy::MakeHttp(*url, *words));
  }

  void Sockets(const Node& value) {
    const auto fields = Mapping(value);
    if (!fields) return;
    for (const auto use : {policy::SocketUse::kConnect, policy::SocketUse::kListen}) {
      const std::string_view key = use == policy::SocketUse::kConnect ? "connect" : "listen";
      const Node* node = fields->Get(key);
      if (node == nullptr) continue;
      if (const auto address = ReadText(findings_, *node, fields->NameOf(key)))
        Ask(*node, policy::MakeSocket(*address, use));
    }
  }

  void Exec(const Node& value) {
    const auto fields = Mapping(value);
    if (!fields) return;
    const auto program = Required(*fields, "program", "name the program, such as program: git");
    std::vector<policy::ExecArgument> arguments;
    if (const Node* list = fields->Get("args"); list != nullptr && !IsNothing(*list)) {
      if (list->kind != Node::Kind::kSequence) {
        findings_.At(*list, Code::kType, "'" + name_ + ".args' must be a list, not " + std::string(KindName(*list)),
                     "write args: [log, --oneline]");
        return;
      }
      for (const Node& item : list->items) {
        auto argument = Argument(item);
        if (!argument) return;
        arguments.push_back(std::move(*argument));
      }
    }
    if (program) Ask(value, policy::MakeExec(*program, arguments));
  }

  std::optional<policy::ExecArgument> Argument(const Node& item) {
    using Form = policy::ExecArgument::Form;
    const std::string name = name_ + ".args";
    if (item.kind != Node::Kind::kMapping) {
      auto literal = ReadText(findings_, item, name);
      if (!literal) return std::nullopt;
      return policy::ExecArgument{Form::kLiteral, std::move(*literal)};
    }
    const Fields fields(findings_, &item, name, KeysOf("exec.args[]"));
    if (item.entries.size() != 1) {
      findings_.At(item, Code::kInvalid, "an argument must be one of enum, integer, path, pattern",
                   "write { pattern: \"[0-9a-f]{7,40}\" }");
      return std::nullopt;
    }
    if (const Node* words = fields.Get("enum")) {
      const auto texts = ReadTexts(*words, name + ".enum");
      if (!texts) return std::nullopt;
      std::string joined;
      for (const std::string& text : *texts) joined += (joined.empty() ? "" : "|") + text;
      return policy::ExecArgument{Form::kOneOf, std::move(joined)};
    }
    constexpr std::array<std::pair<std::string_view, Form>, 3> kForms = {
        {{"integer", Form::kInteger}, {"path", Form::kPath}, {"pattern", Form::kPattern}}};
    for (const auto& [key, form] : kForms) {
      if (auto text = fields.Text(key)) return policy::ExecArgument{form, std::move(*text)};
    }
    return std::nullopt;
  }

  void Storage(const Node& value) {
    const auto fields = Mapping(value);
    if (!fields) return;
    std::optional<Bytes> quota;
    if (const Node* node = fields->Get("quota")) {
      quota = ReadBytes(findings_, *node, fields->NameOf("quota"));
      if (!quota) return;
    }
    const auto bucket = Required(*fields, "bucket", "name the bucket, such as bucket: cache");
    const auto access = ReadAccess(*fields);
    if (!bucket || !access) return;
    const std::size_t before = out_.requests.size();
    Ask(value, policy::MakeStorage(*bucket, *access));
    if (out_.requests.size() > before) out_.requests.back().quota = quota;
  }

  void Memory(const Node& value) {
    const auto fields = Mapping(value);
    if (!fields) return;
    const auto access = Required(*fields, "access", "write recall, store or forget");
    const auto scope = Required(*fields, "scope", "write plugin, session or agent");
    if (access && scope) Ask(value, policy::MakeMemory(*access, *scope));
  }

  void Messaging(const Node& value) {
    const auto fields = Mapping(value);
    if (!fields) return;
    const auto channel = Required(*fields, "channel", "name the channel, such as channel: alerts");
    const auto access = Required(*fields, "access", "write send or receive");
    if (channel && access) Ask(value, policy::MakeMessaging(*access, *channel));
  }

  Findings& findings_;
  Permissions& out_;
  policy::Need need_;
  std::string path_;
  std::string kind_;
  std::string name_;
  std::string reason_;
};

}  // namespace

Permissions ReadPermissions(Findings& findings, const yaml::Node* section) {
  Permissions out;
  const Fields fields(findings, section, "permissions", KeysAt(ManifestKeys(), "permissions"));
  for (const policy::Need need : {policy::Need::kRequired, policy::Need::kOptional}) {
    const std::string_view key = need == policy::Need::kRequired ? "required" : "optional";
    const Node* list = fields.Get(key);
    if (list == nullptr || IsNothing(*list)) continue;
    const std::string name = fields.NameOf(key);
    if (list->kind != Node::Kind::kSequence) {
      findings.At(*list, Code::kType, "'" + name + "' must be a list, not " + std::string(KindName(*list)),
                  "put '- ' before each permission");
      continue;
    }
    if (list->items.size() > kPermissionsMax) {
      findings.At(*list, Code::kLimit,
                  "'" + name + "' has more than " + std::to_string(kPermissionsMax) + " permissions");
      continue;
    }
    PermissionReader reader(findings, out, need, name);
    for (const Node& item : list->items) reader.Read(item);
  }
  return out;
}

}  // namespace cordon::manifest
