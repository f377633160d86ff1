#include <algorithm>

#include "embed/state.h"

namespace cordon {

CancelToken CancelToken::Make() {
  CancelToken token;
  token.state_ = std::make_shared<State>();
  return token;
}

void CancelToken::Cancel() const {
  if (state_ == nullptr) return;
  const std::lock_guard lock(state_->mutex);
  state_->cancelled = true;
  for (runtime::CallHandle* handle : state_->running) handle->Interrupt();
}

bool CancelToken::cancelled() const {
  if (state_ == nullptr) return false;
  const std::lock_guard lock(state_->mutex);
  return state_->cancelled;
}

namespace embed {

CancelWatch::CancelWatch(const CancelToken& token, runtime::CallHandle& handle)
    : state_(token.state()), handle_(handle) {
  if (state_ == nullptr) return;
  const std::lock_guard lock(state_->mutex);
  state_->running.push_back(&handle);
  if (state_->cancelled) handle.Interrupt();
}

CancelWatch::~CancelWatch() {
  if (state_ == nullptr) return;
  const std::lock_guard lock(state_->mutex);
  const auto at = std::find(state_->running.begin(), state_->running.end(), &handle_);
  if (at != state_->running.end()) state_->running.erase(at);
}

}  // namespace embed
}  // namespace cordon
