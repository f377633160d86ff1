#include <cerrno>

#include "engine/raw.h"

namespace cordon::engine {
namespace {

Code CodeOf(cordon_status status, std::int64_t number) {
  switch (status) {
    case CORDON_STATUS_OK: return Code::kInternal;
    case CORDON_STATUS_INVALID: return Code::kInvalid;
    case CORDON_STATUS_COMPILE: return Code::kCompile;
    case CORDON_STATUS_LINK: return Code::kLink;
    case CORDON_STATUS_NOT_FOUND: return Code::kNotFound;
    case CORDON_STATUS_TRAP: return Code::kTrap;
    case CORDON_STATUS_BAD_POINTER: return Code::kBadPointer;
    case CORDON_STATUS_BAD_STRING: return Code::kBadString;
    case CORDON_STATUS_HANDLE: return Code::kHandle;
    case CORDON_STATUS_EXIT: return Code::kExit;
    case CORDON_STATUS_TIMEOUT: return Code::kTimeout;
    case CORDON_STATUS_CPU: return Code::kCpu;
    case CORDON_STATUS_FUEL: return Code::kFuel;
    case CORDON_STATUS_MEMORY: return Code::kMemory;
    case CORDON_STATUS_STACK_OVERFLOW: return Code::kStackOverflow;
    case CORDON_STATUS_LIFT_LIMIT: return Code::kLiftLimit;
    case CORDON_STATUS_TABLE_FULL: return Code::kTableFull;
    case CORDON_STATUS_INSTANCES: return Code::kInstances;
    case CORDON_STATUS_BUSY: return Code::kBusy;
    case CORDON_STATUS_INTERRUPTED: return Code::kInterrupted;
    case CORDON_STATUS_POISONED: return Code::kPoisoned;
    case CORDON_STATUS_PANIC: return Code::kPanic;
    case CORDON_STATUS_INTERNAL: return Code::kInternal;
    case CORDON_STATUS_UNAVAILABLE: return Code::kUnavailable;
    case CORDON_STATUS_LIMIT: return Code::kLimit;
    case CORDON_STATUS_DENIED: return Code::kDenied;
    case CORDON_STATUS_IO: return Code::kIo;
    // The number that our own port gave: a Code, unless someone else wrote the port.
    case CORDON_STATUS_HOST:
      return number >= 0 && number <= static_cast<std::int64_t>(kLastCode) ? static_cast<Code>(number)
                                                                           : Code::kInternal;
  }
  return Code::kInternal;
}

// The limit that a code names, as config.yaml calls it; empty for other codes.
std::string_view LimitOf(Code code) {
  switch (code) {
    case Code::kTimeout: return "timeout";
    case Code::kCpu: return "cpu";
    case Code::kFuel: return "fuel";
    case Code::kMemory: return "memory";
    case Code::kStackOverflow: return "stack";
    case Code::kLiftLimit: return "output";
    case Code::kTableFull: return "handles";
    case Code::kInstances: return "instances";
    default: return "";
  }
}

// What the author or operator can do about a limit; the message says which it was.
std::string_view RemedyOf(Code code) {
  switch (code) {
    case Code::kTimeout: return "raise the limit with --timeout, or make the plugin faster";
    case Code::kMemory: return "raise the limit with --memory, or make the plugin use less";
    case Code::kFuel: return "raise the budget with --fuel";
    case Code::kCpu: return "raise limits.cpu";
    case Code::kStackOverflow: return "look for endless recursion in the backtrace";
    case Code::kBusy: return "try again, or raise the number of instances";
    case Code::kPoisoned: return "make a new instance";
    case Code::kUnavailable: return "make a new Host in this process";
    default: return "";
  }
}

}  // namespace

Error TakeError(cordon_status status, cordon_error* error) {
  std::unique_ptr<cordon_error, decltype(&cordon_error_free)> owned(error, cordon_error_free);
  std::size_t length = 0;
  const char* text = cordon_error_message(error, &length);
  Error result(CodeOf(status, cordon_error_number(error)), std::string(text, length));
  if (status == CORDON_STATUS_MEMORY && cordon_error_number(error) == ENOMEM) {  // the process's, not the guest's
    result.remedy = "free some, or allow the process more";
    return result;
  }
  result.remedy = RemedyOf(result.code);
  text = cordon_error_backtrace(error, &length);
  result.backtrace.assign(text, length);
  if (const std::string_view limit = LimitOf(result.code); !limit.empty()) result.details.emplace_back("limit", limit);
  if (result.code == Code::kExit) {
    result.details.emplace_back("status", std::to_string(cordon_error_number(error)));
  }
  return result;
}

}  // namespace cordon::engine
