// While it lives, this thread takes no signals: for starting threads and copies of the process, which inherit that.
#pragma once

#include <signal.h>

namespace cordon {

class SignalsBlocked {
 public:
  // kAllButFaults: what a thread's own instructions cause is delivered still.
  enum class Which : unsigned char { kAll, kAllButFaults };
  explicit SignalsBlocked(Which which = Which::kAll) {
    sigset_t blocked;
    ::sigfillset(&blocked);
    if (which == Which::kAllButFaults) {
      for (const int own : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS}) ::sigdelset(&blocked, own);
    }
    ::pthread_sigmask(SIG_BLOCK, &blocked, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace cordon
