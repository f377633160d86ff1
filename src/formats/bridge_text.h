// The C++ side of a cordon_formats_string, and of the statuses that come with it.
#pragma once

#include <cordon_formats.h>

#include <string>
#include <string_view>

#include "cordon/result.h"

namespace cordon::formats {

// Owns what the bridge wrote. Not copyable; not thread-safe.
class BridgeText {
 public:
  BridgeText() = default;
  BridgeText(const BridgeText&) = delete;
  BridgeText& operator=(const BridgeText&) = delete;
  ~BridgeText() { cordon_formats_string_free(&raw_); }

  cordon_formats_string* out() { return &raw_; }
  std::string_view view() const { return {reinterpret_cast<const char*>(raw_.data), raw_.size}; }

 private:
  cordon_formats_string raw_{nullptr, 0};
};

inline const std::uint8_t* BytesOf(std::string_view text) { return reinterpret_cast<const std::uint8_t*>(text.data()); }

// The error code of a status other than OK.
inline Code CodeOf(cordon_formats_status status) {
  switch (status) {
    case CORDON_FORMATS_PANIC: return Code::kPanic;
    case CORDON_FORMATS_TEXT: return Code::kBadString;
    case CORDON_FORMATS_SYNTAX: return Code::kSyntax;
    case CORDON_FORMATS_INVALID: return Code::kInvalid;
    case CORDON_FORMATS_LIMIT: return Code::kLimit;
    case CORDON_FORMATS_NAME: return Code::kName;
    case CORDON_FORMATS_NOT_WASM: return Code::kNotWasm;
    case CORDON_FORMATS_PRECOMPILED: return Code::kPrecompiled;
    case CORDON_FORMATS_COMPILE: return Code::kCompile;
    case CORDON_FORMATS_COMPILE_LIMIT: return Code::kCompileLimit;
    case CORDON_FORMATS_MEMORY: return Code::kMemory;
    default: return Code::kInternal;
  }
}

}  // namespace cordon::formats
