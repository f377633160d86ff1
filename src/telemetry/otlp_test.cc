#include "telemetry/otlp.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <thread>

#include "base/unique_fd.h"
#include "telemetry/post.h"

namespace cordon::telemetry {
namespace {

Span Some() {
  Span span;
  span.place = TraceParent::New();
  span.name = "call check";
  return span;
}

// A port that nobody listens at, or where somebody listens and never answers.
struct Silent {
  Silent() : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    socklen_t size = sizeof address;
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
    endpoint = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  void Listen() { ::listen(fd.get(), 8); }
  UniqueFd fd;
  std::string endpoint;
};

TEST(HttpPlace, ReadsWhereACollectorIs) {
  const struct {
    const char *url, *host, *port, *path;
  } kCases[] = {
      {"http://127.0.0.1:4318", "127.0.0.1", "4318", ""},
      {"http://collector", "collector", "4318", ""},
      {"http://collector:80/otlp/", "collector", "80", "/otlp"},
      {"http://[::1]:4318/", "::1", "4318", ""},
      {"http://[::1]", "::1", "4318", ""},
  };
  for (const auto& one : kCases) {
    const auto place = HttpPlace::Parse(one.url);
    ASSERT_TRUE(place) << one.url;
    EXPECT_EQ(place->host, one.host);
    EXPECT_EQ(place->port, one.port);
    EXPECT_EQ(place->path, one.path);
  }
  EXPECT_EQ(HttpPlace::Parse("https://collector").error().code, Code::kUnenforceable);
  for (const char* bad :
       {"", "collector:4318", "ftp://x", "http://", "http://:1", "http://x:0", "http://x:70000", "http://x:1x",
        "http://user@x", "http://x/?q", "http://x/#f", "http://x\r\ny", "http://x y"}) {
    EXPECT_EQ(HttpPlace::Parse(bad).error().code, Code::kInvalid) << bad;
  }
}

TEST(OtlpExporter, TakesNeitherTimeNorMemoryWhenNobodyAnswers) {
  Silent collector;
  collector.Listen();
  OtlpOptions options;
  options.endpoint = collector.endpoint;
  options.queue_max = 100;
  options.batch_max = 10;
  options.delay = options.timeout = options.farewell = std::chrono::milliseconds(50);
  auto exporter = *OtlpExporter::Make(options);
  for (int i = 0; i < 5000; ++i) exporter->Take(Some());
  const SpanSink::Counts counts = exporter->counts();
  EXPECT_EQ(counts.taken, 5000u);
  EXPECT_GE(counts.dropped, 5000u - 100u - 10u);
  EXPECT_EQ(counts.sent, 0u);
  exporter.reset();  // does not hang
}

TEST(OtlpExporter, WhatCannotBeSentIsCounted) {
  Silent nobody;
  OtlpOptions options;
  options.endpoint = nobody.endpoint;
  options.delay = std::chrono::milliseconds(1);
  auto exporter = *OtlpExporter::Make(options);
  exporter->Take(Some());
  for (int i = 0; i < 1000 && exporter->counts().dropped == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(exporter->counts().dropped, 1u);
}

TEST(OtlpExporter, StartsNoThreadBeforeTheFirstSpan) {
  const auto exporter = *OtlpExporter::Make({.endpoint = "http://127.0.0.1:1"});
  EXPECT_EQ(exporter->counts().taken, 0u);
  EXPECT_EQ(OtlpExporter::Make({.endpoint = "https://x"}).error().code, Code::kUnenforceable);
}

}  // namespace
}  // namespace cordon::telemetry
