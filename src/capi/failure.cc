#include "capi/handles.h"
#include "cordon/version.h"

namespace cordon::capi {

cordon_code NumberOf(Code code) {
  switch (code) {
#define CORDON_NUMBER_(name, number) \
  case Code::name: return number;
#include "capi/codes.inc"
#undef CORDON_NUMBER_
  }
  return CORDON_E_INTERNAL;
}

Code CodeOf(cordon_code number) {
  switch (number) {
#define CORDON_NUMBER_(name, number) \
  case number: return Code::name;
#include "capi/codes.inc"
#undef CORDON_NUMBER_
    default: return Code::kService;
  }
}

std::size_t CopyOut(std::string_view text, char* buffer, std::size_t size) {
  if (buffer != nullptr && size > 0) {
    const std::size_t part = std::min(text.size(), size - 1);
    std::memcpy(buffer, text.data(), part);
    buffer[part] = '\0';
  }
  return text.size();
}

cordon_code Report(Error error, cordon_failure** failure) noexcept {
  const cordon_code code = NumberOf(error.code);
  if (failure != nullptr) *failure = new (std::nothrow) cordon_failure{.error = std::move(error)};
  return code;
}

cordon_code ReportUnexpected(std::string_view what, cordon_failure** failure) noexcept {
  try {
    return Report(Error(Code::kInternal, std::string(what)), failure);
  } catch (const std::bad_alloc&) {
    return Report(detail::NoMemory(), failure);
  }
}

}  // namespace cordon::capi

namespace capi = cordon::capi;

extern "C" {

uint32_t cordon_abi_version(void) { return CORDON_ABI_VERSION; }
int32_t cordon_abi_compatible(uint32_t version) { return version >= 1 && version <= CORDON_ABI_VERSION ? 1 : 0; }
cordon_text cordon_version(void) { return capi::TextOf(cordon::LibraryVersion()); }

size_t cordon_engine_version(char* buffer, size_t size) {
  try {
    return capi::CopyOut(cordon::EngineVersion(), buffer, size);
  } catch (...) {
    return capi::CopyOut({}, buffer, size);
  }
}

size_t cordon_escape(cordon_text text, char* buffer, size_t size) {
  try {
    return capi::CopyOut(cordon::EscapeForDisplay(capi::ViewOf(text)), buffer, size);
  } catch (...) {
    return capi::CopyOut({}, buffer, size);
  }
}

cordon_text cordon_code_name(cordon_code code) {
  if (code == CORDON_OK) return capi::TextOf("OK");
  const cordon::Code known = capi::CodeOf(code);
  return capi::NumberOf(known) == code ? capi::TextOf(cordon::CodeName(known)) : cordon_text{};
}

cordon_code cordon_failure_code(const cordon_failure* failure) {
  return failure == nullptr ? CORDON_OK : capi::NumberOf(failure->error.code);
}

cordon_text cordon_failure_message(const cordon_failure* failure) {
  return failure == nullptr ? cordon_text{} : capi::TextOf(failure->error.message);
}

cordon_text cordon_failure_remedy(const cordon_failure* failure) {
  return failure == nullptr ? cordon_text{} : capi::TextOf(failure->error.remedy);
}

cordon_text cordon_failure_json(const cordon_failure* failure) {
  if (failure == nullptr) return {};
  try {
    // It was made with `new`, and this is all that ever changes.
    auto* made = const_cast<cordon_failure*>(failure);
    std::call_once(made->once, [made] { made->json = capi::JsonOf(made->error); });
    return capi::TextOf(failure->json);
  } catch (...) {
    return {};
  }
}

void cordon_failure_free(cordon_failure* failure) { delete failure; }

cordon_code cordon_cancel_new(cordon_cancel** cancel, cordon_failure** failure) {
  if (cancel != nullptr) *cancel = nullptr;
  return capi::Enter(failure, [&]() -> cordon::Status {
    if (cancel == nullptr) return capi::Needs("the place for the token");
    *cancel = new cordon_cancel{cordon::CancelToken::Make()};
    return {};
  });
}

void cordon_cancel_now(const cordon_cancel* cancel) {
  if (cancel != nullptr) cancel->token.Cancel();
}

int32_t cordon_cancel_is_cancelled(const cordon_cancel* cancel) {
  return cancel != nullptr && cancel->token.cancelled() ? 1 : 0;
}

void cordon_cancel_free(cordon_cancel* cancel) { delete cancel; }

}  // extern "C"
