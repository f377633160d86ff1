// Calls: with JSON, asynchronous, in a warm instance, and with wire bytes.
#include "capi/handles.h"

namespace cordon::capi {

cordon_usage UsageOf(const Usage& usage) {
  return {.size = 0,
          .wall_ns = static_cast<std::uint64_t>(usage.wall.count()),
          .cpu_ns = static_cast<std::uint64_t>(usage.cpu.count()),
          .memory_peak_bytes = usage.memory_peak_bytes,
          .fuel = usage.fuel,
          .host_calls = usage.host_calls,
          .input_bytes = usage.input_bytes,
          .output_bytes = usage.output_bytes,
          .stdout_dropped_bytes = usage.stdout_dropped_bytes,
          .stderr_dropped_bytes = usage.stderr_dropped_bytes};
}

Result<CallOptions> ReadCallOptions(const cordon_call_options* options) {
  cordon_call_options in;
  CORDON_TRY(ReadOptions(options, offsetof(cordon_call_options, parent) + sizeof in.parent, in));
  CallOptions out;
  constexpr auto kLong = static_cast<std::uint64_t>(std::chrono::nanoseconds::max().count());
  if (in.timeout_ns != 0) out.timeout = std::chrono::nanoseconds(std::min(in.timeout_ns, kLong / 4));
  if (in.deadline_ns != 0) {
    out.deadline = std::chrono::steady_clock::time_point(std::chrono::nanoseconds(std::min(in.deadline_ns, kLong)));
  }
  if (in.cancel != nullptr) out.cancel = in.cancel->token;
  const ByteView input = ViewOf(in.stdin_bytes);
  out.stdin_bytes.assign(reinterpret_cast<const char*>(input.data()), input.size());
  out.principal = {StringOf(in.user), StringOf(in.session), StringOf(in.agent), StringOf(in.tenant)};
  out.parent = reinterpret_cast<const ServiceCall*>(in.parent);
  return out;
}

namespace {

constexpr std::size_t kUsageFirst = sizeof(cordon_usage);

Executor ExecutorOf(const cordon_executor& in, std::shared_ptr<void> user) {
  if (in.run == nullptr) return {};
  return [run = in.run, user = std::move(user)](std::move_only_function<void()> work) {
    auto task = std::make_unique<std::move_only_function<void()>>(std::move(work));
    const auto work_once = [](void* given) {
      const std::unique_ptr<std::move_only_function<void()>> mine(static_cast<std::move_only_function<void()>*>(given));
      (*mine)();
    };
    run(user.get(), work_once, task.release());
  };
}

void Finish(cordon_done_callback done, void* user, Result<Answer> result) {
  cordon_failure* failure = nullptr;
  if (!result) {
    const cordon_code code = Report(std::move(result).error(), &failure);
    return done(user, code, nullptr, failure);
  }
  auto* answer = new (std::nothrow) cordon_answer{std::move(*result)};
  if (answer != nullptr) return done(user, CORDON_OK, answer, nullptr);
  done(user, CORDON_E_MEMORY, nullptr, nullptr);
}

struct Taken {
  cordon_take_callback take;
  void* user;
  bool has_room = true;
  static void Take(void* self, std::span<const ByteView> pieces) noexcept {
    auto* taken = static_cast<Taken*>(self);
    cordon_bytes few[16] = {};
    std::unique_ptr<cordon_bytes[]> many;
    cordon_bytes* out = few;
    if (pieces.size() > std::size(few)) {
      many.reset(new (std::nothrow) cordon_bytes[pieces.size()]);
      out = many.get();
    }
    if (out == nullptr) {
      taken->has_room = false;
      return;
    }
    for (std::size_t i = 0; i < pieces.size(); ++i) out[i] = {pieces[i].data(), pieces[i].size()};
    if (taken->take != nullptr) taken->take(taken->user, out, pieces.size());
  }
};

}  // namespace
}  // namespace cordon::capi

namespace capi = cordon::capi;
using cordon::Status;

extern "C" {

cordon_text cordon_answer_json(const cordon_answer* answer) {
  return answer == nullptr ? cordon_text{} : capi::TextOf(answer->answer.json);
}

int32_t cordon_answer_is_plugin_error(const cordon_answer* answer) {
  return answer != nullptr && answer->answer.is_plugin_error ? 1 : 0;
}

cordon_text cordon_answer_stdout(const cordon_answer* answer) {
  return answer == nullptr ? cordon_text{} : capi::TextOf(answer->answer.stdout_text);
}

cordon_text cordon_answer_stderr(const cordon_answer* answer) {
  return answer == nullptr ? cordon_text{} : capi::TextOf(answer->answer.stderr_text);
}

uint64_t cordon_answer_call_id(const cordon_answer* answer) { return answer == nullptr ? 0 : answer->answer.call_id; }

cordon_code cordon_answer_usage(const cordon_answer* answer, cordon_usage* usage, cordon_failure** failure) {
  return capi::Enter(failure, [&]() -> Status {
    if (answer == nullptr) return capi::Needs("the answer");
    return capi::WriteOut(capi::UsageOf(answer->answer.usage), capi::kUsageFirst, usage);
  });
}

void cordon_answer_free(cordon_answer* answer) { delete answer; }

cordon_code cordon_plugin_call(const cordon_plugin* plugin, cordon_text action, cordon_text input_json,
                               const cordon_call_options* options, cordon_answer** answer, cordon_failure** failure) {
  if (answer != nullptr) *answer = nullptr;
  return capi::Enter(failure, [&]() -> Status {
    if (plugin == nullptr) return capi::Needs("the plugin");
    if (answer == nullptr) return capi::Needs("the place for the answer");
    CORDON_ASSIGN(const cordon::CallOptions call, capi::ReadCallOptions(options));
    auto made = std::make_unique<cordon_answer>();
    Status status = plugin->plugin.Call(capi::ViewOf(action), capi::ViewOf(input_json), call, made->answer);
    *answer = made.release();
    return status;
  });
}

cordon_code cordon_plugin_call_async(const cordon_plugin* plugin, cordon_text action, cordon_text input_json,
                                     const cordon_call_options* options, const cordon_executor* executor,
                                     cordon_done_callback done, void* user, cordon_failure** failure) {
  return capi::Enter(failure, [&]() -> Status {
    cordon_executor runs;
    const Status read =
        capi::ReadOptions(executor, offsetof(cordon_executor, destroy) + sizeof(cordon_destroy_callback), runs);
    auto runs_user = capi::Owned(runs.user, runs.destroy);
    CORDON_TRY(read);
    if (plugin == nullptr) return capi::Needs("the plugin");
    if (done == nullptr) return capi::Needs("the callback `done`");
    CORDON_ASSIGN(cordon::CallOptions call, capi::ReadCallOptions(options));
    plugin->plugin
        .CallAsync(capi::StringOf(action), capi::StringOf(input_json), capi::ExecutorOf(runs, std::move(runs_user)),
                   std::move(call))
        .Then([done, user](cordon::Result<cordon::Answer> result) { capi::Finish(done, user, std::move(result)); });
    return {};
  });
}

cordon_code cordon_warm_new(const cordon_plugin* plugin, const cordon_call_options* options, cordon_warm** warm,
                            cordon_failure** failure) {
  if (warm != nullptr) *warm = nullptr;
  return capi::Enter(failure, [&]() -> Status {
    if (plugin == nullptr) return capi::Needs("the plugin");
    if (warm == nullptr) return capi::Needs("the place for the instance");
    CORDON_ASSIGN(const cordon::CallOptions call, capi::ReadCallOptions(options));
    CORDON_ASSIGN(cordon::Instance made, plugin->plugin.NewInstance(call));
    *warm = new cordon_warm{std::move(made)};
    return {};
  });
}

cordon_code cordon_warm_call(cordon_warm* warm, cordon_text action, cordon_text input_json,
                             const cordon_call_options* options, cordon_answer** answer, cordon_failure** failure) {
  if (answer != nullptr) *answer = nullptr;
  return capi::Enter(failure, [&]() -> Status {
    if (warm == nullptr) return capi::Needs("the instance");
    if (answer == nullptr) return capi::Needs("the place for the answer");
    CORDON_ASSIGN(const cordon::CallOptions call, capi::ReadCallOptions(options));
    CORDON_ASSIGN(cordon::Answer made, warm->instance.Call(capi::ViewOf(action), capi::ViewOf(input_json), call));
    *answer = new cordon_answer{std::move(made)};
    return {};
  });
}

int32_t cordon_warm_is_poisoned(const cordon_warm* warm) {
  return warm == nullptr || warm->instance.poisoned() ? 1 : 0;
}

cordon_code cordon_warm_usage(const cordon_warm* warm, cordon_usage* usage, cordon_failure** failure) {
  return capi::Enter(failure, [&]() -> Status {
    if (warm == nullptr) return capi::Needs("the instance");
    return capi::WriteOut(capi::UsageOf(warm->instance.usage()), capi::kUsageFirst, usage);
  });
}

void cordon_warm_free(cordon_warm* warm) { delete warm; }

cordon_code cordon_typed_new(const cordon_plugin* plugin, cordon_text name, cordon_text shape, cordon_typed** typed,
                             cordon_failure** failure) {
  if (typed != nullptr) *typed = nullptr;
  return capi::Enter(failure, [&]() -> Status {
    if (plugin == nullptr) return capi::Needs("the plugin");
    if (typed == nullptr) return capi::Needs("the place for the function");
    CORDON_ASSIGN(auto bound, plugin->plugin.Bind(capi::ViewOf(name), capi::StringOf(shape)));
    *typed = new cordon_typed{std::move(bound)};
    return {};
  });
}

cordon_code cordon_typed_call(const cordon_typed* typed, cordon_warm* warm, cordon_bytes parameters,
                              const cordon_call_options* options, cordon_take_callback take, void* user,
                              cordon_failure** failure) {
  return capi::Enter(failure, [&]() -> Status {
    if (typed == nullptr) return capi::Needs("the function");
    const cordon::ByteView piece = capi::ViewOf(parameters);
    const std::span<const cordon::ByteView> input(&piece, 1);
    capi::Taken taken{take, user};
    const cordon::detail::ResultSink sink{capi::Taken::Take, &taken};
    const auto run = [&](const cordon::CallOptions* call) {
      return warm == nullptr ? cordon::detail::CallBound(*typed->bound, call, input, sink)
                             : cordon::detail::CallBoundOn(cordon::detail::StateOf(warm->instance), *typed->bound, call,
                                                           input, sink);
    };
    if (options == nullptr) {
      CORDON_TRY(run(nullptr));
    } else {
      CORDON_ASSIGN(const cordon::CallOptions call, capi::ReadCallOptions(options));
      CORDON_TRY(run(&call));
    }
    if (!taken.has_room) return cordon::Fail(cordon::detail::NoMemory());
    return {};
  });
}

void cordon_typed_free(cordon_typed* typed) { delete typed; }

}  // extern "C"
