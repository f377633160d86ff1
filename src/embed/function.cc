#include "cordon/function.h"

#include "embed/state.h"

namespace cordon {
namespace {

class SinkOf final : public engine::ResultSink {
 public:
  explicit SinkOf(detail::ResultSink sink) : sink_(sink) {}
  void Take(engine::Pieces pieces) noexcept override { sink_.take(sink_.user, pieces); }

 private:
  detail::ResultSink sink_;
};

Status CallFresh(const detail::BoundFunction& function, const CallOptions* options, std::span<const ByteView> input,
                 detail::ResultSink sink, const embed::CallQueue::Given* given) {
  const Plugin::State& state = *function.plugin;
  CORDON_TRY(embed::CheckUsable(state));
  SinkOf out(sink);
  if (options == nullptr && given == nullptr) {
    CORDON_TRY(embed::CheckPlace(nullptr));
    return state.plugin->CallTarget(function.target, input, out, function.plain);
  }
  CORDON_ASSIGN(runtime::CallOptions call, embed::OptionsOf(state, options != nullptr ? *options : CallOptions{}));
  if (given != nullptr) {
    call.handle = given->handle;
    call.ticket = given->ticket;
  }
  if (call.handle == nullptr) return state.plugin->CallTarget(function.target, input, out, call);
  const embed::CancelWatch watch(options != nullptr ? options->cancel : CancelToken{}, *call.handle);
  return state.plugin->CallTarget(function.target, input, out, call);
}

// Says what is wrong, or nothing.
Status CheckWarm(const detail::InstanceState& instance, const detail::BoundFunction& function) {
  CORDON_TRY(embed::CheckUsable(*function.plugin));
  if (instance.plugin != function.plugin) {
    return Fail(Code::kUsage, "the function belongs to another plugin than the instance",
                "look it up in the plugin that made the instance");
  }
  if (instance.busy.load(std::memory_order_relaxed)) {
    return Fail(Code::kBusy, "the instance is in a call already", "use one instance for each thread");
  }
  return {};
}

// The same as a question: a Status that says nothing still costs a dozen nanoseconds where calls take a hundred.
bool IsWarm(const detail::InstanceState& instance, const detail::BoundFunction& function) {
  const Plugin::State& state = *function.plugin;
  return !state.unloaded.load(std::memory_order_relaxed) && !state.host->down.load(std::memory_order_relaxed) &&
         instance.plugin.get() == &state && !instance.busy.load(std::memory_order_relaxed);
}

// Not an exchange: this is the hot path, and what it is for is a call from inside a service of the same call.
class BusyScope {
 public:
  explicit BusyScope(std::atomic<bool>& busy) : busy_(busy) { busy_.store(true, std::memory_order_relaxed); }
  ~BusyScope() { busy_.store(false, std::memory_order_relaxed); }
  BusyScope(const BusyScope&) = delete;
  BusyScope& operator=(const BusyScope&) = delete;

 private:
  std::atomic<bool>& busy_;
};

Status CallWarmPlain(detail::InstanceState& instance, const detail::BoundFunction& function,
                     std::span<const ByteView> input, detail::ResultSink sink) {
  if (!IsWarm(instance, function)) [[unlikely]]
    return CheckWarm(instance, function);
  if (embed::InsideService()) [[unlikely]]
    return embed::CheckPlace(nullptr);
  SinkOf out(sink);
  const BusyScope busy(instance.busy);
  Status outcome =
      function.plugin->plugin->CallTargetIn(instance.instance, function.target, input, out, instance.NextCallId());
  if (outcome) [[likely]] {
    // CountOne, without the Status of the common case.
    if (instance.uncounted + 1 < instance.batch) [[likely]] {
      ++instance.uncounted;
    } else {
      outcome = instance.CountOne();
    }
  }
  return outcome;
}

Status CallWarm(detail::InstanceState& instance, const detail::BoundFunction& function, const CallOptions& options,
                std::span<const ByteView> input, detail::ResultSink sink) {
  const Plugin::State& state = *function.plugin;
  CORDON_TRY(CheckWarm(instance, function));
  CORDON_ASSIGN(runtime::CallOptions call, embed::OptionsIn(instance, options));
  SinkOf out(sink);
  const BusyScope busy(instance.busy);
  std::optional<embed::CancelWatch> watch;
  if (call.handle != nullptr) watch.emplace(options.cancel, *call.handle);
  CORDON_TRY(state.plugin->CallTargetIn(instance.instance, function.target, input, out, call, instance.NextCallId()));
  return instance.CountOne();
}

}  // namespace

namespace detail {

Error TooLargeToCross() {
  return Error(Code::kInputSize, "a string or list has more than 4 GiB", "pass less at once").With("limit", "input");
}

Error ResultMisfit() { return Error(Code::kInternal, "a result does not have the type that the plugin declares"); }

Error NoMemory() { return embed::NoMemory(); }

Status CallBound(const BoundFunction& function, const CallOptions* options, std::span<const ByteView> input,
                 ResultSink sink) noexcept {
  return embed::Guarded([&] { return CallFresh(function, options, input, sink, nullptr); });
}

Status CallBoundOn(InstanceState& instance, const BoundFunction& function, const CallOptions* options,
                   std::span<const ByteView> input, ResultSink sink) noexcept {
  if (options != nullptr || !instance.tenant.empty()) {
    return embed::Guarded(
        [&] { return CallWarm(instance, function, options != nullptr ? *options : CallOptions{}, input, sink); });
  }
  try {
    return CallWarmPlain(instance, function, input, sink);  // not through a lambda, whose captures go through memory
  } catch (...) {
    return embed::Guarded([]() -> Status { throw; });
  }
}

void CallBoundAsync(std::shared_ptr<const BoundFunction> function, CallOptions options, std::string input,
                    ResultSink sink, Executor executor, std::move_only_function<void(Status)> done) {
  const Plugin::State& state = *function->plugin;
  auto body = [function, input = std::move(input), sink](const CallOptions& call,
                                                         const embed::CallQueue::Given& given) -> Status {
    const ByteView bytes(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
    return embed::Guarded([&] { return CallFresh(*function, &call, {&bytes, 1}, sink, &given); });
  };
  embed::Start(state, std::move(options), std::move(executor), std::move(body), std::move(done));
}

}  // namespace detail

Result<std::shared_ptr<const detail::BoundFunction>> Plugin::Bind(std::string_view name, std::string shape) const {
  return embed::Guarded([&]() -> Result<std::shared_ptr<const detail::BoundFunction>> {
    CORDON_TRY(embed::CheckUsable(*state_));
    auto bound = std::make_shared<detail::BoundFunction>();
    bound->plugin = state_;
    CORDON_ASSIGN(bound->target, state_->plugin->FindTarget(name));
    if (bound->target.shape != shape) {
      return Fail(Error(Code::kType,
                        bound->target.export_name + " is " + bound->target.shape + " in the plugin, and " + shape +
                            " in the host",
                        "write the C++ types of the first, or generate them with: cordon bindgen --host cpp")
                      .With("plugin", bound->target.shape)
                      .With("host", shape));
    }
    return std::shared_ptr<const detail::BoundFunction>(std::move(bound));
  });
}

}  // namespace cordon
