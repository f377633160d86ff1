// What the handles of the C API hold, and how every entry point begins and ends.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include <cordon.h>
#include "cordon/host.h"

struct cordon_failure {
  cordon::Error error;
  std::once_flag once{};
  std::string json{};
};

struct cordon_cancel {
  cordon::CancelToken token;
};

struct cordon_host {
  cordon::Host host;
};

struct cordon_plugin {
  cordon::Plugin plugin;
  std::mutex mutex{};  // guards the texts, which are made when they are first asked for
  std::string actions{}, authority{};
};

struct cordon_answer {
  cordon::Answer answer;
};

struct cordon_warm {
  cordon::Instance instance;
};

struct cordon_typed {
  std::shared_ptr<const cordon::detail::BoundFunction> bound;
};

struct cordon_service {
  cordon::Service service;
};

struct cordon_reply {
  std::string bytes{};
  std::string message{}, remedy{};
};

namespace cordon::capi {

cordon_code NumberOf(Code code);
// kService for a number that is no code.
Code CodeOf(cordon_code number);

inline cordon_text TextOf(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view ViewOf(cordon_text text) {
  return text.ptr == nullptr ? std::string_view() : std::string_view(text.ptr, text.len);
}
inline ByteView ViewOf(cordon_bytes bytes) {
  return bytes.ptr == nullptr ? ByteView() : ByteView(bytes.ptr, bytes.len);
}
inline std::string StringOf(cordon_text text) { return std::string(ViewOf(text)); }
// As snprintf.
std::size_t CopyOut(std::string_view text, char* buffer, std::size_t size);

// What the caller is told. Never throws: without memory there is the code and no failure.
cordon_code Report(Error error, cordon_failure** failure) noexcept;
// A fault of ours, or CORDON_E_MEMORY when not even that can be said.
cordon_code ReportUnexpected(std::string_view what, cordon_failure** failure) noexcept;

inline std::unexpected<Error> Needs(std::string_view what) {
  return Fail(Code::kUsage, std::string(what) + " is NULL or empty", "pass one: include/cordon.h says what");
}

// Runs `body`, which gives a Status; nothing that it throws leaves.
template <typename Body>
cordon_code Enter(cordon_failure** failure, Body&& body) noexcept {
  if (failure != nullptr) *failure = nullptr;
  try {
    Status status = body();
    return status ? CORDON_OK : Report(std::move(status).error(), failure);
  } catch (const std::bad_alloc&) {
    return Report(detail::NoMemory(), failure);
  } catch (const std::exception& fault) {
    return ReportUnexpected(fault.what(), failure);
  } catch (...) {
    return ReportUnexpected("an unknown exception", failure);
  }
}

// The options of a caller, whose struct may be older or newer than ours.
template <typename T>
Status ReadOptions(const T* given, std::size_t first_size, T& out) {
  out = T{};
  if (given == nullptr) return {};
  std::size_t size = 0;
  std::memcpy(&size, given, sizeof size);
  if (size < first_size || size > (std::size_t{1} << 16)) {
    return Fail(Code::kUsage, "the options have a size of " + std::to_string(size) + " bytes",
                "set their field `size` to their sizeof");
  }
  std::memcpy(&out, given, std::min(size, sizeof out));
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  if (std::any_of(bytes + std::min(size, sizeof out), bytes + size, [](unsigned char byte) { return byte != 0; })) {
    return Fail(Code::kUsage, "the options have fields that this version of the library does not know",
                "leave them zero, or use a newer library");
  }
  return {};
}

// Fills a struct of the caller's, as much as it has room for.
template <typename T>
Status WriteOut(T value, std::size_t first_size, T* out) {
  if (out == nullptr) return Needs("the struct to fill");
  std::size_t size = 0;
  std::memcpy(&size, out, sizeof size);
  if (size < first_size) return Fail(Code::kUsage, "the struct to fill has no size", "set its `size` to its sizeof");
  value.size = std::min(size, sizeof value);
  std::memcpy(out, &value, value.size);
  return {};
}

// `user` of a callback: destroyed with the last copy, wherever that is. If there is no memory, at once.
inline std::shared_ptr<void> Owned(void* user, cordon_destroy_callback destroy) {
  return std::shared_ptr<void>(user, [destroy](void* owned) {
    if (destroy != nullptr) destroy(owned);
  });
}

// An enumerator of the caller's.
template <typename E>
Status ReadEnum(std::int32_t number, std::int32_t count, std::string_view what, E& out) {
  if (number < 0 || number >= count) {
    return Fail(Code::kUsage, std::string(what) + " has no value " + std::to_string(number),
                "use the constants of cordon.h");
  }
  out = static_cast<E>(number);
  return {};
}

cordon_usage UsageOf(const Usage& usage);
Result<CallOptions> ReadCallOptions(const cordon_call_options* options);
std::string JsonOf(const Error& error);
std::string JsonOf(const AuditRecord& record);
std::string JsonOf(const std::vector<Action>& actions);
std::string JsonOf(const Authority& authority);

}  // namespace cordon::capi
