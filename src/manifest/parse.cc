#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"
#include "formats/schema.h"
#include "formats/semver.h"
#include "manifest/config_quota.h"
#include "manifest/fields.h"
#include "manifest/keys.h"
#include "manifest/manifest.h"
#include "manifest/name.h"
#include "manifest/permissions.h"
#include "manifest/refs.h"
#include "manifest/settings_schema.h"
#include "policy/capability_grammar.h"

namespace cordon::manifest {
namespace {

using yaml::Node;

constexpr std::int64_t kFormat = 1;
constexpr std::size_t kAuthorsMax = 64;
constexpr std::size_t kExportMax = 512;

// A name that is far too long is an error of the name (E_NAME), so the reader takes longer scalars than a text may
// have.
constexpr yaml::Limits kYamlLimits{.scalar = 16 << 10};

// As Abi.
constexpr std::array<std::string_view, 6> kAbis = {"component", "core", "extism", "command", "fledge", "native"};
constexpr std::array<std::string_view, 3> kInstances = {"per-call", "pooled", "resident"};  // as InstancePolicy
constexpr std::array<std::string_view, 4> kRisks = {"low", "medium", "high", "critical"};   // as policy::RiskLevel
constexpr std::array<std::string_view, 2> kLinks = {"strict", "lenient"};                   // as policy::LinkMode

std::string Quoted(std::string_view text) { return "'" + EscapeShort(text, 80) + "'"; }

// A WIT name of a world: `namespace:package/world`, and a version.
bool IsWorld(std::string_view text) {
  const std::size_t at = text.find('@');
  if (at != text.npos && !semver::ParseVersion(text.substr(at + 1))) return false;
  const std::string_view name = text.substr(0, at);
  const std::size_t colon = name.find(':');
  const std::size_t slash = name.find('/', colon == name.npos ? 0 : colon);
  if (colon == name.npos || slash == name.npos) return false;
  const auto is_label = [](std::string_view label) {
    return !label.empty() && label.size() <= 64 && label.front() != '-' && std::ranges::all_of(label, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    });
  };
  return is_label(name.substr(0, colon)) && is_label(name.substr(colon + 1, slash - colon - 1)) &&
         is_label(name.substr(slash + 1));
}

class Parser {
 public:
  Parser(const yaml::Document& document, const RefResolver& resolver)
      : document_(document), findings_(document), resolver_(resolver) {}

  Result<Manifest> Run() {
    CORDON_TRY(CheckFormat());
    const Fields root(findings_, &document_.root, "", KeysAt(ManifestKeys(), ""));
    out_.file = document_.file;
    out_.canonical = yaml::ToJson(document_.root);
    Identity(root);
    Requires(root);
    Runtime(root);
    Actions(root);
    Permissions permissions = ReadPermissions(findings_, root.Get("permissions"));
    out_.permissions = std::move(permissions.requests);
    out_.withdrawn = std::move(permissions.withdrawn);
    Limits(root);
    Provides(root);
    root.RefuseLater("dependencies", Fields::Empty::kMeansNothing, "remove it: plugins cannot depend on others yet");
    Lifecycle(root);
    Settings(root);
    if (SpeaksFledge(out_.runtime.abi)) out_.link = policy::LinkMode::kStrict;
    if (const Node* link = root.Get("link")) {
      const auto word = ReadWord(findings_, *link, "link", kLinks);
      if (word) out_.link = static_cast<policy::LinkMode>(*word);
    }
    if (!findings_.empty()) return Fail(std::move(findings_).Take());
    return std::move(out_);
  }

 private:
  // Before all else: a file of another format would yield a page of errors that help nobody.
  Status CheckFormat() const {
    const Node& root = document_.root;
    if (root.kind != Node::Kind::kMapping && root.kind != Node::Kind::kNull) {
      return Fail(document_.ErrorAt(root, Code::kType,
                                    "a manifest must be a mapping, not " + std::string(KindName(root)),
                                    "start with 'manifest: 1'"));
    }
    const Node* format = root.Find("manifest");
    if (format == nullptr) {
      return Fail(document_.ErrorAt(root, Code::kMissing, "'manifest' is missing, so this is no manifest of cordon",
                                    "write 'manifest: 1' as the first line, or turn a manifest of another program into "
                                    "one with: cordon plugin import"));
    }
    if (format->kind != Node::Kind::kInteger) {
      return Fail(document_.ErrorAt(*format, Code::kType,
                                    "'manifest' must be the plain number 1, not " + std::string(KindName(*format)),
                                    "write manifest: 1"));
    }
    if (format->integer != kFormat) {
      return Fail(document_.ErrorAt(*format, Code::kRange, "this build reads manifest: 1, not " + Quoted(format->text),
                                    "write manifest: 1, or use a newer cordon"));
    }
    return {};
  }

  void Identity(const Fields& root) {
    if (const Node* name = root.Require("name", "add a name, such as: name: acme/linkcheck")) {
      // Not ReadText: a text that is far too long is no name, rather than a text that is too long.
      if (name->kind == Node::Kind::kString) {
        Keep(*name, ParsePluginName(name->text), out_.name);
        out_.canonical["name"] = out_.name;
      } else {
        ReadText(findings_, *name, "name");
      }
    }
    if (const Node* version = root.Require("version", "add a version, such as: version: 1.0.0")) {
      if (version->kind == Node::Kind::kReal || version->kind == Node::Kind::kInteger) {
        findings_.At(*version, Code::kType,
                     "'version' must be a text, not a number (" + EscapeShort(version->text, 80) + ")",
                     "write three numbers, in quotes: version: \"1.10.0\"");
      } else if (const auto text = ReadText(findings_, *version, "version")) {
        Keep(*version, semver::ParseVersion(*text), out_.version);
      }
    }
    out_.description = root.Text("description").value_or("");
    out_.license = root.Text("license").value_or("");
    const Node* authors = root.Get("authors");
    if (authors == nullptr || IsNothing(*authors)) return;
    if (authors->kind != Node::Kind::kSequence) {
      findings_.At(*authors, Code::kType, "'authors' must be a list, not " + std::string(KindName(*authors)),
                   "write authors: [Name <address>]");
    } else if (authors->items.size() > kAuthorsMax) {
      findings_.At(*authors, Code::kLimit, "'authors' has more than " + std::to_string(kAuthorsMax) + " items");
    } else {
      for (const Node& author : authors->items) {
        if (auto text = ReadText(findings_, author, "authors")) out_.authors.push_back(std::move(*text));
      }
    }
  }

  void Requires(const Fields& root) {
    const Fields fields(findings_, root.Get("requires"), "requires", KeysAt(ManifestKeys(), "requires"));
    const Node* cordon = fields.Get("cordon");
    if (cordon == nullptr) return;
    const auto range = ReadText(findings_, *cordon, "requires.cordon");
    if (!range) return;
    bool fits = true;
    Keep(*cordon, semver::Matches(kCordonVersion, *range), fits);
    if (!fits) {
      findings_.At(*cordon, Code::kUnenforceable,
                   "this plugin needs cordon " + Quoted(*range) + ", and this is " + std::string(kCordonVersion),
                   "use a cordon of that range, or a version of the plugin that takes this one");
    }
    out_.requires_cordon = *range;
  }

  void Runtime(const Fields& root) {
    const Node* section = root.Require("runtime", "add 'runtime:' with 'abi' and 'artifact'");
    if (section == nullptr) return;
    const Fields fields(findings_, section, "runtime", KeysAt(ManifestKeys(), "runtime"));
    if (const Node* abi = fields.Require("abi", "add abi: component, core, command, extism, fledge or native")) {
      const auto word = ReadWord(findings_, *abi, "runtime.abi", kAbis);
      if (word) out_.runtime.abi = static_cast<Abi>(*word);
    }
    if (const Node* artifact =
            fields.Require("artifact", "add the path of the .wasm file, such as: artifact: dist/plugin.wasm")) {
      const auto text = ReadText(findings_, *artifact, "runtime.artifact");
      if (text) Keep(*artifact, ParseFolderPath(*text), out_.runtime.artifact);
    }
    if (const Node* digest = fields.Get("digest")) {
      const auto text = ReadText(findings_, *digest, "runtime.digest");
      if (text) Keep(*digest, Digest::Parse(*text), out_.runtime.digest);
    }
    if (out_.canonical.contains("runtime") && out_.canonical["runtime"].is_object())
      out_.canonical["runtime"].erase("digest");
    World(fields);
    Modules(fields);
    if (const Node* instance = fields.Get("instance")) {
      const auto word = ReadWord(findings_, *instance, "runtime.instance", kInstances);
      if (word) out_.runtime.instance = static_cast<InstancePolicy>(*word);
      if (out_.runtime.instance != InstancePolicy::kPerCall && IsProgram(out_.runtime.abi)) {
        findings_.At(*instance, Code::kInvalid,
                     "'runtime.instance' is for plugins whose functions are called, and a program ends with its call",
                     "write instance: per-call, or leave the key out");
      }
    }
  }

  // The grants of a plugin are for these bytes too, so the manifest, which they are bound to, says which bytes.
  void Modules(const Fields& fields) {
    const Node* section = fields.Get("modules");
    const auto items = ItemsOf(findings_, section, "runtime.modules", kModulesMax);
    if (!items.empty() && out_.runtime.abi != Abi::kExtism) {
      findings_.At(*section, Code::kInvalid, "'runtime.modules' is for plugins for Extism only",
                   "remove it, or write abi: extism");
    }
    for (const Node& item : items) {
      const Fields module(findings_, &item, "runtime.modules[]", KeysAt(ManifestKeys(), "runtime.modules[]"));
      Library library;
      if (const Node* name = module.Require("name", "name it as the plugin imports it")) {
        library.name = ReadText(findings_, *name, "runtime.modules.name").value_or("");
        const bool taken =
            std::ranges::find(out_.runtime.modules, library.name, &Library::name) != out_.runtime.modules.end();
        if (taken || library.name.empty() || library.name.size() > kExportMax || library.name == "extism:host/env" ||
            library.name.starts_with("wasi")) {
          findings_.At(*name, Code::kName, Quoted(library.name) + " is not a name that a module can have here",
                       "give each a name of its own, which is not the host's");
        }
      }
      if (const Node* artifact = module.Require("artifact", "add the path of the .wasm file")) {
        const auto text = ReadText(findings_, *artifact, "runtime.modules.artifact");
        if (text) Keep(*artifact, ParseFolderPath(*text), library.artifact);
      }
      if (const Node* digest = module.Require("digest", "add digest: sha256:… of the file")) {
        const auto text = ReadText(findings_, *digest, "runtime.modules.digest");
        if (text) Keep(*digest, Digest::Parse(*text), library.digest);
      }
      out_.runtime.modules.push_back(std::move(library));
    }
  }

  void World(const Fields& fields) {
    const Node* world = fields.Get("world");
    if (world == nullptr) return;
    const auto text = ReadText(findings_, *world, "runtime.world");
    if (!text) return;
    if (!IsWorld(*text)) {
      findings_.At(*world, Code::kName, Quoted(*text) + " is not the name of a world",
                   "write it as in WIT, such as acme:linkcheck/plugin");
    } else if (out_.runtime.abi != Abi::kComponent) {
      findings_.At(*world, Code::kInvalid, "'runtime.world' is for components only",
                   "remove it, or write abi: component");
    }
    out_.runtime.world = *text;
  }

  void Actions(const Fields& root) {
    const Node* section = root.Get("actions");
    if (section == nullptr || IsNothing(*section)) return;
    if (section->kind != Node::Kind::kMapping) {
      findings_.At(*section, Code::kType, "'actions' must be a mapping, not " + std::string(KindName(*section)),
                   "write one key per action: its name");
      return;
    }
    if (section->entries.size() > kActionsMax) {
      findings_.At(*section, Code::kLimit, "more than " + std::to_string(kActionsMax) + " actions");
      return;
    }
    for (const Node::Entry& entry : section->entries) {
      Result<std::string> name = ParseActionName(entry.key);
      if (!name) {
        findings_.Add(std::move(name).error().At(document_.PlaceAt(entry.line, entry.column)));
        continue;
      }
      out_.actions[*name] = ReadAction(*name, entry.value);
    }
  }

  Action ReadAction(const std::string& name, const Node& node) {
    const std::string path = "actions." + name;
    const Fields fields(findings_, &node, path, KeysAt(ManifestKeys(), "actions.*"));
    Action action;
    action.description = fields.Text("description").value_or("");
    action.export_name = name;
    if (const Node* exported = fields.Get("export")) {
      action.export_name = ReadText(findings_, *exported, path + ".export").value_or(name);
      const bool plain = std::ranges::all_of(action.export_name, [](char c) { return c > ' ' && c < 0x7f; });
      if (action.export_name.empty() || action.export_name.size() > kExportMax || !plain) {
        findings_.At(*exported, Code::kName, Quoted(action.export_name) + " is not the name of an export",
                     "write the function's name, or interface#function, as cordon inspect shows it");
      }
    }
    ReadCommand(fields, path, action);
    action.input = ReadSchema(fields, "input");
    action.output = ReadSchema(fields, "output");
    if (const Node* timeout = fields.Get("timeout"))
      action.timeout = ReadDuration(findings_, *timeout, path + ".timeout");
    if (const Node* again = fields.Get("idempotent")) {
      action.idempotent = ReadBool(findings_, *again, path + ".idempotent").value_or(false);
    }
    if (const Node* risk = fields.Get("risk")) {
      const auto word = ReadWord(findings_, *risk, path + ".risk", kRisks);
      if (word) action.risk = static_cast<policy::RiskLevel>(*word);
    }
    // The digest covers what the references name.
    Json& canonical = out_.canonical["actions"][name];
    if (!canonical.is_object()) return action;
    if (action.input) canonical["input"] = *action.input;
    if (action.output) canonical["output"] = *action.output;
    return action;
  }

  // An action is of an export, or of the whole command.
  void ReadCommand(const Fields& fields, const std::string& path, Action& action) {
    const bool is_command = IsProgram(out_.runtime.abi);
    const Node* command = fields.Get("command");
    const Node* exported = fields.Get("export");
    if (command != nullptr && !is_command) {
      findings_.At(*command, Code::kInvalid, "'" + path + ".command' is for programs: abi: command, fledge and native",
                   "name the function with 'export', or write abi: command");
    } else if (exported != nullptr && is_command) {
      findings_.At(*exported, Code::kInvalid,
                   "'" + path + ".export' has no meaning with abi: " + std::string(AbiName(out_.runtime.abi)),
                   "write 'command' with its args, stdin and output");
    } else if (command != nullptr) {
      action.command = ReadCommandShape(findings_, *command, path + ".command").value_or(CommandShape{});
    } else if (SpeaksFledge(out_.runtime.abi)) {
      action.command = CommandShape::OfArguments();
    }
  }

  void Settings(const Fields& root) {
    const Node* node = root.Get("config");
    if (node == nullptr || IsNothing(*node)) return;
    if (node->kind != Node::Kind::kMapping) {
      findings_.At(*node, Code::kType, "'config' must be a JSON Schema, not " + std::string(KindName(*node)),
                   "write a schema of an object, or { $ref: ./schemas/config.json }");
      return;
    }
    out_.config = ReadSchema(root, "config");
    if (!out_.config) return;
    if (Status fit = CheckSettingsSchema(*out_.config); !fit) findings_.AddAt(*node, std::move(fit).error());
    out_.canonical["config"] = *out_.config;
  }

  std::optional<Json> ReadSchema(const Fields& fields, std::string_view key) {
    const Node* node = fields.Get(key);
    if (node == nullptr) return std::nullopt;
    const std::string name = fields.NameOf(key);
    if (node->kind != Node::Kind::kMapping && node->kind != Node::Kind::kBool) {
      findings_.At(*node, Code::kType, "'" + name + "' must be a JSON Schema, not " + std::string(KindName(*node)),
                   "write a schema, or { $ref: ./schemas/FILE.json }");
      return std::nullopt;
    }
    Result<Json> schema = InlineRefs(yaml::ToJson(*node), resolver_, budget_);
    if (schema) {
      if (Result<Schema> compiled = Schema::Compile(*schema); !compiled) schema = Fail(std::move(compiled).error());
    }
    if (schema) return std::move(*schema);
    Error error = std::move(schema).error();
    error.message = "'" + name + "': " + error.message;
    findings_.AddAt(*node, std::move(error));
    return std::nullopt;
  }

  void Limits(const Fields& root) {
    const Fields fields(findings_, root.Get("limits"), "limits", KeysAt(ManifestKeys(), "limits"));
    LimitRequests& limits = out_.limits;
    if (const Node* memory = fields.Get("memory")) limits.memory = ReadBytes(findings_, *memory, "limits.memory");
    if (const Node* timeout = fields.Get("timeout"))
      limits.timeout = ReadDuration(findings_, *timeout, "limits.timeout");
    if (const Node* cpu = fields.Get("cpu")) limits.cpu = ReadDuration(findings_, *cpu, "limits.cpu");
    if (const Node* fuel = fields.Get("fuel")) limits.fuel = ReadCount(findings_, *fuel, "limits.fuel", {1, INT64_MAX});
    if (const Node* vars = fields.Get("vars")) limits.vars = ReadBytes(findings_, *vars, "limits.vars");
    if (const Node* answer = fields.Get("http-response")) {
      limits.http_response = ReadBytes(findings_, *answer, "limits.http-response");
    }
    if ((limits.vars || limits.http_response) && out_.runtime.abi != Abi::kExtism) {
      findings_.At(*root.Get("limits"), Code::kUnenforceable,
                   "'limits.vars' and 'limits.http-response' are for plugins for Extism only", "remove them");
    }
    if (const Node* calls = fields.Get("concurrency")) {
      const auto count = ReadCount(findings_, *calls, "limits.concurrency", {1, 1'000'000});
      if (count) limits.quota.concurrency = static_cast<std::uint32_t>(*count);
    }
    ReadIo(findings_, fields.Get("io"), "limits.io", limits.quota);
  }

  // After `provides`. What stays from call to call is asked for as every right is.
  void Lifecycle(const Fields& root) {
    const Node* section = root.Get("lifecycle");
    const Fields fields(findings_, section, "lifecycle", KeysAt(ManifestKeys(), "lifecycle"));
    const InstancePolicy instance = out_.runtime.instance;
    if (instance != InstancePolicy::kPerCall) {
      const std::string name(InstancePolicyName(instance));
      out_.permissions.push_back({*policy::MakeInstance(name), policy::Need::kRequired, ""});
    }
    if (section == nullptr || IsNothing(*section)) return;
    if (instance != InstancePolicy::kResident) {
      findings_.At(*section, Code::kInvalid,
                   "'lifecycle' is for residents, and the instances of this plugin are " +
                       std::string(InstancePolicyName(instance)),
                   "remove it, or write runtime: { instance: resident }");
      return;
    }
    out_.lifecycle = ReadLifecycle(findings_, fields);
    const Node* failure = fields.Get("on-failure");
    if (out_.lifecycle.on_failure == Degradation::kOpen && out_.provides.hooks.empty()) {
      findings_.At(*failure, Code::kInvalid, "'lifecycle.on-failure: open' is for hooks, and 'provides.hooks' has none",
                   "list the hooks that may be left out, or write closed or last-good");
    }
    if (out_.runtime.abi == Abi::kComponent) return;
    for (const char* key : {"liveness", "state"}) {
      const Node* node = fields.Get(key);
      if (node == nullptr || IsNothing(*node)) continue;
      findings_.At(*node, Code::kInvalid,
                   "'lifecycle." + std::string(key) + "' is for components, which export cordon:lifecycle",
                   "remove it; a plugin of another kind keeps its state in a bucket");
    }
  }

  void Provides(const Fields& root) {
    const Fields fields(findings_, root.Get("provides"), "provides", KeysAt(ManifestKeys(), "provides"));
    Commands(fields);
    Registered(fields, "tools", out_.provides.tools);
    Registered(fields, "actions", out_.provides.actions);
    Registered(fields, "services", out_.provides.services);
    Registered(fields, "hooks", out_.provides.hooks);
    if (const Node* memory = fields.Get("memory"); memory != nullptr && !IsNothing(*memory)) {
      if (ReadBool(findings_, *memory, "provides.memory").value_or(false)) {
        out_.provides.memory = manifest::Provides::Memory::kYes;
      }
    }
    for (const Node& item : ItemsOf(findings_, fields.Get("channels"), "provides.channels", kChannelsMax)) {
      const auto name = ReadText(findings_, item, "provides.channels");
      if (!name) continue;
      if (const auto channel = policy::MakeMessaging("send", *name); !channel) {
        findings_.AddAt(item, channel.error());
        continue;
      }
      out_.provides.channels.push_back(*name);
    }
  }

  // `deploy.preview: preview`: each path by itself, so `deploy` is a command only when it is declared.
  void Commands(const Fields& fields) {
    const Node* node = fields.Get("commands");
    if (node == nullptr || IsNothing(*node)) return;
    if (node->kind != Node::Kind::kMapping) {
      findings_.At(*node, Code::kType, "'provides.commands' is not a mapping of paths to actions",
                   "write commands: { deploy.preview: preview }");
      return;
    }
    if (node->entries.size() > kActionsMax) {
      findings_.At(*node, Code::kLimit, "'provides.commands' has more than " + std::to_string(kActionsMax) + " paths",
                   "register fewer");
      return;
    }
    for (const Node::Entry& entry : node->entries) {
      const auto action = ReadText(findings_, entry.value, "provides.commands");
      if (!IsCommandPath(entry.key)) {
        findings_.At(entry.value, Code::kName, "'" + EscapeShort(entry.key, 80) + "' is not the path of a command",
                     "write up to 8 names of a-z, 0-9 and - with dots between them");
      } else if (action && IsAction(entry.value, "provides.commands", *action)) {
        out_.provides.commands.emplace(entry.key, *action);
      }
    }
  }

  static bool IsCommandPath(std::string_view path) {
    for (int names = 0; names < 8; ++names) {
      const std::size_t dot = path.find('.');
      if (!policy::IsSlug(path.substr(0, dot), "-")) return false;
      if (dot == std::string_view::npos) return true;
      path.remove_prefix(dot + 1);
    }
    return false;
  }

  bool IsAction(const Node& item, const std::string& path, const std::string& name) {
    if (out_.actions.contains(name)) return true;
    std::vector<std::string_view> actions;
    for (const auto& [action, _] : out_.actions) actions.push_back(action);
    const std::string_view near = Nearest(name, actions);
    findings_.At(item, Code::kInvalid, "'" + path + "' names '" + EscapeShort(name, 80) + "', which is no action",
                 near.empty() ? "declare it under actions" : "did you mean '" + std::string(near) + "'?");
    return false;
  }

  // Names of the plugin's own actions, each once.
  void Registered(const Fields& fields, std::string_view key, std::vector<std::string>& out) {
    const std::string path = fields.NameOf(key);
    for (const Node& item : ItemsOf(findings_, fields.Get(key), path, kActionsMax)) {
      const auto name = ReadText(findings_, item, path);
      if (!name) continue;
      if (!IsAction(item, path, *name)) continue;
      if (std::ranges::find(out, *name) != out.end()) {
        findings_.At(item, Code::kInvalid, "'" + path + "' names '" + *name + "' twice", "name each once");
      } else {
        out.push_back(*name);
      }
    }
  }

  template <typename T, typename Slot>
  void Keep(const Node& node, Result<T> value, Slot& slot) {
    if (value) {
      slot = std::move(*value);
    } else {
      findings_.AddAt(node, std::move(value).error());
    }
  }

  const yaml::Document& document_;
  Findings findings_;
  const RefResolver& resolver_;
  RefBudget budget_;
  Manifest out_;
};

}  // namespace

Result<Manifest> ParseManifest(std::string_view text, std::string file, const RefResolver& resolver) {
  CORDON_ASSIGN(yaml::Document document, yaml::Parse(text, std::move(file), kYamlLimits));
  return Parser(document, resolver).Run();
}

}  // namespace cordon::manifest
