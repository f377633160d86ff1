// What plugins used, for the program that embeds them.
#include "embed/state.h"

namespace cordon {
namespace embed {
namespace {

UsageTotals TotalsOf(const runtime::Totals& from) {
  UsageTotals totals{
      .calls = from.calls,
      .failures = from.failures,
      .wall = from.wall,
      .cpu = from.cpu,
      .input_bytes = from.bytes_in,
      .output_bytes = from.bytes_out,
      .file_read_bytes = from.file_read_bytes,
      .file_written_bytes = from.file_written_bytes,
      .file_operations = from.file_operations,
      .network_sent_bytes = from.network_sent_bytes,
      .network_received_bytes = from.network_received_bytes,
      .host_calls = from.host_calls,
      .memory_peak_bytes = from.memory_peak_bytes,
      .running = from.running,
      .waiting = from.waiting,
      .memory_reserved_bytes = from.memory_reserved_bytes,
      .memory_reserved_peak_bytes = from.memory_reserved_peak_bytes,
      .quotas = {},
  };
  for (const services::QuotaUsage& one : from.quotas) {
    totals.quotas.push_back(
        {std::string(services::ResourceName(one.resource)), one.used, one.limit, one.refused, one.alerts, one.waited});
  }
  return totals;
}

}  // namespace

std::function<void(const services::QuotaAlert&)> AlertsOf(QuotaAlertSink sink) {
  if (!sink) return {};
  return [sink = std::move(sink)](const services::QuotaAlert& alert) {
    sink({alert.plugin, std::string(services::ResourceName(alert.resource)), alert.used, alert.limit});
  };
}

}  // namespace embed

UsageTotals Plugin::Totals() const { return embed::TotalsOf(state_->plugin->Sums()); }
UsageTotals Host::Totals() const { return embed::TotalsOf(state_->host->Sums()); }

}  // namespace cordon
