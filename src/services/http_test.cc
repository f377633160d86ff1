#include "services/http.h"

#include <gtest/gtest.h>

#include "base/wire.h"
#include "policy/test_authority.h"

namespace cordon::services {
namespace {

struct Asked {
  std::string_view method, scheme, host;
  std::uint16_t port;
  std::string_view path;
};

std::vector<std::uint8_t> Payload(const Asked& asked) {
  std::vector<std::uint8_t> bytes;
  wire::Writer out(bytes);
  out.String(asked.method);
  out.String(asked.scheme);
  out.String(asked.host);
  out.U16(asked.port);
  out.String(asked.path);
  return bytes;
}

// One plugin, its grants, and what was written down.
class Egress {
 public:
  explicit Egress(std::initializer_list<const char*> grants, EgressOptions options = {})
      : authority_(policy::AuthorityOf(grants)),
        guard_(authority_, observer_, "acme/a", ""),
        service_(guard_, options) {}

  bool Admits(const Asked& asked) {
    const HostReply reply = service_.Call({}, "admit", Payload(asked));
    EXPECT_EQ(reply.outcome, HostReply::Outcome::kDone);
    return !reply.payload.empty() && reply.payload[0] == 0;
  }
  std::vector<std::uint32_t> Addresses(const Asked& asked, std::initializer_list<std::string_view> found) {
    auto payload = Payload(asked);
    wire::Writer out(payload);
    out.Count(found.size());
    for (std::string_view address : found) out.String(address);
    const HostReply reply = service_.Call({}, "addresses", payload);
    wire::Reader in(reply.payload);
    std::vector<std::uint32_t> chosen(in.Count(4));
    for (std::uint32_t& index : chosen) index = in.U32();
    EXPECT_TRUE(in.Finish());
    return chosen;
  }
  HostReply Call(std::string_view function, std::span<const std::uint8_t> payload) {
    return service_.Call({}, function, payload);
  }
  std::vector<audit::Record> records() const { return observer_.records(); }
  EgressTotals totals() const { return service_.totals(); }

 private:
  audit::MemoryObserver observer_;
  policy::Authority authority_;
  Guard guard_;
  EgressService service_;
};

TEST(Egress, EachRequestIsDecidedAndWrittenDownOnce) {
  Egress egress({"http:GET:https://api.example.com/v1/*"});
  EXPECT_TRUE(egress.Admits({"GET", "https", "api.example.com", 443, "/v1/a"}));
  EXPECT_FALSE(egress.Admits({"POST", "https", "api.example.com", 443, "/v1/a"}));
  const auto records = egress.records();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].target, "https://api.example.com/v1/a");
  EXPECT_EQ(records[0].rule, "grant:http:GET:https://api.example.com/v1/*");
  EXPECT_EQ(records[1].rule, "not-requested");
  EXPECT_NE(records[1].note.find("http:POST:https://api.example.com/v1/a"), std::string::npos);
}

// attacks.md 123: what a server may make of a path has to be allowed too.
TEST(Egress, attack_123_APathIsWhatAServerMayMakeOfIt) {
  Egress egress({"http:GET:http://h.test/v1/*"});
  for (std::string_view path : {"/v1/a", "/v1/", "/v1/a%2Fb", "/v1/100%25", "/v1/a//b", "/v1/%2E%2e%2Fv1/b"}) {
    EXPECT_TRUE(egress.Admits({"GET", "http", "h.test", 80, path})) << path;
  }
  for (std::string_view path : {"/", "/v1", "/v10/a", "/V1/a", "/v1/%2E%2E/a", "/v1/..%2fa", "/v1/..%252fa",
                                "/v1/..%25252fa", "/v1/..%5Ca", "/*", "/v1*"}) {
    EXPECT_FALSE(egress.Admits({"GET", "http", "h.test", 80, path})) << path;
  }
}

TEST(Egress, AStarThatAGuestWritesIsAStar) {
  Egress egress({"http:GET:http://h.test/v1/x"});
  EXPECT_FALSE(egress.Admits({"GET", "http", "h.test", 80, "/v1/*"}));
  EXPECT_FALSE(egress.Admits({"GET", "http", "*", 80, "/v1/x"}));
  EXPECT_FALSE(egress.Admits({"GET", "http", "*.test", 80, "/v1/x"}));
}

TEST(Egress, attack_120_AnAddressIsPublicOrNamed) {
  EgressOptions options;
  for (const char* block : {"10.1.0.0/16", "169.254.0.0/16"}) {
    options.private_blocks.push_back(*policy::AddressBlock::Parse(block));
  }
  Egress egress({"http:GET:http://h.test:8080/*", "http:GET:http://127.0.0.1:8080/*", "http:GET:http://[::1]:8080/*"},
                options);
  const Asked name = {"GET", "http", "h.test", 8080, "/"};
  using Indices = std::vector<std::uint32_t>;
  EXPECT_EQ(egress.Addresses(name, {"93.184.215.14", "2606:4700::1"}), (Indices{0, 1}));
  EXPECT_EQ(egress.Addresses(name, {"127.0.0.1", "10.1.2.3", "10.2.0.1", "::ffff:10.1.2.3"}), (Indices{1}));
  EXPECT_TRUE(egress.records().empty()) << "what is left over is enough";
  EXPECT_EQ(egress.Addresses(name, {"127.0.0.1", "::1"}), Indices{});
  EXPECT_EQ(egress.Addresses(name, {"169.254.169.254"}), Indices{});
  EXPECT_EQ(egress.Addresses(name, {"nonsense"}), Indices{});
  EXPECT_EQ(egress.Addresses(name, {}), Indices{});
  std::vector<std::string> rules;
  for (const audit::Record& record : egress.records()) rules.push_back(record.rule);
  EXPECT_EQ(rules, (std::vector<std::string>{"net:loopback", "net:metadata", "net:unknown", "net:unknown"}));
  EXPECT_EQ(egress.records()[0].target, "http://h.test:8080/ at 127.0.0.1, ::1");
  // Named in the grant itself.
  EXPECT_EQ(egress.Addresses({"GET", "http", "127.0.0.1", 8080, "/"}, {"127.0.0.1"}), (Indices{0}));
  EXPECT_EQ(egress.Addresses({"GET", "http", "[::1]", 8080, "/"}, {"::1"}), (Indices{0}));
}

TEST(Egress, HeadersOfTheHostGoWhereTheyAreFor) {
  EgressOptions options;
  options.headers.push_back({*policy::Capability::Parse("http:GET:http://h.test/v1/*"), "Authorization", "key"});
  Egress egress({"http:GET:http://h.test/*"}, options);
  const auto holds_key = [&](std::string_view path) {
    const auto reply = egress.Call("admit", Payload({"GET", "http", "h.test", 80, path}));
    const std::string text(reply.payload.begin(), reply.payload.end());
    return text.find("key") != std::string::npos;
  };
  EXPECT_TRUE(holds_key("/v1/a"));
  EXPECT_FALSE(holds_key("/v2/a"));
}

// Secrets of a test, by name.
class SomeSecrets final : public SecretSource {
 public:
  Result<std::optional<SecretText>> Find(std::string_view plugin, std::string_view name) override {
    if (broken) return Fail(Code::kDigest, "tampered with");
    const auto found = values.find(std::string(plugin) + " " + std::string(name));
    if (found == values.end()) return std::nullopt;
    return SecretText(found->second);
  }
  std::map<std::string, std::string> values;
  bool broken = false;
};

TEST(Egress, attack_159_ASecretInAHeaderIsReadForEachRequestAndForNoOther) {
  const auto secrets = std::make_shared<SomeSecrets>();
  secrets->values = {{"acme/a api-key", "first"}, {"acme/other api-key", "theirs"}};
  EgressOptions options;
  options.secrets = secrets;
  options.headers.push_back(
      {*policy::Capability::Parse("http:GET:http://h.test/v1/*"), "Authorization", "Bearer ", "api-key"});
  Egress egress({"http:GET:http://h.test/v1/*", "http:GET:http://other.test/*"}, options);
  const auto answer = [&](std::string_view host, std::string_view path) {
    const auto reply = egress.Call("admit", Payload({"GET", "http", std::string(host), 80, std::string(path)}));
    return std::string(reply.payload.begin(), reply.payload.end());
  };
  EXPECT_NE(answer("h.test", "/v1/a").find("Bearer first"), std::string::npos);
  EXPECT_EQ(answer("other.test", "/v1/a").find("first"), std::string::npos);
  EXPECT_EQ(answer("h.test", "/v2/a").find("first"), std::string::npos);
  secrets->values["acme/a api-key"] = "second";
  EXPECT_NE(answer("h.test", "/v1/a").find("Bearer second"), std::string::npos);
  // What cannot be put on the request stops it.
  secrets->values["acme/a api-key"] = "two\r\nlines: x";
  EXPECT_EQ(answer("h.test", "/v1/a").find("lines"), std::string::npos);
  secrets->values.erase("acme/a api-key");
  EXPECT_EQ(answer("h.test", "/v1/a")[0], '\1');
  secrets->broken = true;
  EXPECT_EQ(answer("h.test", "/v1/a")[0], '\1');
  EXPECT_EQ(answer("other.test", "/v1/a")[0], '\0');
  std::vector<std::string> rules;
  for (const audit::Record& record : egress.records()) {
    rules.push_back(record.rule);
    EXPECT_EQ((record.target + record.note).find("second"), std::string::npos);
  }
  EXPECT_EQ(rules, (std::vector<std::string>{"grant:http:GET:http://h.test/v1/*", "grant:http:GET:http://other.test/*",
                                             "not-requested", "grant:http:GET:http://h.test/v1/*", "http:secret",
                                             "http:secret", "http:secret", "grant:http:GET:http://other.test/*"}));
}

TEST(Egress, WhatTheWayOutRefusedByItselfIsOneDenial) {
  Egress egress({"http:GET:http://h.test/*"});
  auto payload = Payload({"GET", "http", "h.test", 80, "/a"});
  wire::Writer out(payload);
  out.String("file:///etc/passwd");
  out.String("http:url");
  EXPECT_EQ(egress.Call("report", payload).outcome, HostReply::Outcome::kDone);
  auto bare = Payload({"", "", "", 0, ""});
  wire::Writer rest(bare);
  rest.String("gopher://x");
  rest.String("a rule of nobody's");
  EXPECT_EQ(egress.Call("report", bare).outcome, HostReply::Outcome::kDone);
  const auto records = egress.records();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].target, "http://h.test/a to file:///etc/passwd");
  EXPECT_EQ(records[0].rule, "http:url");
  EXPECT_EQ(records[1].target, "gopher://x");
  EXPECT_EQ(records[1].rule, "http:unknown");
}

TEST(Egress, PayloadsThatAreNoneEndTheCall) {
  Egress egress({"http:GET:http://h.test/*"});
  auto payload = Payload({"GET", "http", "h.test", 80, "/a"});
  EXPECT_EQ(egress.Call("nothing", payload).code, Code::kLink);
  for (std::size_t cut = 0; cut < payload.size(); ++cut) {
    EXPECT_EQ(egress.Call("admit", std::span(payload).first(cut)).code, Code::kInvalid) << cut;
  }
  payload.insert(payload.end(), {0xff, 0xff, 0xff, 0xff});
  EXPECT_EQ(egress.Call("addresses", payload).code, Code::kInvalid);
  EXPECT_TRUE(egress.records().empty());
}

TEST(Egress, WhatWasSentIsCounted) {
  Egress egress({"http:GET:http://h.test/*"});
  auto payload = Payload({"GET", "http", "h.test", 80, "/a"});
  wire::Writer out(payload);
  out.U16(200);
  out.U64(3);
  out.U64(5);
  out.U64(1000);
  egress.Call("done", payload);
  egress.Call("done", payload);
  EXPECT_EQ(egress.totals().requests, 2u);
  EXPECT_EQ(egress.totals().bytes_up, 6u);
  EXPECT_EQ(egress.totals().bytes_down, 10u);
}

}  // namespace
}  // namespace cordon::services
