#include "abi/json_schema.h"

#include <gtest/gtest.h>

#include <random>

#include "abi/test_types.h"
#include "abi/value_codec.h"
#include "formats/schema.h"

namespace cordon::abi {
namespace {

using wit::Kind;
using wit::TypeRef;

TEST(JsonSchema, OfAFunctionWithItsDocs) {
  Types t;
  const auto str = t.Of(Kind::kString);
  const auto node = t.Record({{"id", str}, {"weight", t.Option(t.Of(Kind::kF32))}}, "graph-node");
  t.contract.types[node].docs = "One node.";
  t.contract.types[node].fields[0].docs = "Unique in the graph.";
  auto f = Types::Function("analyze", {{"nodes", t.List(node)}, {"root", node}, {"seed", t.Of(Kind::kU64)}},
                           t.ResultOf(str, t.Enum({"empty"}, "trouble")));
  f.docs = "Looks at a graph.";
  const Json schema = InputSchema(t.contract, f);
  EXPECT_EQ(schema["title"], "analyze");
  EXPECT_EQ(schema["description"], "Looks at a graph.");
  EXPECT_EQ(schema["additionalProperties"], false);
  EXPECT_EQ(schema["required"], (Json{"nodes", "root", "seed"}));
  EXPECT_EQ(schema["properties"]["nodes"]["items"], (Json{{"$ref", "#/$defs/graph-node"}}));
  const Json& def = schema["$defs"]["graph-node"];
  EXPECT_EQ(def["description"], "One node.");
  EXPECT_EQ(def["required"], Json::array({"id"}));
  EXPECT_EQ(def["properties"]["id"]["description"], "Unique in the graph.");
  EXPECT_EQ(schema["properties"]["seed"], (Json{{"$ref", "#/$defs/u64"}}));
  const Json out = OutputSchema(t.contract, f);
  EXPECT_EQ(out["oneOf"].size(), 2u);
  EXPECT_EQ(out["oneOf"][1]["properties"]["err"]["enum"], Json::array({"empty"}));
  EXPECT_FALSE(out.contains("$defs"));
  EXPECT_EQ(OutputSchema(t.contract, Types::Function("f", {}))["type"], "null");
}

TEST(JsonSchema, StaysSmallWhenTypesShareTheirParts) {
  Types t;
  auto bomb = t.Tuple({t.Of(Kind::kU8), t.Of(Kind::kU8)});
  for (int i = 0; i < 50; ++i) bomb = t.Tuple({bomb, bomb});
  const Json schema = InputSchema(t.contract, Types::Function("f", {{"a", bomb}, {"b", bomb}}));
  EXPECT_LT(json::Dump(schema).size(), 64u << 10);
}

// Types and values by chance, from a seed, so that a failure can be run again.
class Chance {
 public:
  explicit Chance(std::uint32_t seed) : random_(seed) {}

  std::size_t Below(std::size_t n) { return random_() % n; }

  TypeRef Type(Types& t, int depth) {
    constexpr Kind kLeaves[] = {Kind::kBool, Kind::kS8,  Kind::kU8,  Kind::kS16, Kind::kU16,  Kind::kS32,   Kind::kU32,
                                Kind::kS64,  Kind::kU64, Kind::kF32, Kind::kF64, Kind::kChar, Kind::kString};
    if (depth == 0 || Below(3) == 0) return t.Of(kLeaves[Below(std::size(kLeaves))]);
    switch (Below(11)) {
      case 0: return t.List(Type(t, depth - 1));
      case 1: return t.List(Type(t, depth - 1), static_cast<std::uint32_t>(1 + Below(4)));
      case 2: return t.List(t.Of(Kind::kU8));
      case 3: return t.Option(Type(t, depth - 1));
      case 4:
        return t.ResultOf(Below(3) == 0 ? wit::kNone : Type(t, depth - 1),
                          Below(3) == 0 ? wit::kNone : Type(t, depth - 1));
      case 5: return t.Tuple({Type(t, depth - 1), Type(t, depth - 1)});
      case 6: return t.Map(t.Of(Kind::kString), Type(t, depth - 1));
      case 7: return t.Enum({"one", "two"}, "choice");
      case 8: return t.Flags({"a", "b", "c"}, "rights");
      case 9: return t.Variant({{"none", wit::kNone}, {"some", Type(t, depth - 1)}}, "shape");
      default: return t.Record({{"x", Type(t, depth - 1)}, {"y", Type(t, depth - 1)}}, "pair");
    }
  }

  // A value that fits, now and then bent so that it may not.
  Json Value(const wit::Contract& c, TypeRef ref) {
    if (Below(25) == 0) return Odd();
    const wit::Type& type = c.At(ref);
    switch (type.kind) {
      case Kind::kBool: return Below(2) == 0;
      case Kind::kChar: return Pick({"a", "é", "𝄞", "ab", ""});
      case Kind::kString: return Pick({"", "text", "\u0001\u202e"});
      case Kind::kF32: return Number({0.5, -1, 3.4028234663852886e38, 3.5e38, 1e-50});
      case Kind::kF64: return Number({0.5, -1, 1.7976931348623157e308, 2});
      case Kind::kList: return ListOf(c, type);
      case Kind::kTuple: return TupleOf(c, type);
      case Kind::kRecord: return RecordOf(c, type);
      case Kind::kMap: return MapOf(c, type);
      case Kind::kEnum: return Pick({"one", "two", "three"});
      case Kind::kFlags: return Below(2) == 0 ? Json::array({"a"}) : Json::array({"b", Pick({"a", "b", "d"})});
      case Kind::kVariant: return VariantOf(c, type);
      case Kind::kOption: return OptionOf(c, type);
      case Kind::kResult: return ResultOf(c, type);
      default: return Integer();
    }
  }

 private:
  Json Pick(std::initializer_list<const char*> from) { return *(from.begin() + Below(from.size())); }
  Json Number(std::initializer_list<double> from) {
    if (Below(4) == 0) return Pick({"NaN", "Infinity", "-Infinity", "nan"});
    return *(from.begin() + Below(from.size()));
  }
  Json Odd() {
    const Json odd[] = {nullptr,
                        true,
                        7,
                        -1,
                        1.5,
                        "text",
                        Json::array(),
                        Json::object(),
                        Json::array({1, 2, 3, 4}),
                        "AQID",
                        "AQIDBA==",
                        "AR==",
                        "18446744073709551616",
                        {{"some", 1}},
                        {{"ok", 1}},
                        1e30,
                        300.0};
    return odd[Below(std::size(odd))];
  }
  Json Integer() {
    const Json numbers[] = {0,
                            1,
                            -1,
                            127,
                            128,
                            -128,
                            -129,
                            255,
                            256,
                            65535,
                            65536,
                            -32769,
                            2147483647,
                            4294967295u,
                            4294967296ll,
                            INT64_MAX,
                            INT64_MIN,
                            UINT64_MAX,
                            5.0,
                            0.5,
                            "0",
                            "-9223372036854775808",
                            "-9223372036854775809",
                            "9223372036854775807",
                            "9223372036854775808",
                            "18446744073709551615",
                            "18446744073709551616",
                            "00",
                            "-0",
                            "1e3",
                            "9999999999999999999",
                            "10000000000000000000"};
    return Below(2) == 0 ? Json(Below(128)) : numbers[Below(std::size(numbers))];
  }
  Json ListOf(const wit::Contract& c, const wit::Type& type) {
    if (c.At(type.element).kind == Kind::kU8 && Below(2) == 0)
      return Pick({"", "AQ==", "AQI=", "AQID", "AQIDBA==", "A", "AR=="});
    Json list = Json::array();
    const std::size_t count = type.size > 0 && Below(8) != 0 ? type.size : Below(4);
    for (std::size_t i = 0; i < count; ++i) list.push_back(Value(c, type.element));
    return list;
  }
  Json TupleOf(const wit::Contract& c, const wit::Type& type) {
    Json list = Json::array();
    for (const auto& field : type.fields) list.push_back(Value(c, field.type));
    if (Below(12) == 0) list.push_back(1);
    return list;
  }
  Json RecordOf(const wit::Contract& c, const wit::Type& type) {
    Json object = Json::object();
    for (const auto& field : type.fields) {
      if (Below(10) != 0) object[field.name] = Value(c, field.type);
    }
    if (Below(12) == 0) object["z"] = 1;
    return object;
  }
  Json MapOf(const wit::Contract& c, const wit::Type& type) {
    Json list = Json::array();
    for (std::size_t i = Below(3); i > 0; --i)
      list.push_back(Json::array({Value(c, type.element), Value(c, type.error)}));
    return list;
  }
  Json VariantOf(const wit::Contract& c, const wit::Type& type) {
    const auto& field = type.fields[Below(type.fields.size())];
    Json object = {{"tag", field.name}};
    if (field.type != wit::kNone) {
      object["val"] = Value(c, field.type);
    } else if (Below(3) == 0) {
      object["val"] = Below(2) == 0 ? Json() : Json(1);
    }
    return object;
  }
  Json OptionOf(const wit::Contract& c, const wit::Type& type) {
    if (Below(3) == 0) return nullptr;
    Json some = Value(c, type.element);
    return c.At(type.element).kind == Kind::kOption ? Json{{"some", std::move(some)}} : some;
  }
  Json ResultOf(const wit::Contract& c, const wit::Type& type) {
    const bool ok = Below(2) == 0;
    const TypeRef payload = ok ? type.element : type.error;
    Json object = Json::object();
    object[ok ? "ok" : "err"] = payload == wit::kNone ? Json() : Value(c, payload);
    return object;
  }

  std::mt19937 random_;
};

// The schema accepts exactly what the codec accepts, and what comes out of the codec fits the schema of the output.
TEST(JsonSchema, AgreesWithTheCodec) {
  int accepted = 0, refused = 0;
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    Chance chance(seed);
    Types t;
    const auto f = Types::Function("f", {{"v", chance.Type(t, 4)}}, chance.Type(t, 0));
    const auto echo = Types::Function("echo", {}, f.params[0].type);
    const auto input = Schema::Compile(InputSchema(t.contract, f));
    const auto output = Schema::Compile(OutputSchema(t.contract, echo));
    ASSERT_TRUE(input) << seed << " " << input.error().message;
    ASSERT_TRUE(output) << seed << " " << output.error().message;
    for (int i = 0; i < 40; ++i) {
      Json value = Json::object();
      value["v"] = chance.Value(t.contract, f.params[0].type);
      std::vector<std::uint8_t> wire;
      const auto status = EncodeParams(t.contract, f, value, wire);
      const auto violations = input->Check(value);
      ASSERT_EQ(status.has_value(), violations.empty())
          << "seed " << seed << ", " << wit::TypeText(t.contract, f.params[0].type) << ": " << value.dump() << "\n"
          << (status ? violations[0].message : status.error().message);
      (status ? accepted : refused)++;
      if (!status) continue;
      std::string text;
      ASSERT_TRUE(DecodeResultText(t.contract, echo, wire, text));
      EXPECT_TRUE(output->CheckText(text).empty()) << text;
      std::vector<std::uint8_t> again;
      ASSERT_TRUE(EncodeParamsText(t.contract, f, "{\"v\":" + text + "}", again)) << text;
      EXPECT_EQ(again, wire) << text;
    }
  }
  EXPECT_GT(accepted, 3000);
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace cordon::abi
