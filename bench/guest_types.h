// C++ for the WIT world cordon:bench/bench@0.1.0, written by `cordon bindgen` 0.1.0. Do not edit: change the WIT and
// write it again.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cordon/plugin.h"
#include "cordon/value.h"

namespace cordon::bench::calls {

struct Message {
  std::string name{};
  std::vector<std::uint8_t> content{};

  bool operator==(const Message&) const = default;
};

enum class Level : std::uint8_t { low, medium, high };

struct Entry {
  std::uint64_t id{};
  std::string name{};
  bool active{};
  double score{};
  std::int32_t count{};
  Level level{};
  std::optional<std::string> note{};
  std::vector<std::string> tags{};
  std::vector<std::uint32_t> samples{};
  std::vector<std::uint8_t> digest{};

  bool operator==(const Entry&) const = default;
};

}  // namespace cordon::bench::calls

CORDON_RECORD(cordon::bench::calls::Message, name, content);
CORDON_ENUM(cordon::bench::calls::Level, low, medium, high);
CORDON_RECORD(cordon::bench::calls::Entry, id, name, active, score, count, level, note, tags, samples, digest);

namespace cordon::bench::calls {

// What `make bench` calls. The guest imports nothing, so nothing that can block is linked.
//
// Calls cordon:bench/calls@0.1.0 in a plugin. Immutable and thread-safe; copies are cheap.
class Calls {
 public:
  // Looks every function up and compares its types, once: E_NOT_FOUND, E_TYPE.
  static cordon::Result<Calls> Bind(const cordon::Plugin& plugin) {
    Calls bound;
    CORDON_TRY(Find(plugin, "cordon:bench/calls@0.1.0#add", bound.add_));
    CORDON_TRY(Find(plugin, "cordon:bench/calls@0.1.0#echo-string", bound.echo_string_));
    CORDON_TRY(Find(plugin, "cordon:bench/calls@0.1.0#echo-bytes", bound.echo_bytes_));
    CORDON_TRY(Find(plugin, "cordon:bench/calls@0.1.0#echo-nested", bound.echo_nested_));
    CORDON_TRY(Find(plugin, "cordon:bench/calls@0.1.0#echo-record", bound.echo_record_));
    CORDON_TRY(Find(plugin, "cordon:bench/calls@0.1.0#spin", bound.spin_));
    CORDON_TRY(Find(plugin, "cordon:bench/calls@0.1.0#fill", bound.fill_));
    return bound;
  }

  // In a fresh instance, in one that the caller keeps, or on the Host's threads.
  cordon::Result<std::int32_t> Add(std::int32_t a, std::int32_t b) const { return add_(a, b); }
  cordon::Result<std::int32_t> Add(const cordon::CallOptions& options, std::int32_t a, std::int32_t b) const {
    return add_.Call(options, a, b);
  }
  cordon::Result<std::int32_t> Add(cordon::Instance& instance, std::int32_t a, std::int32_t b) const {
    return add_.On(instance, a, b);
  }
  cordon::Result<std::int32_t> Add(cordon::Instance& instance, const cordon::CallOptions& options, std::int32_t a,
                                   std::int32_t b) const {
    return add_.On(instance, options, a, b);
  }
  cordon::Pending<std::int32_t> AddAsync(cordon::Executor executor, cordon::CallOptions options, std::int32_t a,
                                         std::int32_t b) const {
    return add_.Async(std::move(executor), std::move(options), a, b);
  }

  cordon::Result<std::string> EchoString(std::string_view text) const { return echo_string_(text); }
  cordon::Result<std::string> EchoString(const cordon::CallOptions& options, std::string_view text) const {
    return echo_string_.Call(options, text);
  }
  cordon::Result<std::string> EchoString(cordon::Instance& instance, std::string_view text) const {
    return echo_string_.On(instance, text);
  }
  cordon::Result<std::string> EchoString(cordon::Instance& instance, const cordon::CallOptions& options,
                                         std::string_view text) const {
    return echo_string_.On(instance, options, text);
  }
  cordon::Pending<std::string> EchoStringAsync(cordon::Executor executor, cordon::CallOptions options,
                                               std::string_view text) const {
    return echo_string_.Async(std::move(executor), std::move(options), text);
  }

  cordon::Result<std::vector<std::uint8_t>> EchoBytes(std::span<const std::uint8_t> bytes) const {
    return echo_bytes_(bytes);
  }
  cordon::Result<std::vector<std::uint8_t>> EchoBytes(const cordon::CallOptions& options,
                                                      std::span<const std::uint8_t> bytes) const {
    return echo_bytes_.Call(options, bytes);
  }
  cordon::Result<std::vector<std::uint8_t>> EchoBytes(cordon::Instance& instance,
                                                      std::span<const std::uint8_t> bytes) const {
    return echo_bytes_.On(instance, bytes);
  }
  cordon::Result<std::vector<std::uint8_t>> EchoBytes(cordon::Instance& instance, const cordon::CallOptions& options,
                                                      std::span<const std::uint8_t> bytes) const {
    return echo_bytes_.On(instance, options, bytes);
  }
  cordon::Pending<std::vector<std::uint8_t>> EchoBytesAsync(cordon::Executor executor, cordon::CallOptions options,
                                                            std::span<const std::uint8_t> bytes) const {
    return echo_bytes_.Async(std::move(executor), std::move(options), bytes);
  }

  cordon::Result<Message> EchoNested(const Message& message) const { return echo_nested_(message); }
  cordon::Result<Message> EchoNested(const cordon::CallOptions& options, const Message& message) const {
    return echo_nested_.Call(options, message);
  }
  cordon::Result<Message> EchoNested(cordon::Instance& instance, const Message& message) const {
    return echo_nested_.On(instance, message);
  }
  cordon::Result<Message> EchoNested(cordon::Instance& instance, const cordon::CallOptions& options,
                                     const Message& message) const {
    return echo_nested_.On(instance, options, message);
  }
  cordon::Pending<Message> EchoNestedAsync(cordon::Executor executor, cordon::CallOptions options,
                                           const Message& message) const {
    return echo_nested_.Async(std::move(executor), std::move(options), message);
  }

  cordon::Result<Entry> EchoRecord(const Entry& entry) const { return echo_record_(entry); }
  cordon::Result<Entry> EchoRecord(const cordon::CallOptions& options, const Entry& entry) const {
    return echo_record_.Call(options, entry);
  }
  cordon::Result<Entry> EchoRecord(cordon::Instance& instance, const Entry& entry) const {
    return echo_record_.On(instance, entry);
  }
  cordon::Result<Entry> EchoRecord(cordon::Instance& instance, const cordon::CallOptions& options,
                                   const Entry& entry) const {
    return echo_record_.On(instance, options, entry);
  }
  cordon::Pending<Entry> EchoRecordAsync(cordon::Executor executor, cordon::CallOptions options,
                                         const Entry& entry) const {
    return echo_record_.Async(std::move(executor), std::move(options), entry);
  }

  // Does not return.
  cordon::Result<void> Spin() const { return spin_(); }
  cordon::Result<void> Spin(const cordon::CallOptions& options) const { return spin_.Call(options); }
  cordon::Result<void> Spin(cordon::Instance& instance) const { return spin_.On(instance); }
  cordon::Result<void> Spin(cordon::Instance& instance, const cordon::CallOptions& options) const {
    return spin_.On(instance, options);
  }
  cordon::Pending<void> SpinAsync(cordon::Executor executor, cordon::CallOptions options) const {
    return spin_.Async(std::move(executor), std::move(options));
  }

  // Touches `bytes` bytes of memory once, then fills them again and again; does not return.
  cordon::Result<void> Fill(std::uint32_t bytes) const { return fill_(bytes); }
  cordon::Result<void> Fill(const cordon::CallOptions& options, std::uint32_t bytes) const {
    return fill_.Call(options, bytes);
  }
  cordon::Result<void> Fill(cordon::Instance& instance, std::uint32_t bytes) const { return fill_.On(instance, bytes); }
  cordon::Result<void> Fill(cordon::Instance& instance, const cordon::CallOptions& options, std::uint32_t bytes) const {
    return fill_.On(instance, options, bytes);
  }
  cordon::Pending<void> FillAsync(cordon::Executor executor, cordon::CallOptions options, std::uint32_t bytes) const {
    return fill_.Async(std::move(executor), std::move(options), bytes);
  }

 private:
  Calls() = default;
  template <typename Signature>
  static cordon::Status Find(const cordon::Plugin& plugin, std::string_view name,
                             cordon::TypedFunction<Signature>& out) {
    CORDON_ASSIGN(out, plugin.Function<Signature>(name));
    return {};
  }

  cordon::TypedFunction<std::int32_t(std::int32_t, std::int32_t)> add_{nullptr};
  cordon::TypedFunction<std::string(std::string_view)> echo_string_{nullptr};
  cordon::TypedFunction<std::vector<std::uint8_t>(std::span<const std::uint8_t>)> echo_bytes_{nullptr};
  cordon::TypedFunction<Message(Message)> echo_nested_{nullptr};
  cordon::TypedFunction<Entry(Entry)> echo_record_{nullptr};
  cordon::TypedFunction<void()> spin_{nullptr};
  cordon::TypedFunction<void(std::uint32_t)> fill_{nullptr};
};

}  // namespace cordon::bench::calls
