#include "audit/audit_log.h"
#include "embed/state.h"

namespace cordon {
namespace {

AuditRecord Public(const audit::Record& from) {
  AuditRecord record;
  record.event = audit::EventName(from.event);
  record.plugin = from.plugin;
  record.digest = from.digest;
  record.callers = from.callers;
  record.action = from.action;
  record.capability = from.capability;
  record.target = from.target;
  record.rule = from.rule;
  if (from.decision) record.allowed = *from.decision == policy::Verdict::kAllow;
  record.code = from.code;
  record.count = from.count;
  record.duration = from.duration;
  record.usage = from.usage;
  record.note = from.note;
  record.input_digest = from.input_digest;
  record.output_digest = from.output_digest;
  record.trace = from.trace;
  record.tenant = from.tenant;
  return record;
}

// The embedder's own sink. What it throws is a record that was not written.
class SinkObserver final : public audit::Observer {
 public:
  explicit SinkObserver(std::shared_ptr<AuditSink> sink) : sink_(std::move(sink)) {}

  Status On(const audit::Record& record) override {
    try {
      Status written = sink_->Write(Public(record));
      if (written) return {};
      return Unavailable(written.error().message);
    } catch (const std::exception& fault) {
      return Unavailable(fault.what());
    } catch (...) {
      return Unavailable("an unknown exception");
    }
  }

 private:
  static Status Unavailable(const std::string& why) {
    return Fail(Code::kAuditUnavailable, "the audit sink did not take a record: " + why,
                "mend the sink: what cannot be recorded is not allowed");
  }
  std::shared_ptr<AuditSink> sink_;
};

class Unwatched final : public audit::Observer {
 public:
  Status On(const audit::Record&) override { return {}; }
  Status OnDecision(const audit::DecisionView&) override { return {}; }
};

// The log of docs/formats/audit.md as a sink; a Host goes around the translation.
class ChainedSink final : public AuditSink {
 public:
  explicit ChainedSink(std::shared_ptr<audit::AuditLog> log) : log_(std::move(log)) {}
  const std::shared_ptr<audit::AuditLog>& log() const { return log_; }

  Status Write(const AuditRecord& from) override {
    audit::Record record;
    record.event = audit::Event::kNote;
    using audit::Event;
    for (const auto event : {Event::kDecision, Event::kCall, Event::kLoad, Event::kHostCall, Event::kReload}) {
      if (from.event == audit::EventName(event)) record.event = event;
    }
    record.plugin = from.plugin;
    record.digest = from.digest;
    record.callers = from.callers;
    record.action = from.action;
    record.capability = from.capability;
    record.target = from.target;
    record.rule = from.rule;
    if (from.allowed) record.decision = *from.allowed ? policy::Verdict::kAllow : policy::Verdict::kDeny;
    record.code = from.code;
    record.count = from.count;
    record.duration = from.duration;
    record.usage = from.usage;
    record.note = from.note;
    record.input_digest = from.input_digest;
    record.output_digest = from.output_digest;
    record.trace = from.trace;
    record.tenant = from.tenant;
    return log_->On(record);
  }

 private:
  std::shared_ptr<audit::AuditLog> log_;
};

class FunctionLog final : public services::LogSink {
 public:
  explicit FunctionLog(cordon::LogSink write) : write_(std::move(write)) {}
  void Write(const services::LogLine& line) override {
    if (!write_) return;
    try {
      write_({line.call_id, static_cast<LogLevel>(line.level), line.plugin, line.source, line.message,
              line.dropped_lines});
    } catch (...) {  // its contract says that it does not throw; a line of a guest is not worth the process
    }
  }

 private:
  cordon::LogSink write_;
};

}  // namespace

std::string_view LogLevelName(LogLevel level) { return services::LogLevelName(static_cast<services::LogLevel>(level)); }

Result<std::shared_ptr<AuditSink>> OpenAuditLog(const std::filesystem::path& state_folder) {
  return embed::Guarded([&]() -> Result<std::shared_ptr<AuditSink>> {
    CORDON_ASSIGN(std::unique_ptr<audit::AuditLog> log, audit::AuditLog::Open(state_folder));
    return std::make_shared<ChainedSink>(std::move(log));
  });
}

namespace embed {

std::shared_ptr<audit::Observer> ObserverOf(std::shared_ptr<AuditSink> sink) {
  if (sink == nullptr) return std::make_shared<Unwatched>();
  if (const auto* chained = dynamic_cast<ChainedSink*>(sink.get())) return chained->log();
  return std::make_shared<SinkObserver>(std::move(sink));
}

std::shared_ptr<services::LogSink> LogSinkOf(LogSink sink) { return std::make_shared<FunctionLog>(std::move(sink)); }

}  // namespace embed
}  // namespace cordon
