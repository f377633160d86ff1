// What a program sees of Cordon when it was built with CORDON_ENGINE=none: its code compiles, links and gets an error.
#include <cordon/host.h>
#include <cordon/version.h>
#if __has_include(<nlohmann/json.hpp>)
#include <cordon.h>
#endif

#include <cstdio>

namespace {

int failures = 0;
void Expect(bool fact, const char* what) {
  if (fact) return;
  std::printf("not so: %s\n", what);
  ++failures;
}
bool Unavailable(const cordon::Error& error) {
  return error.code == cordon::Code::kUnavailable && error.remedy.find("CORDON_ENGINE") != std::string::npos;
}

// Never runs; everything that it names has to be there for the linker.
std::int32_t Use(cordon::Host& host) {
  cordon::Service prices("acme:shop/prices@1.0.0");
  prices.Function("price-of", cordon::Needs("prices"),
                  [](const cordon::ServiceCall& call, std::uint32_t n) { return call.Allow("x") ? n : 0u; });
  if (!host.Register(std::move(prices))) return -1;
  auto plugin = host.Load("plugins/hello");
  if (!plugin) return -1;
  auto add = plugin->Function<std::int32_t(std::int32_t, std::int32_t)>("add");
  auto instance = plugin->NewInstance();
  if (!add || !instance) return -1;
  add->Async(nullptr, {}, 1, 2).Then([](auto) {});
  plugin->CallAsync("add", "{}", nullptr).Then([](auto) {});
  (void)instance->Call("add", "{}");
  return add->On(*instance, 2, 40).value_or(0) + (*add)(2, 40).value_or(0);
}

}  // namespace

int main() {
  auto host = cordon::Host::Create();
  Expect(!host && Unavailable(host.error()), "a Host is E_UNAVAILABLE, with a remedy");
  if (host) return Use(*host);
  Expect(cordon::EngineVersion() == "none", "the engine's version is none");
  Expect(cordon::LibraryVersion() == cordon::kHeaderVersion, "the library has the headers' version");
  auto log = cordon::OpenAuditLog("audit");
  Expect(!log && Unavailable(log.error()), "an audit log is E_UNAVAILABLE");
  // What runs no plugin works as ever.
  Expect(cordon::EscapeForDisplay("a\x1b[2Jb") == "a\\u001b[2Jb", "text is escaped");
  Expect(cordon::CodeName(cordon::Code::kUnavailable) == "E_UNAVAILABLE", "codes have names");
  Expect(cordon::LogLevelName(cordon::LogLevel::kWarn) == "warn", "levels have names");
  const auto token = cordon::CancelToken::Make();
  token.Cancel();
  Expect(token.cancelled(), "a token is cancelled");
  auto memory = cordon::AuditMemory::Make(1);
  Expect(memory->Write({.event = "note"}) && memory->records().size() == 1, "records are kept");
  return failures;
}
