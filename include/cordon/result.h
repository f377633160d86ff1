// Result<T>: a value or an Error. Functions of Cordon return it and do not throw.
#pragma once

#include <expected>
#include <utility>

#include "cordon/error.h"

namespace cordon {

template <typename T>
using Result = std::expected<T, Error>;

using Status = Result<void>;

inline std::unexpected<Error> Fail(Error error) { return std::unexpected<Error>(std::move(error)); }

inline std::unexpected<Error> Fail(Code code, std::string message, std::string remedy = {}) {
  return std::unexpected<Error>(Error(code, std::move(message), std::move(remedy)));
}

}  // namespace cordon

#define CORDON_CONCAT_(a, b) a##b
#define CORDON_CONCAT(a, b) CORDON_CONCAT_(a, b)

// CORDON_TRY(expr): returns the error of a Status or Result, drops its value.
#define CORDON_TRY(expr)                                                     \
  do {                                                                       \
    auto&& cordon_try_ = (expr);                                             \
    if (!cordon_try_) return ::cordon::Fail(std::move(cordon_try_).error()); \
  } while (false)

// CORDON_ASSIGN(auto x, expr): declares or assigns x from a Result, or returns its error.
#define CORDON_ASSIGN(lhs, expr) CORDON_ASSIGN_(lhs, expr, CORDON_CONCAT(cordon_assign_, __LINE__))
#define CORDON_ASSIGN_(lhs, expr, tmp)                     \
  auto tmp = (expr);                                       \
  if (!tmp) return ::cordon::Fail(std::move(tmp).error()); \
  lhs = std::move(*tmp)
