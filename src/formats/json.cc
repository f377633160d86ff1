#include "formats/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "base/text.h"

namespace cordon::json {
namespace {

constexpr std::size_t kExcerptBytes = 200;
constexpr std::size_t kMessageBytes = 200;

// Where in the text, from a byte offset.
Place PlaceOf(std::string_view text, std::string file, std::size_t offset) {
  offset = std::min(offset, text.size());
  Place place;
  place.file = std::move(file);
  std::string_view before = text.substr(0, offset);
  place.line = 1 + static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n'));
  std::size_t start = before.rfind('\n');
  start = start == std::string_view::npos ? 0 : start + 1;
  place.column = 1;
  for (char c : before.substr(start)) {
    if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) ++place.column;
  }
  std::string_view line = text.substr(start, text.find('\n', start) - start);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.size() <= kExcerptBytes) place.excerpt = line;
  return place;
}

// Counts the bytes that the parser has taken. The parse for speed runs over plain pointers; only one that failed is
// repeated over this, to learn the place.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, std::size_t* count) : at_(at), count_(count) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    if (count_ != nullptr) ++*count_;
    return *this;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  std::size_t* count_;
};

// Builds the value and holds the limits. Returning false stops the parser.
class Builder : public nlohmann::json_sax<Json> {
 public:
  explicit Builder(const Limits& limits) : limits_(limits) {}

  bool null() override { return Add(nullptr); }
  bool boolean(bool value) override { return Add(value); }
  bool number_integer(number_integer_t value) override { return Add(value); }
  bool number_unsigned(number_unsigned_t value) override { return Add(value); }
  bool number_float(number_float_t value, const string_t& text) override {
    if (text.find_first_of(".eE") == std::string::npos) {
      return Stop(Code::kRange, "the integer " + text.substr(0, 40) + " does not fit 64 bits", "use a smaller number");
    }
    return Add(value);
  }
  bool string(string_t& value) override { return Add(std::move(value)); }
  bool binary(binary_t&) override { return Stop(Code::kInternal, "binary in JSON", ""); }
  bool start_object(std::size_t) override { return Open(Json::object()); }
  bool start_array(std::size_t) override { return Open(Json::array()); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }
  bool key(string_t& name) override {
    auto [entry, inserted] = stack_.back()->get_ref<Json::object_t&>().emplace(name, nullptr);
    if (!inserted) {
      at_key_ = true;
      return Stop(Code::kDuplicateKey, "the key '" + EscapeShort(name, 80) + "' occurs twice in one object",
                  "keep one of the two");
    }
    slot_ = &entry->second;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const Json::exception& error) override {
    if (error.id == 406) return Stop(Code::kRange, "a number that is too large", "use a smaller number");
    position_ = position == 0 ? 0 : position - 1;
    return Stop(Code::kSyntax, "not valid JSON: " + Reason(error.what()), "correct the JSON at this place");
  }

  std::optional<Error> error;
  bool at_key() const { return at_key_; }
  std::optional<std::size_t> position() const { return position_; }
  Json Take() { return std::move(root_); }

 private:
  // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while parsing value - unexpected
  // ...": the place is told apart, and the last word may be a megabyte.
  static std::string Reason(std::string_view what) {
    if (std::size_t at = what.find(": "); at != std::string_view::npos) what.remove_prefix(at + 2);
    for (std::string_view lead : {"syntax error while parsing ", "syntax error "}) {
      if (what.starts_with(lead)) {
        what.remove_prefix(lead.size());
        break;
      }
    }
    return EscapeShort(what, kMessageBytes);
  }

  bool Stop(Code code, std::string message, std::string remedy) {
    if (!error) error.emplace(code, std::move(message), std::move(remedy));
    return false;
  }

  template <typename T>
  Json* Put(T&& value) {
    if (++nodes_ > limits_.nodes) {
      Stop(Code::kLimit, "more than " + std::to_string(limits_.nodes) + " values", "split the document");
      return nullptr;
    }
    if (stack_.empty()) {
      root_ = std::forward<T>(value);
      return &root_;
    }
    if (stack_.back()->is_array()) {
      auto& items = stack_.back()->get_ref<Json::array_t&>();
      items.emplace_back(std::forward<T>(value));
      return &items.back();
    }
    *slot_ = std::forward<T>(value);
    return slot_;
  }

  template <typename T>
  bool Add(T&& value) {
    return Put(std::forward<T>(value)) != nullptr;
  }

  bool Open(Json empty) {
    if (stack_.size() >= limits_.depth) {
      return Stop(Code::kLimit, "nested deeper than " + std::to_string(limits_.depth), "flatten the document");
    }
    Json* opened = Put(std::move(empty));
    if (opened == nullptr) return false;
    stack_.push_back(opened);
    return true;
  }

  bool Close() {
    stack_.pop_back();
    return true;
  }

  const Limits& limits_;
  Json root_;
  std::vector<Json*> stack_;  // a parent never grows while a child of it is open, so the pointers hold
  Json* slot_ = nullptr;
  std::size_t nodes_ = 0;
  bool at_key_ = false;
  std::optional<std::size_t> position_;
};

// The offset of the token that ends before `end`: of a string, where its opening quote is.
std::size_t StringStart(std::string_view text, std::size_t end) {
  std::size_t at = end >= 2 ? end - 2 : 0;
  while (at > 0) {
    if (text[at] == '"') {
      std::size_t backslashes = 0;
      while (backslashes < at && text[at - 1 - backslashes] == '\\') ++backslashes;
      if (backslashes % 2 == 0) break;
    }
    --at;
  }
  return at;
}

std::size_t FailureOffset(std::string_view text, const Limits& limits, const Builder& failed) {
  if (failed.position()) return *failed.position();
  std::size_t taken = 0;
  Builder again(limits);
  const char* const begin = std::to_address(text.begin());
  Json::sax_parse(CountingIterator(begin, &taken), CountingIterator(begin + text.size(), nullptr), &again);
  if (failed.at_key()) return StringStart(text, taken);
  return taken == 0 ? 0 : taken - 1;
}

}  // namespace

Result<Json> Parse(std::string_view text, std::string file, const Limits& limits) {
  if (text.size() > limits.bytes) {
    return Fail(Error(Code::kLimit, "larger than " + std::to_string(limits.bytes) + " bytes", "make it smaller")
                    .At(Place{std::move(file), 0, 0, {}}));
  }
  if (!IsUtf8(text)) {
    return Fail(Error(Code::kBadString, "not valid UTF-8", "save it as UTF-8").At(Place{std::move(file), 0, 0, {}}));
  }
  try {
    Builder builder(limits);
    if (Json::sax_parse(text.data(), text.data() + text.size(), &builder) && !builder.error) return builder.Take();
    Error error = builder.error.value_or(Error(Code::kSyntax, "not valid JSON"));
    return Fail(std::move(error).At(PlaceOf(text, std::move(file), FailureOffset(text, limits, builder))));
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& problem) {
    return Fail(Code::kInternal, std::string("the JSON parser failed: ") + problem.what());
  }
}

namespace {

// UTF-16 code units of a UTF-8 string, for the order of RFC 8785 3.2.3; stray bytes count as U+FFFD.
std::u16string Utf16(std::string_view text) {
  std::u16string units;
  units.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    auto lead = static_cast<unsigned char>(text[at]);
    std::size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (at + size > text.size()) size = 1;
    char32_t point = size == 1 ? lead : lead & (0xff >> (size + 1));
    if (size == 1 && lead >= 0x80) point = 0xfffd;
    for (std::size_t i = 1; i < size; ++i) point = (point << 6) | (static_cast<unsigned char>(text[at + i]) & 0x3f);
    if (point >= 0x10000) {
      units.push_back(static_cast<char16_t>(0xd800 + ((point - 0x10000) >> 10)));
      units.push_back(static_cast<char16_t>(0xdc00 + ((point - 0x10000) & 0x3ff)));
    } else {
      units.push_back(static_cast<char16_t>(point));
    }
    at += size;
  }
  return units;
}

bool IsAscii(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

bool KeyLess(const std::string* a, const std::string* b) {
  if (IsAscii(*a) && IsAscii(*b)) return *a < *b;
  return Utf16(*a) < Utf16(*b);
}

// nlohmann escapes as RFC 8785 3.2.2.2 asks: the five short forms, \u00xx in lower case, nothing else.
void AppendString(std::string& out, const std::string& text) {
  out += Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

// ECMAScript's Number::toString (RFC 8785 3.2.2.3). Integers that were integers keep all their digits, also beyond
// 2^53, where RFC 8785 would have them rounded: a digest must not take two different numbers for one.
void AppendNumber(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  if (value == 0) {
    out += '0';
    return;
  }
  char buffer[40];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, std::fabs(value), std::chars_format::scientific).ptr;
  std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
  std::size_t e = text.find('e');
  int exponent = 0;
  std::string_view power = text.substr(e + 1);
  if (power.starts_with('+')) power.remove_prefix(1);
  std::from_chars(power.data(), power.data() + power.size(), exponent);
  std::string digits(1, text[0]);
  if (e > 2) digits += text.substr(2, e - 2);
  const int count = static_cast<int>(digits.size());
  const int n = exponent + 1;  // ECMAScript's name for where the point stands
  if (value < 0) out += '-';
  if (count <= n && n <= 21) {
    out += digits + std::string(static_cast<std::size_t>(n - count), '0');
  } else if (0 < n && n <= 21) {
    out += digits.substr(0, static_cast<std::size_t>(n)) + '.' + digits.substr(static_cast<std::size_t>(n));
  } else if (-6 < n && n <= 0) {
    out += "0." + std::string(static_cast<std::size_t>(-n), '0') + digits;
  } else {
    out += digits.substr(0, 1);
    if (count > 1) out += '.' + digits.substr(1);
    out += n - 1 < 0 ? "e-" : "e+";
    out += std::to_string(std::abs(n - 1));
  }
}

void AppendCanonical(std::string& out, const Json& value) {
  switch (value.type()) {
    case Json::value_t::object: {
      std::vector<const std::string*> keys;
      for (const auto& entry : value.items()) keys.push_back(&entry.key());
      std::sort(keys.begin(), keys.end(), KeyLess);
      out += '{';
      for (const std::string* key : keys) {
        if (key != keys.front()) out += ',';
        AppendString(out, *key);
        out += ':';
        AppendCanonical(out, value.find(*key).value());
      }
      out += '}';
      break;
    }
    case Json::value_t::array: {
      out += '[';
      bool first = true;
      for (const Json& item : value) {
        if (!first) out += ',';
        first = false;
        AppendCanonical(out, item);
      }
      out += ']';
      break;
    }
    case Json::value_t::string: AppendString(out, value.get_ref<const std::string&>()); break;
    case Json::value_t::number_float: AppendNumber(out, value.get<double>()); break;
    case Json::value_t::number_integer: out += std::to_string(value.get<std::int64_t>()); break;
    case Json::value_t::number_unsigned: out += std::to_string(value.get<std::uint64_t>()); break;
    case Json::value_t::boolean: out += value.get<bool>() ? "true" : "false"; break;
    default: out += "null";
  }
}

}  // namespace

std::string Canonical(const Json& value) {
  std::string out;
  AppendCanonical(out, value);
  return out;
}

std::string Dump(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace cordon::json
