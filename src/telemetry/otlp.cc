#include "telemetry/otlp.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <new>
#include <vector>

#include "base/own_thread.h"
#include "telemetry/otlp_message.h"
#include "telemetry/post.h"

namespace cordon::telemetry {
namespace {

constexpr int kTries = 3;

// As OpenTelemetry says: these may go well later, all others never will.
bool MayRetry(int status) { return status == 429 || status == 502 || status == 503 || status == 504; }

// Of no endpoint: a place without a host.
Result<HttpPlace> PlaceOf(const std::string& endpoint) {
  if (endpoint.empty()) return HttpPlace();
  CORDON_ASSIGN(HttpPlace place, HttpPlace::Parse(endpoint));
  place.path += "/v1/traces";
  return place;
}

}  // namespace

struct OtlpExporter::State {
  OtlpOptions options;
  std::atomic<bool> wanted{false};
  mutable std::mutex mutex;  // guards what follows
  HttpPlace place;
  std::vector<Span> queue;
  Counts counts;
  bool ending = false;
  std::condition_variable wake;
  OwnThread sender;

  // Whether the collector took it. Not under the mutex.
  bool Send(const std::vector<Span>& batch) {
    const std::string body = ExportRequest(batch);
    auto pause = std::chrono::milliseconds(200);
    for (int i = 0; i < kTries; ++i, pause *= 4) {
      std::unique_lock lock(mutex);
      const auto patience = ending ? std::min(options.timeout, options.farewell) : options.timeout;
      const HttpPlace now = place;
      lock.unlock();
      if (now.host.empty()) return false;
      const auto status = Post(now, "application/x-protobuf", body, std::chrono::steady_clock::now() + patience);
      if (status && *status / 100 == 2) return true;
      if (status && !MayRetry(*status)) return false;
      lock.lock();
      if (ending || i + 1 == kTries) return false;
      wake.wait_for(lock, pause, [this] { return ending; });
    }
    return false;
  }

  void Work() {
    std::unique_lock lock(mutex);
    while (!ending || !queue.empty()) {
      try {
        Run(lock);
      } catch (const std::bad_alloc&) {
        if (!lock) lock.lock();
        counts.dropped += queue.size();
        queue.clear();
      }
    }
  }

  // Until the end. With the lock, but while it sends.
  void Run(std::unique_lock<std::mutex>& lock) {
    while (true) {
      wake.wait(lock, [this] { return ending || !queue.empty(); });
      if (queue.empty()) return;
      wake.wait_for(lock, options.delay, [this] { return ending || queue.size() >= options.batch_max; });
      const std::size_t size = std::min(queue.size(), options.batch_max);
      const auto end = queue.begin() + static_cast<std::ptrdiff_t>(size);
      const std::vector<Span> batch(std::make_move_iterator(queue.begin()), std::make_move_iterator(end));
      queue.erase(queue.begin(), end);
      lock.unlock();
      const bool taken = Send(batch);
      lock.lock();
      (taken ? counts.sent : counts.dropped) += batch.size();
      if (!ending || taken) continue;
      // There is no time to try the rest with a collector that does not answer.
      counts.dropped += queue.size();
      queue.clear();
    }
  }
};

OtlpExporter::OtlpExporter(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::shared_ptr<OtlpExporter>> OtlpExporter::Make(OtlpOptions options) {
  auto state = std::make_unique<State>();
  CORDON_ASSIGN(state->place, PlaceOf(options.endpoint));
  state->wanted = !options.endpoint.empty();
  state->options = std::move(options);
  return std::shared_ptr<OtlpExporter>(new OtlpExporter(std::move(state)));
}

Status OtlpExporter::Check(const std::string& endpoint) {
  CORDON_TRY(PlaceOf(endpoint));
  return {};
}

Status OtlpExporter::SendTo(const std::string& endpoint) {
  CORDON_ASSIGN(HttpPlace place, PlaceOf(endpoint));
  const std::lock_guard lock(state_->mutex);
  state_->place = std::move(place);
  state_->wanted = !endpoint.empty();
  return {};
}

bool OtlpExporter::wanted() const noexcept { return state_->wanted.load(std::memory_order_relaxed); }

OtlpExporter::~OtlpExporter() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ending = true;
  }
  state_->wake.notify_all();
  state_->sender.Join();
}

void OtlpExporter::Take(Span span) noexcept {
  try {
    const std::lock_guard lock(state_->mutex);
    ++state_->counts.taken;
    if (state_->ending || state_->queue.size() >= state_->options.queue_max) {
      ++state_->counts.dropped;
      return;
    }
    // Without a thread it waits for one.
    state_->queue.push_back(std::move(span));
    (void)state_->sender.Start([state = state_.get()] { state->Work(); });
  } catch (...) {  // no memory: a span is not worth the call that it tells of
    const std::lock_guard lock(state_->mutex);
    ++state_->counts.dropped;
    return;
  }
  state_->wake.notify_one();
}

SpanSink::Counts OtlpExporter::counts() const {
  const std::lock_guard lock(state_->mutex);
  return state_->counts;
}

}  // namespace cordon::telemetry
