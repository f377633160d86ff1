#include "abi/type_shape.h"

namespace cordon::abi {
namespace {

using wit::Kind;

constexpr std::size_t kShapeBytesMax =
    16 << 10;  // a type that shares its parts can be exponentially long when written out

class Shape {
 public:
  Shape(const wit::Contract& contract, Handles handles) : contract_(contract), handles_(handles) {}

  void Add(wit::TypeRef ref) {
    if (text_.size() > kShapeBytesMax) return;
    if (ref == wit::kNone) {
      text_ += '_';
      return;
    }
    const wit::Type& type = contract_.At(ref);
    switch (type.kind) {
      case Kind::kList:
        text_ += "list<";
        Add(type.element);
        text_ += type.size > 0 ? "," + std::to_string(type.size) + ">" : ">";
        return;
      case Kind::kOption: return Pair("option<", type.element, false, wit::kNone);
      case Kind::kResult: return Pair("result<", type.element, true, type.error);
      case Kind::kMap: return Pair("map<", type.element, true, type.error);
      case Kind::kTuple: return List("tuple<", type.fields, '>');
      case Kind::kRecord: return List("record{", type.fields, '}');
      case Kind::kVariant: return List("variant{", type.fields, '}');
      case Kind::kEnum: return List("enum{", type.fields, '}');
      case Kind::kFlags: return List("flags{", type.fields, '}');
      case Kind::kResource:
        text_ += handles_ == Handles::kAlike ? "resource" : (type.size == 1 ? "borrow<" : "own<") + type.name + ">";
        return;
      default: text_ += Primitive(type.kind);
    }
  }

  void Function(const wit::Function& function) {
    text_ += '(';
    for (const wit::Field& param : function.params) {
      if (text_.back() != '(') text_ += ',';
      Add(param.type);
    }
    text_ += ')';
    if (function.result == wit::kNone) return;
    text_ += "->";
    Add(function.result);
  }

  std::string Take() && {
    if (text_.size() > kShapeBytesMax) text_ = text_.substr(0, kShapeBytesMax) + "…";
    return std::move(text_);
  }

 private:
  static const char* Primitive(Kind kind) {
    switch (kind) {
      case Kind::kBool: return "bool";
      case Kind::kS8: return "s8";
      case Kind::kU8: return "u8";
      case Kind::kS16: return "s16";
      case Kind::kU16: return "u16";
      case Kind::kS32: return "s32";
      case Kind::kU32: return "u32";
      case Kind::kS64: return "s64";
      case Kind::kU64: return "u64";
      case Kind::kF32: return "f32";
      case Kind::kF64: return "f64";
      case Kind::kChar: return "char";
      case Kind::kString: return "string";
      default: return "unsupported";
    }
  }

  void Pair(const char* open, wit::TypeRef first, bool has_second, wit::TypeRef second) {
    text_ += open;
    Add(first);
    if (has_second) {
      text_ += ',';
      Add(second);
    }
    text_ += '>';
  }

  void List(const char* open, const std::vector<wit::Field>& fields, char close) {
    text_ += open;
    const char separator = close == '>' ? '\0' : ':';
    bool first = true;
    for (const wit::Field& field : fields) {
      if (!first) text_ += ',';
      first = false;
      if (separator != '\0') text_ += field.name;
      if (field.type == wit::kNone) continue;
      if (separator != '\0') text_ += separator;
      Add(field.type);
    }
    text_ += close;
  }

  const wit::Contract& contract_;
  Handles handles_;
  std::string text_;
};

}  // namespace

std::string TypeShape(const wit::Contract& contract, wit::TypeRef type) {
  Shape shape(contract, Handles::kAlike);
  shape.Add(type);
  return std::move(shape).Take();
}

std::string FunctionShape(const wit::Contract& contract, const wit::Function& function, Handles handles) {
  Shape shape(contract, handles);
  shape.Function(function);
  return std::move(shape).Take();
}

}  // namespace cordon::abi
