// C++ values as WIT values. Every type that crosses has a WitType; the ones below are ready, CORDON_RECORD and
// CORDON_ENUM make more, and `cordon bindgen --host cpp` writes those of a whole WIT world.
//
//   bool, int8_t … uint64_t, float, double, char32_t   bool, s8 … u64, f32, f64, char
//   std::string; std::string_view (parameters only)     string (UTF-8)
//   std::vector<T>; std::span<const T> (parameters)     list<T>
//   std::array<T, N>                                    list<T, N>
//   std::optional<T>                                    option<T>
//   std::expected<T, E>, either may be void             result<T, E>
//   std::tuple<T...>                                    tuple<T...>
//   std::map<K, V>                                      map<K, V>
//
// Thread-safety: values are values; an Encoder or Decoder belongs to one thread.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace cordon {

static_assert(std::endian::native == std::endian::little, "the wire format is that of the machine: little-endian");

using ByteView = std::span<const std::uint8_t>;

// Collects the wire bytes of values (docs/formats/wire.md). Long strings and lists of numbers are not copied: they are
// named, and must stay as they are until the call that takes the pieces has returned.
class Encoder {
 public:
  Encoder() {}
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  template <typename T>
    requires std::is_arithmetic_v<T>
  void Number(T value) {
    std::memcpy(Reserve(sizeof value), &value, sizeof value);
  }
  // A length or count; more than 32 bits can hold is remembered as a fault.
  void Count(std::size_t count) {
    if (count > UINT32_MAX) too_large_ = true;
    Number(static_cast<std::uint32_t>(count));
  }
  // Bytes as they are: copied when they are few, borrowed otherwise.
  void Block(const void* bytes, std::size_t size) {
    if (size == 0) return;
    if (size < kBorrowBytesMin) {
      std::memcpy(Reserve(size), bytes, size);
      return;
    }
    if (block_count_ >= kInlineBlocks) more_blocks_.resize(block_count_ - kInlineBlocks + 1);
    BorrowedBlock& block = BlockAt(block_count_++);
    block.at = size_;
    block.data = static_cast<const std::uint8_t*>(bytes);
    block.size = size;
    borrowed_ += size;
  }

  // Everything so far, in order. Valid while this and the borrowed values live unchanged.
  std::span<const ByteView> Pieces() {
    ByteView* pieces = first_pieces_;
    if (block_count_ > kInlineBlocks) {
      more_pieces_.resize(2 * block_count_ + 1);
      pieces = more_pieces_.data();
    }
    std::size_t count = 0, from = 0;
    for (std::size_t i = 0; i < block_count_; ++i) {
      const BorrowedBlock& block = BlockAt(i);
      if (block.at > from) pieces[count++] = ByteView(data_ + from, block.at - from);
      pieces[count++] = ByteView(block.data, block.size);
      from = block.at;
    }
    if (size_ > from || count == 0) pieces[count++] = ByteView(data_ + from, size_ - from);
    return {pieces, count};
  }
  // Keeps `value`, of which blocks are borrowed, as long as this lives or until Clear.
  void Hold(std::shared_ptr<const void> value) { held_ = std::move(value); }

  std::size_t size() const { return size_ + borrowed_; }
  bool too_large() const { return too_large_; }
  // Forgets everything and keeps the memory.
  void Clear() {
    size_ = borrowed_ = 0;
    block_count_ = 0;
    more_blocks_.clear();
    held_.reset();
    too_large_ = false;
  }

  static constexpr std::size_t kBorrowBytesMin = 512;

 private:
  struct BorrowedBlock {
    std::size_t at;  // of the copied bytes before it
    const std::uint8_t* data;
    std::size_t size;
  };

  BorrowedBlock& BlockAt(std::size_t i) {
    return i < kInlineBlocks ? first_blocks_[i] : more_blocks_[i - kInlineBlocks];
  }

  std::uint8_t* Reserve(std::size_t bytes) {
    if (capacity_ - size_ < bytes) Grow(bytes);
    std::uint8_t* place = data_ + size_;
    size_ += bytes;
    return place;
  }
  void Grow(std::size_t bytes) {
    const std::size_t capacity = std::max(capacity_ * 2, size_ + bytes);
    auto larger = std::make_unique_for_overwrite<std::uint8_t[]>(capacity);
    std::memcpy(larger.get(), data_, size_);
    heap_ = std::move(larger);
    data_ = heap_.get();
    capacity_ = capacity;
  }

  std::uint8_t inline_[256];
  std::unique_ptr<std::uint8_t[]> heap_;
  std::uint8_t* data_ = inline_;
  std::size_t size_ = 0, capacity_ = sizeof inline_, borrowed_ = 0;
  // A call with few long values allocates nothing.
  static constexpr std::size_t kInlineBlocks = 4;
  std::size_t block_count_ = 0;
  BorrowedBlock first_blocks_[kInlineBlocks];
  union {  // not filled in before it is needed
    ByteView first_pieces_[2 * kInlineBlocks + 1];
  };
  std::vector<BorrowedBlock> more_blocks_;
  std::vector<ByteView> more_pieces_;
  std::shared_ptr<const void> held_;
  bool too_large_ = false;
};

// Reads wire bytes that come in pieces. Never trusts them: the first fault sticks, every later read gives zero or
// empty, and Finish tells.
class Decoder {
 public:
  explicit Decoder(std::span<const ByteView> pieces) : pieces_(pieces) {
    for (const ByteView& piece : pieces) left_ += piece.size();
    Advance();
  }

  template <typename T>
    requires std::is_arithmetic_v<T>
  T Number() {
    T value{};
    if (current_.size() >= sizeof value) {
      std::memcpy(&value, current_.data(), sizeof value);
      Skip(sizeof value);
    } else {
      Read(&value, sizeof value);
    }
    return value;
  }
  // A count of elements of at least `element_bytes_min` bytes each: one that the rest cannot hold is a fault, so that
  // nobody reserves memory on the word of the bytes.
  std::size_t Count(std::size_t element_bytes_min) {
    const std::size_t count = Number<std::uint32_t>();
    if (count > left_ / (element_bytes_min == 0 ? 1 : element_bytes_min)) {
      Fail();
      return 0;
    }
    return count;
  }
  // The case of a variant or enum.
  std::uint32_t Case(std::uint32_t cases) {
    const auto value = Number<std::uint32_t>();
    if (value >= cases) Fail();
    return value < cases ? value : 0;
  }
  // The byte before an option's or a result's payload.
  bool Flag() {
    const auto value = Number<std::uint8_t>();
    if (value > 1) Fail();
    return value == 1;
  }
  // Fills `size` bytes; false, and a fault, when there are not so many.
  bool Read(void* out, std::size_t size) {
    if (size > left_) {
      Fail();
      return false;
    }
    auto* to = static_cast<std::uint8_t*>(out);
    while (size > 0) {
      const std::size_t part = std::min(size, current_.size());
      std::memcpy(to, current_.data(), part);
      Skip(part);
      to += part;
      size -= part;
    }
    return true;
  }

  // The next `size` bytes when they are in one place, or nothing.
  std::optional<ByteView> Near(std::size_t size) {
    if (size == 0 || size > current_.size()) return std::nullopt;
    const ByteView bytes = current_.first(size);
    Skip(size);
    return bytes;
  }

  void Fail() {
    ok_ = false;
    left_ = 0;
    current_ = {};
  }
  bool ok() const { return ok_; }
  // Nothing was wrong and nothing is left over.
  bool Finish() const { return ok_ && left_ == 0; }

 private:
  void Skip(std::size_t bytes) {
    current_ = current_.subspan(bytes);
    left_ -= bytes;
    if (current_.empty()) Advance();
  }
  void Advance() {
    while (current_.empty() && next_ < pieces_.size()) current_ = pieces_[next_++];
  }

  std::span<const ByteView> pieces_;
  std::size_t next_ = 0, left_ = 0;
  ByteView current_;
  bool ok_ = true;
};

// How a C++ type crosses. A specialisation has
//   static void Shape(std::string& out)                     appends the WIT type: "record{id:u64,name:string}"
//   static void Encode(Encoder& out, const T& value)
//   static void Decode(Decoder& in, T& value)               absent for types that cannot own what they hold
//   static constexpr std::size_t kBytesMin                  the fewest bytes that a value takes
template <typename T>
struct WitType;

template <typename T>
concept Crossing = requires(std::string& shape, Encoder& out, const T& value) {
  WitType<T>::Shape(shape);
  WitType<T>::Encode(out, value);
};
template <typename T>
concept CrossingBack =
    Crossing<T> && std::default_initializable<T> && requires(Decoder& in, T& value) { WitType<T>::Decode(in, value); };

// What a type is called in WIT, for messages and tests.
template <Crossing T>
std::string ShapeOf() {
  std::string shape;
  WitType<T>::Shape(shape);
  return shape;
}

namespace detail {

template <typename T>
struct PlainWitType {  // a number: a list of them is one block
  static constexpr bool kPlain = true;
  static constexpr std::size_t kBytesMin = sizeof(T);
  static void Encode(Encoder& out, T value) { out.Number(value); }
  static void Decode(Decoder& in, T& value) { value = in.Number<T>(); }
};

template <typename T>
concept Plain = requires { WitType<T>::kPlain; };

template <typename T>
void EncodeList(Encoder& out, std::span<const T> values) {
  out.Count(values.size());
  if constexpr (Plain<T>) {
    out.Block(values.data(), values.size_bytes());
  } else {
    for (const T& value : values) WitType<T>::Encode(out, value);
  }
}

template <typename T>
void ListShape(std::string& out) {
  out += "list<";
  WitType<T>::Shape(out);
  out += '>';
}

// "node_type" and "node_type_" are the field "node-type": WIT has no underscores, C++ has keywords.
inline std::string WitName(std::string_view name) {
  if (name.ends_with('_')) name.remove_suffix(1);
  std::string wit(name);
  for (char& c : wit) {
    if (c == '_') c = '-';
  }
  return wit;
}

template <typename T>
void FieldShape(std::string& out, std::string_view name, bool first) {
  if (!first) out += ',';
  out += WitName(name);
  out += ':';
  WitType<std::remove_cvref_t<T>>::Shape(out);
}

template <typename... T>
constexpr std::size_t SumOfBytesMin() {
  return (std::size_t{0} + ... + WitType<std::remove_cvref_t<T>>::kBytesMin);
}

}  // namespace detail

#define CORDON_NUMBER_(type, name)                       \
  template <>                                            \
  struct WitType<type> : detail::PlainWitType<type> {    \
    static void Shape(std::string& out) { out += name; } \
  }
CORDON_NUMBER_(std::int8_t, "s8");
CORDON_NUMBER_(std::uint8_t, "u8");
CORDON_NUMBER_(std::int16_t, "s16");
CORDON_NUMBER_(std::uint16_t, "u16");
CORDON_NUMBER_(std::int32_t, "s32");
CORDON_NUMBER_(std::uint32_t, "u32");
CORDON_NUMBER_(std::int64_t, "s64");
CORDON_NUMBER_(std::uint64_t, "u64");
CORDON_NUMBER_(float, "f32");
CORDON_NUMBER_(double, "f64");
#undef CORDON_NUMBER_

template <>
struct WitType<bool> {
  static constexpr std::size_t kBytesMin = 1;
  static void Shape(std::string& out) { out += "bool"; }
  static void Encode(Encoder& out, bool value) { out.Number<std::uint8_t>(value ? 1 : 0); }
  static void Decode(Decoder& in, bool& value) { value = in.Flag(); }
};

template <>
struct WitType<char32_t> {
  static constexpr std::size_t kBytesMin = 4;
  static void Shape(std::string& out) { out += "char"; }
  static void Encode(Encoder& out, char32_t value) { out.Number(static_cast<std::uint32_t>(value)); }
  static void Decode(Decoder& in, char32_t& value) { value = static_cast<char32_t>(in.Number<std::uint32_t>()); }
};

template <>
struct WitType<std::string_view> {
  static constexpr std::size_t kBytesMin = 4;
  static void Shape(std::string& out) { out += "string"; }
  static void Encode(Encoder& out, std::string_view value) {
    out.Count(value.size());
    out.Block(value.data(), value.size());
  }
};

template <>
struct WitType<std::string> : WitType<std::string_view> {
  static void Decode(Decoder& in, std::string& value) {
    const std::size_t size = in.Count(1);
    value.resize_and_overwrite(size, [&](char* to, std::size_t) { return in.Read(to, size) ? size : 0; });
  }
};

template <typename T>
struct WitType<std::span<const T>> {
  static constexpr std::size_t kBytesMin = 4;
  static void Shape(std::string& out) { detail::ListShape<T>(out); }
  static void Encode(Encoder& out, std::span<const T> values) { detail::EncodeList(out, values); }
};

template <typename T>
struct WitType<std::vector<T>> {
  static constexpr std::size_t kBytesMin = 4;
  static void Shape(std::string& out) { detail::ListShape<T>(out); }
  static void Encode(Encoder& out, const std::vector<T>& values) {
    detail::EncodeList(out, std::span<const T>(values));
  }
  static void Decode(Decoder& in, std::vector<T>& values) {
    if constexpr (detail::Plain<T>) {
      const std::size_t count = in.Count(sizeof(T));
      if constexpr (sizeof(T) == 1) {
        // Without filling it with zeros first, if possible.
        if (const auto bytes = in.Near(count)) {
          values.assign(reinterpret_cast<const T*>(bytes->data()), reinterpret_cast<const T*>(bytes->data()) + count);
          return;
        }
      }
      values.resize(count);
      in.Read(values.data(), count * sizeof(T));
    } else {
      const std::size_t count = in.Count(WitType<T>::kBytesMin);
      values.clear();
      for (std::size_t i = 0; i < count && in.ok(); ++i) WitType<T>::Decode(in, values.emplace_back());
    }
  }
};

// std::vector<bool> has no elements to name.
template <>
struct WitType<std::vector<bool>> {
  static constexpr std::size_t kBytesMin = 4;
  static void Shape(std::string& out) { detail::ListShape<bool>(out); }
  static void Encode(Encoder& out, const std::vector<bool>& values) {
    out.Count(values.size());
    for (const bool value : values) WitType<bool>::Encode(out, value);
  }
  static void Decode(Decoder& in, std::vector<bool>& values) {
    values.assign(in.Count(1), false);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = in.Flag();
  }
};

template <typename T, std::size_t N>
struct WitType<std::array<T, N>> {
  static constexpr std::size_t kBytesMin = N * WitType<T>::kBytesMin;
  static void Shape(std::string& out) {
    detail::ListShape<T>(out);
    out.back() = ',';
    out += std::to_string(N) + ">";
  }
  static void Encode(Encoder& out, const std::array<T, N>& values) {
    for (const T& value : values) WitType<T>::Encode(out, value);
  }
  static void Decode(Decoder& in, std::array<T, N>& values) {
    for (T& value : values) WitType<T>::Decode(in, value);
  }
};

template <typename T>
struct WitType<std::optional<T>> {
  static constexpr std::size_t kBytesMin = 1;
  static void Shape(std::string& out) {
    out += "option<";
    WitType<T>::Shape(out);
    out += '>';
  }
  static void Encode(Encoder& out, const std::optional<T>& value) {
    out.Number<std::uint8_t>(value ? 1 : 0);
    if (value) WitType<T>::Encode(out, *value);
  }
  static void Decode(Decoder& in, std::optional<T>& value) {
    if (in.Flag()) {
      WitType<T>::Decode(in, value.emplace());
    } else {
      value.reset();
    }
  }
};

template <typename T, typename E>
struct WitType<std::expected<T, E>> {
  static constexpr std::size_t kBytesMin = 1;
  static void Shape(std::string& out) {
    out += "result<";
    Part<T>(out);
    out += ',';
    Part<E>(out);
    out += '>';
  }
  static void Encode(Encoder& out, const std::expected<T, E>& value) {
    out.Number<std::uint8_t>(value ? 0 : 1);
    if (value) {
      if constexpr (!std::is_void_v<T>) WitType<T>::Encode(out, *value);
    } else {
      if constexpr (!std::is_empty_v<E>) WitType<E>::Encode(out, value.error());
    }
  }
  static void Decode(Decoder& in, std::expected<T, E>& value) {
    if (in.Flag()) {
      E error{};
      if constexpr (!std::is_empty_v<E>) WitType<E>::Decode(in, error);
      value = std::unexpected(std::move(error));
    } else if constexpr (std::is_void_v<T>) {
      value = {};
    } else {
      T payload{};
      WitType<T>::Decode(in, payload);
      value = std::move(payload);
    }
  }

 private:
  template <typename P>
  static void Part(std::string& out) {
    if constexpr (std::is_void_v<P> || std::is_empty_v<P>) {
      out += '_';
    } else {
      WitType<P>::Shape(out);
    }
  }
};

template <typename... T>
struct WitType<std::tuple<T...>> {
  static constexpr std::size_t kBytesMin = detail::SumOfBytesMin<T...>();
  static void Shape(std::string& out) {
    out += "tuple<";
    std::size_t n = 0;
    ((out += n++ > 0 ? "," : "", WitType<T>::Shape(out)), ...);
    out += '>';
  }
  static void Encode(Encoder& out, const std::tuple<T...>& value) {
    std::apply([&](const T&... part) { (WitType<T>::Encode(out, part), ...); }, value);
  }
  static void Decode(Decoder& in, std::tuple<T...>& value) {
    std::apply([&](T&... part) { (WitType<T>::Decode(in, part), ...); }, value);
  }
};

template <typename K, typename V>
struct WitType<std::map<K, V>> {
  static constexpr std::size_t kBytesMin = 4;
  static void Shape(std::string& out) {
    out += "map<";
    WitType<K>::Shape(out);
    out += ',';
    WitType<V>::Shape(out);
    out += '>';
  }
  static void Encode(Encoder& out, const std::map<K, V>& value) {
    out.Count(value.size());
    for (const auto& [key, mapped] : value) {
      WitType<K>::Encode(out, key);
      WitType<V>::Encode(out, mapped);
    }
  }
  static void Decode(Decoder& in, std::map<K, V>& value) {
    value.clear();
    const std::size_t count = in.Count(WitType<K>::kBytesMin + WitType<V>::kBytesMin);
    for (std::size_t i = 0; i < count && in.ok(); ++i) {
      K key{};
      WitType<K>::Decode(in, key);
      WitType<V>::Decode(in, value[std::move(key)]);
    }
  }
};

namespace detail {

template <typename Alternatives>
struct VariantOf;  // of `std::variant<…>`: each alternative is empty, or has one member, `value`

template <typename... Alternative>
struct VariantOf<std::variant<Alternative...>> {
  using Value = std::variant<Alternative...>;

  static void Shape(std::string& out, std::span<const std::string_view> names) {
    out += "variant{";
    std::size_t n = 0;
    (CaseShape<Alternative>(out, names[n], n == 0 ? "" : ",", n), ...);
    out += '}';
  }
  static void Encode(Encoder& out, const Value& value) {
    out.Number(static_cast<std::uint32_t>(value.index()));
    std::visit([&]<typename A>(const A& held) { EncodeCase(out, held); }, value);
  }
  static void Decode(Decoder& in, Value& value) {
    const std::uint32_t chosen = in.Case(sizeof...(Alternative));
    std::uint32_t n = 0;
    ((n++ == chosen ? DecodeCase(in, value.template emplace<Alternative>()) : void()), ...);
  }

 private:
  template <typename A>
  static void CaseShape(std::string& out, std::string_view name, std::string_view separator, std::size_t& n) {
    out += separator;
    out += WitName(name);
    if constexpr (!std::is_empty_v<A>) {
      out += ':';
      WitType<decltype(A::value)>::Shape(out);
    }
    ++n;
  }
  template <typename A>
  static void EncodeCase(Encoder& out, const A& held) {
    if constexpr (!std::is_empty_v<A>) WitType<decltype(A::value)>::Encode(out, held.value);
  }
  template <typename A>
  static void DecodeCase(Decoder& in, A& held) {
    if constexpr (!std::is_empty_v<A>) WitType<decltype(A::value)>::Decode(in, held.value);
  }
};

}  // namespace detail

}  // namespace cordon

// CORDON_RECORD(Entry, id, name): a struct with these fields, in this order, is the WIT record{id: …, name: …}.
// CORDON_ENUM(Level, low, high): an enum class whose enumerators count from 0 is the WIT enum{low, high}.
// CORDON_FLAGS(Access, read, write): an enum class whose enumerators are 1 << 0, 1 << 1, … (32 at most) is WIT flags.
// CORDON_VARIANT(Shape, nothing, circle): a struct whose member `value` is a std::variant of a different struct for
// each case is a WIT variant. A case without a payload is an empty struct; one with it has one member, `value`.
// Both stand outside of any namespace; names are those of C++, with _ where WIT has -.
#define CORDON_RECORD(type, ...)                                                                                  \
  template <>                                                                                                     \
  struct cordon::WitType<type> {                                                                                  \
    static constexpr std::size_t kBytesMin = 0 CORDON_EACH_(CORDON_FIELD_BYTES_, type, __VA_ARGS__);              \
    static void Shape(std::string& out) {                                                                         \
      out += "record{";                                                                                           \
      bool first = true;                                                                                          \
      CORDON_EACH_(CORDON_FIELD_SHAPE_, type, __VA_ARGS__)                                                        \
      out += '}';                                                                                                 \
    }                                                                                                             \
    static void Encode(Encoder& out, const type& value) { CORDON_EACH_(CORDON_FIELD_ENCODE_, type, __VA_ARGS__) } \
    static void Decode(Decoder& in, type& value) { CORDON_EACH_(CORDON_FIELD_DECODE_, type, __VA_ARGS__) }        \
  }

#define CORDON_ENUM(type, ...)                                                                      \
  template <>                                                                                       \
  struct cordon::WitType<type> {                                                                    \
    static constexpr std::size_t kBytesMin = 4;                                                     \
    static constexpr type kCases[] = {CORDON_EACH_(CORDON_CASE_VALUE_, type, __VA_ARGS__)};         \
    static void Shape(std::string& out) {                                                           \
      out += "enum{";                                                                               \
      bool first = true;                                                                            \
      CORDON_EACH_(CORDON_CASE_SHAPE_, type, __VA_ARGS__)                                           \
      out += '}';                                                                                   \
    }                                                                                               \
    static void Encode(Encoder& out, type value) { out.Number(static_cast<std::uint32_t>(value)); } \
    static void Decode(Decoder& in, type& value) {                                                  \
      value = static_cast<type>(in.Case(static_cast<std::uint32_t>(std::size(kCases))));            \
    }                                                                                               \
  }

#define CORDON_FLAGS(type, ...)                                                                            \
  template <>                                                                                              \
  struct cordon::WitType<type> {                                                                           \
    static constexpr std::size_t kBytesMin = 4;                                                            \
    static constexpr std::uint32_t kAll = 0 CORDON_EACH_(CORDON_FLAG_VALUE_, type, __VA_ARGS__);           \
    static void Shape(std::string& out) {                                                                  \
      out += "flags{";                                                                                     \
      bool first = true;                                                                                   \
      CORDON_EACH_(CORDON_CASE_SHAPE_, type, __VA_ARGS__)                                                  \
      out += '}';                                                                                          \
    }                                                                                                      \
    static void Encode(Encoder& out, type value) { out.Number(static_cast<std::uint32_t>(value) & kAll); } \
    static void Decode(Decoder& in, type& value) {                                                         \
      const auto bits = in.Number<std::uint32_t>();                                                        \
      if ((bits & ~kAll) != 0) in.Fail();                                                                  \
      value = static_cast<type>(bits & kAll);                                                              \
    }                                                                                                      \
  }

#define CORDON_VARIANT(type, ...)                                                                           \
  template <>                                                                                               \
  struct cordon::WitType<type> {                                                                            \
    using Alternatives = cordon::detail::VariantOf<decltype(type::value)>;                                  \
    static constexpr std::size_t kBytesMin = 4;                                                             \
    static constexpr std::string_view kCases[] = {CORDON_EACH_(CORDON_CASE_NAME_, type, __VA_ARGS__)};      \
    static_assert(std::variant_size_v<decltype(type::value)> == std::size(kCases), "a name for each case"); \
    static void Shape(std::string& out) { Alternatives::Shape(out, kCases); }                               \
    static void Encode(Encoder& out, const type& value) { Alternatives::Encode(out, value.value); }         \
    static void Decode(Decoder& in, type& value) { Alternatives::Decode(in, value.value); }                 \
  }

#define CORDON_FIELD_BYTES_(type, field) +cordon::WitType<decltype(type::field)>::kBytesMin
#define CORDON_FIELD_SHAPE_(type, field)                                 \
  cordon::detail::FieldShape<decltype(type::field)>(out, #field, first); \
  first = false;
#define CORDON_FIELD_ENCODE_(type, field) cordon::WitType<decltype(type::field)>::Encode(out, value.field);
#define CORDON_FIELD_DECODE_(type, field) cordon::WitType<decltype(type::field)>::Decode(in, value.field);
#define CORDON_CASE_VALUE_(type, name) type::name,
#define CORDON_CASE_NAME_(type, name) #name,
#define CORDON_FLAG_VALUE_(type, name) | static_cast<std::uint32_t>(type::name)
#define CORDON_CASE_SHAPE_(type, name)   \
  out += first ? "" : ",";               \
  out += cordon::detail::WitName(#name); \
  first = false;

// Applies a macro to each argument: up to 64 of them.
#define CORDON_PARENS_ ()
#define CORDON_EXPAND_(...) CORDON_EXPAND3_(CORDON_EXPAND3_(CORDON_EXPAND3_(CORDON_EXPAND3_(__VA_ARGS__))))
#define CORDON_EXPAND3_(...) CORDON_EXPAND2_(CORDON_EXPAND2_(CORDON_EXPAND2_(CORDON_EXPAND2_(__VA_ARGS__))))
#define CORDON_EXPAND2_(...) CORDON_EXPAND1_(CORDON_EXPAND1_(CORDON_EXPAND1_(CORDON_EXPAND1_(__VA_ARGS__))))
#define CORDON_EXPAND1_(...) __VA_ARGS__
#define CORDON_EACH_(macro, type, ...) __VA_OPT__(CORDON_EXPAND_(CORDON_EACH_STEP_(macro, type, __VA_ARGS__)))
#define CORDON_EACH_STEP_(macro, type, first, ...) \
  macro(type, first) __VA_OPT__(CORDON_EACH_AGAIN_ CORDON_PARENS_(macro, type, __VA_ARGS__))
#define CORDON_EACH_AGAIN_() CORDON_EACH_STEP_
