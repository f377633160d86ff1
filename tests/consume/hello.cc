#include <cordon/host.h>
#include <cstdio>

int main() {
  constexpr unsigned char kAdd[] = {0, 97, 115, 109, 1,  0,   0,   0, 1, 7,  1, 96, 2, 127, 127, 1, 127, 3, 2,   1, 0,
                                    7, 7,  1,   3,   97, 100, 100, 0, 0, 10, 9, 1,  7, 0,   32,  0, 32,  1, 106, 11};
  auto host = cordon::Host::Create();
  auto plugin = host->LoadBytes("add", kAdd);
  auto add = plugin->Function<std::int32_t(std::int32_t, std::int32_t)>("add");
  std::printf("2 + 40 = %d\n", (*add)(2, 40).value());
}
