// Calls of the bench guest on an instance that stays, as a typed C++ embedder makes them: C++ values in, C++ values
// out, the wire format between. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "abi/guest_abi.h"
#include "runtime/plugin.h"

namespace cordon::bench {

struct Message {
  std::string name;
  std::vector<std::uint8_t> content;
};

struct Entry {
  std::uint64_t id = 0;
  std::string name;
  bool active = false;
  double score = 0;
  std::int32_t count = 0;
  std::uint32_t level = 0;  // low, medium, high
  std::optional<std::string> note;
  std::vector<std::string> tags;
  std::vector<std::uint32_t> samples;
  std::vector<std::uint8_t> digest;
};

// The values that both sides pass (raw/src/calls.rs has the same).
std::string SampleText(std::size_t bytes);
std::vector<std::uint8_t> SampleBytes(std::size_t bytes);
Message SampleMessage();
Entry SampleEntry();
std::string SampleEntryJson();  // the parameters of echo-record

class TypedCalls {
 public:
  static Result<TypedCalls> Open(const runtime::Plugin& plugin);

  Result<std::int32_t> Add(std::int32_t a, std::int32_t b);
  Status EchoString(std::string_view text, std::string& out);
  Status EchoBytes(std::span<const std::uint8_t> bytes, std::vector<std::uint8_t>& out);
  Status EchoNested(const Message& message, Message& out);
  Status EchoRecord(const Entry& entry, Entry& out);
  // The same function by JSON text: its parameters in, its result out.
  Result<std::string> EchoRecordJson(std::string_view parameters);

 private:
  explicit TypedCalls(engine::Instance instance) : instance_(std::move(instance)) {}
  Status Call(const engine::Function& function);

  engine::Instance instance_;
  engine::CallLimits limits_;
  std::unique_ptr<abi::GuestAbi> abi_;
  abi::Binding record_;
  engine::Function add_, string_, bytes_, nested_;
  std::vector<std::uint8_t> input_, output_;  // kept, so that a warm call allocates nothing of its own
};

}  // namespace cordon::bench
