#include "abi/value_codec.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "abi/json_text.h"
#include "abi/test_types.h"

namespace cordon::abi {
namespace {

using wit::Kind;
using Wire = std::vector<std::uint8_t>;

// What `json` becomes as a `type`, and back again as text.
struct Trip {
  Wire wire;
  std::string text;
  Error error;
};

Trip Through(const wit::Contract& contract, wit::TypeRef type, std::string_view json) {
  Trip trip;
  const auto value = json::Parse(json);
  if (!value) return trip.error = value.error(), trip;
  if (auto s = EncodeValue(contract, type, *value, trip.wire); !s) return trip.error = s.error(), trip;
  if (auto s = DecodeValueText(contract, type, trip.wire, trip.text); !s) trip.error = s.error();
  return trip;
}

struct Case {
  const char* name;
  wit::TypeRef type;
  const char* in;
  const char* out;  // nullptr: the same as `in`
};

// One of everything, for every test that wants all types.
struct Everything : Types {
  wit::TypeRef b = Of(Kind::kBool), s8 = Of(Kind::kS8), u8 = Of(Kind::kU8), s16 = Of(Kind::kS16), u16 = Of(Kind::kU16),
               s32 = Of(Kind::kS32), u32 = Of(Kind::kU32), s64 = Of(Kind::kS64), u64 = Of(Kind::kU64),
               f32 = Of(Kind::kF32), f64 = Of(Kind::kF64), ch = Of(Kind::kChar), str = Of(Kind::kString);
  wit::TypeRef bytes = List(u8), words = List(str), key = List(u8, 4), triple = List(u16, 3);
  wit::TypeRef pairs = List(Tuple({str, str})), map = Map(str, u32);
  wit::TypeRef maybe = Option(u32), maybe2 = Option(maybe), maybe3 = Option(maybe2);
  wit::TypeRef answer = ResultOf(str, u32), bare = ResultOf(wit::kNone, wit::kNone);
  wit::TypeRef shape = Variant({{"dot", wit::kNone}, {"circle", f64}, {"named", maybe}}, "shape");
  wit::TypeRef color = Enum({"red", "green", "blue"}, "color");
  wit::TypeRef rights = Flags({"read", "write", "exec"}, "rights");
  wit::TypeRef point = Record({{"x", s32}, {"y", s32}, {"label", Option(str)}}, "point");
  wit::TypeRef nested = List(Record({{"metadata", pairs}, {"at", point}}, "graph-node"));
};

TEST(ValueCodec, EveryTypeGoesInAndComesOut) {
  Everything t;
  const Case cases[] = {
      {"bool", t.b, "true", nullptr},
      {"s8", t.s8, "-128", nullptr},
      {"u8", t.u8, "255", nullptr},
      {"s16", t.s16, "-32768", nullptr},
      {"u16", t.u16, "65535", nullptr},
      {"s32", t.s32, "-2147483648", nullptr},
      {"u32", t.u32, "4294967295", nullptr},
      {"an integral float is an integer", t.u32, "1e3", "1000"},
      {"s64 small", t.s64, "-5", nullptr},
      {"s64 at the edge", t.s64, "-9007199254740991", nullptr},
      {"s64 beyond the edge", t.s64, "-9007199254740992", "\"-9007199254740992\""},
      {"s64 from text", t.s64, "\"-9223372036854775808\"", nullptr},
      {"u64 from text", t.u64, "\"18446744073709551615\"", nullptr},
      {"u64 from a number", t.u64, "18446744073709551615", "\"18446744073709551615\""},
      {"u64 small from text", t.u64, "\"7\"", "7"},
      {"f32", t.f32, "0.1", nullptr},
      {"f32 max", t.f32, "3.4028234663852886e+38", nullptr},
      {"f64", t.f64, "100000.0", nullptr},
      {"f64 from an integer", t.f64, "3", "3.0"},
      {"f64 zero with a sign", t.f64, "-0.0", nullptr},
      {"f64 NaN", t.f64, "\"NaN\"", nullptr},
      {"f32 infinity", t.f32, "\"-Infinity\"", nullptr},
      {"char", t.ch, "\"𝄞\"", nullptr},
      {"string", t.str, "\"quote \\\" tab \\t nul \\u0000 é\"", nullptr},
      {"bytes", t.bytes, "\"AAEC/w==\"", nullptr},
      {"bytes from numbers", t.bytes, "[0,1,2,255]", "\"AAEC/w==\""},
      {"bytes, none", t.bytes, "\"\"", nullptr},
      {"fixed bytes", t.key, "[1,2,3,4]", "\"AQIDBA==\""},
      {"fixed list", t.triple, "[1,2,3]", nullptr},
      {"list", t.words, "[\"a\",\"\"]", nullptr},
      {"pairs", t.pairs, "[[\"k\",\"v\"],[\"k\",\"w\"]]", nullptr},
      {"map", t.map, "[[\"a\",1],[\"b\",2]]", nullptr},
      {"none", t.maybe, "null", nullptr},
      {"some", t.maybe, "0", nullptr},
      {"none of two", t.maybe2, "null", nullptr},
      {"some of none", t.maybe2, "{\"some\":null}", nullptr},
      {"some of some", t.maybe2, "{\"some\":5}", nullptr},
      {"three deep", t.maybe3, "{\"some\":{\"some\":5}}", nullptr},
      {"ok", t.answer, "{\"ok\":\"yes\"}", nullptr},
      {"err", t.answer, "{\"err\":7}", nullptr},
      {"bare ok", t.bare, "{\"ok\":null}", nullptr},
      {"variant without payload", t.shape, "{\"tag\":\"dot\"}", nullptr},
      {"variant with null for no payload", t.shape, "{\"tag\":\"dot\",\"val\":null}", "{\"tag\":\"dot\"}"},
      {"variant with payload", t.shape, "{\"tag\":\"circle\",\"val\":0.5}", nullptr},
      {"variant with an option", t.shape, "{\"tag\":\"named\",\"val\":null}", nullptr},
      {"enum", t.color, "\"blue\"", nullptr},
      {"flags", t.rights, "[\"exec\",\"read\"]", "[\"read\",\"exec\"]"},
      {"record", t.point, "{\"x\":1,\"y\":-1}", "{\"x\":1,\"y\":-1,\"label\":null}"},
      {"nested", t.nested, "[{\"metadata\":[[\"a\",\"b\"]],\"at\":{\"x\":1,\"y\":2,\"label\":\"z\"}}]", nullptr},
  };
  for (const Case& c : cases) {
    const Trip trip = Through(t.contract, c.type, c.in);
    EXPECT_EQ(trip.text, c.out != nullptr ? c.out : c.in) << c.name << ": " << trip.error.message;
    const Trip again = Through(t.contract, c.type, trip.text);  // what comes out goes in
    EXPECT_EQ(again.wire, trip.wire) << c.name;
  }
}

TEST(ValueCodec, WireBytesAreThoseOfTheFormat) {
  Everything t;
  EXPECT_EQ(Through(t.contract, t.str, "\"hé\"").wire, (Wire{3, 0, 0, 0, 'h', 0xc3, 0xa9}));
  EXPECT_EQ(Through(t.contract, t.rights, "[\"write\"]").wire, (Wire{2, 0, 0, 0}));
  EXPECT_EQ(Through(t.contract, t.shape, "{\"tag\":\"dot\"}").wire, (Wire{0, 0, 0, 0}));
  EXPECT_EQ(Through(t.contract, t.maybe2, "{\"some\":null}").wire, (Wire{1, 0}));
  EXPECT_EQ(Through(t.contract, t.triple, "[1,2,3]").wire, (Wire{1, 0, 2, 0, 3, 0}));
}

TEST(ValueCodec, WhatDoesNotFitNamesThePathAndTheType) {
  Everything t;
  struct Wrong {
    wit::TypeRef type;
    const char* in;
    const char* path;
    const char* wit;
    const char* message;
  };
  const Wrong cases[] = {
      {t.u32, "\"7\"", "", "u32", "input: expected u32, got a string"},
      {t.u32, "4294967296", "", "u32", "input: 4294967296 is out of range for u32"},
      {t.u32, "-1", "", "u32", "input: -1 is out of range for u32"},
      {t.u32, "1.5", "", "u32", "input: expected u32, got the number 1.5"},
      {t.u32, "null", "", "u32", "input: expected u32, got null"},
      {t.b, "1", "", "bool", "input: expected bool, got the number 1"},
      {t.u64, "\"018\"", "", "u64", nullptr},
      {t.u64, "\"18446744073709551616\"", "", "u64", nullptr},
      {t.u64, "1.8446744073709552e19", "", "u64", nullptr},
      {t.s64, "\"-0\"", "", "s64", nullptr},
      {t.s64, "\"+1\"", "", "s64", nullptr},
      {t.s64, "9223372036854775808", "", "s64", nullptr},
      {t.f32, "3.5e38", "", "f32", nullptr},
      {t.f64, "\"nan\"", "", "f64", nullptr},
      {t.ch, "\"ab\"", "", "char", nullptr},
      {t.ch, "\"\"", "", "char", nullptr},
      {t.bytes, "\"AAEC/w\"", "", "list<u8>", nullptr},
      {t.bytes, "\"AAEC/x==\"", "", "list<u8>", nullptr},
      {t.bytes, "[256]", "/0", "u8", "/0: 256 is out of range for u8"},
      {t.key, "\"AQID\"", "", "list<u8, 4>", "input: expected 4 bytes, got 3"},
      {t.triple, "[1]", "", "list<u16, 3>", nullptr},
      {t.maybe2, "5", "", "option<option<u32>>", nullptr},
      {t.answer, "{\"ok\":\"a\",\"err\":1}", "", nullptr, nullptr},
      {t.bare, "{\"ok\":1}", "/ok", nullptr, nullptr},
      {t.shape, "{\"tag\":\"dott\"}", "/tag", "shape", "/tag: unknown case 'dott'"},
      {t.shape, "{\"tag\":\"circle\"}", "", "f64", nullptr},
      {t.shape, "{\"tag\":\"dot\",\"value\":1}", "", "shape", nullptr},
      {t.color, "\"rde\"", "", "color", "input: unknown case 'rde'"},
      {t.rights, "[\"read\",\"read\"]", "/1", "rights", "/1: the flag 'read' is there twice"},
      {t.point, "{\"x\":1}", "/y", "s32", "/y: missing field 'y' of type s32"},
      {t.point, "{\"x\":1,\"y\":2,\"lable\":\"\"}", "", "point", "input: unknown field 'lable'"},
      {t.nested, "[{\"metadata\":[[\"a\",7]],\"at\":{\"x\":1,\"y\":2}}]", "/0/metadata/0/1", "string",
       "/0/metadata/0/1: expected string, got the number 7"},
  };
  for (const Wrong& c : cases) {
    const Trip trip = Through(t.contract, c.type, c.in);
    EXPECT_EQ(trip.error.code, Code::kInputSchema) << c.in << " " << trip.text;
    EXPECT_EQ(trip.error.Detail("path"), c.path) << c.in;
    if (c.wit != nullptr) {
      EXPECT_EQ(trip.error.Detail("wit"), c.wit) << c.in;
    }
    if (c.message != nullptr) {
      EXPECT_EQ(trip.error.message, c.message);
    }
    EXPECT_FALSE(trip.error.remedy.empty()) << c.in;
  }
  EXPECT_NE(Through(t.contract, t.point, "{\"x\":1,\"y\":2,\"lable\":\"\"}").error.remedy.find("'label'"),
            std::string::npos);
}

TEST(ValueCodec, PointersEscapeTheirKeys) {
  Types t;
  const auto type = t.Record({{"a/b~c", t.Of(Kind::kU8)}});
  EXPECT_EQ(Through(t.contract, type, "{\"a/b~c\":true}").error.Detail("path"), "/a~1b~0c");
}

TEST(ValueCodec, ParametersAreAnObjectByName) {
  Everything t;
  const auto f = Types::Function("f", {{"name", t.str}, {"limit", t.maybe}}, t.answer);
  Wire wire;
  ASSERT_TRUE(EncodeParamsText(t.contract, f, R"({"name":"a"})", wire));
  EXPECT_EQ(wire, (Wire{1, 0, 0, 0, 'a', 0}));
  const auto bare = EncodeParamsText(t.contract, f, R"("a")", wire);
  ASSERT_FALSE(bare);
  EXPECT_EQ(bare.error().code, Code::kInputSchema);
  EXPECT_EQ(bare.error().remedy, R"(pass the parameters of 'f' as an object: {"name": …, "limit": …})");
  const auto typo = EncodeParamsText(t.contract, f, R"({"nmae":"a"})", wire);
  ASSERT_FALSE(typo);
  EXPECT_EQ(typo.error().message, "input: unknown parameter 'nmae'");
  EXPECT_EQ(typo.error().remedy, "did you mean 'name'?");
  const auto none = Types::Function("g", {});
  EXPECT_TRUE(EncodeParamsText(t.contract, none, "{}", wire));
  EXPECT_FALSE(EncodeParamsText(t.contract, none, "null", wire));
  std::string text;
  ASSERT_TRUE(DecodeResultText(t.contract, none, {}, text));
  EXPECT_EQ(text, "null");
}

TEST(ValueCodec, ResultsComeBackAsJson) {
  Everything t;
  const auto f = Types::Function("f", {}, t.answer);
  const Wire err = {1, 7, 0, 0, 0};
  const auto value = DecodeResult(t.contract, f, err);
  ASSERT_TRUE(value);
  EXPECT_EQ(*value, (Json{{"err", 7}}));
}

TEST(ValueCodec, ResourcesCannotCrossAndSaySo) {
  Everything t;
  const auto handle = t.Resource("descriptor");
  const auto f = Types::Function("open", {{"paths", t.words}, {"from", t.List(handle)}}, t.str);
  const auto status = CheckCrossable(t.contract, f);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kUnenforceable);
  EXPECT_NE(status.error().message.find("the parameter 'from' of 'open'"), std::string::npos);
  EXPECT_EQ(Through(t.contract, handle, "1").error.code, Code::kUnenforceable);
  EXPECT_TRUE(CheckCrossable(t.contract, Types::Function("f", {{"a", t.nested}}, t.shape)));
}

TEST(ValueCodec, SizesAreCapped) {
  Everything t;
  const auto f = Types::Function("f", {{"s", t.str}}, t.words);
  Wire wire;
  const auto in =
      EncodeParamsText(t.contract, f, "{\"s\":\"" + std::string(100, 'a') + "\"}", wire, {.wire_bytes = 50});
  ASSERT_FALSE(in);
  EXPECT_EQ(in.error().code, Code::kInputSize);
  const auto text_in =
      EncodeParamsText(t.contract, f, "{\"s\":\"" + std::string(100, 'a') + "\"}", wire, {.json_bytes = 50});
  ASSERT_FALSE(text_in);
  EXPECT_EQ(text_in.error().code, Code::kInputSize);
  // Each byte of a string of NULs is six bytes of JSON: the text is what has to be bounded.
  std::string text;
  Wire out = {1, 0, 0, 0, 0x00, 0x10, 0, 0};
  out.resize(out.size() + 0x1000);
  const auto grown = DecodeResultText(t.contract, f, out, text, {.json_bytes = 8192});
  ASSERT_FALSE(grown);
  EXPECT_EQ(grown.error().code, Code::kOutputSize);
  EXPECT_EQ(DecodeResultText(t.contract, f, out, text, {.wire_bytes = 100}).error().code, Code::kOutputSize);
}

TEST(ValueCodec, TextFromAGuestIsInertJson) {
  Everything t;
  const Trip trip = Through(t.contract, t.str, "\"\\u001b[31m \\u202e \\u200b \\u0085 \\ufeff \\u007f\"");
  EXPECT_EQ(trip.text, "\"\\u001b[31m \\u202e \\u200b \\u0085 \\ufeff \\u007f\"");
}

// attack_7: what a guest, or a worker that a guest took over, may send back.
TEST(attack_7, HostileWireBytesAreRefusedWithoutAllocation) {
  Everything t;
  const auto empty_record = t.Record({}, "nothing");
  struct Hostile {
    wit::TypeRef type;
    Wire wire;
    Code code;
  };
  const Hostile cases[] = {
      {t.shape, {3, 0, 0, 0}, Code::kInvalid},  // a case beyond the last
      {t.color, {0xff, 0xff, 0xff, 0xff}, Code::kInvalid},
      {t.rights, {8, 0, 0, 0}, Code::kInvalid},  // a flag that is not there
      {t.rights, {0, 0, 0, 0x80}, Code::kInvalid},
      {t.b, {2}, Code::kInvalid},
      {t.maybe, {2, 0, 0, 0, 0}, Code::kInvalid},
      {t.answer, {2, 0, 0, 0, 0}, Code::kInvalid},
      {t.List(empty_record), {0, 0, 0, 0x10}, Code::kLiftLimit},  // 2^28 empty records
      {t.words, {0xff, 0xff, 0xff, 0xff}, Code::kLiftLimit},      // 2^32 - 1 strings
      {t.str, {0xff, 0xff, 0xff, 0x7f, 'a'}, Code::kLiftLimit},
      {t.map, {0, 0, 0, 1}, Code::kLiftLimit},
      {t.key, {1, 2, 3}, Code::kInvalid},  // a fixed list cut short
      {t.str, {2, 0, 0, 0, 0xc3, 0x28}, Code::kBadString},
      {t.str, {3, 0, 0, 0, 0xed, 0xa0, 0x80}, Code::kBadString},  // a lone surrogate
      {t.ch, {0, 0xd8, 0, 0}, Code::kBadString},
      {t.ch, {0, 0, 0x11, 0}, Code::kBadString},
      {t.u32, {1, 2, 3}, Code::kInvalid},
      {t.u32, {1, 2, 3, 4, 5}, Code::kInvalid},  // a byte left over
      {t.u32, {}, Code::kInvalid},
  };
  for (const Hostile& c : cases) {
    std::string text;
    const auto status = DecodeValueText(t.contract, c.type, c.wire, text);
    ASSERT_FALSE(status) << wit::TypeText(t.contract, c.type) << " gave " << text;
    EXPECT_EQ(status.error().code, c.code) << status.error().message;
    EXPECT_LT(text.capacity(), 4096u);
  }
}

// attack_7: every prefix of a good value, and every single-byte change, is refused or is a value; it never crashes.
TEST(attack_7, DamagedBytesNeverCrash) {
  Everything t;
  const Wire good = Through(t.contract, t.nested, R"([{"metadata":[["a","bé"]],"at":{"x":1,"y":2,"label":"z"}}])").wire;
  for (std::size_t length = 0; length < good.size(); ++length) {
    std::string text;
    EXPECT_FALSE(DecodeValueText(t.contract, t.nested, {good.data(), length}, text)) << length;
  }
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (int change : {0x01, 0x80, 0xff}) {
      Wire bad = good;
      bad[i] ^= static_cast<std::uint8_t>(change);
      std::string text;
      if (DecodeValueText(t.contract, t.nested, bad, text)) {
        EXPECT_TRUE(json::Parse(text)) << text;
      }
    }
  }
}

TEST(JsonText, FloatsReadBackAsThemselves) {
  std::uint32_t bits = 1;
  for (int i = 0; i < 20'000; ++i) {
    bits = bits * 1664525 + 1013904223;
    const float value = std::bit_cast<float>(bits);
    if (!std::isfinite(value)) continue;
    std::string text;
    AppendNumber(text, value);
    EXPECT_EQ(static_cast<float>(std::stod(text)), value) << text;
  }
}

TEST(JsonText, Base64HasOneSpelling) {
  for (const char* bad : {"A", "AA", "AAA", "A===", "AB==", "AAB=", "AA=A", "====", "AA A", "AA\n=", "AA-_"}) {
    Wire out;
    EXPECT_EQ(DecodeBase64(bad, out), Base64::kMalformed) << bad;
  }
}

}  // namespace
}  // namespace cordon::abi
