// A program that embeds Cordon, as small as can be and still cross the library's boundary in every way: values, typed
// calls, a class of ours that the library calls, and exceptions.
#include <cstdio>
#include <memory>
#include <stdexcept>

#include "cordon/host.h"
#include "cordon/version.h"

namespace {

class CountingSink : public cordon::AuditSink {
 public:
  cordon::Status Write(const cordon::AuditRecord& record) override {
    if (fails) throw std::runtime_error("the disk is full");
    ++records;
    return record.event.empty() ? cordon::Fail(cordon::Code::kInternal, "a record without an event") : cordon::Status();
  }
  int records = 0;
  bool fails = false;
};

int Complain(const char* what, const cordon::Error& error) {
  std::fprintf(stderr, "%s: %s: %s\n", what, cordon::CodeName(error.code).data(), error.message.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto sink = std::make_shared<CountingSink>();
  cordon::HostOptions options;
  options.audit = sink;
  auto host = cordon::Host::Create(options);
  if (!host) return Complain("host", host.error());
  auto plugin = host->Load(argv[1]);
  if (!plugin) return Complain("load", plugin.error());

  auto answer = plugin->Call("add", R"({"p0": 2, "p1": 40})");
  if (!answer) return Complain("call", answer.error());
  auto add = plugin->Function<std::int32_t(std::int32_t, std::int32_t)>("add");
  if (!add) return Complain("function", add.error());
  auto sum = (*add)(2, 40);
  if (!sum) return Complain("typed call", sum.error());
  if (plugin->Function<std::string(std::string)>("add")) return 3;
  if (sink->records == 0) return 4;

  sink->fails = true;
  auto refused = plugin->Call("add", R"({"p0": 2, "p1": 40})");
  if (refused || refused.error().code != cordon::Code::kAuditUnavailable) return 5;
  if (cordon::LibraryVersion() != cordon::kHeaderVersion) return 6;
  std::printf("%s %d %s\n", answer->json.c_str(), *sum, cordon::CodeName(refused.error().code).data());
}
