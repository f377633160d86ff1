#include "manifest/manifest.h"

namespace cordon::manifest {

std::string_view AbiName(Abi abi) {
  switch (abi) {
    case Abi::kCore: return "core";
    case Abi::kExtism: return "extism";
    case Abi::kCommand: return "command";
    case Abi::kFledge: return "fledge";
    case Abi::kNative: return "native";
    case Abi::kComponent: break;
  }
  return "component";
}

std::string CanonicalText(const Manifest& manifest) { return json::Canonical(manifest.canonical); }

Digest CanonicalDigest(const Manifest& manifest) { return Digest::Of(CanonicalText(manifest)); }

}  // namespace cordon::manifest
