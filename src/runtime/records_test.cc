// What calls leave in the audit, in counters and in traces.
#include <gtest/gtest.h>

#include "policy/audit_detail.h"
#include "runtime/host.h"
#include "runtime/host_call_watch.h"
#include "runtime/meter.h"

namespace cordon::runtime {
namespace {

using audit::Event;
using audit::Record;
using policy::AuditDetail;

constexpr char kTrace[] = "0af7651916cd43dd8448eb211c80319c";
constexpr char kParent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

class Quiet final : public services::LogSink {
  void Write(const services::LogLine&) override {}
};

class SpanMemory final : public SpanSink {
 public:
  void Take(Span span) noexcept override { spans.push_back(std::move(span)); }
  Counts counts() const override { return {spans.size(), 0, 0}; }
  std::vector<Span> spans;
};

// `add` of two numbers, `trap`, which traps.
std::string Module() {
  const unsigned char bytes[] = {0,    'a', 's',  'm',  1,    0, 0,    0,   1,    10,   2,   0x60, 2,  0x7f,
                                 0x7f, 1,   0x7f, 0x60, 0,    0, 3,    3,   2,    0,    1,   7,    14, 2,
                                 3,    'a', 'd',  'd',  0,    0, 4,    't', 'r',  'a',  'p', 0,    1,  10,
                                 13,   2,   7,    0,    0x20, 0, 0x20, 1,   0x6a, 0x0b, 3,   0,    0,  0x0b};
  return {reinterpret_cast<const char*>(bytes), sizeof bytes};
}

struct Fixture {
  explicit Fixture(AuditDetail detail, std::shared_ptr<SpanSink> spans = nullptr) {
    HostOptions options;
    options.observer = observer;
    options.log_sink = std::make_shared<Quiet>();
    options.max_instances = 4;
    options.audit_detail = detail;
    options.spans = std::move(spans);
    host = *Host::Create(std::move(options));
    LoadRequest request;
    if (detail == AuditDetail::kDecisions) request.level = policy::Level::kRelaxed;
    request.source = "sum";
    request.bytes = Module();
    auto loaded = host->Load(request);
    EXPECT_TRUE(loaded) << loaded.error().message;
    plugin = *loaded;
  }
  std::vector<Record> Calls() const {
    std::vector<Record> calls;
    for (Record& record : observer->records()) {
      if (record.event == Event::kCall) calls.push_back(std::move(record));
    }
    return calls;
  }
  Status Call(std::string_view action, std::string_view input, const CallOptions& options = {}) {
    CallReport report;
    return plugin->Call(action, input, options, report);
  }
  std::shared_ptr<audit::MemoryObserver> observer = std::make_shared<audit::MemoryObserver>();
  std::unique_ptr<Host> host;
  std::shared_ptr<const Plugin> plugin;
};

TEST(CallRecords, EachCallHasOneWhateverBecameOfIt) {
  Fixture fixture(AuditDetail::kCalls);
  EXPECT_TRUE(fixture.Call("add", R"({"p0": 1, "p1": 2})"));
  EXPECT_FALSE(fixture.Call("add", R"({"p0": 1})"));  // refused before anything ran
  EXPECT_FALSE(fixture.Call("nothing", "{}"));        // no such action
  EXPECT_FALSE(fixture.Call("trap", "{}"));
  EXPECT_FALSE(fixture.Call("add", std::string(9 << 20, ' ')));
  const auto calls = fixture.Calls();
  ASSERT_EQ(calls.size(), 5u);
  EXPECT_FALSE(calls[0].code);
  EXPECT_TRUE(calls[1].code);
  EXPECT_EQ(calls[2].code, Code::kNotFound);
  EXPECT_EQ(calls[3].code, Code::kTrap);
  EXPECT_EQ(calls[4].code, Code::kInputSize);
  EXPECT_EQ(calls[1].action, "add");
  EXPECT_TRUE(calls[0].input_digest.empty());
}

TEST(CallRecords, RelaxedHasOnlyTheCallsThatFailed) {
  Fixture fixture(AuditDetail::kDecisions);
  EXPECT_TRUE(fixture.Call("add", R"({"p0": 1, "p1": 2})"));
  EXPECT_FALSE(fixture.Call("trap", "{}"));
  const auto calls = fixture.Calls();
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].code, Code::kTrap);
  fixture.plugin.reset();
  EXPECT_EQ(fixture.Calls().size(), 1u);  // and no tally at the end
}

TEST(CallRecords, StrictHasTheDigestsOfWhatCrossed) {
  Fixture fixture(AuditDetail::kDigests);
  const std::string input = R"({"p0": 1, "p1": 2})";
  for (int i = 0; i < 150; ++i) EXPECT_TRUE(fixture.Call("add", input));
  const auto calls = fixture.Calls();
  ASSERT_EQ(calls.size(), 150u);  // none is counted together with others
  for (const Record& call : calls) {
    EXPECT_EQ(call.input_digest, Digest::Of(input).ToString());
    EXPECT_EQ(call.output_digest, Digest::Of("3").ToString());
  }
  // Typed calls too: of the bytes on the wire.
  const auto target = *fixture.plugin->FindTarget("add");
  const std::vector<std::uint8_t> wire = {1, 0, 0, 0, 2, 0, 0, 0};
  const std::span<const std::uint8_t> piece(wire);
  struct Sink final : engine::ResultSink {
    void Take(engine::Pieces pieces) noexcept override { sum = pieces[0][0]; }
    int sum = 0;
  } sink;
  ASSERT_TRUE(fixture.plugin->CallTarget(target, {&piece, 1}, sink));
  EXPECT_EQ(sink.sum, 3);
  auto instance = fixture.plugin->NewInstance();
  ASSERT_TRUE(fixture.plugin->CallTargetIn(*instance, target, {&piece, 1}, sink, 7));
  const auto typed = fixture.Calls();
  ASSERT_EQ(typed.size(), 152u);
  for (std::size_t i = 150; i < 152; ++i) {
    EXPECT_EQ(typed[i].input_digest, Digest::Of(wire).ToString());
    EXPECT_EQ(typed[i].output_digest, Digest::Of(std::vector<std::uint8_t>{3, 0, 0, 0}).ToString());
  }
}

TEST(CallRecords, NameTheTraceOfWhoeverAsked) {
  Fixture fixture(AuditDetail::kCalls);
  CallOptions options;
  options.traceparent = kParent;
  EXPECT_TRUE(fixture.Call("add", R"({"p0": 1, "p1": 2})", options));
  options.traceparent = "00-not-a-trace";
  EXPECT_TRUE(fixture.Call("add", R"({"p0": 1, "p1": 2})", options));
  const auto calls = fixture.Calls();
  EXPECT_EQ(calls[0].trace, std::string(kTrace) + "-b7ad6b7169203331");
  EXPECT_EQ(calls[1].trace, "");
}

TEST(Traces, ACallIsASpanOfTheTraceThatItCameWith) {
  const auto spans = std::make_shared<SpanMemory>();
  Fixture fixture(AuditDetail::kCalls, spans);
  CallOptions options;
  options.traceparent = kParent;
  EXPECT_FALSE(fixture.Call("trap", "{}", options));
  EXPECT_TRUE(fixture.Call("add", R"({"p0": 1, "p1": 2})"));                        // a trace of its own
  options.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";  // whoever asked does not sample
  EXPECT_TRUE(fixture.Call("add", R"({"p0": 1, "p1": 2})", options));
  ASSERT_EQ(spans->spans.size(), 2u);
  const Span& trapped = spans->spans[0];
  EXPECT_EQ(trapped.place.Text().substr(0, 32), kTrace);
  EXPECT_EQ(TraceParent{trapped.place}.trace, TraceParent::Parse(kParent)->trace);
  EXPECT_EQ(trapped.parent, TraceParent::Parse(kParent)->span);
  EXPECT_EQ(trapped.error, "E_TRAP");
  EXPECT_EQ(trapped.name, "call trap");
  EXPECT_LE(trapped.start, trapped.end);
  EXPECT_NE(spans->spans[1].place.trace, trapped.place.trace);
  EXPECT_EQ(spans->spans[1].error, "");
  // The audit's record names the span, not the one that asked.
  EXPECT_EQ(fixture.Calls()[0].trace, trapped.place.Text());
}

TEST(HostCalls, AreRecordedBeforeTheyAreAnsweredAndSpansOfTheirCall) {
  const auto observer = std::make_shared<audit::MemoryObserver>();
  const auto spans = std::make_shared<SpanMemory>();
  const policy::Authority none;
  const services::Guard guard(none, *observer, "acme/x", "sha256:1");
  services::CallChains chains;
  services::ServiceRouter router(guard, &chains);
  Spread<std::atomic<std::uint64_t>> counter;
  router.CountIn(counter);
  router.Watch(std::make_shared<HostCallAudit>(observer, "acme/x", "sha256:1"));
  router.Watch(std::make_shared<HostCallSpans>(spans, "acme/x"));
  services::CallChains::Origin origin;
  origin.chain = {"acme/caller"};
  origin.trace = TraceParent::Parse(kParent);
  chains.Put(9, std::move(origin));
  const std::vector<std::uint8_t> payload = {1, 2, 3};
  EXPECT_EQ(router.Send({9, "wasi:keyvalue/store@0.2.0", "open", payload, 0}).code, Code::kLink);
  const auto records = observer->records();
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].event, Event::kHostCall);
  EXPECT_EQ(records[0].target, "wasi:keyvalue/store@0.2.0#open");
  EXPECT_EQ(records[0].input_digest, Digest::Of(payload).ToString());
  EXPECT_EQ(records[0].callers, std::vector<std::string>{"acme/caller"});
  EXPECT_EQ(records[0].trace, TraceParent::Parse(kParent)->Text());
  ASSERT_EQ(spans->spans.size(), 1u);
  EXPECT_EQ(spans->spans[0].parent, TraceParent::Parse(kParent)->span);
  EXPECT_EQ(spans->spans[0].error, "E_LINK");
  std::uint64_t counted = 0;
  for (auto& place : counter) counted += place.value.load();
  EXPECT_EQ(counted, 1u);
}

class Full final : public audit::Observer {
 public:
  Status On(const Record&) override { return Fail(Code::kAuditUnavailable, "no room"); }
};

class Counting final : public services::HostService {
 public:
  explicit Counting(int& calls) : calls_(calls) {}
  std::string_view interface_name() const override { return "acme:x/y"; }
  HostReply Call(const services::Caller&, std::string_view, std::span<const std::uint8_t>) override {
    ++calls_;
    return {};
  }

 private:
  int& calls_;
};

TEST(attack_103, AHostCallThatCannotBeRecordedIsNotAnswered) {
  const auto full = std::make_shared<Full>();
  const policy::Authority none;
  const services::Guard guard(none, *full, "acme/x", "");
  services::ServiceRouter router(guard);
  int calls = 0;
  router.Add(std::make_unique<Counting>(calls));
  EXPECT_EQ(router.Send({1, "acme:x/y", "f", {}, 0}).outcome, HostReply::Outcome::kDone);
  router.Watch(std::make_shared<HostCallAudit>(full, "acme/x", ""));
  const HostReply reply = router.Send({1, "acme:x/y", "f", {}, 0});
  EXPECT_EQ(reply.outcome, HostReply::Outcome::kTrap);
  EXPECT_EQ(reply.code, Code::kAuditUnavailable);
  EXPECT_EQ(calls, 1);
}

TEST(Metrics, CountWhatHappened) {
  Fixture fixture(AuditDetail::kDecisions);  // counted, recorded or not
  EXPECT_TRUE(fixture.Call("add", R"({"p0": 1, "p1": 2})"));
  EXPECT_TRUE(fixture.Call("add", R"({"p0": 1, "p1": 2})"));
  EXPECT_FALSE(fixture.Call("trap", "{}"));
  const std::string text = fixture.host->Metrics();
  for (const std::string line : {"cordon_plugins_enabled 1\n", "cordon_loads_total{outcome=\"ok\"} 1\n",
                                 "cordon_calls_total{plugin=\"sum\",outcome=\"ok\"} 2\n",
                                 "cordon_calls_total{plugin=\"sum\",outcome=\"E_TRAP\"} 1\n",
                                 "cordon_call_duration_seconds_count{plugin=\"sum\"} 3\n",
                                 "cordon_audit_failures_total 0\n", "# TYPE cordon_calls_total counter\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
  EXPECT_EQ(text.find("cordon_spans_total"), std::string::npos);
}

TEST(Metrics, LabelsOfHostileNamesStayLabels) {
  Meter meter;
  meter.Of("x\"} 1\ncordon_calls_total{plugin=\"y\\")->CountCalls(1, Duration(5));
  const std::string text = meter.Text({});
  EXPECT_NE(text.find("{plugin=\"x\\\"} 1\\\\u000acordon_calls_total{plugin=\\\"y\\\\\",outcome=\"ok\"} 1\n"),
            std::string::npos)
      << text;
  for (int i = 0; i < 5000; ++i) meter.Of("p" + std::to_string(i))->CountCalls(1, Duration(1));
  EXPECT_LT(meter.Text({}).size(), 1u << 20);
  EXPECT_NE(meter.Text({}).find("plugin=\"(others)\""), std::string::npos);
}

}  // namespace
}  // namespace cordon::runtime
