#include "engine/lane.h"

#include <memory>

#include "engine/crossing.h"
#include "engine/raw.h"

namespace cordon::engine {
namespace {

void Run(void* user) noexcept {
  const Crossing crossing;
  static_cast<Lane::Task*>(user)->Run();
}

void After(void* user) noexcept {
  const Crossing crossing;
  const std::unique_ptr<Lane::Task> task(static_cast<Lane::Task*>(user));
  task->After();
}

}  // namespace

Lane::Lane() : raw_(cordon_lane_new()) {}
Lane::~Lane() { cordon_lane_free(static_cast<cordon_lane*>(raw_)); }

Status Lane::Put(std::unique_ptr<Task> task) {
  cordon_error* error = nullptr;
  { const Crossing crossing; }
  const cordon_status status =
      cordon_lane_put(static_cast<const cordon_lane*>(raw_), cordon::engine::Run, After, task.get(), &error);
  if (status != CORDON_STATUS_OK) return Fail(TakeError(status, error));
  (void)task.release();
  return {};
}

void Lane::Close() { cordon_lane_close(static_cast<const cordon_lane*>(raw_)); }
void Lane::Run() { cordon_lane_run(static_cast<const cordon_lane*>(raw_)); }

}  // namespace cordon::engine
