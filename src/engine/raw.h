// What the files of this room share: errors of the bridge as Error, views as the ABI's structures.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cordon/result.h"
#include "cordon_bridge.h"
#include "engine/engine.h"

namespace cordon::engine {

inline cordon_str View(std::string_view text) { return {text.data(), text.size()}; }

// The Error of a failed call; takes `error` over.
Error TakeError(cordon_status status, cordon_error* error);

struct Linked::Raw {
  cordon_linked* linked;
};

struct Function::Raw {
  cordon_function* function;
  ~Raw() { cordon_function_free(function); }
};

struct Engine::Raw {
  cordon_engine* engine;
};

struct Compiled::Raw {
  cordon_code* code;
};

}  // namespace cordon::engine
