#include "base/text.h"
#include "cli/command.h"
#include "cli/describe.h"
#include "cli/grant_records.h"
#include "cli/load_flags.h"
#include "cli/report.h"

namespace cordon::cli {
namespace {

constexpr std::size_t kSchemaBytesShown = 400;

constexpr Positional kWords[] = {kPluginWord};
constexpr Option kOptions[] = {kGrantOption, kGrantsOption, kMountOption, kEnvironmentOption,
                               kRootOption,  kLevelOption,  kPolicyOption};

OrderedJson ItemsJson(const wit::Contract& contract, const std::vector<wit::Item>& items) {
  OrderedJson list = OrderedJson::array();
  for (const wit::Item& item : items) {
    OrderedJson one = {{"name", Escape(item.name)}, {"type", Escape(item.type_text)}};
    if (!item.docs.empty()) one["docs"] = Escape(item.docs, Lines::kKeep);
    if (!item.functions.empty()) {
      one["functions"] = OrderedJson::array();
      for (const wit::Function& function : item.functions) {
        one["functions"].push_back({{"name", Escape(function.name)},
                                    {"wit", Escape(wit::FunctionText(contract, function))},
                                    {"docs", Escape(function.docs, Lines::kKeep)}});
      }
    }
    list.push_back(std::move(one));
  }
  return list;
}

OrderedJson ProvidesJson(const manifest::Provides& registered) {
  return {{"tools", registered.tools},
          {"actions", registered.actions},
          {"services", registered.services},
          {"hooks", registered.hooks},
          {"commands", registered.commands}};
}

OrderedJson ActionsJson(const std::vector<runtime::ActionView>& actions) {
  OrderedJson list = OrderedJson::array();
  for (const runtime::ActionView& action : actions) {
    list.push_back({{"name", Escape(action.name)},
                    {"description", Escape(action.description, Lines::kKeep)},
                    {"export", Escape(action.export_name)},
                    {"wit", Escape(action.wit)},
                    {"risk", policy::RiskName(action.risk)},
                    {"input_schema", OrderedJson(action.input_schema)},
                    {"output_schema", OrderedJson(action.output_schema)}});
  }
  return list;
}

std::string AbiText(const runtime::Plugin& plugin) {
  const bool is_bare = plugin.manifest() == nullptr && plugin.abi() != manifest::Abi::kFledge;
  if (is_bare && plugin.is_command()) return "command";
  return std::string(manifest::AbiName(plugin.abi()));
}

OrderedJson Document(const runtime::Plugin& plugin, std::uint64_t size_bytes) {
  const manifest::Manifest* manifest = plugin.manifest();
  OrderedJson json = {{"plugin", Escape(plugin.name())}};
  if (manifest != nullptr) {
    json["version"] = Escape(manifest->version);
    json["description"] = Escape(manifest->description, Lines::kKeep);
    json["license"] = Escape(manifest->license);
    json["manifest_digest"] = manifest::CanonicalDigest(*manifest).ToString();
  }
  json["digest"] = plugin.digest().ToString();
  json["size_bytes"] = size_bytes;
  json["abi"] = AbiText(plugin);
  json["risk"] = policy::RiskName(plugin.risk());
  json["runnable"] = plugin.Runnable().has_value();
  json["placement"] = PlacementJson(plugin);
  json["wit"] = Escape(wit::ContractText(plugin.contract()), Lines::kKeep);
  json["imports"] = ItemsJson(plugin.contract(), plugin.contract().imports);
  json["exports"] = ItemsJson(plugin.contract(), plugin.contract().exports);
  json["actions"] = ActionsJson(plugin.Actions());
  if (plugin.manifest() != nullptr) json["provides"] = ProvidesJson(plugin.manifest()->provides);
  if (!plugin.programs().empty()) json["programs"] = ProgramsJson(plugin.programs());
  json["permissions"] = PermissionsJson(plugin.authority());
  json["needs"] = ImportsJson(plugin.link_plan());
  json["limits"] = LimitsJson(plugin.limits());
  json["narrowed"] = OrderedJson::array();
  for (const std::string& sentence : plugin.limits().narrowed) json["narrowed"].push_back(Escape(sentence));
  if (Status why = plugin.Runnable(); !why) json["why_not"] = ErrorJson(why.error());
  return json;
}

std::string ProvidesText(const manifest::Provides& registered) {
  std::string out;
  const auto line = [&](std::string_view what, const std::vector<std::string>& names) {
    std::string list;
    for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
    if (!list.empty()) out += "  " + Padded(what, 14) + Escape(list) + "\n";
  };
  line("tools", registered.tools);
  line("actions", registered.actions);
  line("services", registered.services);
  line("hooks", registered.hooks);
  std::vector<std::string> commands;
  for (const auto& [path, action] : registered.commands) {
    commands.push_back(path == action ? path : path + " (" + action + ")");
  }
  line("commands", commands);
  return out;
}

// A schema on one line; long ones are whole with --json.
std::string SchemaText(const Json& schema) {
  const std::string text = SafeJson(OrderedJson(schema));
  return text.size() <= kSchemaBytesShown ? text : EscapeShort(text, kSchemaBytesShown) + ", see --json";
}

std::string ActionsText(const runtime::Plugin& plugin, const Terminal& terminal) {
  std::string out;
  for (const runtime::ActionView& action : plugin.Actions()) {
    out += "  " + terminal.Paint(Style::kStrong, Escape(action.name));
    if (!action.description.empty()) out += "  " + EscapeShort(action.description, 400);
    out += "\n    export " + Escape(action.export_name) + ": " + EscapeShort(action.wit, 1000) + "\n";
    out += "    input  " + SchemaText(action.input_schema) + "\n";
    out += "    output " + SchemaText(action.output_schema) + "\n";
  }
  return out;
}

// What the imports need beyond what is there for everybody: the kinds, and what would link them.
std::string NeedsText(const runtime::Plugin& plugin, const Terminal& terminal) {
  abi::LinkPlan open;
  for (const abi::ImportDecision& decision : plugin.link_plan().decisions) {
    const bool met = decision.capability.empty() || decision.rule == "default-on";
    const bool linked = decision.state == abi::LinkState::kLinked || decision.state == abi::LinkState::kLinkedEmpty;
    if (!met || !linked) open.decisions.push_back(decision);
  }
  return ImportsText(open, terminal);
}

std::string Text(const runtime::Plugin& plugin, std::uint64_t size_bytes, const Terminal& terminal) {
  const auto heading = [&](std::string_view text) { return "\n" + terminal.Paint(Style::kStrong, text) + "\n"; };
  const manifest::Manifest* manifest = plugin.manifest();
  std::string out = terminal.Paint(Style::kStrong, Escape(plugin.name()));
  if (manifest != nullptr) out += " " + Escape(manifest->version);
  if (manifest != nullptr && !manifest->description.empty()) out += ": " + EscapeShort(manifest->description, 400);
  out += "\n  digest        " + plugin.digest().ToString() + "\n";
  out += "  size          " + std::to_string(size_bytes) + " bytes\n";
  out += "  abi           " + AbiText(plugin) + "\n";
  out += "  risk          " + std::string(policy::RiskName(plugin.risk())) + ", as granted\n";
  const Status runnable = plugin.Runnable();
  out +=
      runnable ? "  runs          yes\n" : "  runs          no: " + EscapeShort(runnable.error().message, 400) + "\n";
  out += "  placement     " + PlacementText(plugin) + "\n";
  out += heading("imports and exports");
  out += Escape(wit::ContractText(plugin.contract()), Lines::kKeep);
  if (!out.ends_with('\n')) out += '\n';
  out += heading("actions") + ActionsText(plugin, terminal);
  if (manifest != nullptr) {
    if (const std::string provides = ProvidesText(manifest->provides); !provides.empty()) {
      out += heading("provides") + provides;
    }
  }
  out += heading("authority that it asks for") + PermissionsText(plugin.authority(), terminal);
  for (const auto& [name, pin] : plugin.programs()) out += ProgramText(name, pin);
  if (const std::string needs = NeedsText(plugin, terminal); !needs.empty()) {
    out += heading("imports that need authority") + needs;
  }
  return out + heading("limits, and who decided them") + LimitsText(plugin.limits());
}

Result<int> Inspect(Session& session) {
  session.CatchSignals();
  CORDON_ASSIGN(runtime::LoadRequest request, ReadLoadFlags(session));
  Parts parts;
  CORDON_ASSIGN(const auto plugin, Look(session, request, parts));
  const auto* manifest = plugin->manifest();
  std::error_code error;
  const std::uintmax_t size =
      std::filesystem::file_size(manifest != nullptr ? manifest->ArtifactPath() : request.source, error);
  const std::uint64_t size_bytes = error ? 0 : size;
  if (session.json()) {
    session.PrintDocument(Document(*plugin, size_bytes));
  } else {
    session.Print(Text(*plugin, size_bytes, session.terminal().ForResults()));
  }
  return 0;
}

}  // namespace

Command InspectCommand() {
  return {{.command = "inspect",
           .summary = "show imports, exports, actions, the authority that is needed, limits, risk",
           .positionals = kWords,
           .options = kOptions,
           .settings = Syntax::Settings::kTaken},
          Inspect};
}

}  // namespace cordon::cli
