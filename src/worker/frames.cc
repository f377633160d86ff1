#include "worker/frames.h"

#include <algorithm>

namespace cordon::worker {
namespace {

constexpr std::size_t kListMax = 65'536;
constexpr std::size_t kTextMax = 256 << 10;
constexpr std::size_t kDetailsMax = 64;
constexpr Duration kTimeMost = std::chrono::hours(24 * 366);

// Bytes that need not be UTF-8: what a guest wrote, what its streams are given.
void PutBytes(wire::Writer& out, std::string_view bytes) {
  out.Count(bytes.size());
  out.Raw({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

std::string TakeBytes(wire::Reader& in) {
  const auto bytes = in.Raw(in.Count(1));
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::size_t TakeCount(wire::Reader& in, std::size_t element_bytes_min, std::size_t most) {
  const std::size_t count = in.Count(element_bytes_min);
  if (count <= most) return count;
  in.Fail(wire::Fault::kCase);
  return 0;
}

// A text that may come from a guest: what is no UTF-8 in it crosses as it is, and is escaped where it is shown.
std::string TakeText(wire::Reader& in) {
  std::string text = TakeBytes(in);
  if (text.size() > kTextMax) text.resize(kTextMax);
  return text;
}

void PutImports(wire::Writer& out, const std::vector<engine::HostImport>& imports) {
  out.Count(imports.size());
  for (const engine::HostImport& import : imports) {
    PutBytes(out, import.interface_name);
    PutBytes(out, import.function);
    out.U8(static_cast<std::uint8_t>(import.kind));
    PutBytes(out, import.blocks);
  }
}

std::vector<engine::HostImport> TakeImports(wire::Reader& in) {
  std::vector<engine::HostImport> imports;
  const std::size_t count = TakeCount(in, 13, kListMax);
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    engine::HostImport import;
    import.interface_name = TakeBytes(in);
    import.function = TakeBytes(in);
    const std::uint8_t kind = in.U8();
    if (kind > static_cast<std::uint8_t>(engine::HostImport::Kind::kDeferred)) in.Fail(wire::Fault::kCase);
    import.kind = static_cast<engine::HostImport::Kind>(kind);
    import.blocks = TakeBytes(in);
    imports.push_back(std::move(import));
  }
  return imports;
}

template <typename E>
E TakeEnum(wire::Reader& in, E last) {
  const std::uint8_t value = in.U8();
  if (value > static_cast<std::uint8_t>(last)) in.Fail(wire::Fault::kCase);
  return static_cast<E>(value);
}

void PutDuration(wire::Writer& out, std::optional<Duration> duration) {
  out.S64(duration ? std::max<std::int64_t>(duration->count(), 1) : 0);
}

}  // namespace

void Encode(wire::Writer& out, const SetUp& set_up) {
  const engine::EngineOptions& engine = set_up.engine;
  out.U32(kVersion);
  out.Bool(engine.fuel);
  out.Bool(engine.debug);
  out.U8(static_cast<std::uint8_t>(engine.address_space));
  out.U8(static_cast<std::uint8_t>(engine.traps));
  out.U8(static_cast<std::uint8_t>(engine.data));
  out.U8(static_cast<std::uint8_t>(engine.stops));
  out.U64(engine.max_memory_bytes);
  out.U32(engine.max_instances);
  out.U32(engine.max_table_elements);
  out.U32(engine.stack_bytes);
  out.U8(static_cast<std::uint8_t>(set_up.link.abi));
  out.Count(set_up.link.wasi.size());
  for (const std::string& name : set_up.link.wasi) PutBytes(out, name);
  PutImports(out, set_up.link.host);
  PutImports(out, set_up.link.stubs);
  out.Count(set_up.libraries.size());
  for (const std::string& name : set_up.libraries) PutBytes(out, name);
  out.U32(set_up.folders);
}

Result<SetUp> DecodeSetUp(std::span<const std::uint8_t> body) {
  using engine::EngineOptions;
  wire::Reader in(body);
  if (const std::uint32_t version = in.U32(); in.ok() && version != kVersion) {
    return Fail(Code::kUnavailable,
                "the worker is of version " + std::to_string(kVersion) + ", its host of " + std::to_string(version),
                "install the cordon-worker that came with this library");
  }
  SetUp set_up;
  EngineOptions& engine = set_up.engine;
  engine.fuel = in.Bool();
  engine.debug = in.Bool();
  engine.address_space = TakeEnum(in, EngineOptions::AddressSpace::kSmall);
  engine.traps = TakeEnum(in, EngineOptions::Traps::kChecks);
  engine.data = TakeEnum(in, EngineOptions::Segments::kCopied);
  engine.stops = TakeEnum(in, EngineOptions::Stops::kNone);
  engine.max_memory_bytes = in.U64();
  engine.max_instances = in.U32();
  engine.max_table_elements = in.U32();
  engine.stack_bytes = in.U32();
  set_up.link.abi = TakeEnum(in, engine::LinkSpec::Abi::kFledge);
  for (std::size_t left = TakeCount(in, 4, kListMax); left > 0 && in.ok(); --left) {
    set_up.link.wasi.push_back(TakeBytes(in));
  }
  set_up.link.host = TakeImports(in);
  set_up.link.stubs = TakeImports(in);
  for (std::size_t left = TakeCount(in, 4, kListMax); left > 0 && in.ok(); --left) {
    set_up.libraries.push_back(TakeBytes(in));
  }
  set_up.folders = in.U32();
  CORDON_TRY(in.Finish());
  return set_up;
}

void Encode(wire::Writer& out, const CallHead& head) {
  out.U64(head.call_id);
  out.U32(head.function);
  PutDuration(out, head.limits.wall);
  PutDuration(out, head.limits.cpu);
  out.U64(head.limits.fuel.value_or(0));
}

CallHead DecodeCallHead(wire::Reader& in) {
  CallHead head;
  head.call_id = in.U64();
  head.function = in.U32();
  head.limits.wall = Duration(in.S64());
  if (const std::int64_t cpu = in.S64(); cpu > 0) head.limits.cpu = Duration(cpu);
  if (const std::uint64_t fuel = in.U64(); fuel > 0) head.limits.fuel = fuel;
  return head;
}

void Encode(wire::Writer& out, const engine::InstanceOptions& options, std::span<const int> folders) {
  out.Count(options.environment.size());
  for (const auto& [name, value] : options.environment) {
    PutBytes(out, name);
    PutBytes(out, value);
  }
  out.Count(options.arguments.size());
  for (const std::string& argument : options.arguments) PutBytes(out, argument);
  out.Count(options.preopens.size());
  for (const engine::Preopen& preopen : options.preopens) {
    const auto at = std::ranges::find(folders, preopen.dir_fd);
    out.U32(static_cast<std::uint32_t>(at - folders.begin()));
    PutBytes(out, preopen.guest_path);
    out.Bool(preopen.writable);
  }
  PutBytes(out, options.stdin_bytes);
  out.Bool(options.streams.has_value());
  if (options.streams) {
    out.Bool(options.streams->stdin_fd >= 0);
    out.Bool(options.streams->stdout_fd >= 0);
    out.Bool(options.streams->stderr_fd >= 0);
  }
  out.U8(static_cast<std::uint8_t>(options.clock));
  out.Bool(options.network != nullptr);
  const engine::StoreLimits& limits = options.limits;
  out.U64(limits.memory_bytes);
  for (const std::uint32_t number :
       {limits.table_elements, limits.instances, limits.tables, limits.memories, limits.handles}) {
    out.U32(number);
  }
  for (const std::uint64_t number : {limits.host_call_bytes, limits.random_bytes, limits.stdout_bytes, limits.var_bytes,
                                     limits.http_response_bytes}) {
    out.U64(number);
  }
  out.U8(static_cast<std::uint8_t>(options.file_rate));
}

Result<engine::InstanceOptions> DecodeOptions(wire::Reader& in, std::span<const int> folders, WhatFollows& follow) {
  engine::InstanceOptions options;
  for (std::size_t left = TakeCount(in, 8, kListMax); left > 0 && in.ok(); --left) {
    std::string name = TakeBytes(in);
    options.environment.emplace_back(std::move(name), TakeBytes(in));
  }
  for (std::size_t left = TakeCount(in, 4, kListMax); left > 0 && in.ok(); --left) {
    options.arguments.push_back(TakeBytes(in));
  }
  for (std::size_t left = TakeCount(in, 9, kListMax); left > 0 && in.ok(); --left) {
    engine::Preopen preopen;
    const std::uint32_t at = in.U32();
    preopen.guest_path = TakeBytes(in);
    preopen.writable = in.Bool();
    if (at >= folders.size()) {
      in.Fail(wire::Fault::kCase);
      break;
    }
    preopen.dir_fd = folders[at];
    options.preopens.push_back(std::move(preopen));
  }
  options.stdin_bytes = TakeBytes(in);
  follow.streams = in.Bool();
  if (follow.streams) {
    follow.in = in.Bool();
    follow.out = in.Bool();
    follow.err = in.Bool();
  }
  options.clock = TakeEnum(in, engine::ClockKind::kStepped);
  follow.network = in.Bool();
  engine::StoreLimits& limits = options.limits;
  limits.memory_bytes = in.U64();
  for (std::uint32_t* number :
       {&limits.table_elements, &limits.instances, &limits.tables, &limits.memories, &limits.handles}) {
    *number = in.U32();
  }
  for (std::uint64_t* number : {&limits.host_call_bytes, &limits.random_bytes, &limits.stdout_bytes, &limits.var_bytes,
                                &limits.http_response_bytes}) {
    *number = in.U64();
  }
  options.file_rate = TakeEnum(in, engine::InstanceOptions::FileRate::kAsked);
  if (!in.ok()) CORDON_TRY(in.Finish());
  return options;
}

void Encode(wire::Writer& out, const Error& error) {
  out.U16(static_cast<std::uint16_t>(error.code));
  PutBytes(out, std::string_view(error.message).substr(0, kTextMax));
  PutBytes(out, std::string_view(error.remedy).substr(0, kTextMax));
  PutBytes(out, std::string_view(error.backtrace).substr(0, kTextMax));
  const std::size_t details = std::min(error.details.size(), kDetailsMax);
  out.Count(details);
  for (std::size_t i = 0; i < details; ++i) {
    PutBytes(out, std::string_view(error.details[i].first).substr(0, kTextMax));
    PutBytes(out, std::string_view(error.details[i].second).substr(0, kTextMax));
  }
}

Error DecodeError(wire::Reader& in) {
  const std::uint16_t code = in.U16();
  if (code > static_cast<std::uint16_t>(kLastCode)) in.Fail(wire::Fault::kCase);
  Error error(in.ok() ? static_cast<Code>(code) : Code::kInternal, TakeText(in));
  error.remedy = TakeText(in);
  error.backtrace = TakeText(in);
  for (std::size_t left = TakeCount(in, 8, kDetailsMax); left > 0 && in.ok(); --left) {
    std::string key = TakeText(in);
    error.details.emplace_back(std::move(key), TakeText(in));
  }
  return error;
}

void Encode(wire::Writer& out, const Done& done) {
  out.Bool(done.error.has_value());
  if (done.error) Encode(out, *done.error);
  out.Bool(done.poisoned);
  const engine::Usage& usage = done.usage;
  for (const std::uint64_t number :
       {usage.memory_peak_bytes, usage.fuel, usage.host_calls, usage.bytes_in, usage.bytes_out,
        usage.stdout_dropped_bytes, usage.stderr_dropped_bytes, static_cast<std::uint64_t>(usage.wall.count()),
        static_cast<std::uint64_t>(usage.cpu.count()), usage.file_read_bytes, usage.file_written_bytes,
        usage.file_operations}) {
    out.U64(number);
  }
  PutBytes(out, done.out);
  PutBytes(out, done.err);
}

Result<Done> DecodeDone(wire::Reader& in) {
  Done done;
  if (in.Bool()) done.error = DecodeError(in);
  done.poisoned = in.Bool();
  engine::Usage& usage = done.usage;
  std::uint64_t wall = 0, cpu = 0;
  for (std::uint64_t* number : {&usage.memory_peak_bytes, &usage.fuel, &usage.host_calls, &usage.bytes_in,
                                &usage.bytes_out, &usage.stdout_dropped_bytes, &usage.stderr_dropped_bytes, &wall, &cpu,
                                &usage.file_read_bytes, &usage.file_written_bytes, &usage.file_operations}) {
    *number = in.U64();
  }
  // Whatever it says, two of them have a sum.
  usage.wall = std::min(Duration(static_cast<std::int64_t>(wall & INT64_MAX)), kTimeMost);
  usage.cpu = std::min(Duration(static_cast<std::int64_t>(cpu & INT64_MAX)), kTimeMost);
  done.out = TakeBytes(in);
  done.err = TakeBytes(in);
  if (!in.ok()) CORDON_TRY(in.Finish());
  return done;
}

}  // namespace cordon::worker
