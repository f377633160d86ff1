#include "policy/grants_file.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"
#include "formats/yaml.h"
#include "policy/capability_grammar.h"
#include "policy/roots.h"

namespace cordon::policy {
namespace {

using yaml::Document;
using yaml::Node;

constexpr std::array<std::string_view, 10> kKeys = {"plugin",   "artifact", "manifest", "publisher", "roots",
                                                    "programs", "granted",  "deny",     "by",        "at"};
constexpr std::size_t kPluginsMax = 1024;

std::string_view KindText(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull: return "nothing";
    case Node::Kind::kBool: return "a boolean";
    case Node::Kind::kInteger:
    case Node::Kind::kReal: return "a number";
    case Node::Kind::kString: return "a text";
    case Node::Kind::kSequence: return "a list";
    case Node::Kind::kMapping: return "a mapping";
  }
  return "a value";
}

// Reads one set; every error has its place.
class SetReader {
 public:
  SetReader(const Document& document, const Node& node, Level level)
      : document_(document), node_(node), level_(level) {}

  Result<GrantSet> Read() {
    if (node_.kind != Node::Kind::kMapping) return Wrong(node_, "a set of grants", "a mapping");
    for (const Node::Entry& entry : node_.entries) CORDON_TRY(CheckKey(entry));
    GrantSet set;
    CORDON_ASSIGN(set.plugin, Required("plugin"));
    CORDON_TRY(Placed(*node_.Find("plugin"), CheckPlugin(set.plugin)));
    CORDON_ASSIGN(const std::string artifact, Required("artifact"));
    CORDON_ASSIGN(set.artifact, Placed(*node_.Find("artifact"), Digest::Parse(artifact)));
    CORDON_ASSIGN(const std::string manifest, Optional("manifest"));
    if (!manifest.empty()) {
      CORDON_ASSIGN(set.manifest, Placed(*node_.Find("manifest"), Digest::Parse(manifest)));
    }
    CORDON_ASSIGN(set.publisher, Optional("publisher"));
    CORDON_ASSIGN(set.by, Optional("by"));
    CORDON_ASSIGN(set.at, Optional("at"));
    CORDON_TRY(ReadRoots(set));
    CORDON_TRY(ReadPrograms(set));
    CORDON_TRY(ReadGranted(set));
    CORDON_TRY(ReadDenied(set));
    return set;
  }

 private:
  template <typename T>
  Result<T> Placed(const Node& node, Result<T> result) {
    if (!result && !result.error().place) result.error().place = document_.PlaceOf(node);
    return result;
  }

  std::unexpected<Error> Wrong(const Node& node, std::string_view name, std::string_view wanted) {
    std::string message = std::string(name) + " is " + std::string(KindText(node)) + ", not " + std::string(wanted);
    return Fail(document_.ErrorAt(node, Code::kType, std::move(message)));
  }

  Status CheckKey(const Node::Entry& entry) {
    if (std::find(kKeys.begin(), kKeys.end(), entry.key) != kKeys.end()) return {};
    const std::string_view near = Nearest(entry.key, kKeys);
    Error error(Code::kUnknownKey, "unknown key '" + Excerpt(entry.key) + "'",
                near.empty() ? "remove it" : "did you mean '" + std::string(near) + "'?");
    return Fail(std::move(error).At(document_.PlaceAt(entry.line, entry.column)));
  }

  Status CheckPlugin(std::string_view name) {
    const std::size_t slash = name.find('/');
    if (slash != std::string_view::npos && IsSlug(name.substr(0, slash), "-") && IsSlug(name.substr(slash + 1), "-")) {
      return {};
    }
    return Fail(Code::kName, "'" + Excerpt(name) + "' is not the name of a plugin", "write namespace/name");
  }

  Result<std::string> Text(const Node& node, std::string_view name) {
    if (node.kind != Node::Kind::kString) return Wrong(node, name, "a text");
    if (Escape(node.text) != node.text) {
      return Fail(
          document_.ErrorAt(node, Code::kBadString, std::string(name) + " has characters that cannot be shown"));
    }
    return node.text;
  }

  Result<std::string> Required(std::string_view key) {
    const Node* node = node_.Find(key);
    if (node == nullptr) {
      return Fail(document_.ErrorAt(node_, Code::kMissing, "'" + std::string(key) + "' is missing"));
    }
    return Text(*node, key);
  }

  Result<std::string> Optional(std::string_view key) {
    const Node* node = node_.Find(key);
    if (node == nullptr || node->kind == Node::Kind::kNull) return std::string();
    return Text(*node, key);
  }

  // A list; absent, null and empty are all the empty list.
  Result<const std::vector<Node>*> List(std::string_view key) {
    static const std::vector<Node> kNone;
    const Node* node = node_.Find(key);
    if (node == nullptr || node->kind == Node::Kind::kNull) return &kNone;
    if (node->kind != Node::Kind::kSequence) return Wrong(*node, key, "a list");
    return &node->items;
  }

  Status ReadRoots(GrantSet& set) {
    const Node* roots = node_.Find("roots");
    if (roots == nullptr || roots->kind == Node::Kind::kNull) return {};
    if (roots->kind != Node::Kind::kMapping) return Wrong(*roots, "roots", "a mapping of names to folders");
    for (const Node::Entry& entry : roots->entries) {
      CORDON_TRY(Placed(entry.value, CheckRootName(entry.key)));
      CORDON_ASSIGN(const std::string path, Text(entry.value, "root " + entry.key));
      CORDON_TRY(Placed(entry.value, CheckRootText(entry.key, path)));
      if (!path.starts_with('/') || path == "/") {
        return Fail(document_.ErrorAt(entry.value, Code::kGrantForbidden,
                                      "root '" + entry.key + "' is not a folder of its own", "write an absolute path"));
      }
      set.roots.emplace(entry.key, path);
    }
    return {};
  }

  // `git: { path: /usr/bin/git, inode: "2049:131", digest: "sha256:…" }`
  Status ReadPrograms(GrantSet& set) {
    const Node* programs = node_.Find("programs");
    if (programs == nullptr || programs->kind == Node::Kind::kNull) return {};
    if (programs->kind != Node::Kind::kMapping) return Wrong(*programs, "programs", "a mapping of names to files");
    for (const Node::Entry& entry : programs->entries) {
      CORDON_TRY(Placed(entry.value, MakeExec(entry.key, {})));
      CORDON_ASSIGN(ProgramPin pin, ReadPin(entry));
      set.programs.emplace(entry.key, std::move(pin));
    }
    return {};
  }

  Result<ProgramPin> ReadPin(const Node::Entry& entry) {
    constexpr std::array<std::string_view, 3> kPinKeys = {"path", "inode", "digest"};
    if (entry.value.kind != Node::Kind::kMapping) return Wrong(entry.value, "program " + entry.key, "a mapping");
    std::array<std::string, 3> texts;
    for (const Node::Entry& field : entry.value.entries) {
      const auto key = std::ranges::find(kPinKeys, field.key);
      if (key == kPinKeys.end()) {
        Error error(Code::kUnknownKey, "unknown key '" + Excerpt(field.key) + "'", "write path, inode and digest");
        return Fail(std::move(error).At(document_.PlaceAt(field.line, field.column)));
      }
      CORDON_ASSIGN(texts[static_cast<std::size_t>(key - kPinKeys.begin())], Text(field.value, field.key));
    }
    const auto wrong = [&](Code code, std::string_view why) {
      return Fail(
          document_.ErrorAt(entry.value, code, "program '" + entry.key + "' " + std::string(why),
                            "let Cordon write it: cordon plugin grant PLUGIN --program " + entry.key + "=PATH"));
    };
    for (const std::string& text : texts) {
      if (text.empty()) return wrong(Code::kMissing, "lacks one of path, inode, digest");
    }
    ProgramPin pin{texts[0], {}, {}};
    if (texts[0].front() != '/') return wrong(Code::kInvalid, "has no absolute path");
    const std::size_t colon = texts[1].find(':');
    if (colon == std::string::npos || !ReadNumber(texts[1].substr(0, colon), pin.id.device) ||
        !ReadNumber(texts[1].substr(colon + 1), pin.id.inode)) {
      return wrong(Code::kInvalid, "has an inode that is not DEVICE:INODE");
    }
    CORDON_ASSIGN(pin.digest, Placed(entry.value, Digest::Parse(texts[2])));
    return pin;
  }

  static bool ReadNumber(std::string_view text, std::uint64_t& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size();
  }

  Status ReadGranted(GrantSet& set) {
    CORDON_ASSIGN(const auto items, List("granted"));
    for (const Node& item : *items) {
      CORDON_ASSIGN(const std::string text, Text(item, "a grant"));
      CORDON_ASSIGN(Grant grant, Placed(item, Grant::Parse(text, level_)));
      if (grant.lifetime == Lifetime::kSession) {
        return Fail(document_.ErrorAt(item, Code::kUnenforceable, "a file outlives a session",
                                      "leave '; session' out, or grant it with a flag of the run"));
      }
      set.granted.push_back(std::move(grant));
    }
    return {};
  }

  Status ReadDenied(GrantSet& set) {
    CORDON_ASSIGN(const auto items, List("deny"));
    for (const Node& item : *items) {
      CORDON_ASSIGN(const std::string word, Text(item, "an entry of deny"));
      const auto kind = KindNamed(word);
      if (!kind || !OnByDefault(*kind)) {
        return Fail(document_.ErrorAt(item, Code::kInvalid, "'" + Excerpt(word) + "' is not on by default",
                                      "write clock, random, stdio or log; anything else is off until it is granted"));
      }
      set.denied.push_back(*kind);
    }
    return {};
  }

  const Document& document_;
  const Node& node_;
  Level level_;
};

// A YAML double-quoted scalar.
std::string Quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : Escape(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

void AppendSet(std::string& out, const GrantSet& set) {
  out += "  - plugin: " + Quote(set.plugin) + "\n";
  out += "    artifact: " + Quote(set.artifact.ToString()) + "\n";
  if (!set.manifest.IsZero()) out += "    manifest: " + Quote(set.manifest.ToString()) + "\n";
  if (!set.publisher.empty()) out += "    publisher: " + Quote(set.publisher) + "\n";
  if (!set.roots.empty()) out += "    roots:\n";
  for (const auto& [name, path] : set.roots) out += "      " + Quote(name) + ": " + Quote(path.string()) + "\n";
  if (!set.programs.empty()) out += "    programs:\n";
  for (const auto& [name, pin] : set.programs) {
    out += "      " + Quote(name) + ": { path: " + Quote(pin.path.string()) +
           ", inode: " + Quote(std::to_string(pin.id.device) + ":" + std::to_string(pin.id.inode)) +
           ", digest: " + Quote(pin.digest.ToString()) + " }\n";
  }
  out += set.granted.empty() ? "    granted: []\n" : "    granted:\n";
  for (const Grant& grant : set.granted) out += "      - " + Quote(grant.ToString()) + "\n";
  if (!set.denied.empty()) out += "    deny:\n";
  for (const Kind kind : set.denied) out += "      - " + Quote(KindName(kind)) + "\n";
  if (!set.by.empty()) out += "    by: " + Quote(set.by) + "\n";
  if (!set.at.empty()) out += "    at: " + Quote(set.at) + "\n";
}

bool ByPlugin(const GrantSet& a, const GrantSet& b) { return a.plugin < b.plugin; }

}  // namespace

Result<GrantBook> GrantBook::Parse(std::string_view text, std::string file, Level level) {
  yaml::Limits limits;
  limits.bytes = kGrantsBytesMax;
  limits.nodes = 64 << 10;
  CORDON_ASSIGN(const Document document, yaml::Parse(text, std::move(file), limits));
  GrantBook book;
  const Node& root = document.root;
  if (root.kind == Node::Kind::kNull) return book;
  const Node* many = root.Find("grants");
  if (many == nullptr) {
    CORDON_ASSIGN(GrantSet set, SetReader(document, root, level).Read());
    book.sets_.push_back(std::move(set));
    return book;
  }
  if (root.entries.size() != 1) {
    return Fail(document.ErrorAt(root, Code::kInvalid, "'grants' stands beside other keys",
                                 "keep one plugin at the root, or all of them under 'grants'"));
  }
  if (many->kind == Node::Kind::kNull) return book;
  if (many->kind != Node::Kind::kSequence) {
    return Fail(document.ErrorAt(*many, Code::kType, "'grants' is not a list of plugins"));
  }
  if (many->items.size() > kPluginsMax) return Fail(document.ErrorAt(*many, Code::kLimit, "more than 1024 plugins"));
  for (const Node& item : many->items) {
    CORDON_ASSIGN(GrantSet set, SetReader(document, item, level).Read());
    for (const GrantSet& other : book.sets_) {
      if (other.plugin == set.plugin) {
        return Fail(
            document.ErrorAt(item, Code::kDuplicateKey, set.plugin + " is granted twice", "merge both into one"));
      }
    }
    book.sets_.push_back(std::move(set));
  }
  std::sort(book.sets_.begin(), book.sets_.end(), ByPlugin);
  return book;
}

Result<std::optional<GrantSet>> GrantBook::Find(const Subject& subject) const {
  for (const GrantSet& set : sets_) {
    if (set.plugin != subject.plugin) continue;
    if (set.artifact == subject.artifact && set.manifest == subject.manifest) return set;
    return Fail(ChangedError(set, subject));
  }
  return std::nullopt;
}

void GrantBook::Put(GrantSet set) {
  std::erase_if(sets_, [&](const GrantSet& other) { return other.plugin == set.plugin; });
  std::erase_if(set.granted, [](const Grant& grant) { return grant.lifetime == Lifetime::kSession; });
  sets_.insert(std::upper_bound(sets_.begin(), sets_.end(), set, ByPlugin), std::move(set));
}

Status GrantBook::Remove(std::string_view plugin) {
  if (std::erase_if(sets_, [&](const GrantSet& set) { return set.plugin == plugin; }) > 0) return {};
  return Fail(Code::kNotFound, "nothing is granted to '" + Excerpt(plugin) + "'");
}

std::string GrantBook::ToYaml() const {
  if (sets_.empty()) return "grants: []\n";
  std::string out = "grants:\n";
  for (const GrantSet& set : sets_) AppendSet(out, set);
  return out;
}

}  // namespace cordon::policy
