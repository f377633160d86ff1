#include "runtime/zeroclaw_channel.h"

#include <gtest/gtest.h>

namespace cordon::runtime {
namespace {

Message Of(std::string_view body) {
  return {.id = "1", .sender = "acme/a", .sent_ms = 0, .attempt = 1, .body = {body.begin(), body.end()}};
}

TEST(ZeroclawChannel, IsToldTheRecipientThatTheSenderNamed) {
  EXPECT_EQ(ToSend(Of(R"({"recipient":"bob","message":"hi"})")),
            R"({"content":"hi","id":"1","message":"hi","recipient":"bob","sender":"acme/a"})");
  EXPECT_EQ(ToSend(Of("just text")),
            R"({"content":"just text","id":"1","message":"just text","recipient":"","sender":"acme/a"})");
  EXPECT_EQ(ToSend(Of(R"({"other":1})")),
            R"({"content":"{\"other\":1}","id":"1","message":"{\"other\":1}","recipient":"","sender":"acme/a"})");
}

TEST(ZeroclawChannel, SaysWhetherItWasSent) {
  for (const char* good : {"", "sent", "null", "{}", R"({"success":true})", R"({"success":true,"error":"none"})"}) {
    EXPECT_TRUE(Sent(good)) << good;
  }
  for (const char* bad : {R"({"success":false})", R"({"error":"gone"})", R"({"success":false,"error":"gone"})"}) {
    const Status sent = Sent(bad);
    ASSERT_FALSE(sent) << bad;
    EXPECT_EQ(sent.error().code, Code::kGuest);
  }
  EXPECT_EQ(Sent(R"({"error":"a\u001b[31m"})").error().message.find('\x1b'), std::string::npos);
}

TEST(ZeroclawChannel, HearsOneOrMany) {
  using Bodies = std::vector<std::string>;
  EXPECT_EQ(*Heard(""), Bodies());
  EXPECT_EQ(*Heard("null"), Bodies());
  EXPECT_EQ(*Heard("[]"), Bodies());
  EXPECT_EQ(*Heard(R"(["a",{"sender":"bob"}])"), (Bodies{"a", R"({"sender":"bob"})"}));
  EXPECT_EQ(*Heard(R"({"messages":["a"]})"), Bodies{"a"});
  EXPECT_EQ(*Heard(R"({"sender":"bob","content":"hi"})"), Bodies{R"({"content":"hi","sender":"bob"})"});
  EXPECT_EQ(*Heard("a text"), Bodies{"a text"});
  EXPECT_EQ(Heard(R"({"error":"gone"})").error().code, Code::kGuest);
}

}  // namespace
}  // namespace cordon::runtime
