// What decides over the imports of one binary. For this room only.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "abi/extism.h"
#include "abi/link_plan.h"
#include "abi/service_table.h"
#include "abi/wasi_table.h"
#include "abi/zeroclaw/table.h"
#include "policy/capability.h"

namespace cordon::abi {

// The kind of capability that an interface stands for, and what a grant of it looks like.
struct Need {
  std::string_view prefix;  // of the name without version
  std::optional<policy::Kind> kind;
  std::string_view grant;
};
// Of the name of an interface, without version; nullptr when it stands for none.
const Need* NeedOf(std::string_view name);

// One import after the other. link_plan.cc has what holds for all and for components, plan_core.cc core modules.
class Planner {
 public:
  Planner(const wit::Contract& contract, const policy::Authority& authority, const LinkOptions& options)
      : contract_(contract), authority_(authority), options_(options) {
    plan_.plugin = options.plugin;
    plan_.spec.abi = options.abi;
  }

  LinkPlan Plan() &&;

 private:
  void Set(LinkState state, std::string rule, std::string message) {
    decision_.state = state;
    decision_.rule = std::move(rule);
    decision_.message = std::move(message);
  }
  void Refuse(std::string rule, std::string message, std::string command) {
    Set(LinkState::kNotLinked, std::move(rule), std::move(message));
    decision_.command = std::move(command);
  }

  void DecideComponent();
  void DecideWasi(const InterfaceName& name, const Need& need);
  void DecideOwn(const ServiceInterface& service);
  std::string MisfitOfService(const ServiceInterface& service) const;
  void DecideService(const Need& need);
  void DecideUnknown(const InterfaceName& name);
  bool DecideOffered();
  std::string MisfitOfOffer(const OfferedInterface& offer) const;
  bool MayUse(const OfferedFunction& function) const;
  void DecideCore();
  void DecideExtism();
  void StubExtism(const ExtismFunction& function, const policy::Ruling* ruling);
  bool KeepsVars() const;
  bool DecideOfferedBlocks();
  void DecideFledge();
  bool DecideZeroclaw();
  void OfferZeroclaw(const ZeroclawFunction& function, const policy::Ruling* ruling);
  void DecidePreview1(const Preview1Function& function);
  std::string Misfit(std::string_view interface_name) const;

  void OfferGrant(const Need& need);
  std::string WithdrawnCommand(policy::Kind kind) const;
  void Gate(policy::Kind kind, const Need& need, std::string_view wasi_name);
  bool IsDeniedNetwork(const InterfaceName& name, const Need& need) const;
  void GateHolder(const Need& need, std::string_view wasi_name);
  void GateFiles(const Need& need);
  void GateEnvironment(const Need& need);
  void LinkWasi(std::string_view name);
  bool WantsStub(const policy::Ruling* ruling) const;
  std::string StubObstacle() const;
  bool Stubbed(policy::Kind kind) { return Stubbed(kind, authority_.RulingFor(kind)); }
  bool Stubbed(policy::Kind kind, const policy::Ruling* ruling);

  const wit::Contract& contract_;
  const policy::Authority& authority_;
  const LinkOptions& options_;
  const wit::Item* item_ = nullptr;
  ImportDecision decision_;
  LinkPlan plan_;
};

}  // namespace cordon::abi
