#include "base/wire.h"

#include <string>

#include "base/text.h"

namespace cordon::wire {

void Writer::String(std::string_view text) {
  Count(text.size());
  Raw({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

void Writer::Raw(std::span<const std::uint8_t> bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }

std::string_view FaultText(Fault fault) {
  switch (fault) {
    case Fault::kNone: return "no fault";
    case Fault::kTruncated: return "a length or value goes beyond the end";
    case Fault::kBool: return "a bool is neither 0 nor 1";
    case Fault::kCase: return "a case is out of range";
    case Fault::kChar: return "a char is not a Unicode scalar value";
    case Fault::kUtf8: return "text is not UTF-8";
    case Fault::kFlags: return "unused flag bits are set";
    case Fault::kLeftOver: return "bytes are left over";
  }
  return "unknown fault";
}

void Reader::Fail(Fault fault) {
  if (fault_ == Fault::kNone) fault_ = fault;
}

bool Reader::Bool() {
  const std::uint8_t value = U8();
  if (value > 1) Fail(Fault::kBool);
  return value == 1;
}

char32_t Reader::Char() {
  const std::uint32_t value = U32();
  if (value <= 0x10ffff && (value < 0xd800 || value >= 0xe000)) return value;
  Fail(Fault::kChar);
  return 0;
}

std::uint32_t Reader::Case(std::uint32_t cases) {
  const std::uint32_t value = U32();
  if (value < cases) return value;
  Fail(Fault::kCase);
  return 0;
}

std::uint32_t Reader::Flags(std::uint32_t used) {
  const std::uint32_t value = U32();
  if (used >= 32 || value >> used == 0) return value;
  Fail(Fault::kFlags);
  return 0;
}

std::uint32_t Reader::Count(std::size_t element_bytes_min) {
  const std::uint32_t count = U32();
  if (element_bytes_min == 0 || count <= remaining() / element_bytes_min) return count;
  Fail(Fault::kTruncated);
  return 0;
}

std::string_view Reader::String() {
  const auto bytes = Raw(Count(1));
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (IsUtf8(text)) return text;
  Fail(Fault::kUtf8);
  return {};
}

std::span<const std::uint8_t> Reader::Raw(std::size_t size) {
  if (!ok() || remaining() < size) {
    Fail(Fault::kTruncated);
    return {};
  }
  const auto bytes = bytes_.subspan(at_, size);
  at_ += size;
  return bytes;
}

Status Reader::Finish() {
  if (ok() && remaining() > 0) Fail(Fault::kLeftOver);
  if (ok()) return {};
  return cordon::Fail(Code::kInvalid,
                      "malformed message: " + std::string(FaultText(fault_)) + " near byte " + std::to_string(at_));
}

}  // namespace cordon::wire
