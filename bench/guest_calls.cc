#include "guest_calls.h"

namespace cordon::bench {

std::string SampleText(std::size_t bytes) {
  std::string text(bytes, ' ');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + i % 26);
  return text;
}

std::vector<std::uint8_t> SampleBytes(std::size_t bytes) {
  std::vector<std::uint8_t> block(bytes);
  for (std::size_t i = 0; i < bytes; ++i) block[i] = static_cast<std::uint8_t>(i * 31);
  return block;
}

Message SampleMessage() { return {"nested", SampleBytes(64 << 10)}; }

Entry SampleEntry() {
  return {
      .id = 1ull << 40,
      .name = "an entry of ten fields",
      .active = true,
      .score = 0.75,
      .count = -3,
      .level = Level::medium,
      .note = "with a note",
      .tags = {"alpha", "beta", "gamma"},
      .samples = {0, 1000, 2000, 3000, 4000, 5000, 6000, 7000},
      .digest = SampleBytes(32),
  };
}

std::string SampleEntryJson() {
  return R"({"entry":{"id":1099511627776,"name":"an entry of ten fields","active":true,"score":0.75,"count":-3,)"
         R"("level":"medium","note":"with a note","tags":["alpha","beta","gamma"],)"
         R"("samples":[0,1000,2000,3000,4000,5000,6000,7000],)"
         R"("digest":"AB8+XXybutn4FzZVdJOy0fAPLk1si6rJ6AcmRWSDosE="}})";
}

Result<GuestCalls> GuestCalls::Open(const Plugin& plugin) {
  CORDON_ASSIGN(Instance instance, plugin.NewInstance());
  CORDON_ASSIGN(calls::Calls functions, calls::Calls::Bind(plugin));
  return GuestCalls{std::move(instance), std::move(functions)};
}

}  // namespace cordon::bench
