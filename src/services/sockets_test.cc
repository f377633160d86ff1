#include "services/sockets.h"

#include <gtest/gtest.h>

#include "base/wire.h"
#include "policy/test_authority.h"

namespace cordon::services {
namespace {

class Sockets {
 public:
  explicit Sockets(std::initializer_list<const char*> grants)
      : authority_(policy::AuthorityOf(grants)), guard_(authority_, observer_, "acme/a", ""), service_(guard_, {}) {}

  bool Use(SocketStep step, std::string_view address, std::uint16_t port, std::uint64_t call = 1) {
    std::vector<std::uint8_t> payload;
    wire::Writer out(payload);
    out.U32(static_cast<std::uint32_t>(step));
    out.String(address);
    out.U16(port);
    return service_.Call({call, {}, 0}, "use", payload).payload == std::vector<std::uint8_t>{1};
  }
  bool Lookup(std::string_view name) {
    std::vector<std::uint8_t> payload;
    wire::Writer(payload).String(name);
    return service_.Call({}, "lookup", payload).payload == std::vector<std::uint8_t>{1};
  }
  std::size_t Found(std::string_view name, std::initializer_list<std::string_view> addresses) {
    std::vector<std::uint8_t> payload;
    wire::Writer out(payload);
    out.String(name);
    out.Count(addresses.size());
    for (std::string_view address : addresses) out.String(address);
    const HostReply reply = service_.Call({}, "found", payload);
    return wire::Reader(reply.payload).Count(4);
  }
  std::vector<std::string> rules() const {
    std::vector<std::string> rules;
    for (const audit::Record& record : observer_.records()) rules.push_back(record.rule);
    return rules;
  }

 private:
  audit::MemoryObserver observer_;
  policy::Authority authority_;
  Guard guard_;
  SocketsService service_;
};

// Text that one reader ends at a NUL, and another one goes on with.
TEST(Sockets, attack_130_AnAddressWithANulIsNone) {
  using namespace std::string_view_literals;
  Sockets sockets({"net:tcp:*.a.io:443", "net:tcp:127.0.0.1:443"});
  EXPECT_TRUE(sockets.Use(SocketStep::kTcpConnect, "127.0.0.1", 443));
  for (const std::string_view address : {"10.0.0.1\0.a.io"sv, "127.0.0.1\0"sv, "::1\0.a.io"sv, "\0"sv}) {
    EXPECT_FALSE(sockets.Use(SocketStep::kTcpConnect, address, 443));
  }
}

TEST(Sockets, AnAddressOrABlockThatIsGrantedMayBeConnectedTo) {
  Sockets sockets({"net:tcp:10.0.0.0/8:5432", "net:tcp:[::1]:1-9"});
  EXPECT_TRUE(sockets.Use(SocketStep::kTcpConnect, "10.1.2.3", 5432));
  EXPECT_TRUE(sockets.Use(SocketStep::kTcpConnect, "::1", 9));
  EXPECT_FALSE(sockets.Use(SocketStep::kTcpConnect, "10.1.2.3", 5433));
  EXPECT_FALSE(sockets.Use(SocketStep::kTcpConnect, "11.1.2.3", 5432));
  EXPECT_FALSE(sockets.Use(SocketStep::kUdpSend, "10.1.2.3", 5432));
  EXPECT_FALSE(sockets.Use(SocketStep::kTcpConnect, "::ffff:10.1.2.3", 5432));
  EXPECT_EQ(sockets.rules(),
            (std::vector<std::string>{"grant:net:tcp:10.0.0.0/8:5432", "grant:net:tcp:[::1]:1-9", "not-requested",
                                      "not-requested", "not-requested", "net:address"}));
}

TEST(Sockets, ANameThatIsGrantedOpensWhatItLedTo) {
  Sockets sockets({"net:tcp:db.test:5432"});
  EXPECT_FALSE(sockets.Use(SocketStep::kTcpConnect, "93.184.215.14", 5432));
  EXPECT_TRUE(sockets.Lookup("db.test"));
  EXPECT_EQ(sockets.Found("db.test", {"93.184.215.14", "127.0.0.1"}), 1u);
  EXPECT_TRUE(sockets.Use(SocketStep::kTcpConnect, "93.184.215.14", 5432));
  EXPECT_FALSE(sockets.Use(SocketStep::kTcpConnect, "93.184.215.14", 22));
  EXPECT_FALSE(sockets.Use(SocketStep::kTcpConnect, "127.0.0.1", 5432));
}

// attacks.md 131: a name is a message to whoever answers for it.
TEST(Sockets, attack_131_NamesThatAreNotGrantedAreNotLookedUp) {
  Sockets sockets({"net:tcp:db.test:5432", "net:udp:*.dns.test:53"});
  EXPECT_TRUE(sockets.Lookup("a.dns.test"));
  for (std::string_view name :
       {"c2VjcmV0.evil.test", "db.test.evil.test", "xdb.test", "dns.test", "*", "*.dns.test", ""}) {
    EXPECT_FALSE(sockets.Lookup(name)) << name;
  }
  EXPECT_EQ(sockets.Found("db.test", {"169.254.169.254"}), 0u);
  EXPECT_EQ(sockets.rules().back(), "net:metadata");
}

// attacks.md 130: connected or not, a datagram goes to whom it was granted.
TEST(Sockets, attack_130_EveryDatagramIsAQuestionOfItsOwn) {
  Sockets sockets({"net:udp:127.0.0.1:53"});
  EXPECT_TRUE(sockets.Use(SocketStep::kUdpBind, "0.0.0.0", 0));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(sockets.Use(SocketStep::kUdpSend, "127.0.0.1", 53));
  EXPECT_EQ(sockets.rules().size(), 1u) << "to one peer, in one call, it is one decision";
  EXPECT_TRUE(sockets.Use(SocketStep::kUdpSend, "127.0.0.1", 53, 2));
  EXPECT_EQ(sockets.rules().size(), 2u);
  EXPECT_FALSE(sockets.Use(SocketStep::kUdpSend, "127.0.0.2", 53));
  EXPECT_FALSE(sockets.Use(SocketStep::kUdpSend, "127.0.0.1", 54));
  EXPECT_FALSE(sockets.Use(SocketStep::kUdpSend, "169.254.169.254", 53));
  EXPECT_TRUE(sockets.Use(SocketStep::kUdpReceive, "127.0.0.1", 53));
  EXPECT_FALSE(sockets.Use(SocketStep::kUdpReceive, "127.0.0.2", 53));
}

TEST(Sockets, ListeningIsGrantedByItself) {
  Sockets sockets({"net:listen-tcp:127.0.0.1:8080", "net:tcp:127.0.0.1:9"});
  EXPECT_TRUE(sockets.Use(SocketStep::kTcpBind, "127.0.0.1", 8080));
  EXPECT_TRUE(sockets.Use(SocketStep::kTcpListen, "127.0.0.1", 8080));
  EXPECT_FALSE(sockets.Use(SocketStep::kTcpBind, "127.0.0.1", 9));
  EXPECT_FALSE(sockets.Use(SocketStep::kTcpListen, "127.0.0.1", 40000));
  EXPECT_FALSE(sockets.Use(SocketStep::kTcpBind, "0.0.0.0", 8080));
  EXPECT_FALSE(sockets.Use(SocketStep::kTcpConnect, "127.0.0.1", 8080));
}

}  // namespace
}  // namespace cordon::services
