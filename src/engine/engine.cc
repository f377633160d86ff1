#include "engine/engine.h"

#include <unistd.h>

#include <algorithm>
#include <new>

#include "engine/raw.h"
#include "engine/remote.h"

namespace cordon::engine {

namespace {

cordon_engine_options RawOptions(const EngineOptions& options) {
  return {
      .size = sizeof(cordon_engine_options),
      .fuel = options.fuel,
      .debug = options.debug,
      .small_address_space = options.address_space == EngineOptions::AddressSpace::kSmall,
      .checked_traps = options.traps == EngineOptions::Traps::kChecks,
      .copied_data = options.data == EngineOptions::Segments::kCopied,
      .parallel = options.compiling == EngineOptions::Compiling::kParallel,
      .unstoppable = options.stops == EngineOptions::Stops::kNone,
      .max_memory_bytes = options.max_memory_bytes,
      .max_instances = options.max_instances,
      .max_table_elements = options.max_table_elements,
      .stack_bytes = options.stack_bytes,
  };
}

// Whether native code is of a component or of a module; nobody has looked at the source by now.
bool IsComponent(int fd) {
  // e_flags of the ELF header: Wasmtime writes which it is.
  std::uint32_t flags = 0;
  return ::pread(fd, &flags, sizeof flags, 48) == sizeof flags && (flags & 2) != 0;
}

// Without memory it stays empty, which no caller takes for an answer.
void WriteBytes(void* user, const std::uint8_t* data, std::size_t size) noexcept {
  try {
    static_cast<std::vector<std::uint8_t>*>(user)->assign(data, data + size);
  } catch (const std::bad_alloc&) {}
}

void WriteFingerprint(void* user, const std::uint8_t* data, std::size_t size) noexcept {
  auto& out = *static_cast<std::array<std::uint8_t, 32>*>(user);
  std::copy_n(data, std::min(size, out.size()), out.begin());
}

}  // namespace

Result<std::shared_ptr<const Engine>> Engine::Create(const EngineOptions& options) {
  const cordon_engine_options raw_options = RawOptions(options);
  // Here and below: what will hold the bridge's object is there before the object is.
  std::shared_ptr<Engine> engine(new Engine);
  engine->options_ = options;
  engine->raw_ = new Raw{};
  cordon_error* error = nullptr;
  const cordon_status status = cordon_engine_new(&raw_options, &engine->raw_->engine, &error);
  if (status != CORDON_STATUS_OK) {
    Error refused = TakeError(status, error);
    if (refused.code == Code::kMemory) {
      refused.remedy = "allow the process more (ulimit -v), or plugins less memory (plugins.limits.memory)";
    }
    return Fail(std::move(refused));
  }
  return engine;
}

Engine::~Engine() {
  if (raw_ == nullptr) return;
  cordon_engine_free(raw_->engine);
  delete raw_;
}

std::array<std::uint8_t, 32> Engine::Fingerprint() const {
  std::array<std::uint8_t, 32> fingerprint{};
  const cordon_writer writer = {&fingerprint, WriteFingerprint};
  cordon_engine_fingerprint(raw_->engine, &writer);
  return fingerprint;
}

Result<Precompiled> Precompile(const EngineOptions& options, std::span<const std::uint8_t> wasm) {
  const cordon_engine_options raw_options = RawOptions(options);
  Precompiled made;
  const cordon_writer print = {&made.fingerprint, WriteFingerprint}, code = {&made.code, WriteBytes};
  cordon_error* error = nullptr;
  const cordon_status status = cordon_precompile(&raw_options, {wasm.data(), wasm.size()}, &print, &code, &error);
  if (status != CORDON_STATUS_OK) return Fail(TakeError(status, error));
  if (made.code.empty()) return Fail(Code::kMemory, "the process has no memory left for the code");
  return made;
}

Result<std::shared_ptr<const Compiled>> Compiled::LoadSealed(std::shared_ptr<const Engine> engine, int fd) {
  std::shared_ptr<Compiled> code(new Compiled);
  code->engine_ = std::move(engine);
  code->raw_ = new Raw{};
  cordon_error* error = nullptr;
  const cordon_status status =
      cordon_code_load(code->engine_->raw()->engine, fd, IsComponent(fd), &code->raw_->code, &error);
  if (status != CORDON_STATUS_OK) return Fail(TakeError(status, error));
  code->is_component_ = cordon_code_is_component(code->raw_->code);
  return code;
}

Result<std::shared_ptr<const Compiled>> Compiled::Compile(std::shared_ptr<const Engine> engine,
                                                          std::span<const std::uint8_t> wasm) {
  std::shared_ptr<Compiled> code(new Compiled);
  code->engine_ = std::move(engine);
  code->raw_ = new Raw{};
  cordon_error* error = nullptr;
  const cordon_status status =
      cordon_code_compile(code->engine_->raw()->engine, {wasm.data(), wasm.size()}, &code->raw_->code, &error);
  if (status != CORDON_STATUS_OK) return Fail(TakeError(status, error));
  code->is_component_ = cordon_code_is_component(code->raw_->code);
  return code;
}

Compiled::~Compiled() {
  if (raw_ == nullptr) return;
  cordon_code_free(raw_->code);
  delete raw_;
}

std::vector<std::uint8_t> ExtismKernel() {
  std::vector<std::uint8_t> wasm;
  const cordon_writer writer = {&wasm, WriteBytes};
  cordon_extism_kernel(&writer);
  return wasm;
}

Result<std::shared_ptr<const Linked>> Linked::Link(std::shared_ptr<const Compiled> code, const LinkSpec& spec,
                                                   std::span<const Library> libraries) {
  std::vector<cordon_str> wasi;
  for (const std::string& name : spec.wasi) wasi.push_back(View(name));
  std::vector<std::string> stub_names;
  stub_names.reserve(spec.stubs.size());
  for (const HostImport& stub : spec.stubs) stub_names.push_back("deny:" + stub.function);
  std::vector<cordon_host_import> host;
  for (const HostImport& import : spec.host) {
    host.push_back({View(import.interface_name), View(import.function), View(import.function),
                    import.kind == HostImport::Kind::kBlocking, import.kind == HostImport::Kind::kNested,
                    import.kind == HostImport::Kind::kDeferred, import.kind == HostImport::Kind::kTraced,
                    View(import.blocks)});
  }
  for (std::size_t i = 0; i < spec.stubs.size(); ++i) {
    const HostImport& stub = spec.stubs[i];
    host.push_back({View(stub.interface_name), View(stub.function), View(stub_names[i]), false, false, false, false,
                    View(stub.blocks)});
  }
  std::shared_ptr<Linked> linked(new Linked);
  linked->code_ = std::move(code);
  linked->raw_ = new Raw{};
  cordon_error* error = nullptr;
  std::vector<cordon_library> others;
  for (const Library& library : libraries) others.push_back({View(library.name), library.code->raw()->code});
  const cordon_status status =
      spec.abi == LinkSpec::Abi::kExtism
          ? cordon_linked_new_extism(linked->code_->raw()->code, others.data(), others.size(), wasi.data(), wasi.size(),
                                     host.data(), host.size(), &linked->raw_->linked, &error)
          : cordon_linked_new(linked->code_->raw()->code, wasi.data(), wasi.size(), host.data(), host.size(),
                              &linked->raw_->linked, &error);
  if (status != CORDON_STATUS_OK) return Fail(TakeError(status, error));
  return linked;
}

Linked::~Linked() {
  if (raw_ == nullptr) return;
  cordon_linked_free(raw_->linked);
  delete raw_;
}

bool Linked::waits() const { return raw_ != nullptr && cordon_linked_waits(raw_->linked); }

std::shared_ptr<const Linked> Linked::At(std::shared_ptr<Remote> remote) {
  std::shared_ptr<Linked> linked(new Linked);
  linked->remote_ = std::move(remote);
  return linked;
}

Result<Function> Linked::Find(const FunctionId& id) const {
  const auto raw = std::make_shared<Function::Raw>(nullptr);
  if (remote_ != nullptr) {
    CORDON_ASSIGN(raw->number, remote_->Find(id));
    Function function;
    function.raw_ = raw;
    return function;
  }
  cordon_error* error = nullptr;
  const cordon_status status =
      cordon_function_find(raw_->linked, View(id.interface_name), View(id.name), &raw->function, &error);
  if (status != CORDON_STATUS_OK) return Fail(TakeError(status, error));
  Function function;
  function.raw_ = raw;
  return function;
}

void EndWhenShortOfMemory() { cordon_end_when_short_of_memory(); }

bool HandlersReplaced() { return cordon_handlers_replaced(); }

std::string EngineVersion() { return cordon_bridge_build(); }

}  // namespace cordon::engine
