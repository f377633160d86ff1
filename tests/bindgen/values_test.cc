// Values of generated types through the wire format and back, and what happens to bytes that are not theirs.
#include <gtest/gtest.h>

#include "hostile.h"
#include "large.h"
#include "shop.h"
#include "types.h"
#include "versions.h"

namespace {

using namespace acme::types::everything;
using cordon::ByteView;
using cordon::Decoder;
using cordon::Encoder;
using cordon::ShapeOf;
using cordon::WitType;

template <typename T>
std::vector<std::uint8_t> BytesOf(const T& value) {
  Encoder out;
  WitType<T>::Encode(out, value);
  std::vector<std::uint8_t> bytes;
  for (const ByteView piece : out.Pieces()) bytes.insert(bytes.end(), piece.begin(), piece.end());
  return bytes;
}

template <typename T>
bool Read(std::span<const std::uint8_t> bytes, T& value) {
  Decoder in(std::span(&bytes, 1));
  WitType<T>::Decode(in, value);
  return in.Finish();
}

template <typename T>
void ExpectBack(const T& value) {
  T back{};
  EXPECT_TRUE(Read(BytesOf(value), back));
  EXPECT_EQ(back, value);
}

Tree SampleTree() {
  Scalars scalars{true, -1, 2, -3, 4, -5, 6, -7, 8, 0.5f, -0.25, U'ä', "text"};
  Tree tree;
  tree.label = "a tree";
  tree.outcome = std::unexpected("no outcome");
  std::get<1>(tree.checks) = 7;
  std::get<2>(tree.checks) = std::unexpected("failed");
  std::get<3>(tree.checks) = std::unexpected(Color::blue);
  tree.shapes = {{Shape::Nothing{}},
                 {Shape::Circle{2.5}},
                 {Shape::Labelled{{"name", 3}}},
                 {Shape::Polygon{{{0, 0}, {1, 1}}}},
                 {Shape::Point{{3, 4}}}};
  tree.access = Access::read | Access::execute;
  tree.level = Level::high;
  tree.price = 1999;
  tree.switches = {true, false, true};
  tree.nested = std::optional<std::vector<std::vector<Point>>>({{{1, 2}}, {}});
  tree.pairs = {{"one", scalars}, {"two", {}}};
  return tree;
}

TEST(GeneratedValues, CrossBothWays) {
  ExpectBack(SampleTree());
  ExpectBack(Tree{});
  ExpectBack(acme::shop::articles::Article{"shoes", 9900});
  ExpectBack(acme::large::codes::Code::c99);
  ExpectBack(old::api_v2_0_0_rc_1::calls::State{1ull << 60});
  std_::cordon_::detail::Detail value{std_::cordon_::detail::Detail::Has{{.int_ = -1, .operator_ = {"+"}}}};
  ExpectBack(value);
  value.value = std_::cordon_::detail::Detail::String{{1, 2, 3}};
  ExpectBack(value);
}

TEST(GeneratedValues, HaveTheShapeOfTheirWit) {
  EXPECT_EQ(ShapeOf<Shape>(),
            "variant{nothing,circle:f64,labelled:tuple<string,u8>,polygon:list<record{x:s32,y:s32}>,"
            "point:record{x:s32,y:s32}}");
  EXPECT_EQ(ShapeOf<Access>(), "flags{read,write,execute}");
  EXPECT_EQ(ShapeOf<Level>(), "enum{low,high}");
  // Names that C++ could not have are those of WIT again.
  EXPECT_EQ(ShapeOf<std_::cordon_::detail::Class>(),
            "record{int:s32,std:string,cordon:string,errno:s32,unix:bool,NULL:u8,EOF:u8,x-Y:u8,operator:list<string>,"
            "value:u8,out:u8,first:u8,in:u8}");
  EXPECT_EQ(ShapeOf<std_::cordon_::detail::Template>(), "flags{this,virtual,none,all}");
  EXPECT_TRUE(ShapeOf<acme::large::codes::Code>().starts_with("enum{c0,c1,"));
  EXPECT_TRUE(ShapeOf<acme::large::codes::Code>().ends_with(",c98,c99}"));
}

TEST(GeneratedValues, FlagsCombine) {
  const Access access = Access::read | Access::write;
  EXPECT_TRUE(Has(access, Access::write));
  EXPECT_FALSE(Has(access, Access::execute));
  EXPECT_EQ(access & Access::write, Access::write);
}

TEST(GeneratedValues, BytesThatAreNotTheirsAreRefused) {
  const std::vector<std::uint8_t> bytes = BytesOf(SampleTree());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    Tree tree;
    EXPECT_FALSE(Read(std::span(bytes).first(size), tree)) << size;
  }
  std::vector<std::uint8_t> more = bytes;
  more.push_back(0);
  Tree tree;
  EXPECT_FALSE(Read(more, tree));

  Access access;
  const std::uint8_t unknown_flag[] = {8, 0, 0, 0};
  EXPECT_FALSE(Read(unknown_flag, access));
  Level level;
  const std::uint8_t unknown_case[] = {2, 0, 0, 0};
  EXPECT_FALSE(Read(unknown_case, level));
  Shape shape;
  const std::uint8_t case_beyond[] = {5, 0, 0, 0}, huge[] = {3, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};
  EXPECT_FALSE(Read(case_beyond, shape));
  EXPECT_FALSE(Read(huge, shape));
  acme::large::codes::Code code;
  const std::uint8_t code_beyond[] = {100, 0, 0, 0};
  EXPECT_FALSE(Read(code_beyond, code));
}

// A flag that no type has does not leave, either.
TEST(GeneratedValues, UnknownFlagsAreNotSent) {
  EXPECT_EQ(BytesOf(static_cast<Access>(0xff)), (std::vector<std::uint8_t>{7, 0, 0, 0}));
}

class Shop : public acme::shop::prices::Prices {
 public:
  cordon::Result<std::optional<std::uint32_t>> PriceOf(const cordon::ServiceCall&, std::string name) override {
    if (name == "shoes") return 9900u;
    return std::nullopt;
  }
  cordon::Result<std::expected<void, std::string>> SetPrice(const cordon::ServiceCall&,
                                                            acme::shop::prices::Article article,
                                                            std::expected<std::uint32_t, std::string>) override {
    return std::expected<void, std::string>(std::unexpect, article.name + " has its price");
  }
  cordon::Result<std::vector<acme::shop::prices::Article>> All(const cordon::ServiceCall&) override {
    return cordon::Fail(cordon::Code::kUnavailable, "the catalogue is away");
  }
  cordon::Result<void> Forget(const cordon::ServiceCall&) override { return {}; }
};

TEST(GeneratedServices, NameTheirFunctionsTypesAndCapability) {
  const cordon::Service service =
      acme::shop::prices::MakePricesService(std::make_shared<Shop>(), cordon::Needs("prices"), cordon::Runs::kInline);
  EXPECT_EQ(service.interface_name(), "acme:shop/prices@1.2.0");
  ASSERT_EQ(service.functions().size(), 4u);
  EXPECT_EQ(service.functions()[1].name, "set-price");
  EXPECT_EQ(service.functions()[1].shape, "(record{name:string,price:u32},result<u32,string>)->result<_,string>");
  for (const auto& function : service.functions()) {
    EXPECT_EQ(function.capability.name(), "prices");
    EXPECT_EQ(function.runs, cordon::Runs::kInline);
  }
}

}  // namespace
