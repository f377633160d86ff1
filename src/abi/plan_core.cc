// Over the imports of core modules: WASI preview 1, Extism, zeroclaw, fledge and functions of the embedding program.
#include <algorithm>

#include "abi/fledge.h"
#include "abi/link_report.h"
#include "abi/planner.h"

namespace cordon::abi {

using policy::Kind;
using wit::Item;

void Planner::DecidePreview1(const Preview1Function& function) {
  const std::string_view name = function.name;
  if (decision_.type != function.type) {
    return Refuse(
        "wrong-type",
        "the binary declares " + std::string(name) + " as " + decision_.type + "; it is " + std::string(function.type),
        "build the plugin with a toolchain for wasm32-wasip1");
  }
  const bool has_files = !authority_.FilesGrants().empty();
  if (authority_.Allows(Kind::kStdio)) LinkWasi(kPreview1Stdio);
  // Reading and writing are also of files; then the standard streams alone are missing.
  const bool is_of_files = function.kind == Kind::kStdio && has_files && !authority_.Allows(Kind::kStdio);
  if (function.kind && !is_of_files) {
    const std::string grant =
        *function.kind == Kind::kClock ? "clock:coarse" : std::string(policy::KindName(*function.kind));
    return Gate(*function.kind, Need{"", function.kind, grant}, kPreview1);
  }
  LinkWasi(kPreview1);
  if (name.starts_with("environ_") || name.starts_with("args_"))
    return GateEnvironment(*NeedOf("wasi:cli/environment"));
  if (name.starts_with("path_") || name.starts_with("fd_")) return GateFiles(*NeedOf("wasi:filesystem/types"));
  if (name.starts_with("sock_")) {
    return Set(LinkState::kLinkedEmpty, "no-grant", "linked without a socket: preview 1 cannot make one");
  }
  Set(LinkState::kLinked, "harmless", "holds no authority by itself");
}

// Variables are the instance's own, unless the plugin may keep values in a bucket of this name.
bool Planner::KeepsVars() const {
  const auto write = policy::MakeStorage("vars", policy::Access::kWrite);
  return write && authority_.Decide(*write).allowed();
}

// What Extism's libraries import whether a plugin uses it or not is there, and denies.
void Planner::StubExtism(const ExtismFunction& function, const policy::Ruling* ruling) {
  const std::string kind(policy::KindName(*function.kind));
  Stub stub;
  stub.import = {std::string(kExtismEnv), std::string(function.name)};
  stub.answer.capability =
      ruling != nullptr ? ruling->request.capability.ToString() : std::string(policy::KindName(*function.kind));
  stub.answer.rule = ruling != nullptr ? ruling->rule : "no-grant";
  if (*function.kind != Kind::kHttp) stub.reply = Stub::Reply::kPayload;
  plan_.spec.stubs.push_back(stub.import);
  const std::string rule = stub.answer.rule;
  plan_.stubs.push_back(std::move(stub));
  Set(LinkState::kStub, rule, "not granted (" + kind + "): a stub that denies stands in for it");
}

void Planner::DecideExtism() {
  const std::string_view name = std::string_view(item_->name).substr(kExtismEnv.size() + 1);
  const ExtismFunction* const function = FindExtismFunction(name);
  if (function == nullptr || item_->kind != Item::Kind::kFunction) {
    return Refuse("unknown-function", std::string(kExtismEnv) + " has no function " + std::string(name),
                  "build the plugin with a PDK for Extism 1");
  }
  if (decision_.type != function->type) {
    return Refuse(
        "wrong-type",
        "the binary declares " + std::string(name) + " as " + decision_.type + "; it is " + std::string(function->type),
        "build the plugin with a PDK for Extism 1");
  }
  engine::HostImport import{.interface_name = std::string(kExtismEnv), .function = std::string(name)};
  if (!function->kind) {
    const bool is_var = name.starts_with("var_");
    if (is_var && KeepsVars()) {
      plan_.spec.host.push_back(std::move(import));
      decision_.capability = policy::KindName(Kind::kStorage);
      return Set(LinkState::kLinked, authority_.RulingFor(Kind::kStorage)->rule, "variables are kept in kv:write:vars");
    }
    return Set(LinkState::kLinked, "harmless",
               is_var ? "a variable is of one instance: kv:write:vars keeps it" : "holds no authority by itself");
  }
  decision_.capability = policy::KindName(*function->kind);
  const policy::Ruling* const ruling = authority_.RulingFor(*function->kind);
  if (authority_.Allows(*function->kind)) {
    plan_.spec.host.push_back(std::move(import));
    return Set(LinkState::kLinked, ruling != nullptr ? ruling->rule : "default-on",
               std::string(decision_.capability) + " is effective");
  }
  const Need need{"", function->kind, function->grant};
  OfferGrant(need);
  if (authority_.link() != policy::LinkMode::kStrict) return StubExtism(*function, ruling);
  Refuse(ruling != nullptr ? ruling->rule : "no-grant",
         "nothing grants " + decision_.capability + "; `link: strict` forbids a stub",
         "leave `link: strict` out of plugin.yaml to link a stub that denies");
}

// As DecideOffered, for the import of a core module: texts and bytes are offsets of blocks.
bool Planner::DecideOfferedBlocks() {
  const std::string_view name = std::string_view(item_->name).substr(item_->module.size() + 1);
  for (const OfferedInterface& offer : options_.offered) {
    if (offer.name != item_->module) continue;
    const auto it = std::ranges::find(offer.functions, name, &OfferedFunction::name);
    if (it == offer.functions.end()) continue;
    decision_.capability = policy::KindName(Kind::kHost);
    const auto wanted = AsBlocks(it->shape);
    if (!wanted || wanted->type != decision_.type) {
      Refuse("wrong-type",
             "the binary declares it as " + decision_.type + ", the host offers " +
                 (wanted ? wanted->type : it->shape + ", which no core module can import"),
             "build the plugin against the functions of the embedding program");
      return true;
    }
    if (!MayUse(*it)) {
      decision_.grant = "host:" + it->capability;
      const auto asked = policy::MakeHost(it->capability);
      Refuse(asked ? authority_.Decide(*asked).rule : "no-grant",
             "nothing grants host:" + it->capability + ", which it needs",
             "grant host:" + it->capability + " to " + ShellWord(options_.plugin));
      return true;
    }
    plan_.spec.host.push_back({offer.name, it->name, it->kind, wanted->blocks});
    const policy::Ruling* ruling = authority_.RulingFor(Kind::kHost);
    Set(LinkState::kLinked, ruling != nullptr ? ruling->rule : "no-grant", "the embedding program answers it");
    return true;
  }
  return false;
}

void Planner::DecideFledge() {
  const std::string_view name = std::string_view(item_->name).substr(kFledgeModule.size() + 1);
  const FledgeFunction* const function = FindFledgeFunction(name);
  constexpr std::string_view kRebuild = "build the plugin for fledge-v1";
  if (function == nullptr || item_->kind != Item::Kind::kFunction) {
    return Refuse("unknown-function", "fledge has no function " + std::string(name), std::string(kRebuild));
  }
  if (decision_.type != function->type) {
    const std::string types = decision_.type + "; it is " + std::string(function->type);
    return Refuse("wrong-type", "the binary declares " + std::string(name) + " as " + types, std::string(kRebuild));
  }
  engine::HostImport import{.interface_name = std::string(kFledgeModule), .function = std::string(name)};
  if (function->grant.empty()) {
    plan_.spec.host.push_back(std::move(import));
    return Set(LinkState::kLinked, "harmless", "holds no authority by itself");
  }
  const auto wanted = policy::Capability::Parse(function->grant);
  const Kind kind = wanted ? wanted->kind() : Kind::kHost;
  const policy::Ruling* const ruling = authority_.RulingFor(kind);
  decision_.capability = policy::KindName(kind);
  if (AllowsFledge(*function, authority_)) {
    plan_.spec.host.push_back(std::move(import));
    return Set(LinkState::kLinked, ruling != nullptr ? ruling->rule : "default-on",
               decision_.capability + " is effective");
  }
  OfferGrant({"", kind, function->grant});
  const bool is_optional = ruling != nullptr && ruling->source == policy::Ruling::Source::kManifest &&
                           ruling->request.need == policy::Need::kOptional;
  if (is_optional && StubObstacle().empty()) {
    Stub stub;
    stub.import = {std::string(kFledgeModule), std::string(name)};
    stub.reply = Stub::Reply::kPayload;
    stub.answer = {
        {function->denial.begin(), function->denial.end()}, ruling->request.capability.ToString(), ruling->rule};
    plan_.spec.stubs.push_back(stub.import);
    plan_.stubs.push_back(std::move(stub));
    return Set(LinkState::kStub, ruling->rule, "optional and not granted: a stub that denies stands in for it");
  }
  Refuse(ruling != nullptr ? ruling->rule : "no-grant", "nothing grants " + decision_.capability, decision_.command);
}

// What would allow it: the grant that a denied request needs, else the function's own.
void Planner::OfferZeroclaw(const ZeroclawFunction& function, const policy::Ruling* ruling) {
  decision_.grant = function.grant;
  if (ruling != nullptr) {
    decision_.grant = ruling->smallest_grant.empty() ? ruling->request.capability.ToString() : ruling->smallest_grant;
  }
  const auto capability = policy::Capability::Parse(decision_.grant);
  decision_.command = ruling != nullptr && ruling->rule == "withdrawn"
                          ? WithdrawnCommand(function.kind)
                          : "cordon run " + ShellWord(options_.plugin) + " " +
                                (capability ? policy::GrantFlags(*capability) : "--grant '" + decision_.grant + "'");
}

// A function of our services under the name that zeroclaw gives it. Each is linked by itself: whoever may store may not
// for that recall.
bool Planner::DecideZeroclaw() {
  const std::string_view name = std::string_view(item_->name).substr(item_->module.size() + 1);
  const ZeroclawFunction* const function = FindZeroclaw(item_->module, name);
  if (function == nullptr) return false;
  decision_.meaning = function->meaning;
  decision_.capability = policy::KindName(function->kind);
  if (decision_.type != kZeroclawType) {
    const std::string text = "the binary declares it as " + decision_.type + "; it is " + std::string(kZeroclawType);
    Refuse("wrong-type", text, "build the plugin against the host functions of zeroclaw");
    return true;
  }
  engine::HostImport import = {item_->module, std::string(name), function->runs, std::string(kZeroclawBlocks)};
  const policy::Ruling* const ruling = abi::RulingFor(authority_, *function);
  if (ruling != nullptr && ruling->effective) {
    plan_.spec.host.push_back(std::move(import));
    Set(LinkState::kLinked, ruling->rule, decision_.capability + " is effective");
    return true;
  }
  OfferZeroclaw(*function, ruling);
  const bool is_optional = ruling != nullptr && ruling->source == policy::Ruling::Source::kManifest &&
                           ruling->request.need == policy::Need::kOptional;
  const std::string obstacle = is_optional ? StubObstacle() : std::string();
  if (!is_optional || !obstacle.empty()) {
    Refuse(ruling != nullptr ? ruling->rule : "no-grant",
           "nothing grants " + decision_.grant + (obstacle.empty() ? "" : "; " + obstacle), decision_.command);
    return true;
  }
  plan_.spec.stubs.push_back(import);
  plan_.stubs.push_back({std::move(import), Stub::Reply::kPayload, ZeroclawDenial(*function, *ruling)});
  Set(LinkState::kStub, ruling->rule,
      "optional and not granted (" + decision_.capability + "): a stub that denies stands in for it");
  return true;
}

void Planner::DecideCore() {
  const std::string_view module = item_->module;
  const bool is_extism = options_.abi == engine::LinkSpec::Abi::kExtism;
  if (options_.abi == engine::LinkSpec::Abi::kFledge && module == kFledgeModule) return DecideFledge();
  if (is_extism && std::ranges::find(options_.libraries, module) != options_.libraries.end()) {
    return Set(LinkState::kLinked, "library", "another module of the plugin has it");
  }
  if (is_extism && module == kExtismEnv) return DecideExtism();
  // What the embedding program offers under a name of ours is the embedding program's.
  if (is_extism && item_->kind == Item::Kind::kFunction && (DecideOfferedBlocks() || DecideZeroclaw())) return;
  if (module == kPreview1 && item_->kind == Item::Kind::kFunction) {
    const std::string_view name = std::string_view(item_->name).substr(std::min(item_->name.size(), module.size() + 1));
    if (const Preview1Function* function = FindPreview1(name)) return DecidePreview1(*function);
    return Refuse("unknown-function", "preview 1 has no function " + std::string(name),
                  "build the plugin with a toolchain for wasm32-wasip1");
  }
  if (module == "wasi_unstable") {
    return Refuse("wasi-version", "the preview before preview 1 is never linked",
                  "build the plugin with a toolchain for wasm32-wasip1 or wasm32-wasip2");
  }
  if (is_extism) {
    return Refuse("unknown-interface", "no host function is registered under this name",
                  "register it in the embedding program, or build the plugin without this import");
  }
  const bool is_fledge = module == kFledgeModule;
  Refuse("unknown-interface", "nothing offers this import",
         is_fledge ? "write abi: fledge" : "build the plugin without this import; no grant can provide it");
}

}  // namespace cordon::abi
