// What plugins of zeroclaw import from "extism:host/user": functions of our services, each (i64) -> (i64), the offset
// of a JSON text both ways. Pure; thread-safe.
#pragma once

#include <span>
#include <string_view>

#include "engine/engine.h"
#include "policy/authority.h"
#include "services/router.h"

namespace cordon::abi {

struct ZeroclawFunction {
  std::string_view name;
  std::string_view meaning;  // for people: "keeps a text under a key"
  policy::Kind kind;
  std::string_view action;  // the word of the capabilities that allow it: "store"; empty for any
  std::string_view target;  // the name in them: "session"; empty for any
  std::string_view grant;   // the smallest one: "memory:store:agent"
  engine::HostImport::Kind runs = engine::HostImport::Kind::kBlocking;
};
inline constexpr std::string_view kZeroclawType = "(i64) -> i64";
inline constexpr std::string_view kZeroclawBlocks = "b->b";

std::span<const ZeroclawFunction> ZeroclawFunctions();
// Of `module`, under this name; nullptr when there is none.
const ZeroclawFunction* FindZeroclaw(std::string_view module, std::string_view name);

// The ruling to name for it: an effective one that allows it, else a denied one that asked, else nullptr.
const policy::Ruling* RulingFor(const policy::Authority& authority, const ZeroclawFunction& function);

// What a stub of it says: {"error": …}.
services::StubAnswers::Answer ZeroclawDenial(const ZeroclawFunction& function, const policy::Ruling& ruling);

}  // namespace cordon::abi
