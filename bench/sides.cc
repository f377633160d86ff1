#include "sides.h"

#include <cstdlib>

#include "base/file.h"
#include "manifest/config.h"

namespace cordon::bench {
namespace {

constexpr std::size_t kGuestBytesMax = 8 << 20;

const std::uint8_t* BytesOf(const std::string& text) { return reinterpret_cast<const std::uint8_t*>(text.data()); }

std::unexpected<Error> RawFailed() { return Fail(Code::kInternal, "the raw side failed; its message is above"); }

// What the host's engine has, too.
raw_options OptionsFor(std::uint32_t max_instances) {
  const manifest::CeilingLimits ceiling;
  return {
      .max_memory_bytes = ceiling.memory.count,
      .max_instances = max_instances,
      .max_table_elements = ceiling.tables,
      .stack_bytes = static_cast<std::uint32_t>(ceiling.stack.count),
  };
}

}  // namespace

Result<Guests> ReadGuests(const std::filesystem::path& folder) {
  Guests guests;
  CORDON_ASSIGN(guests.bench, ReadFile(folder / "bench.wasm", kGuestBytesMax));
  CORDON_ASSIGN(guests.sleeper, ReadFile(folder / "a20_sleep.wasm", kGuestBytesMax));
  return guests;
}

Result<std::unique_ptr<CordonSide>> CordonSide::Open(const std::filesystem::path& guests, std::uint32_t max_instances) {
  std::unique_ptr<CordonSide> side(new CordonSide);
  std::string name = (std::filesystem::temp_directory_path() / "cordon-bench-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) return Fail(Code::kIo, "a temporary folder cannot be made");
  side->state_folder_ = name;
  HostOptions options;
  CORDON_ASSIGN(options.audit, OpenAuditLog(name));
  options.max_instances = max_instances;
  options.compiler = HostOptions::Compiler::kInProcess;
  CORDON_ASSIGN(side->host_, Host::Create(std::move(options)));
  CORDON_ASSIGN(side->bench_, side->host_->Load(guests / "bench.wasm"));
  CORDON_ASSIGN(side->sleeper_, side->host_->Load(guests / "a20_sleep.wasm"));
  CORDON_ASSIGN(side->core_, side->host_->Load(guests / "bench_core.wasm"));
  CORDON_ASSIGN(side->kernels_, side->host_->Load(guests / "bench_kernels.wasm"));
  CORDON_ASSIGN(side->extism_, side->host_->Load(guests / "bench_extism.wasm"));
  CORDON_ASSIGN(side->vowels_, side->host_->Load(guests / "extism" / "count_vowels.wasm"));
  return side;
}

CordonSide::~CordonSide() {
  bench_.reset();
  sleeper_.reset();
  core_.reset();
  kernels_.reset();
  extism_.reset();
  vowels_.reset();
  host_.reset();
  std::error_code ignored;
  if (!state_folder_.empty()) std::filesystem::remove_all(state_folder_, ignored);
}

Result<RawSide> RawSide::Open(const Guests& guests, std::uint32_t max_instances) {
  const raw_options options = OptionsFor(max_instances);
  RawSide side;
  side.raw_.reset(
      raw_new(&options, BytesOf(guests.bench), guests.bench.size(), BytesOf(guests.sleeper), guests.sleeper.size()));
  if (side.raw_ == nullptr) return Fail(Code::kInternal, "the raw side failed; its message is above");
  return side;
}

Status RawSide::Round(raw_row row, std::uint64_t iterations) {
  return raw_round(raw_.get(), row, iterations) ? Status{} : RawFailed();
}

Status RawSide::Stop(raw_stop_row row, std::chrono::nanoseconds timeout, std::uint32_t bytes) {
  return raw_stop(raw_.get(), row, static_cast<std::uint64_t>(timeout.count()), bytes) ? Status{} : RawFailed();
}

Status RawSide::FreshOnTwo(std::uint64_t iterations) {
  return raw_fresh_on_two(raw_.get(), iterations) ? Status{} : RawFailed();
}

Status RawSide::Hold(std::uint32_t count) { return raw_hold(raw_.get(), count) ? Status{} : RawFailed(); }

Result<RawKernels> RawKernels::Open(const RawSide& like, const std::filesystem::path& guests) {
  CORDON_ASSIGN(const std::string guest, ReadFile(guests / "bench_kernels.wasm", kGuestBytesMax));
  RawKernels kernels;
  kernels.raw_.reset(raw_kernels_new(like.raw_.get(), BytesOf(guest), guest.size()));
  if (kernels.raw_ == nullptr) return RawFailed();
  return kernels;
}

Result<std::int64_t> RawKernels::Run(std::uint32_t kernel, std::int32_t size, std::uint64_t iterations) {
  std::int64_t answer = 0;
  if (!raw_kernels_run(raw_.get(), kernel, size, iterations, &answer)) return RawFailed();
  return answer;
}

}  // namespace cordon::bench
