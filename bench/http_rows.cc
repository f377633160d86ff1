#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>
#include <thread>

#include "base/unique_fd.h"
#include "folder.h"
#include "rows.h"

namespace cordon::bench {
namespace {

constexpr char kPeer[] = "hyper 1.12.0 (Rust)";
constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// Answers every request of one connection after the other, on a thread of its own that waits in the kernel.
class Server {
 public:
  static Result<std::unique_ptr<Server>> Open() {
    std::unique_ptr<Server> server(new Server);
    server->listener_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    if (::bind(server->listener_.get(), raw, size) != 0 || ::listen(server->listener_.get(), 16) != 0 ||
        ::getsockname(server->listener_.get(), raw, &size) != 0) {
      return Fail(Code::kIo, "no server on loopback");
    }
    server->port_ = ntohs(address.sin_port);
    server->thread_ = std::thread([listener = server->listener_.get()] { Accept(listener); });
    return server;
  }
  ~Server() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::uint16_t port() const { return port_; }

 private:
  Server() = default;
  static void Accept(int listener) {
    std::vector<std::thread> connections;
    for (int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC); fd >= 0;
         fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)) {
      connections.emplace_back([fd] { Serve(UniqueFd(fd)); });
    }
    for (std::thread& connection : connections) connection.join();
  }
  // A request without a body ends with an empty line, and comes in one piece.
  static void Serve(UniqueFd connection) {
    char buffer[4096];
    for (ssize_t got = ::recv(connection.get(), buffer, sizeof buffer, 0); got > 0;
         got = ::recv(connection.get(), buffer, sizeof buffer, 0)) {
      if (::send(connection.get(), kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL) < 0) return;
    }
  }

  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

struct FreeRaw {
  void operator()(raw_http* http) const { raw_http_free(http); }
};

// A call of a warm instance that makes one request, on a connection that is kept: with the decisions and their records.
Result<Row> MeasureGet(const Plan& plan, CordonSide&, RawSide&) {
  CORDON_ASSIGN(const std::unique_ptr<Server> server, Server::Open());
  const std::string authority = "127.0.0.1:" + std::to_string(server->port());
  const Folder folder;
  HostOptions options;
  CORDON_ASSIGN(options.audit, OpenAuditLog(folder.path()));
  options.compiler = HostOptions::Compiler::kInProcess;
  CORDON_ASSIGN(Host host, Host::Create(std::move(options)));
  LoadOptions load;
  load.grants = {"http:GET:http://" + authority + "/*"};
  CORDON_ASSIGN(Plugin plugin, host.Load(plan.guests / "http.wasm", load));
  CORDON_ASSIGN(Instance instance, plugin.NewInstance());
  const std::string input = R"({"scheme":"http","authority":")" + authority + R"(","path":"/","times":1})";
  const Side ours = [&](std::uint64_t iterations) -> Status {
    for (std::uint64_t i = 0; i < iterations; ++i) {
      CORDON_ASSIGN(const Answer answer, instance.Call("get-many", input));
      if (answer.json != R"({"ok":200})") return Fail(Code::kInternal, "the guest was not answered: " + answer.json);
    }
    return {};
  };
  const std::unique_ptr<raw_http, FreeRaw> raw(raw_http_new(server->port()));
  if (raw == nullptr) return Fail(Code::kInternal, "the raw side failed; its message is above");
  const Side theirs = [&](std::uint64_t iterations) -> Status {
    return raw_http_get(raw.get(), iterations) ? Status{} : Fail(Code::kInternal, "the raw side failed");
  };
  CORDON_ASSIGN(const Rounds rounds, Interleave(plan, ours, theirs));
  return Summarise({"http-get", kPeer, "ns", Row::Judged::kRatio, 1.3}, rounds);
}

}  // namespace

std::vector<NamedRow> HttpRows() { return {{"http-get", MeasureGet}}; }

}  // namespace cordon::bench
