// From a binary to linked code: found in the cache, or compiled.
#include <thread>

#include "engine/code_cache.h"
#include "runtime/load.h"

namespace cordon::runtime {
namespace {

// It compiles with one for each processor.
std::uint32_t CompilerThreads() { return 16 + 2 * std::thread::hardware_concurrency(); }

}  // namespace

void Loader::AuditRefusedCode(engine::CodeCache::Refusal refusal, const std::string& entry, std::string_view why) {
  constexpr int kAlarmCount = 3;
  audit::Record record = plugin_->NewRecord(audit::Event::kNote);
  record.target = "code-cache:" + entry;
  record.rule = refusal == engine::CodeCache::Refusal::kForged ? "code-cache:forged" : "code-cache:refused";
  record.decision = policy::Verdict::kDeny;
  record.note = "cached code was not used: " + std::string(why) + "; it is compiled again";
  cache_audit_ = host_.options.observer->On(record);
  if (refusal != engine::CodeCache::Refusal::kForged || !cache_audit_) return;
  if (host_.options.code_cache->RecentForgeries() < kAlarmCount) return;
  record.rule = "code-cache:alarm";
  record.note = "cached code was forged three times within ten minutes: somebody writes to the folder";
  cache_audit_ = host_.options.observer->On(record);
}

void Loader::AuditCodeNotKept(const std::string& entry, std::string_view why) {
  audit::Record record = plugin_->NewRecord(audit::Event::kNote);
  record.target = "code-cache:" + entry;
  record.rule = "code-cache:not-kept";
  record.note = "compiled code is not kept: " + std::string(why) + "; it is compiled again the next time";
  cache_audit_ = host_.options.observer->On(record);
}

Result<engine::Precompiled> Loader::MakeCode(const engine::Engine& engine, std::span<const std::uint8_t> wasm) const {
  if (host_.options.no_compiler) return Fail(*host_.options.no_compiler);
  engine::EngineOptions options = engine.options();
  const auto make = [&]() -> Result<engine::Precompiled> {
    if (host_.options.compiler.empty()) return engine::Precompile(options, wasm);
    engine::CompileRequest compile;
    compile.program = host_.options.compiler;
    compile.options = options;
    compile.wasm = wasm;
    compile.limits = host_.options.compile_limits;
    const groups::Bounds bounds{.memory_bytes = compile.limits.memory_bytes, .threads = CompilerThreads()};
    const auto group = groups::Group::Make(host_.Groups(), bounds);
    if (group != nullptr) compile.groups = group->entries();
    compile.cancelled = request_.cancelled;
    if (request_.progress) compile.waiting = [this](Duration) { Stage("compiling"); };
    return engine::CompileApart(compile);
  };
  CORDON_ASSIGN(engine::Precompiled made, make());
  if (made.fingerprint != engine.Fingerprint()) {
    // The engine fell back to a small address space, which its options do not show.
    options.address_space = engine::EngineOptions::AddressSpace::kSmall;
    CORDON_ASSIGN(made, make());
  }
  if (made.fingerprint == engine.Fingerprint()) return made;
  return Fail(Code::kUnavailable, host_.options.compiler.string() + " compiles for another build of Cordon",
              "install the cordon-compile that came with this library");
}

Result<std::shared_ptr<const engine::Compiled>> Loader::FindCode(const EngineRef& engine,
                                                                 std::span<const std::uint8_t> wasm,
                                                                 const Digest& digest) {
  const auto& cache = host_.options.code_cache;
  if (cache != nullptr) {
    const auto refused = [this](engine::CodeCache::Refusal refusal, const std::string& entry, std::string_view why) {
      AuditRefusedCode(refusal, entry, why);
    };
    auto code = cache->Find(engine, digest, refused);
    CORDON_TRY(cache_audit_);
    if (code != nullptr) return code;
  }
  Stage("compiling");
  if (cache == nullptr && host_.options.compiler.empty() && !host_.options.no_compiler) {
    return engine::Compiled::Compile(engine, wasm);
  }
  CORDON_ASSIGN(const engine::Precompiled made, MakeCode(*engine, wasm));
  if (cache != nullptr) {
    const auto not_kept = [this](const std::string& entry, std::string_view why) { AuditCodeNotKept(entry, why); };
    auto code = cache->Add(engine, digest, made.code, not_kept);
    CORDON_TRY(cache_audit_);
    return code;
  }
  CORDON_ASSIGN(const UniqueFd sealed, engine::Sealed(made.code));
  return engine::Compiled::LoadSealed(engine, sealed.get());
}

Status Loader::Compile() {
  if (plugin_->abi_kind == manifest::Abi::kNative) return ConfineNative();
  if (plugin_->placement == HostOptions::Placement::kWorkers) {
    Status made = CompileForWorkers();
    if (made) return made;
    // What is wrong with the place, and not with the plugin: others are not kept from running by it.
    const Code code = made.error().code;
    const bool is_place = code == Code::kUnavailable || code == Code::kUnenforceable;
    if (!is_place || !made.error().Detail("backend").empty()) return made;
    return Fail(std::move(made).error().With("backend", "worker"));
  }
  CORDON_ASSIGN(auto engine, host_.EngineFor(request_, plugin_->limits, plugin_->contract->data_bytes,
                                             HostOptions::Placement::kHere, rules_->config.limits));
  CORDON_ASSIGN(auto code, FindCode(engine, plugin_->source.wasm(), plugin_->source.digest));
  CORDON_ASSIGN(const std::vector<engine::Library> libraries, Libraries(engine));
  Stage("linking");
  CORDON_ASSIGN(const engine::LinkSpec spec, LinkOf());
  CORDON_ASSIGN(plugin_->linked, engine::Linked::Link(std::move(code), spec, libraries));
  return {};
}

}  // namespace cordon::runtime
