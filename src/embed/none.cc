// The library without an engine (CORDON_ENGINE=none): every symbol of the public headers, and nothing that runs a
// plugin. No Host can be made, so that the functions of plugins and instances are there to be linked only.
#include <atomic>

#include "base/text.h"
#include "cordon/host.h"
#include "cordon/version.h"

namespace cordon {

struct CancelToken::State {
  std::atomic<bool> cancelled = false;
};
struct Host::State {};
struct Plugin::State {
  std::string name, digest;
};
struct Deployment::State {};

namespace detail {
struct BoundFunction {};
struct InstanceState {};
}  // namespace detail

namespace {

Error NoEngine() {
  return Error(Code::kUnavailable, "this program was built with Cordon but without its engine: it runs no plugin",
               "build Cordon with -DCORDON_ENGINE=wasmtime");
}

}  // namespace

std::string_view LibraryVersion() { return CORDON_VERSION; }
std::string EngineVersion() { return "none"; }
std::string EscapeForDisplay(std::string_view text) { return Escape(text); }

std::string_view LogLevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace: return "trace";
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarn: return "warn";
    case LogLevel::kError: return "error";
    case LogLevel::kCritical: return "critical";
  }
  return "info";
}

Result<std::shared_ptr<AuditSink>> OpenAuditLog(const std::filesystem::path&) { return Fail(NoEngine()); }

CancelToken CancelToken::Make() {
  CancelToken token;
  token.state_ = std::make_shared<State>();
  return token;
}
void CancelToken::Cancel() const {
  if (state_ != nullptr) state_->cancelled.store(true);
}
bool CancelToken::cancelled() const { return state_ != nullptr && state_->cancelled.load(); }

// ---- Host

Host::Host(std::shared_ptr<State> state) : state_(std::move(state)) {}
Host::Host(Host&&) noexcept = default;
Host& Host::operator=(Host&&) noexcept = default;
Host::~Host() = default;

Result<Host> Host::Create(HostOptions) { return Fail(NoEngine()); }
Status Host::Register(Service) { return Fail(NoEngine()); }
Result<Plugin> Host::Load(const std::filesystem::path&, const LoadOptions&) { return Fail(NoEngine()); }
Result<LoadedPlugins> Host::LoadAll(const std::vector<std::filesystem::path>&, const LoadOptions&) {
  return Fail(NoEngine());
}
Result<Plugin> Host::LoadBytes(std::string_view, ByteView, const LoadOptions&) { return Fail(NoEngine()); }
Result<Plugin> Host::Inspect(const std::filesystem::path&, const LoadOptions&) { return Fail(NoEngine()); }
Result<Deployment> Host::Deploy(const std::filesystem::path&, const LoadOptions&) { return Fail(NoEngine()); }
Result<std::vector<Reload>> Host::ReloadAll() { return Fail(NoEngine()); }
Status Host::Watch(WatchOptions) { return Fail(NoEngine()); }
Result<std::vector<HookAnswer>> Host::Dispatch(std::string_view, std::string_view, const CallOptions&,
                                               std::vector<HookAnswer>*) {
  return Fail(NoEngine());
}
Result<Answer> Host::CallService(std::string_view, std::string_view, const CallOptions&) { return Fail(NoEngine()); }
std::vector<Command> Host::Commands() const { return {}; }
Result<std::optional<TaskAction>> Host::FindAction(std::string_view) const { return Fail(NoEngine()); }
Result<Answer> Host::CallCommand(std::string_view, std::string_view, const CallOptions&) { return Fail(NoEngine()); }
Result<Recording> Host::Record(const std::filesystem::path&, std::string_view, std::string_view, const LoadOptions&,
                               const CallOptions&) {
  return Fail(NoEngine());
}
Result<Answer> Host::Replay(std::string_view, const std::filesystem::path&) { return Fail(NoEngine()); }
Result<std::string> Host::Send(std::string_view, ByteView) { return Fail(NoEngine()); }
Result<std::vector<Message>> Host::Receive(std::string_view, std::size_t, std::chrono::nanoseconds) {
  return Fail(NoEngine());
}
Result<bool> Host::Acknowledge(std::string_view, std::string_view) { return Fail(NoEngine()); }
Result<Relayed> Host::Relay(std::string_view, const Plugin&) { return Fail(NoEngine()); }
Result<std::shared_ptr<Memory>> MemoryOf(const Plugin&) { return Fail(NoEngine()); }
std::string Host::Metrics() const { return {}; }
UsageTotals Host::Totals() const { return {}; }
UsageTotals Plugin::Totals() const { return {}; }
Status Host::Shutdown() { return {}; }
Status Host::Shutdown(std::chrono::nanoseconds) { return {}; }

// ---- Plugin

const std::string& Plugin::name() const { return state_->name; }
const std::string& Plugin::digest() const { return state_->digest; }
std::vector<Action> Plugin::Actions() const { return {}; }
Authority Plugin::authority() const { return {}; }
Limits Plugin::limits() const { return {}; }
Status Plugin::Revoke(std::string_view) const { return Fail(NoEngine()); }
void Plugin::Unload() const {}
std::optional<Residency> Plugin::residency() const { return std::nullopt; }
Status Plugin::Start() const { return Fail(NoEngine()); }
Status Plugin::Release() const { return Fail(NoEngine()); }
Result<Answer> Plugin::Call(std::string_view, std::string_view, const CallOptions&) const { return Fail(NoEngine()); }
Status Plugin::Call(std::string_view, std::string_view, const CallOptions&, Answer&) const { return Fail(NoEngine()); }
Pending<Answer> Plugin::CallAsync(std::string, std::string, Executor, CallOptions) const {
  return Pending<Answer>([](Pending<Answer>::Done done) { done(Fail(NoEngine())); });
}
std::future<Result<Answer>> Plugin::Submit(std::string, std::string, CallOptions) const {
  std::promise<Result<Answer>> promise;
  promise.set_value(Fail(NoEngine()));
  return promise.get_future();
}
Result<Instance> Plugin::NewInstance(const CallOptions&) const { return Fail(NoEngine()); }
Result<std::shared_ptr<const detail::BoundFunction>> Plugin::Bind(std::string_view, std::string) const {
  return Fail(NoEngine());
}

// ---- Deployment

Plugin Deployment::Current() const { return Plugin(std::make_shared<const Plugin::State>()); }
Result<Answer> Deployment::Call(std::string_view, std::string_view, const CallOptions&) const {
  return Fail(NoEngine());
}
Status Deployment::Call(std::string_view, std::string_view, const CallOptions&, Answer&) const {
  return Fail(NoEngine());
}
Pending<Answer> Deployment::CallAsync(std::string, std::string, Executor, CallOptions) const {
  return Pending<Answer>([](Pending<Answer>::Done done) { done(Fail(NoEngine())); });
}
Result<Reloaded> Deployment::Reload() const { return Fail(NoEngine()); }
void Deployment::Unload() const {}

// ---- Instance

Instance::Instance(std::unique_ptr<detail::InstanceState> state) : state_(std::move(state)) {}
Instance::Instance(Instance&&) noexcept = default;
Instance& Instance::operator=(Instance&&) noexcept = default;
Instance::~Instance() = default;
Result<Answer> Instance::Call(std::string_view, std::string_view, const CallOptions&) { return Fail(NoEngine()); }
bool Instance::poisoned() const { return true; }
Usage Instance::usage() const { return {}; }

// ---- What the templates of the headers call

namespace detail {

InstanceState& StateOf(Instance& instance) { return *instance.state_; }
Error TooLargeToCross() { return NoEngine(); }
Error ResultMisfit() { return NoEngine(); }
Error NoMemory() { return NoEngine(); }
Status CallBound(const BoundFunction&, const CallOptions*, std::span<const ByteView>, ResultSink) noexcept {
  return Fail(NoEngine());
}
Status CallBoundOn(InstanceState&, const BoundFunction&, const CallOptions*, std::span<const ByteView>,
                   ResultSink) noexcept {
  return Fail(NoEngine());
}
void CallBoundAsync(std::shared_ptr<const BoundFunction>, CallOptions, std::string, ResultSink, Executor,
                    std::move_only_function<void(Status)> done) {
  done(Fail(NoEngine()));
}

}  // namespace detail
}  // namespace cordon
