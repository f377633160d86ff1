// C++ for the WIT world acme:files/files-world, written by `cordon bindgen` 0.1.0. Do not edit: change the WIT and
// write it again.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "cordon/plugin.h"
#include "cordon/value.h"

namespace acme::files::files {

// Calls acme:files/files in a plugin. Immutable and thread-safe; copies are cheap.
class Files {
 public:
  // Looks every function up and compares its types, once: E_NOT_FOUND, E_TYPE.
  static cordon::Result<Files> Bind(const cordon::Plugin& plugin) {
    Files bound;
    CORDON_TRY(Find(plugin, "acme:files/files#size-of", bound.size_of_));
    return bound;
  }

  // In a fresh instance, in one that the caller keeps, or on the Host's threads.
  cordon::Result<std::uint64_t> SizeOf(std::string_view path) const { return size_of_(path); }
  cordon::Result<std::uint64_t> SizeOf(const cordon::CallOptions& options, std::string_view path) const {
    return size_of_.Call(options, path);
  }
  cordon::Result<std::uint64_t> SizeOf(cordon::Instance& instance, std::string_view path) const {
    return size_of_.On(instance, path);
  }
  cordon::Result<std::uint64_t> SizeOf(cordon::Instance& instance, const cordon::CallOptions& options,
                                       std::string_view path) const {
    return size_of_.On(instance, options, path);
  }
  cordon::Pending<std::uint64_t> SizeOfAsync(cordon::Executor executor, cordon::CallOptions options,
                                             std::string_view path) const {
    return size_of_.Async(std::move(executor), std::move(options), path);
  }
  // Not here: [method]file.read, since it belongs to a resource.
  // Not here: open, since the resource 'file' does not cross.

 private:
  Files() = default;
  template <typename Signature>
  static cordon::Status Find(const cordon::Plugin& plugin, std::string_view name,
                             cordon::TypedFunction<Signature>& out) {
    CORDON_ASSIGN(out, plugin.Function<Signature>(name));
    return {};
  }

  cordon::TypedFunction<std::uint64_t(std::string_view)> size_of_{nullptr};
};

}  // namespace acme::files::files
