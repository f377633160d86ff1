// The bench guest's functions as an embedder calls them: through the public API, with C++ types.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cordon/host.h"

namespace cordon::bench {

struct Message {
  std::string name;
  std::vector<std::uint8_t> content;
};

enum class Level { low, medium, high };

struct Entry {
  std::uint64_t id = 0;
  std::string name;
  bool active = false;
  double score = 0;
  std::int32_t count = 0;
  Level level = Level::low;
  std::optional<std::string> note;
  std::vector<std::string> tags;
  std::vector<std::uint32_t> samples;
  std::vector<std::uint8_t> digest;
};

}  // namespace cordon::bench

CORDON_RECORD(cordon::bench::Message, name, content);
CORDON_ENUM(cordon::bench::Level, low, medium, high);
CORDON_RECORD(cordon::bench::Entry, id, name, active, score, count, level, note, tags, samples, digest);

namespace cordon::bench {

// The values that both sides pass (raw/src/calls.rs has the same).
std::string SampleText(std::size_t bytes);
std::vector<std::uint8_t> SampleBytes(std::size_t bytes);
Message SampleMessage();
Entry SampleEntry();
std::string SampleEntryJson();  // the parameters of echo-record

using Add = TypedFunction<std::int32_t(std::int32_t, std::int32_t)>;

// A warm instance and its functions.
struct GuestCalls {
  static Result<GuestCalls> Open(const Plugin& plugin);

  Instance instance;
  Add add;
  TypedFunction<std::string(std::string_view)> echo_string;
  TypedFunction<std::vector<std::uint8_t>(std::span<const std::uint8_t>)> echo_bytes;
  TypedFunction<Message(Message)> echo_nested;
  TypedFunction<Entry(Entry)> echo_record;
};

}  // namespace cordon::bench
