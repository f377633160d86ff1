#include "policy/capability.h"

#include <gtest/gtest.h>

#include "policy/ceiling.h"
#include "policy/grant.h"

namespace cordon::policy {
namespace {

Capability Cap(std::string_view text) {
  auto parsed = Capability::Parse(text);
  EXPECT_TRUE(parsed) << text << ": " << (parsed ? "" : parsed.error().message);
  return parsed ? *parsed : MakeLog();
}

Code CodeOf(std::string_view text) {
  auto parsed = Grant::Parse(text);
  EXPECT_FALSE(parsed) << text << " was accepted";
  return parsed ? Code::kInternal : parsed.error().code;
}

// One of each form, several of those that compare.
const char* const kForms[] = {"fs:read:/data=workspace",
                              "fs:write:/data=workspace",
                              "fs:read:/data=workspace/data",
                              "fs:write:/data=workspace/data/in",
                              "fs:read:/data=workspace/dat",
                              "fs:read:/other=workspace",
                              "fs:read:/data=temp",
                              "http:GET:https://api.example.com/v1/*",
                              "http:GET,HEAD:https://api.example.com/v1/users",
                              "http:GET,POST:https://*.example.com/*",
                              "http:GET:https://*.eu.example.com/v1/*",
                              "http:GET:https://example.com/*",
                              "http:GET:http://*.example.com/*",
                              "http:GET:https://api.example.com:8000-8010/*",
                              "http:GET:https://api.example.com:8005/v1/*",
                              "http:GET:https://api.example.com/v10",
                              "net:tcp:db.internal:5432",
                              "net:tcp:*.internal:5000-6000",
                              "net:udp:db.internal:5432",
                              "net:tcp:10.0.0.0/8:5432",
                              "net:tcp:10.1.2.3:5432",
                              "net:tcp:10.1.0.0/16:1-65535",
                              "net:tcp:[2001:db8::1]:53",
                              "net:listen-tcp:127.0.0.1:8080",
                              "env:GITHUB_TOKEN",
                              "env:_x",
                              "secret:api-key",
                              "config",
                              "exec:git log --oneline <re:[0-9a-f]{7,40}>",
                              "exec:git log",
                              "exec:tar <one-of:-t|-x> <int:1..9> <path:/data>",
                              "kv:read:cache",
                              "kv:write:cache",
                              "memory:recall:session",
                              "memory:store:agent",
                              "msg:send:alerts",
                              "msg:receive:alerts",
                              "call:acme/geocode#lookup",
                              "call:acme/geocode#*",
                              "call:acme/geo#lookup",
                              "ctx:user",
                              "ctx:session",
                              "clock:coarse",
                              "clock:fine",
                              "random",
                              "stdio",
                              "log",
                              "args",
                              "host:prices",
                              "host:prices:eu/shoes",
                              "host:prices:eu/*"};

TEST(Capability, EachFormRoundTrips) {
  for (const char* text : kForms) {
    EXPECT_EQ(Cap(text).ToString(), text);
    EXPECT_EQ(Cap(Cap(text).ToString()), Cap(text));
  }
}

TEST(Capability, SpellingsHaveOneCanonicalForm) {
  EXPECT_EQ(Cap("http:HEAD,GET,GET:https://API.Example.com:443/v1/").ToString(),
            "http:GET,HEAD:https://api.example.com/v1/*");
  EXPECT_EQ(Cap("net:tcp:[2001:DB8:0:0::1]:53").ToString(), "net:tcp:[2001:db8::1]:53");
  EXPECT_EQ(Cap("exec:git %6Cog").ToString(), "exec:git log");
}

TEST(Capability, YamlPiecesGiveTheCompactForm) {
  EXPECT_EQ(MakeFiles("/data", "workspace/data", Access::kRead)->ToString(), "fs:read:/data=workspace/data");
  const std::string methods[] = {"HEAD", "GET"};
  EXPECT_EQ(MakeHttp("https://*.example.org/", methods)->ToString(), "http:GET,HEAD:https://*.example.org/*");
  EXPECT_EQ(MakeSocket("tcp://db.internal:5432", SocketUse::kConnect)->ToString(), "net:tcp:db.internal:5432");
  const ExecArgument arguments[] = {{ExecArgument::Form::kLiteral, "log"}, {ExecArgument::Form::kPattern, "a b;<c>%"}};
  EXPECT_EQ(MakeExec("git", arguments)->ToString(), "exec:git log <re:a%20b%3B%3Cc%3E%25>");
  EXPECT_EQ(*Capability::Parse("exec:git log <re:a%20b%3B%3Cc%3E%25>"), *MakeExec("git", arguments));
}

TEST(Capability, IntersectIsCommutativeAndNeverWiderThanEither) {
  for (const char* left : kForms) {
    for (const char* right : kForms) {
      const Capability a = Cap(left), b = Cap(right);
      const auto both = Intersect(a, b);
      EXPECT_EQ(both, Intersect(b, a)) << left << " and " << right;
      EXPECT_EQ(both.has_value() && *both == b, a.Covers(b)) << left << " and " << right;
      if (!both) continue;
      EXPECT_TRUE(a.Covers(*both) && b.Covers(*both)) << left << " and " << right << " gave " << both->ToString();
      EXPECT_EQ(Intersect(*both, a), both);
      EXPECT_EQ(Cap(both->ToString()), *both);
      for (const char* third : kForms) {
        const Capability c = Cap(third);
        const auto bc = Intersect(b, c);
        EXPECT_EQ(Intersect(*both, c), bc ? Intersect(a, *bc) : std::nullopt);  // associative
        if (both->Covers(c)) {
          EXPECT_TRUE(a.Covers(c) && b.Covers(c));
        }
      }
    }
  }
}

TEST(Capability, IntersectNarrows) {
  const auto both = [](std::string_view a, std::string_view b) {
    const auto common = Intersect(Cap(a), Cap(b));
    return common ? common->ToString() : "nothing";
  };
  EXPECT_EQ(both("fs:write:/data=workspace", "fs:read:/data=workspace/data"), "fs:read:/data=workspace/data");
  EXPECT_EQ(both("fs:read:/data=workspace/dat", "fs:read:/data=workspace/data"), "nothing");
  EXPECT_EQ(both("fs:read:/data=workspace", "fs:read:/other=workspace"), "nothing");
  EXPECT_EQ(both("http:GET,HEAD:https://*.example.com/*", "http:GET,POST:https://a.example.com/v1/*"),
            "http:GET:https://a.example.com/v1/*");
  EXPECT_EQ(both("http:GET:https://*.example.com/*", "http:GET:https://example.com/*"), "nothing");
  EXPECT_EQ(both("http:GET:https://*.example.com/*", "http:GET:https://badexample.com/*"), "nothing");
  EXPECT_EQ(both("http:GET:https://a.b.com/v1/*", "http:GET:https://a.b.com/v10"), "nothing");
  EXPECT_EQ(both("net:tcp:10.0.0.0/8:1-100", "net:tcp:10.1.2.3:50-200"), "net:tcp:10.1.2.3:50-100");
  EXPECT_EQ(both("net:tcp:10.0.0.0/8:1-100", "net:tcp:db.internal:50"), "nothing");
  EXPECT_EQ(both("clock:fine", "clock:coarse"), "clock:coarse");
  EXPECT_EQ(both("exec:git log", "exec:git log --oneline"), "nothing");
  EXPECT_EQ(both("env:A", "env:B"), "nothing");
  EXPECT_EQ(both("env:A", "secret:a"), "nothing");
}

TEST(Capability, WhatThisBuildEnforces) {
  for (Kind kind : {Kind::kFiles, Kind::kEnvironment, Kind::kArguments, Kind::kClock, Kind::kRandom, Kind::kStdio,
                    Kind::kLog, Kind::kHttp, Kind::kSockets, Kind::kStorage, Kind::kSecrets, Kind::kConfig,
                    Kind::kContext, Kind::kExec, Kind::kCall, Kind::kMemory, Kind::kMessaging, Kind::kInstance}) {
    EXPECT_TRUE(EnforceableNow(kind)) << KindName(kind);
  }
}

TEST(Capability, WhatIsNotInTheGrammarIsRefused) {
  for (const char* text : {"",
                           ":",
                           "fs",
                           "fs:",
                           "fs:read",
                           "fs:read:/data",
                           "fs:read:=workspace",
                           "fs:exec:/data=workspace",
                           "fs:read:data=workspace",
                           "fs:read:/data/=workspace",
                           "fs:read://data=workspace",
                           "fs:read:/da ta=workspace",
                           "fs:read:/data=workspace/",
                           "fs:read:/data=Workspace",
                           "fs:read:/data=work space",
                           "fs:read:/data=workspace\n",
                           "env:",
                           "env:1A",
                           "env:A=B",
                           "env:A B",
                           "env:Ä",
                           "secret:",
                           "secret:A",
                           "config:",
                           "random:x",
                           "args:",
                           "clock",
                           "clock:exact",
                           "kv:cache",
                           "kv:append:cache",
                           "memory:recall",
                           "memory:recall:all",
                           "msg:send:",
                           "ctx:root",
                           "call:acme/geocode",
                           "call:geocode#lookup",
                           "call:Acme/geocode#lookup",
                           "exec:",
                           "exec:/bin/sh",
                           "exec:git  log",
                           "exec:git <re:a",
                           "exec:git <zz:a>",
                           "exec:git <int:9..1>",
                           "exec:git a%0Ab",
                           "exec:git a%2",
                           "exec:git a%",
                           "http:GET",
                           "http:GET:ftp://a.b/*",
                           "http::https://a.b/*",
                           "http:get:https://a.b/*",
                           "http:CONNECT:https://a.b/*",
                           "http:GET:https://a.b",
                           "http:GET:https://u@a.b/*",
                           "http:GET:https://a.b:0/*",
                           "http:GET:https://a.b:/*",
                           "http:GET:https://a.b:65536/*",
                           "http:GET:https://a.b:+443/*",
                           "http:GET:https://a.b/../x",
                           "http:GET:https://a.b/%2e",
                           "http:GET:https://a.b/x?y",
                           "http:GET:https://a..b/*",
                           "http:GET:https://a.b./*",
                           "http:GET:https:///*",
                           "http:GET:https://0x7f.1/*",
                           "http:GET:https://2130706433/*",
                           "http:GET:https://127.1/*",
                           "http:GET:https://010.0.0.1/*",
                           "http:GET:https://[::ffff:127.0.0.1]/*",
                           "http:GET:https://[::1%25eth0]/*",
                           "http:GET:https://10.0.0.0/8/*/x*",
                           "net:tcp:a",
                           "net:tcp:a:",
                           "net:sctp:a:1",
                           "net:tcp:10.0.0.1/8:1",
                           "net:tcp:10.0.0.0/33:1",
                           "env:A; session; x",
                           "env:A;",
                           "FS:read:/data=workspace",
                           " env:A"}) {
    EXPECT_FALSE(Grant::Parse(text)) << text;
  }
  EXPECT_EQ(CodeOf(std::string(5000, 'a')), Code::kLimit);
  EXPECT_EQ(CodeOf("fs:read:/" + std::string(2000, 'a') + "=workspace"), Code::kLimit);
  EXPECT_FALSE(Capability::Parse(std::string_view("env:A\0B", 7)));
}

TEST(Capability, ADeceptivelyNamedKindIsSuggested) {
  EXPECT_EQ(Capability::Parse("enw:A").error().remedy, "did you mean 'env'?");
}

TEST(attack_33, FileGrantsOfTheHostAreForbidden) {
  for (const char* text :
       {"fs:read:/data=/", "fs:read:/data=..", "fs:read:/data=/etc/../", "fs:read:/data=~", "fs:read:/data=$HOME",
        "fs:read:/data=/proc", "fs:read:/data=workspace/..", "fs:read:/data=workspace/../../etc", "fs:read:/data=./x",
        "fs:read:/data=~root", "fs:read:/..=workspace", "fs:read:/data/../..=workspace", "fs:read:/proc=workspace",
        "fs:read:/dev/shm=workspace"}) {
    EXPECT_EQ(CodeOf(text), Code::kGrantForbidden) << text;
  }
}

TEST(Capability, AMountMayBeAllThatAGuestSees) {
  const auto capability = Capability::Parse("fs:read:/=workspace");
  ASSERT_TRUE(capability);
  EXPECT_EQ(capability->ToString(), "fs:read:/=workspace");
  EXPECT_EQ(CodeOf("fs:read://=workspace"), Code::kSyntax);
}

TEST(attack_34, WideHostsAreRefused) {
  for (const char* host : {"*", "*.com", "*.co.uk", "a.*.com", "*evil.com", "169.254.169.254", "*.github.io",
                           "a*.evil.com", "*.*.com", "*.com.au", "*.amazonaws.com", "metadata.google.internal",
                           "[fd00:ec2::254]", "100.100.100.200", "0.0.0.0", "**", "*."}) {
    EXPECT_EQ(CodeOf("http:GET:https://" + std::string(host) + "/*"), Code::kGrantTooWide) << host;
  }
  for (const char* host : {"*", "*.net", "0.0.0.0/0", "169.254.0.0/16", "128.0.0.0/1", "169.254.169.254"}) {
    EXPECT_EQ(CodeOf("net:tcp:" + std::string(host) + ":443"), Code::kGrantTooWide) << host;
  }
  for (const char* host : {"*.example.com", "*.example.co.uk", "*.acme.github.io", "api.example.com", "10.0.0.1"}) {
    EXPECT_TRUE(Grant::Parse("http:GET:https://" + std::string(host) + "/*")) << host;
  }
  EXPECT_EQ(CodeOf("call:*"), Code::kGrantTooWide);
  EXPECT_EQ(CodeOf("call:acme/*#x"), Code::kGrantTooWide);
}

}  // namespace
}  // namespace cordon::policy
