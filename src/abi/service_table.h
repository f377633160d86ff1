// What Cordon's own services offer to guests: every interface that the wit/ folder documents and services/ answers.
// Immutable; thread-safe.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "engine/engine.h"
#include "policy/capability.h"

namespace cordon::abi {

struct ServiceFunction {
  std::string_view name;
  std::string_view shape;  // as FunctionShape gives it, handles named; a test compares it with wit/
  // kQuick answers on the guest's thread and must not wait for anything.
  engine::HostImport::Kind kind = engine::HostImport::Kind::kBlocking;
};

struct ServiceInterface {
  std::string_view name;      // without version
  std::string_view versions;  // what a guest's version begins with: "1.", "0.2.0-draft"; "" for any
  // Any effective capability of it links the interface; the service asks for each target. None: it holds no authority.
  std::optional<policy::Kind> kind;
  std::string_view grant;  // what one looks like: "kv:read:BUCKET"
  std::span<const ServiceFunction> functions;
  std::span<const std::string_view> resources = {};  // its own and those that it uses of another interface
};

// Of the interface as a guest imports it; nullptr when no service answers it.
const ServiceInterface* FindService(std::string_view import);
std::span<const ServiceInterface> ServiceInterfaces();

}  // namespace cordon::abi
