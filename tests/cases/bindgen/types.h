// C++ for the WIT world acme:types/everything-there-is@1.0.0, written by `cordon bindgen` 0.1.0. Do not edit: change
// the WIT and write it again.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "cordon/plugin.h"
#include "cordon/value.h"

namespace acme::types::everything {

// A name for a list.
using Bytes = std::vector<std::uint8_t>;

// In cents.
using Price = std::uint64_t;

enum class Color : std::uint8_t { red, green, blue };

// Documented cases are one for each line.
enum class Level : std::uint8_t {
  // Nothing to see.
  low,
  high,
};

enum class Access : std::uint32_t { read = 1u << 0, write = 1u << 1, execute = 1u << 2 };
constexpr Access operator|(Access a, Access b) {
  return static_cast<Access>(std::to_underlying(a) | std::to_underlying(b));
}
constexpr Access operator&(Access a, Access b) {
  return static_cast<Access>(std::to_underlying(a) & std::to_underlying(b));
}
constexpr Access& operator|=(Access& a, Access b) { return a = a | b; }
// Whether all of `flags` are in `set`.
constexpr bool Has(Access set, Access flags) { return (set & flags) == flags; }

struct Point {
  std::int32_t x{};
  std::int32_t y{};

  bool operator==(const Point&) const = default;
};

struct Shape {
  struct Nothing {
    bool operator==(const Nothing&) const = default;
  };
  // A radius.
  struct Circle {
    double value;

    bool operator==(const Circle&) const = default;
  };
  struct Labelled {
    std::tuple<std::string, std::uint8_t> value;

    bool operator==(const Labelled&) const = default;
  };
  struct Polygon {
    std::vector<acme::types::everything::Point> value;

    bool operator==(const Polygon&) const = default;
  };
  // A case that is called like a type.
  struct Point {
    acme::types::everything::Point value;

    bool operator==(const Point&) const = default;
  };
  std::variant<Nothing, Circle, Labelled, Polygon, Point> value{};

  bool operator==(const Shape&) const = default;
};

struct Scalars {
  bool yes{};
  std::int8_t a{};
  std::uint8_t b{};
  std::int16_t c{};
  std::uint16_t d{};
  std::int32_t e{};
  std::uint32_t f{};
  std::int64_t g{};
  std::uint64_t h{};
  float i{};
  double j{};
  char32_t k{};
  std::string l{};

  bool operator==(const Scalars&) const = default;
};

// Everything inside everything.
struct Tree {
  std::optional<std::string> label{};
  std::expected<Bytes, std::string> outcome{};
  // Four kinds of result.
  std::tuple<std::expected<void, std::monostate>, std::expected<std::uint8_t, std::monostate>,
             std::expected<void, std::string>, std::expected<std::uint8_t, Color>>
      checks{};
  std::vector<Shape> shapes{};
  Access access{};
  Color color{};
  Level level{};
  Price price{};
  std::vector<bool> switches{};
  std::optional<std::optional<std::vector<std::vector<Point>>>> nested{};
  std::vector<std::tuple<std::string, Scalars>> pairs{};

  bool operator==(const Tree&) const = default;
};

}  // namespace acme::types::everything

CORDON_ENUM(acme::types::everything::Color, red, green, blue);
CORDON_ENUM(acme::types::everything::Level, low, high);
CORDON_FLAGS(acme::types::everything::Access, read, write, execute);
CORDON_RECORD(acme::types::everything::Point, x, y);
CORDON_VARIANT(acme::types::everything::Shape, nothing, circle, labelled, polygon, point);
CORDON_RECORD(acme::types::everything::Scalars, yes, a, b, c, d, e, f, g, h, i, j, k, l);
CORDON_RECORD(acme::types::everything::Tree, label, outcome, checks, shapes, access, color, level, price, switches,
              nested, pairs);

namespace acme::types::everything {

// Every type of WIT.
//
// Calls acme:types/everything@1.0.0 in a plugin. Immutable and thread-safe; copies are cheap.
class Everything {
 public:
  // Looks every function up and compares its types, once: E_NOT_FOUND, E_TYPE.
  static cordon::Result<Everything> Bind(const cordon::Plugin& plugin) {
    Everything bound;
    CORDON_TRY(Find(plugin, "acme:types/everything@1.0.0#echo-tree", bound.echo_tree_));
    CORDON_TRY(Find(plugin, "acme:types/everything@1.0.0#echo-shape", bound.echo_shape_));
    CORDON_TRY(Find(plugin, "acme:types/everything@1.0.0#echo-bytes", bound.echo_bytes_));
    CORDON_TRY(Find(plugin, "acme:types/everything@1.0.0#sum", bound.sum_));
    CORDON_TRY(Find(plugin, "acme:types/everything@1.0.0#measure", bound.measure_));
    CORDON_TRY(Find(plugin, "acme:types/everything@1.0.0#paint", bound.paint_));
    CORDON_TRY(Find(plugin, "acme:types/everything@1.0.0#nothing", bound.nothing_));
    return bound;
  }

  // In a fresh instance, in one that the caller keeps, or on the Host's threads.
  // Gives back what it got.
  cordon::Result<Tree> EchoTree(const Tree& value) const { return echo_tree_(value); }
  cordon::Result<Tree> EchoTree(const cordon::CallOptions& options, const Tree& value) const {
    return echo_tree_.Call(options, value);
  }
  cordon::Result<Tree> EchoTree(cordon::Instance& instance, const Tree& value) const {
    return echo_tree_.On(instance, value);
  }
  cordon::Result<Tree> EchoTree(cordon::Instance& instance, const cordon::CallOptions& options,
                                const Tree& value) const {
    return echo_tree_.On(instance, options, value);
  }
  cordon::Pending<Tree> EchoTreeAsync(cordon::Executor executor, cordon::CallOptions options, const Tree& value) const {
    return echo_tree_.Async(std::move(executor), std::move(options), value);
  }

  cordon::Result<Shape> EchoShape(const Shape& value) const { return echo_shape_(value); }
  cordon::Result<Shape> EchoShape(const cordon::CallOptions& options, const Shape& value) const {
    return echo_shape_.Call(options, value);
  }
  cordon::Result<Shape> EchoShape(cordon::Instance& instance, const Shape& value) const {
    return echo_shape_.On(instance, value);
  }
  cordon::Result<Shape> EchoShape(cordon::Instance& instance, const cordon::CallOptions& options,
                                  const Shape& value) const {
    return echo_shape_.On(instance, options, value);
  }
  cordon::Pending<Shape> EchoShapeAsync(cordon::Executor executor, cordon::CallOptions options,
                                        const Shape& value) const {
    return echo_shape_.Async(std::move(executor), std::move(options), value);
  }

  cordon::Result<Bytes> EchoBytes(std::span<const std::uint8_t> value) const { return echo_bytes_(value); }
  cordon::Result<Bytes> EchoBytes(const cordon::CallOptions& options, std::span<const std::uint8_t> value) const {
    return echo_bytes_.Call(options, value);
  }
  cordon::Result<Bytes> EchoBytes(cordon::Instance& instance, std::span<const std::uint8_t> value) const {
    return echo_bytes_.On(instance, value);
  }
  cordon::Result<Bytes> EchoBytes(cordon::Instance& instance, const cordon::CallOptions& options,
                                  std::span<const std::uint8_t> value) const {
    return echo_bytes_.On(instance, options, value);
  }
  cordon::Pending<Bytes> EchoBytesAsync(cordon::Executor executor, cordon::CallOptions options,
                                        std::span<const std::uint8_t> value) const {
    return echo_bytes_.Async(std::move(executor), std::move(options), value);
  }

  cordon::Result<std::expected<std::int64_t, std::string>> Sum(std::span<const std::int32_t> values) const {
    return sum_(values);
  }
  cordon::Result<std::expected<std::int64_t, std::string>> Sum(const cordon::CallOptions& options,
                                                               std::span<const std::int32_t> values) const {
    return sum_.Call(options, values);
  }
  cordon::Result<std::expected<std::int64_t, std::string>> Sum(cordon::Instance& instance,
                                                               std::span<const std::int32_t> values) const {
    return sum_.On(instance, values);
  }
  cordon::Result<std::expected<std::int64_t, std::string>> Sum(cordon::Instance& instance,
                                                               const cordon::CallOptions& options,
                                                               std::span<const std::int32_t> values) const {
    return sum_.On(instance, options, values);
  }
  cordon::Pending<std::expected<std::int64_t, std::string>> SumAsync(cordon::Executor executor,
                                                                     cordon::CallOptions options,
                                                                     std::span<const std::int32_t> values) const {
    return sum_.Async(std::move(executor), std::move(options), values);
  }

  cordon::Result<std::uint64_t> Measure(std::string_view text, std::span<const std::string> texts,
                                        const std::vector<bool>& switches,
                                        const std::optional<std::string>& maybe) const {
    return measure_(text, texts, switches, maybe);
  }
  cordon::Result<std::uint64_t> Measure(const cordon::CallOptions& options, std::string_view text,
                                        std::span<const std::string> texts, const std::vector<bool>& switches,
                                        const std::optional<std::string>& maybe) const {
    return measure_.Call(options, text, texts, switches, maybe);
  }
  cordon::Result<std::uint64_t> Measure(cordon::Instance& instance, std::string_view text,
                                        std::span<const std::string> texts, const std::vector<bool>& switches,
                                        const std::optional<std::string>& maybe) const {
    return measure_.On(instance, text, texts, switches, maybe);
  }
  cordon::Result<std::uint64_t> Measure(cordon::Instance& instance, const cordon::CallOptions& options,
                                        std::string_view text, std::span<const std::string> texts,
                                        const std::vector<bool>& switches,
                                        const std::optional<std::string>& maybe) const {
    return measure_.On(instance, options, text, texts, switches, maybe);
  }
  cordon::Pending<std::uint64_t> MeasureAsync(cordon::Executor executor, cordon::CallOptions options,
                                              std::string_view text, std::span<const std::string> texts,
                                              const std::vector<bool>& switches,
                                              const std::optional<std::string>& maybe) const {
    return measure_.Async(std::move(executor), std::move(options), text, texts, switches, maybe);
  }

  cordon::Result<std::tuple<Color, Access, Level>> Paint(Color color, Access access, Level level) const {
    return paint_(color, access, level);
  }
  cordon::Result<std::tuple<Color, Access, Level>> Paint(const cordon::CallOptions& options, Color color, Access access,
                                                         Level level) const {
    return paint_.Call(options, color, access, level);
  }
  cordon::Result<std::tuple<Color, Access, Level>> Paint(cordon::Instance& instance, Color color, Access access,
                                                         Level level) const {
    return paint_.On(instance, color, access, level);
  }
  cordon::Result<std::tuple<Color, Access, Level>> Paint(cordon::Instance& instance, const cordon::CallOptions& options,
                                                         Color color, Access access, Level level) const {
    return paint_.On(instance, options, color, access, level);
  }
  cordon::Pending<std::tuple<Color, Access, Level>> PaintAsync(cordon::Executor executor, cordon::CallOptions options,
                                                               Color color, Access access, Level level) const {
    return paint_.Async(std::move(executor), std::move(options), color, access, level);
  }

  cordon::Result<void> Nothing() const { return nothing_(); }
  cordon::Result<void> Nothing(const cordon::CallOptions& options) const { return nothing_.Call(options); }
  cordon::Result<void> Nothing(cordon::Instance& instance) const { return nothing_.On(instance); }
  cordon::Result<void> Nothing(cordon::Instance& instance, const cordon::CallOptions& options) const {
    return nothing_.On(instance, options);
  }
  cordon::Pending<void> NothingAsync(cordon::Executor executor, cordon::CallOptions options) const {
    return nothing_.Async(std::move(executor), std::move(options));
  }

 private:
  Everything() = default;
  template <typename Signature>
  static cordon::Status Find(const cordon::Plugin& plugin, std::string_view name,
                             cordon::TypedFunction<Signature>& out) {
    CORDON_ASSIGN(out, plugin.Function<Signature>(name));
    return {};
  }

  cordon::TypedFunction<Tree(Tree)> echo_tree_{nullptr};
  cordon::TypedFunction<Shape(Shape)> echo_shape_{nullptr};
  cordon::TypedFunction<Bytes(std::span<const std::uint8_t>)> echo_bytes_{nullptr};
  cordon::TypedFunction<std::expected<std::int64_t, std::string>(std::span<const std::int32_t>)> sum_{nullptr};
  cordon::TypedFunction<std::uint64_t(std::string_view, std::span<const std::string>, std::vector<bool>,
                                      std::optional<std::string>)>
      measure_{nullptr};
  cordon::TypedFunction<std::tuple<Color, Access, Level>(Color, Access, Level)> paint_{nullptr};
  cordon::TypedFunction<void()> nothing_{nullptr};
};

}  // namespace acme::types::everything
