#include "typed.h"

#include "base/wire.h"

namespace cordon::bench {
namespace {

void WriteBytes(wire::Writer& writer, std::span<const std::uint8_t> bytes) {
  writer.Count(bytes.size());
  writer.Raw(bytes);
}

void ReadBytes(wire::Reader& reader, std::vector<std::uint8_t>& out) {
  const auto bytes = reader.Raw(reader.Count(1));
  out.assign(bytes.begin(), bytes.end());
}

void WriteEntry(wire::Writer& writer, const Entry& entry) {
  writer.U64(entry.id);
  writer.String(entry.name);
  writer.Bool(entry.active);
  writer.F64(entry.score);
  writer.S32(entry.count);
  writer.U32(entry.level);
  writer.Bool(entry.note.has_value());
  if (entry.note) writer.String(*entry.note);
  writer.Count(entry.tags.size());
  for (const std::string& tag : entry.tags) writer.String(tag);
  writer.Count(entry.samples.size());
  writer.Packed(std::span<const std::uint32_t>(entry.samples));
  WriteBytes(writer, entry.digest);
}

void ReadEntry(wire::Reader& reader, Entry& out) {
  out.id = reader.U64();
  out.name = reader.String();
  out.active = reader.Bool();
  out.score = reader.F64();
  out.count = reader.S32();
  out.level = reader.Case(3);
  out.note.reset();
  if (reader.Bool()) out.note = std::string(reader.String());
  out.tags.resize(reader.Count(4));
  for (std::string& tag : out.tags) tag = reader.String();
  out.samples.resize(reader.Count(4));
  for (std::uint32_t& sample : out.samples) sample = reader.U32();
  ReadBytes(reader, out.digest);
}

}  // namespace

std::string SampleText(std::size_t bytes) {
  std::string text(bytes, ' ');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + i % 26);
  return text;
}

std::vector<std::uint8_t> SampleBytes(std::size_t bytes) {
  std::vector<std::uint8_t> block(bytes);
  for (std::size_t i = 0; i < bytes; ++i) block[i] = static_cast<std::uint8_t>(i * 31);
  return block;
}

Message SampleMessage() { return {"nested", SampleBytes(64 << 10)}; }

Entry SampleEntry() {
  return {
      .id = 1ull << 40,
      .name = "an entry of ten fields",
      .active = true,
      .score = 0.75,
      .count = -3,
      .level = 1,
      .note = "with a note",
      .tags = {"alpha", "beta", "gamma"},
      .samples = {0, 1000, 2000, 3000, 4000, 5000, 6000, 7000},
      .digest = SampleBytes(32),
  };
}

std::string SampleEntryJson() {
  return R"({"entry":{"id":1099511627776,"name":"an entry of ten fields","active":true,"score":0.75,"count":-3,)"
         R"("level":"medium","note":"with a note","tags":["alpha","beta","gamma"],)"
         R"("samples":[0,1000,2000,3000,4000,5000,6000,7000],)"
         R"("digest":"AB8+XXybutn4FzZVdJOy0fAPLk1si6rJ6AcmRWSDosE="}})";
}

Result<TypedCalls> TypedCalls::Open(const runtime::Plugin& plugin) {
  CORDON_ASSIGN(engine::Instance instance, plugin.NewInstance());
  TypedCalls calls(std::move(instance));
  calls.limits_ = {.wall = plugin.limits().timeout, .cpu = {}, .fuel = {}};
  // The plugin outlives these calls, and its contract with it.
  calls.abi_ = abi::MakeGuestAbi({std::shared_ptr<void>(), &plugin.contract()});
  CORDON_ASSIGN(calls.record_.target, abi::ResolveExport(plugin.contract(), "echo-record"));
  CORDON_ASSIGN(calls.record_.function, plugin.Resolve("echo-record"));
  CORDON_ASSIGN(calls.add_, plugin.Resolve("add"));
  CORDON_ASSIGN(calls.string_, plugin.Resolve("echo-string"));
  CORDON_ASSIGN(calls.bytes_, plugin.Resolve("echo-bytes"));
  CORDON_ASSIGN(calls.nested_, plugin.Resolve("echo-nested"));
  return calls;
}

Status TypedCalls::Call(const engine::Function& function) { return instance_.Call(function, input_, output_, limits_); }

Result<std::int32_t> TypedCalls::Add(std::int32_t a, std::int32_t b) {
  input_.clear();
  wire::Writer writer(input_);
  writer.S32(a);
  writer.S32(b);
  CORDON_TRY(Call(add_));
  wire::Reader reader(output_);
  const std::int32_t sum = reader.S32();
  CORDON_TRY(reader.Finish());
  return sum;
}

Status TypedCalls::EchoString(std::string_view text, std::string& out) {
  input_.clear();
  wire::Writer(input_).String(text);
  CORDON_TRY(Call(string_));
  wire::Reader reader(output_);
  out = std::string(reader.String());
  return reader.Finish();
}

Status TypedCalls::EchoBytes(std::span<const std::uint8_t> bytes, std::vector<std::uint8_t>& out) {
  input_.clear();
  wire::Writer writer(input_);
  WriteBytes(writer, bytes);
  CORDON_TRY(Call(bytes_));
  wire::Reader reader(output_);
  ReadBytes(reader, out);
  return reader.Finish();
}

Status TypedCalls::EchoNested(const Message& message, Message& out) {
  input_.clear();
  wire::Writer writer(input_);
  writer.String(message.name);
  WriteBytes(writer, message.content);
  CORDON_TRY(Call(nested_));
  wire::Reader reader(output_);
  out.name = reader.String();
  ReadBytes(reader, out.content);
  return reader.Finish();
}

Status TypedCalls::EchoRecord(const Entry& entry, Entry& out) {
  input_.clear();
  wire::Writer writer(input_);
  WriteEntry(writer, entry);
  CORDON_TRY(Call(record_.function));
  wire::Reader reader(output_);
  ReadEntry(reader, out);
  return reader.Finish();
}

Result<std::string> TypedCalls::EchoRecordJson(std::string_view parameters) {
  CORDON_ASSIGN(abi::Outcome outcome, abi_->Invoke(instance_, record_, parameters, limits_));
  return std::move(outcome.json);
}

}  // namespace cordon::bench
