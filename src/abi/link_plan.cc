#include "abi/link_plan.h"

#include <algorithm>

#include "abi/denial.h"
#include "abi/link_report.h"
#include "abi/planner.h"
#include "abi/type_shape.h"

namespace cordon::abi {
namespace {

using policy::Kind;
using wit::Item;

// Interfaces whose resources do nothing by themselves.
bool IsHolder(std::string_view name) {
  return name == "wasi:http/types" || name == "wasi:sockets/network" || name == "wasi:sockets/instance-network";
}

constexpr Need kNeeds[] = {
    {"wasi:io/", {}, ""},
    {"wasi:cli/exit", {}, ""},
    {"wasi:cli/environment", Kind::kEnvironment, "env:NAME"},
    {"wasi:cli/", Kind::kStdio, "stdio"},
    {"wasi:clocks/", Kind::kClock, "clock:coarse"},
    {"wasi:random/", Kind::kRandom, "random"},
    {"wasi:filesystem/", Kind::kFiles, "fs:read:/data=workspace"},
    {"wasi:logging/", Kind::kLog, "log"},
    {"wasi:sockets/udp", Kind::kSockets, "net:udp:HOST:PORT"},
    {"wasi:sockets/", Kind::kSockets, "net:tcp:HOST:PORT"},
    {"wasi:http/", Kind::kHttp, "http:GET:https://HOST/*"},
    {"wasi:keyvalue/", Kind::kStorage, "kv:read:BUCKET"},
    {"wasi:config/", Kind::kConfig, "config"},
    {"wasi:messaging/", Kind::kMessaging, "msg:send:CHANNEL"},
};

std::string ItemType(const wit::Contract& contract, const Item& item) {
  if (!item.type_text.empty()) return item.type_text;
  if (item.kind == Item::Kind::kInterface) return "interface";
  return item.functions.empty() ? "item" : wit::FunctionText(contract, item.functions.front());
}

// What preview 1 has functions for.
bool OffersPreview1(Kind kind) {
  constexpr Kind kOffered[] = {Kind::kFiles, Kind::kEnvironment, Kind::kArguments,
                               Kind::kClock, Kind::kRandom,      Kind::kStdio};
  return std::ranges::find(kOffered, kind) != std::end(kOffered);
}

}  // namespace

const Need* NeedOf(std::string_view name) {
  const auto it =
      std::find_if(std::begin(kNeeds), std::end(kNeeds), [&](const Need& n) { return name.starts_with(n.prefix); });
  return it == std::end(kNeeds) ? nullptr : it;
}

LinkPlan Planner::Plan() && {
  for (const Item& item : contract_.imports) {
    item_ = &item;
    decision_ = ImportDecision{};
    decision_.import = item.name;
    decision_.type = ItemType(contract_, item);
    if (contract_.kind == wit::Contract::Kind::kModule) {
      DecideCore();
    } else {
      DecideComponent();
    }
    plan_.decisions.push_back(std::move(decision_));
  }
  return std::move(plan_);
}

void Planner::LinkWasi(std::string_view name) {
  auto& wasi = plan_.spec.wasi;
  if (std::find(wasi.begin(), wasi.end(), name) == wasi.end()) wasi.emplace_back(name);
}

// Fills in the smallest grant and what to type for it; the grant that the manifest's own request needs comes first.
void Planner::OfferGrant(const Need& need) {
  if (!need.kind) return;
  decision_.capability = policy::KindName(*need.kind);
  const policy::Ruling* ruling = authority_.RulingFor(*need.kind);
  std::string flags;
  if (ruling != nullptr && ruling->rule == "withdrawn") {
    decision_.command = WithdrawnCommand(*need.kind);
    return;
  }
  if (ruling != nullptr && ruling->state != policy::Ruling::State::kEffective) {
    decision_.grant = ruling->smallest_grant.empty() ? ruling->request.capability.ToString() : ruling->smallest_grant;
    flags = policy::GrantFlags(ruling->request.capability);
  } else {
    decision_.grant = need.grant;
    const auto capability = policy::Capability::Parse(need.grant);
    flags = capability ? policy::GrantFlags(*capability) : "--grant '" + std::string(need.grant) + "'";
  }
  decision_.command = "cordon run " + ShellWord(options_.plugin) + " " + flags;
}

std::string Planner::WithdrawnCommand(Kind kind) const {
  return "take '" + std::string(policy::KindName(kind)) + "' out of 'deny' in the grants of " +
         ShellWord(options_.plugin);
}

// Whether the manifest asked for this kind as optional, did not get it, and would take a stub.
bool Planner::WantsStub(const policy::Ruling* ruling) const {
  return ruling != nullptr && ruling->source == policy::Ruling::Source::kManifest &&
         ruling->request.need == policy::Need::kOptional && contract_.kind == wit::Contract::Kind::kComponent;
}

// Why an optional permission that is not effective gets no stub here; empty when it does.
std::string Planner::StubObstacle() const {
  if (authority_.link() == policy::LinkMode::kStrict) return "`link: strict` forbids a stub";
  return {};
}

// A stub in place of what an optional permission asked for and did not get.
bool Planner::Stubbed(Kind kind, const policy::Ruling* ruling) {
  if (!WantsStub(ruling) || !StubObstacle().empty()) return false;
  // An interface of resources alone is named to the linker too, by a stub without a function.
  if (item_->functions.empty()) plan_.spec.stubs.push_back({item_->name, ""});
  for (const wit::Function& function : item_->functions) {
    Stub stub;
    stub.import = {item_->name, function.name};
    stub.answer.capability = ruling->request.capability.ToString();
    stub.answer.rule = ruling->rule;
    if (auto payload = DenialPayload(contract_, function, policy::KindName(kind))) {
      stub.reply = Stub::Reply::kPayload;
      stub.answer.payload = std::move(*payload);
    }
    plan_.spec.stubs.push_back(stub.import);
    plan_.stubs.push_back(std::move(stub));
  }
  Set(LinkState::kStub, ruling->rule,
      "optional and not granted (" + std::string(policy::KindName(kind)) + "): a stub that denies stands in for it");
  return true;
}

// Linked when the kind is effective, stubbed when it was optional, absent otherwise.
void Planner::Gate(Kind kind, const Need& need, std::string_view wasi_name) {
  const policy::Ruling* ruling = authority_.RulingFor(kind);
  if (authority_.Allows(kind)) {
    decision_.capability = policy::KindName(kind);
    LinkWasi(wasi_name);
    return Set(LinkState::kLinked, ruling != nullptr ? ruling->rule : "default-on",
               std::string(policy::KindName(kind)) + " is effective");
  }
  OfferGrant(need);
  if (Stubbed(kind)) return;
  const std::string rule = ruling != nullptr ? ruling->rule : "no-grant";
  const bool is_withdrawn = ruling != nullptr && ruling->rule == "withdrawn";
  Refuse(rule,
         is_withdrawn ? std::string(policy::KindName(kind)) + " was withdrawn from this plugin"
                      : "nothing grants " + std::string(policy::KindName(kind)),
         decision_.command);
}

// What denies has no need of the engine's own shapes: a stub has the guest's.
bool Planner::IsDeniedNetwork(const InterfaceName& name, const Need& need) const {
  const bool is_network = need.kind == Kind::kHttp || need.kind == Kind::kSockets;
  return is_network && !authority_.Allows(*need.kind) && !IsHolder(name.name);
}

// What only holds requests, or stands for a network, is linked in front of a stub too: a guest can then ask, and is
// told that it is denied, where a stub of a constructor could do nothing but end the call.
void Planner::GateHolder(const Need& need, std::string_view wasi_name) {
  const policy::Ruling* ruling = authority_.RulingFor(*need.kind);
  if (authority_.Allows(*need.kind) || !WantsStub(ruling) || !StubObstacle().empty()) {
    return Gate(*need.kind, need, wasi_name);
  }
  OfferGrant(need);
  LinkWasi(wasi_name);
  Set(LinkState::kLinkedEmpty, ruling->rule,
      "optional and not granted (" + std::string(policy::KindName(*need.kind)) + "): every use of it is denied");
}

void Planner::GateFiles(const Need& need) {
  if (authority_.FilesGrants().empty()) {
    OfferGrant(need);
    const policy::Ruling* ruling = authority_.RulingFor(Kind::kFiles);
    return Set(LinkState::kLinkedEmpty, ruling != nullptr ? ruling->rule : "no-grant",
               "linked without a single folder: no grant gives files");
  }
  decision_.capability = policy::KindName(Kind::kFiles);
  Set(LinkState::kLinked, authority_.RulingFor(Kind::kFiles)->rule, "the granted folders are behind it");
}

void Planner::GateEnvironment(const Need& need) {
  const bool has_names = !authority_.EnvironmentNames().empty();
  const bool has_arguments = authority_.AllowsArguments();
  if (!has_names && !has_arguments) {
    OfferGrant(need);
    const policy::Ruling* ruling = authority_.RulingFor(Kind::kEnvironment);
    return Set(LinkState::kLinkedEmpty, ruling != nullptr ? ruling->rule : "no-grant",
               "linked without a variable or an argument: no grant gives any");
  }
  const policy::Ruling* ruling = authority_.RulingFor(has_names ? Kind::kEnvironment : Kind::kArguments);
  decision_.capability = policy::KindName(has_names ? Kind::kEnvironment : Kind::kArguments);
  Set(LinkState::kLinked, ruling != nullptr ? ruling->rule : "default-on",
      "what was granted is behind it, nothing else");
}

// What the binary expects of an interface that the engine has, and the engine's does not give; empty when all fits.
std::string Planner::Misfit(std::string_view interface_name) const {
  const auto known = WasiFunctions(interface_name);
  std::string unknown, wrong;
  for (const wit::Function& function : item_->functions) {
    const auto it = std::find_if(known.begin(), known.end(), [&](const auto& k) { return k.name == function.name; });
    if (it == known.end()) {
      unknown += (unknown.empty() ? "" : ", ") + function.name;
    } else if (FunctionShape(contract_, function) != it->shape) {
      wrong += (wrong.empty() ? "" : ", ") + function.name + " as " + wit::FunctionText(contract_, function);
    }
  }
  for (const std::string& resource : item_->resources) {
    if (!IsWasiResource(resource)) {
      unknown += (unknown.empty() ? "" : ", ") + resource;
    }
  }
  if (!unknown.empty()) return "unknown-function: the interface has no " + unknown;
  if (!wrong.empty()) return "wrong-type: the binary declares " + wrong;
  return {};
}

void Planner::DecideWasi(const InterfaceName& name, const Need& need) {
  const std::string known = "WASI 0.2.0 to " + std::string(kWasiVersionOffered);
  if (JudgeWasiVersion(name.version) == WasiVersion::kOther) {
    const bool is_next = name.version.starts_with("0.3");
    return Refuse("wasi-version",
                  (name.version.empty() ? "no version" : "version " + std::string(name.version)) +
                      " of this interface is offered" + (is_next ? ", WASI 0.3 is not part of this build" : ""),
                  "build the plugin for " + known);
  }
  if (const std::string misfit = Misfit(name.name); !misfit.empty()) {
    const std::size_t colon = misfit.find(": ");
    return Refuse(misfit.substr(0, colon), misfit.substr(colon + 2),
                  "build the plugin against the published WIT of " + known);
  }
  if (!need.kind) {
    LinkWasi(name.name);
    return Set(LinkState::kLinked, "harmless", "holds no authority by itself");
  }
  if (*need.kind == Kind::kFiles || *need.kind == Kind::kEnvironment) {
    LinkWasi(name.name);
    return *need.kind == Kind::kFiles ? GateFiles(need) : GateEnvironment(need);
  }
  if (IsHolder(name.name)) return GateHolder(need, name.name);
  Gate(*need.kind, need, name.name);
}

// What the binary expects of one of our own interfaces and does not get; empty when all fits.
std::string Planner::MisfitOfService(const ServiceInterface& service) const {
  for (const wit::Function& function : item_->functions) {
    const auto it = std::ranges::find(service.functions, function.name, &ServiceFunction::name);
    if (it == service.functions.end()) return "unknown-function: the interface has no " + function.name;
    if (FunctionShape(contract_, function, Handles::kNamed) != it->shape) {
      return "wrong-type: the binary declares " + function.name + " as " + wit::FunctionText(contract_, function);
    }
  }
  for (const std::string& resource : item_->resources) {
    if (std::ranges::find(service.resources, resource) == service.resources.end()) {
      return "unknown-function: the interface has no " + resource;
    }
  }
  return {};
}

// An interface that one of Cordon's own services answers.
void Planner::DecideOwn(const ServiceInterface& service) {
  if (const std::string misfit = MisfitOfService(service); !misfit.empty()) {
    const std::size_t colon = misfit.find(": ");
    return Refuse(misfit.substr(0, colon), misfit.substr(colon + 2),
                  "build the plugin against " + std::string(service.name));
  }
  if (service.kind && !authority_.Allows(*service.kind)) {
    return Gate(*service.kind, {service.name, service.kind, service.grant}, {});
  }
  if (service.kind) decision_.capability = policy::KindName(*service.kind);
  for (const wit::Function& function : item_->functions) {
    const auto it = std::ranges::find(service.functions, function.name, &ServiceFunction::name);
    plan_.spec.host.push_back({item_->name, function.name, it->kind});
  }
  if (!service.kind) return Set(LinkState::kLinked, "harmless", "holds no authority by itself");
  const policy::Ruling* ruling = authority_.RulingFor(*service.kind);
  Set(LinkState::kLinked, ruling != nullptr ? ruling->rule : "default-on",
      std::string(policy::KindName(*service.kind)) + " is effective");
}

// The network, ungranted; or an interface that nothing answers, whatever is granted: of a standard that Cordon has
// another package for, or of another version. Never linked, stubbed when the manifest made it optional.
void Planner::DecideService(const Need& need) {
  const policy::Ruling* ruling = authority_.RulingFor(*need.kind);
  OfferGrant(need);
  if (Stubbed(*need.kind)) return;
  const std::string obstacle = WantsStub(ruling) ? StubObstacle() : std::string();
  const std::string but = obstacle.empty() ? obstacle : "; " + obstacle;
  if (!WasiFunctions(SplitInterface(item_->name).name).empty()) {
    return Refuse(
        ruling != nullptr ? ruling->rule : "no-grant",
        "nothing grants " + std::string(policy::KindName(*need.kind)) + but,
        obstacle.empty() ? decision_.command : "leave `link: strict` out of plugin.yaml to link a stub that denies");
  }
  decision_.grant.clear();
  decision_.command.clear();
  const auto served = std::ranges::find(ServiceInterfaces(), *need.kind, &ServiceInterface::kind);
  const std::string package =
      served == ServiceInterfaces().end()
          ? std::string("what this build offers")
          : std::string(served->name.substr(0, served->name.find('/'))) + "@" + std::string(served->versions) + "*";
  Refuse("unknown-interface", "nothing answers this interface, whatever is granted" + but,
         "build the plugin against " + package);
}

bool Planner::MayUse(const OfferedFunction& function) const {
  for (const policy::Ruling& ruling : authority_.rulings()) {
    if (!ruling.effective || ruling.effective->kind() != Kind::kHost) continue;
    const policy::NameScope& scope = *ruling.effective->named();
    if (scope.action != function.capability) continue;
    if (scope.name.empty() || function.scope == OfferedFunction::Scope::kPerTarget) return true;
  }
  return false;
}

// What the binary expects of an offered interface and does not get; empty when all fits.
std::string Planner::MisfitOfOffer(const OfferedInterface& offer) const {
  for (const wit::Function& function : item_->functions) {
    const auto it = std::ranges::find(offer.functions, function.name, &OfferedFunction::name);
    if (it == offer.functions.end()) return "unknown-function: the host offers no " + function.name;
    const std::string shape = FunctionShape(contract_, function);
    if (shape != it->shape) {
      return "wrong-type: the binary declares " + function.name + " as " + shape + ", the host offers " + it->shape;
    }
  }
  if (!item_->resources.empty()) return "unknown-function: the host offers no resource " + item_->resources.front();
  return {};
}

// Whether the embedding program offers this interface or function; then it is decided.
bool Planner::DecideOffered() {
  const bool at_root = item_->kind == Item::Kind::kFunction;
  const OfferedInterface* offer = nullptr;
  for (const OfferedInterface& one : options_.offered) {
    const bool has =
        !at_root || std::ranges::find(one.functions, item_->name, &OfferedFunction::name) != one.functions.end();
    if (one.name == (at_root ? "" : item_->name) && has) offer = &one;
  }
  if (offer == nullptr) return false;
  decision_.capability = policy::KindName(Kind::kHost);
  if (const std::string misfit = MisfitOfOffer(*offer); !misfit.empty()) {
    const std::size_t colon = misfit.find(": ");
    Refuse(misfit.substr(0, colon), misfit.substr(colon + 2),
           "build the plugin against the WIT of the embedding program");
    return true;
  }
  for (const wit::Function& function : item_->functions) {
    const auto it = std::ranges::find(offer->functions, function.name, &OfferedFunction::name);
    if (MayUse(*it)) continue;
    const auto wanted = policy::MakeHost(it->capability);
    decision_.grant = "host:" + it->capability;
    const auto asked = std::ranges::find_if(authority_.rulings(), [&](const policy::Ruling& ruling) {
      const policy::Capability& capability = ruling.request.capability;
      return !ruling.effective && capability.kind() == Kind::kHost && capability.named()->action == it->capability;
    });
    if (Stubbed(Kind::kHost, asked == authority_.rulings().end() ? nullptr : &*asked)) return true;
    const policy::Decision denial = wanted ? authority_.Decide(*wanted) : policy::Decision{};
    Refuse(denial.rule, "nothing grants host:" + it->capability + ", which " + function.name + " needs",
           "grant host:" + it->capability + " to " + ShellWord(options_.plugin));
    return true;
  }
  for (const wit::Function& function : item_->functions) {
    const auto it = std::ranges::find(offer->functions, function.name, &OfferedFunction::name);
    plan_.spec.host.push_back({offer->name, function.name, it->kind});
  }
  const policy::Ruling* ruling = authority_.RulingFor(Kind::kHost);
  Set(LinkState::kLinked, ruling != nullptr ? ruling->rule : "no-grant", "the embedding program answers it");
  return true;
}

void Planner::DecideUnknown(const InterfaceName& name) {
  if (name.package.starts_with("wasi:")) {
    return Refuse("unknown-interface", "Cordon offers no such WASI interface",
                  "build the plugin for WASI 0.2.0 to " + std::string(kWasiVersionOffered) + ", without this import");
  }
  const bool is_function = item_->kind != Item::Kind::kInterface;
  Refuse("unknown-interface", is_function ? "nothing offers this import" : "nothing offers this interface",
         "build the plugin without this import; no grant can provide it");
}

void Planner::DecideComponent() {
  const InterfaceName name = SplitInterface(item_->name);
  const bool only_types = item_->kind == Item::Kind::kInterface && item_->functions.empty() && item_->resources.empty();
  if (only_types || (item_->kind == Item::Kind::kOther && item_->type_text == "type")) {
    return Set(LinkState::kLinked, "types-only", "only names types, so there is nothing to link");
  }
  if (DecideOffered()) return;
  if (item_->kind != Item::Kind::kInterface) return DecideUnknown(name);
  const Need* need = NeedOf(name.name);
  if (!WasiFunctions(name.name).empty() && need != nullptr && !IsDeniedNetwork(name, *need)) {
    return DecideWasi(name, *need);
  }
  if (const ServiceInterface* service = FindService(item_->name)) return DecideOwn(*service);
  const bool is_offered_package = need != nullptr && (!need->kind || policy::OnByDefault(*need->kind) ||
                                                      *need->kind == Kind::kFiles || *need->kind == Kind::kEnvironment);
  if (need == nullptr || is_offered_package) return DecideUnknown(name);
  DecideService(*need);
}

LinkPlan PlanLink(const wit::Contract& contract, const policy::Authority& authority, const LinkOptions& options) {
  LinkPlan plan = Planner(contract, authority, options).Plan();
  const bool is_preview1 = contract.kind == wit::Contract::Kind::kModule &&
                           std::ranges::all_of(contract.imports, [](const Item& i) { return i.module == kPreview1; });
  if (!is_preview1) return plan;
  for (const policy::Ruling& ruling : authority.rulings()) {
    if (!ruling.effective || ruling.source == policy::Ruling::Source::kDefault) continue;
    const Kind kind = ruling.effective->kind();
    if (!OffersPreview1(kind) && kind != Kind::kInstance) plan.unusable.push_back(ruling.effective->ToString());
  }
  return plan;
}

}  // namespace cordon::abi
