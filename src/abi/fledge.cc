#include "abi/fledge.h"

#include <algorithm>

namespace cordon::abi {
namespace {

constexpr FledgeFunction kFunctions[] = {
    {"send", "(i32, i32)"},
    {"recv", "(i32, i32) -> i32"},
    {"exit", "(i32)"},
    {"exec", "(i32, i32) -> i32", "exec:git status",
     R"({"code":126,"stdout":"","stderr":"exec capability not granted"})"},
    {"store_set", "(i32, i32)", "kv:write:fledge"},
    {"store_get", "(i32, i32) -> i32", "kv:read:fledge", "null"},
    {"metadata", "(i32, i32) -> i32", "ctx:project", "{}"},
};

}  // namespace

const FledgeFunction* FindFledgeFunction(std::string_view name) {
  const auto it = std::ranges::find(kFunctions, name, &FledgeFunction::name);
  return it == std::end(kFunctions) ? nullptr : it;
}

bool ImportsFledge(const wit::Contract& contract) {
  return contract.kind == wit::Contract::Kind::kModule &&
         std::ranges::any_of(contract.imports, [](const wit::Item& item) { return item.module == kFledgeModule; });
}

bool AllowsFledge(const FledgeFunction& function, const policy::Authority& authority) {
  if (function.grant.empty()) return true;
  const auto wanted = policy::Capability::Parse(function.grant);
  if (!wanted) return false;
  if (wanted->kind() == policy::Kind::kExec) return authority.Allows(policy::Kind::kExec);
  return authority.Decide(*wanted).allowed();
}

}  // namespace cordon::abi
