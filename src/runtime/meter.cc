#include "runtime/meter.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/text.h"

namespace cordon::runtime {
namespace {

constexpr std::size_t kPluginsMax = 1000;  // further ones are counted together, so that names cannot fill the memory

std::uint64_t Sum(Spread<Counter>& places) {
  std::uint64_t sum = 0;
  for (auto& place : places) sum += place.value.load(std::memory_order_relaxed);
  return sum;
}

void Add(Spread<Counter>& places) { places[places.HereIndex()].fetch_add(1, std::memory_order_relaxed); }

std::string Seconds(std::uint64_t ns) {
  char text[40];
  std::snprintf(text, sizeof text, "%llu.%09llu", static_cast<unsigned long long>(ns / 1'000'000'000),
                static_cast<unsigned long long>(ns % 1'000'000'000));
  return text;
}

// A label's value: no control character, and the quotes of the format.
std::string Label(std::string_view value) {
  std::string out;
  for (const char c : EscapeShort(value, 200)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

class Meter::Page {
 public:
  void Family(std::string_view name, std::string_view type, std::string_view help) {
    text_ += "# HELP " + std::string(name) + " " + std::string(help) + "\n# TYPE " + std::string(name) + " " +
             std::string(type) + "\n";
  }
  void Row(std::string_view name, std::string_view labels, std::string_view value) {
    text_ += std::string(name);
    if (!labels.empty()) text_ += "{" + std::string(labels) + "}";
    text_ += " " + std::string(value) + "\n";
  }
  void Row(std::string_view name, std::string_view labels, std::uint64_t value) {
    Row(name, labels, std::to_string(value));
  }
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

void PluginMeter::CountCalls(std::uint64_t count, Duration total) {
  Done& here = done_[done_.HereIndex()];
  here.count.fetch_add(count, std::memory_order_relaxed);
  here.total_ns.fetch_add(static_cast<std::uint64_t>(total.count()), std::memory_order_relaxed);
}

void PluginMeter::CountFailure(Code code, Duration took) {
  failed_ns_.fetch_add(static_cast<std::uint64_t>(took.count()), std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  ++failures_[code];
}

// Of one that was loaded again the count begins again, and the counter goes on.
void PluginMeter::SetResident(std::string_view state, std::uint64_t restarts) {
  const std::lock_guard lock(mutex_);
  resident_ = state;
  restarts_ += restarts >= restarts_seen_ ? restarts - restarts_seen_ : restarts;
  restarts_seen_ = restarts;
}

void PluginMeter::CountUse(const engine::Usage& usage) {
  Used& here = used_[used_.HereIndex()];
  const auto add = [](Counter& counter, std::uint64_t by) {
    if (by != 0) counter.fetch_add(by, std::memory_order_relaxed);
  };
  add(here.cpu_ns, static_cast<std::uint64_t>(usage.cpu.count()));
  add(here.bytes_in, usage.bytes_in);
  add(here.bytes_out, usage.bytes_out);
  add(here.file_read, usage.file_read_bytes);
  add(here.file_written, usage.file_written_bytes);
  add(here.file_operations, usage.file_operations);
  std::uint64_t peak = memory_peak_.load(std::memory_order_relaxed);
  while (usage.memory_peak_bytes > peak &&
         !memory_peak_.compare_exchange_weak(peak, usage.memory_peak_bytes, std::memory_order_relaxed)) {}
}

void PluginMeter::CountNetwork(std::uint64_t sent, std::uint64_t received) {
  network_sent_.fetch_add(sent, std::memory_order_relaxed);
  network_received_.fetch_add(received, std::memory_order_relaxed);
}

Totals PluginMeter::Sums() {
  Totals sums;
  std::uint64_t wall = failed_ns_.load(std::memory_order_relaxed), cpu = 0;
  for (auto& place : done_) {
    sums.calls += place.value.count.load(std::memory_order_relaxed);
    wall += place.value.total_ns.load(std::memory_order_relaxed);
  }
  for (auto& place : used_) {
    cpu += place.value.cpu_ns.load(std::memory_order_relaxed);
    sums.bytes_in += place.value.bytes_in.load(std::memory_order_relaxed);
    sums.bytes_out += place.value.bytes_out.load(std::memory_order_relaxed);
    sums.file_read_bytes += place.value.file_read.load(std::memory_order_relaxed);
    sums.file_written_bytes += place.value.file_written.load(std::memory_order_relaxed);
    sums.file_operations += place.value.file_operations.load(std::memory_order_relaxed);
  }
  std::int64_t running = 0;
  for (auto& place : running_) running += place.value.load(std::memory_order_relaxed);
  const auto positive = [](std::int64_t count) { return static_cast<std::uint64_t>(std::max<std::int64_t>(count, 0)); };
  sums.running = positive(running);
  sums.waiting = positive(waiting_.load(std::memory_order_relaxed));
  sums.network_sent_bytes = network_sent_.load(std::memory_order_relaxed);
  sums.network_received_bytes = network_received_.load(std::memory_order_relaxed);
  sums.memory_peak_bytes = memory_peak_.load(std::memory_order_relaxed);
  sums.host_calls = Sum(host_calls_);
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [code, count] : failures_) sums.failures += count;
  }
  sums.calls += sums.failures;
  sums.wall = Duration(wall);
  sums.cpu = Duration(cpu);
  return sums;
}

Totals Meter::SumsOfAll() {
  const std::lock_guard lock(mutex_);
  Totals all;
  for (auto& [name, meter] : plugins_) {
    const Totals one = meter->Sums();
    all.calls += one.calls;
    all.failures += one.failures;
    all.wall += one.wall;
    all.cpu += one.cpu;
    for (const auto field :
         {&Totals::bytes_in, &Totals::bytes_out, &Totals::file_read_bytes, &Totals::file_written_bytes,
          &Totals::file_operations, &Totals::network_sent_bytes, &Totals::network_received_bytes, &Totals::host_calls,
          &Totals::running, &Totals::waiting}) {
      all.*field += one.*field;
    }
    all.memory_peak_bytes = std::max(all.memory_peak_bytes, one.memory_peak_bytes);
  }
  return all;
}

void PluginMeter::CountRetired(std::string_view why) {
  const std::lock_guard lock(mutex_);
  const auto found = retired_.find(why);
  ++(found == retired_.end() ? retired_.emplace(why, 0).first : found)->second;
}

std::shared_ptr<PluginMeter> Meter::Of(const std::string& plugin) {
  const std::lock_guard lock(mutex_);
  const bool room = plugins_.size() < kPluginsMax || plugins_.contains(plugin);
  auto& meter = plugins_[room ? plugin : "(others)"];
  if (meter == nullptr) meter = std::make_shared<PluginMeter>();
  return meter;
}

void Meter::CountDecision(policy::Verdict verdict) { Add(verdict == policy::Verdict::kAllow ? allowed_ : denied_); }

void Meter::CountLoad(std::optional<Code> refusal) {
  const std::lock_guard lock(mutex_);
  ++loads_[refusal ? std::string(CodeName(*refusal)) : "ok"];
}

// REQUIRES: locked.
void Meter::AddUse(Page& page) {
  struct Row {
    std::string_view name, type, help, label;
    std::uint64_t Totals::* value;
  };
  constexpr Row kRows[] = {
      {"cordon_call_bytes_total", "counter", "Inputs and results of calls.", "direction=\"in\"", &Totals::bytes_in},
      {"cordon_call_bytes_total", "", "", "direction=\"out\"", &Totals::bytes_out},
      {"cordon_file_bytes_total", "counter", "Bytes of files.", "direction=\"read\"", &Totals::file_read_bytes},
      {"cordon_file_bytes_total", "", "", "direction=\"write\"", &Totals::file_written_bytes},
      {"cordon_file_operations_total", "counter", "Operations on files.", "", &Totals::file_operations},
      {"cordon_network_bytes_total", "counter", "Bodies of requests and answers.", "direction=\"sent\"",
       &Totals::network_sent_bytes},
      {"cordon_network_bytes_total", "", "", "direction=\"received\"", &Totals::network_received_bytes},
      {"cordon_memory_peak_bytes", "gauge", "Of the call that had the most.", "", &Totals::memory_peak_bytes},
      {"cordon_calls_running", "gauge", "Calls that run now.", "", &Totals::running},
      {"cordon_calls_waiting", "gauge", "Calls that wait to be made.", "", &Totals::waiting},
  };
  std::vector<std::pair<std::string, Totals>> sums;
  for (auto& [name, meter] : plugins_) sums.emplace_back("plugin=\"" + Label(name) + "\"", meter->Sums());
  page.Family("cordon_call_cpu_seconds_total", "counter", "CPU time of calls.");
  for (const auto& [plugin, one] : sums) {
    page.Row("cordon_call_cpu_seconds_total", plugin, Seconds(static_cast<std::uint64_t>(one.cpu.count())));
  }
  for (const Row& row : kRows) {
    if (!row.type.empty()) page.Family(row.name, row.type, row.help);
    for (const auto& [plugin, one] : sums) {
      page.Row(row.name, row.label.empty() ? plugin : plugin + "," + std::string(row.label), one.*row.value);
    }
  }
}

void Meter::AddQuotas(Page& page, const Now& now) {
  if (now.quotas.empty()) return;
  const auto each = [&](std::string_view name, std::string_view type, std::string_view help, auto value) {
    page.Family(name, type, help);
    for (const auto& [plugin, quotas] : now.quotas) {
      for (const services::QuotaUsage& one : quotas) {
        page.Row(name,
                 "plugin=\"" + Label(plugin) + "\",quota=\"" + std::string(services::ResourceName(one.resource)) + "\"",
                 value(one));
      }
    }
  };
  using services::QuotaUsage;
  each("cordon_quota_used", "gauge", "Of a quota now, in its unit (nanoseconds of CPU); no plugin: of all in sum.",
       [](const QuotaUsage& one) { return one.used; });
  each("cordon_quota_limit", "gauge", "The quota; of a rate, what one period lets by.",
       [](const QuotaUsage& one) { return one.limit; });
  each("cordon_quota_refusals_total", "counter", "Calls and requests that a quota refused.",
       [](const QuotaUsage& one) { return one.refused; });
  each("cordon_quota_alerts_total", "counter", "How often the threshold was passed.",
       [](const QuotaUsage& one) { return one.alerts; });
  each("cordon_quota_wait_seconds_total", "counter", "What a rate made plugins wait.",
       [](const QuotaUsage& one) { return Seconds(static_cast<std::uint64_t>(one.waited.count())); });
}

std::string Meter::Text(const Now& now) {
  const std::lock_guard lock(mutex_);
  Page page;
  page.Family("cordon_plugins_enabled", "gauge", "1 while the kill switch lets plugins run.");
  page.Row("cordon_plugins_enabled", "", now.plugins_on ? 1 : 0);
  page.Family("cordon_loads_total", "counter", "Loads of plugins, by outcome: ok or an error code.");
  for (const auto& [outcome, count] : loads_) page.Row("cordon_loads_total", "outcome=\"" + outcome + "\"", count);
  page.Family("cordon_decisions_total", "counter", "Questions of authority that were decided.");
  page.Row("cordon_decisions_total", "decision=\"allow\"", Sum(allowed_));
  page.Row("cordon_decisions_total", "decision=\"deny\"", Sum(denied_));
  page.Family("cordon_audit_failures_total", "counter", "Records that the audit could not take.");
  page.Row("cordon_audit_failures_total", "", audit_failures_.load());
  struct Sums {
    std::uint64_t done = 0, ns = 0, failed = 0;
    std::map<Code, std::uint64_t> failures;
  };
  std::map<std::string, Sums> sums;
  for (auto& [name, meter] : plugins_) {
    Sums& one = sums[Label(name)];
    for (auto& place : meter->done_) {
      one.done += place.value.count.load(std::memory_order_relaxed);
      one.ns += place.value.total_ns.load(std::memory_order_relaxed);
    }
    one.ns += meter->failed_ns_.load();
    const std::lock_guard failures(meter->mutex_);
    for (const auto& [code, count] : meter->failures_) {
      one.failures[code] += count;
      one.failed += count;
    }
  }
  page.Family("cordon_calls_total", "counter", "Calls of plugins, by outcome: ok or an error code.");
  for (const auto& [name, one] : sums) {
    const std::string plugin = "plugin=\"" + name + "\",outcome=\"";
    page.Row("cordon_calls_total", plugin + "ok\"", one.done);
    for (const auto& [code, count] : one.failures) {
      page.Row("cordon_calls_total", plugin + std::string(CodeName(code)) + "\"", count);
    }
  }
  page.Family("cordon_call_duration_seconds", "summary", "How long calls of plugins took.");
  for (const auto& [name, one] : sums) {
    page.Row("cordon_call_duration_seconds_sum", "plugin=\"" + name + "\"", Seconds(one.ns));
    page.Row("cordon_call_duration_seconds_count", "plugin=\"" + name + "\"", one.done + one.failed);
  }
  page.Family("cordon_host_calls_total", "counter", "What guests asked services of the host for.");
  for (auto& [name, meter] : plugins_) {
    page.Row("cordon_host_calls_total", "plugin=\"" + Label(name) + "\"", Sum(meter->host_calls_));
  }
  page.Family("cordon_resident_restarts_total", "counter", "How often residents were made anew.");
  for (auto& [name, meter] : plugins_) {
    const std::lock_guard lock(meter->mutex_);
    if (meter->resident_.empty()) continue;
    page.Row("cordon_resident_restarts_total", "plugin=\"" + Label(name) + "\"", meter->restarts_);
  }
  page.Family("cordon_resident_state", "gauge", "1 for the state that a resident is in.");
  for (auto& [name, meter] : plugins_) {
    const std::lock_guard lock(meter->mutex_);
    if (meter->resident_.empty()) continue;
    page.Row("cordon_resident_state", "plugin=\"" + Label(name) + "\",state=\"" + meter->resident_ + "\"", 1);
  }
  page.Family("cordon_workers_retired_total", "counter", "Worker processes that were ended, by why.");
  for (auto& [name, meter] : plugins_) {
    const std::lock_guard lock(meter->mutex_);
    for (const auto& [why, count] : meter->retired_) {
      page.Row("cordon_workers_retired_total", "plugin=\"" + Label(name) + "\",reason=\"" + why + "\"", count);
    }
  }
  AddUse(page);
  AddQuotas(page, now);
  if (now.spans) {
    page.Family("cordon_spans_total", "counter", "Spans of traces, by what became of them.");
    page.Row("cordon_spans_total", "outcome=\"sent\"", now.spans->sent);
    page.Row("cordon_spans_total", "outcome=\"dropped\"", now.spans->dropped);
  }
  return page.Take();
}

Status MeteredObserver::Counted(Status written) {
  if (!written) [[unlikely]]
    meter_->CountAuditFailure();
  return written;
}

Status MeteredObserver::On(const audit::Record& record) {
  if (record.event == audit::Event::kDecision && record.decision) meter_->CountDecision(*record.decision);
  if (record.event == audit::Event::kLoad) meter_->CountLoad(record.code);
  return Counted(inner_->On(record));
}

Status MeteredObserver::OnDecision(const audit::DecisionView& decision) {
  meter_->CountDecision(decision.decision);
  return Counted(inner_->OnDecision(decision));
}

Status MeteredObserver::OnCalls(const audit::CallTally& tally) { return Counted(inner_->OnCalls(tally)); }

}  // namespace cordon::runtime
