// Reading and writing the wire format (docs/formats/wire.md). A Reader never trusts its bytes: the first fault
// sticks, every later read gives zero or empty, and Finish tells. Not thread-safe; views point into the bytes that
// were given.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "cordon/result.h"

namespace cordon::wire {

using Buffer = std::vector<std::uint8_t>;

// Appends to a buffer that the caller owns.
class Writer {
 public:
  explicit Writer(Buffer& out) : out_(out) {}

  void Bool(bool value) { U8(value ? 1 : 0); }
  void U8(std::uint8_t value) { out_.push_back(value); }
  void U16(std::uint16_t value) { Number(value); }
  void U32(std::uint32_t value) { Number(value); }
  void U64(std::uint64_t value) { Number(value); }
  void S8(std::int8_t value) { U8(static_cast<std::uint8_t>(value)); }
  void S16(std::int16_t value) { Number(value); }
  void S32(std::int32_t value) { Number(value); }
  void S64(std::int64_t value) { Number(value); }
  void F32(float value) { U32(std::bit_cast<std::uint32_t>(value)); }
  void F64(double value) { U64(std::bit_cast<std::uint64_t>(value)); }
  void Char(char32_t value) { U32(static_cast<std::uint32_t>(value)); }
  // A length or count. REQUIRES: value fits in 32 bits.
  void Count(std::size_t value) { U32(static_cast<std::uint32_t>(value)); }
  // REQUIRES: `text` is UTF-8 and shorter than 4 GiB.
  void String(std::string_view text);
  // Bytes as they are, without a length.
  void Raw(std::span<const std::uint8_t> bytes);
  // A packed block of numbers, without a count. The machine is little-endian, as the format is.
  template <typename T>
  void Packed(std::span<const T> values) {
    static_assert(std::is_arithmetic_v<T> && std::endian::native == std::endian::little);
    Raw({reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes()});
  }

  std::size_t size() const { return out_.size(); }
  Buffer& buffer() { return out_; }

 private:
  template <typename T>
  void Number(T value) {
    static_assert(std::endian::native == std::endian::little);
    const std::size_t at = out_.size();
    out_.resize(at + sizeof value);
    std::memcpy(out_.data() + at, &value, sizeof value);
  }

  Buffer& out_;
};

// What is wrong with the bytes; the first fault wins.
enum class Fault : std::uint8_t { kNone, kTruncated, kBool, kCase, kChar, kUtf8, kFlags, kLeftOver };
std::string_view FaultText(Fault fault);

class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  bool Bool();
  std::uint8_t U8() { return Number<std::uint8_t>(); }
  std::uint16_t U16() { return Number<std::uint16_t>(); }
  std::uint32_t U32() { return Number<std::uint32_t>(); }
  std::uint64_t U64() { return Number<std::uint64_t>(); }
  std::int8_t S8() { return Number<std::int8_t>(); }
  std::int16_t S16() { return Number<std::int16_t>(); }
  std::int32_t S32() { return Number<std::int32_t>(); }
  std::int64_t S64() { return Number<std::int64_t>(); }
  float F32() { return std::bit_cast<float>(U32()); }
  double F64() { return std::bit_cast<double>(U64()); }
  // A Unicode scalar value.
  char32_t Char();
  // A u32 below `cases`: the case of a variant or an enum.
  std::uint32_t Case(std::uint32_t cases);
  // One word of flags, `used` bits of which may be set (1 to 32).
  std::uint32_t Flags(std::uint32_t used);
  // A count of elements, each of at least `element_bytes_min` bytes: a count that the rest cannot hold is a fault, so
  // that no caller reserves memory on the word of the bytes. With 0 (empty records) the caller bounds the count.
  std::uint32_t Count(std::size_t element_bytes_min);
  // UTF-8 with its length before it.
  std::string_view String();
  // The next `size` bytes as they are.
  std::span<const std::uint8_t> Raw(std::size_t size);

  std::size_t remaining() const { return bytes_.size() - at_; }
  std::size_t position() const { return at_; }
  bool ok() const { return fault_ == Fault::kNone; }
  Fault fault() const { return fault_; }
  // For faults that only the reader of a type can see. The first one sticks.
  void Fail(Fault fault);
  // Nothing was wrong and nothing is left over, or E_INVALID that names the fault and its place.
  Status Finish();

 private:
  template <typename T>
  T Number() {
    T value{};
    if (!ok() || remaining() < sizeof value) {
      Fail(Fault::kTruncated);
      return value;
    }
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }

  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
  Fault fault_ = Fault::kNone;
};

}  // namespace cordon::wire
