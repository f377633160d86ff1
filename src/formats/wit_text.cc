// Contracts as text for people. Names and docs come from the binary, so all of it goes through Escape.
#include <algorithm>
#include <set>

#include "base/text.h"
#include "formats/wit.h"

namespace cordon::wit {
namespace {

constexpr std::size_t kTypeTextMax = 4 << 10;  // shared types can spell out to far more than they are
constexpr int kDepthMax = 32;

std::string_view PrimitiveName(Kind kind) {
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
    default: return {};
  }
}

class Printer {
 public:
  explicit Printer(const Contract& contract) : contract_(contract) {}

  void Reference(TypeRef ref, int depth = 0) {
    if (ref == kNone) {
      text_ += '_';
      return;
    }
    if (depth > kDepthMax || text_.size() > kTypeTextMax) {
      if (!text_.ends_with("…")) text_ += "…";
      return;
    }
    const Type& type = contract_.At(ref);
    if (auto primitive = PrimitiveName(type.kind); !primitive.empty()) {
      text_ += primitive;
      return;
    }
    bool nominal = type.kind == Kind::kRecord || type.kind == Kind::kVariant || type.kind == Kind::kEnum ||
                   type.kind == Kind::kFlags;
    if (nominal && !type.name.empty()) {
      text_ += Escape(type.name);
      return;
    }
    Structure(type, depth);
  }

  void Signature(const Function& function) {
    if (function.is_async) text_ += "async ";
    text_ += "func(";
    Separated(function.params, 0, [](const Field& field) { return Escape(field.name) + ": "; });
    text_ += ')';
    if (function.result != kNone) {
      text_ += " -> ";
      Reference(function.result);
    }
  }

  // `record name { … }` and the like, over several lines.
  void Definition(const Type& type, std::string_view indent) {
    Docs(type.docs, indent);
    (text_ += indent) += KindWord(type.kind);
    text_ += ' ' + Escape(type.name) + " {\n";
    std::string inner = std::string(indent) + "  ";
    for (const Field& field : type.fields) {
      Docs(field.docs, inner);
      text_ += inner + Escape(field.name);
      if (field.type != kNone) {
        Printer one(contract_);
        one.Reference(field.type);
        text_ += type.kind == Kind::kVariant ? '(' + one.Take() + ')' : ": " + one.Take();
      }
      text_ += ",\n";
    }
    (text_ += indent) += "}\n";
  }

  void Docs(std::string_view docs, std::string_view indent) {
    while (!docs.empty()) {
      std::string_view line = docs.substr(0, docs.find('\n'));
      docs.remove_prefix(std::min(docs.size(), line.size() + 1));
      std::string shown = Escape(line);
      (text_ += indent) += shown.empty() ? "///\n" : "/// " + shown + "\n";
    }
  }

  void Line(std::string_view text) { (text_ += text) += '\n'; }
  std::string Take() { return std::move(text_); }

 private:
  static std::string_view KindWord(Kind kind) {
    switch (kind) {
      case Kind::kRecord: return "record";
      case Kind::kVariant: return "variant";
      case Kind::kEnum: return "enum";
      default: return "flags";
    }
  }

  template <typename Lead>
  void Separated(const std::vector<Field>& fields, int depth, Lead lead) {
    bool first = true;
    for (const Field& field : fields) {
      if (text_.size() > kTypeTextMax) {
        text_ += ", …";
        return;
      }
      if (!first) text_ += ", ";
      first = false;
      text_ += lead(field);
      if (field.type != kNone) Reference(field.type, depth + 1);
    }
  }

  void Structure(const Type& type, int depth) {
    auto named = [](const Field& field) { return Escape(field.name) + (field.type == kNone ? "" : ": "); };
    switch (type.kind) {
      case Kind::kList:
        text_ += "list<";
        Reference(type.element, depth + 1);
        if (type.size > 0) text_ += ", " + std::to_string(type.size);
        text_ += '>';
        return;
      case Kind::kTuple:
        text_ += "tuple<";
        Separated(type.fields, depth, [](const Field&) { return std::string(); });
        text_ += '>';
        return;
      case Kind::kOption:
        text_ += "option<";
        Reference(type.element, depth + 1);
        text_ += '>';
        return;
      case Kind::kResult:
        text_ += "result";
        if (type.element == kNone && type.error == kNone) return;
        text_ += '<';
        Reference(type.element, depth + 1);
        if (type.error != kNone) {
          text_ += ", ";
          Reference(type.error, depth + 1);
        }
        text_ += '>';
        return;
      case Kind::kMap:
        text_ += "map<";
        Reference(type.element, depth + 1);
        text_ += ", ";
        Reference(type.error, depth + 1);
        text_ += '>';
        return;
      case Kind::kResource: {
        std::string name = type.name.empty() ? "resource" : Escape(type.name);
        text_ += type.size == 1 ? "borrow<" + name + '>' : name;
        return;
      }
      case Kind::kRecord:
      case Kind::kVariant:
      case Kind::kEnum:
      case Kind::kFlags:
        (text_ += KindWord(type.kind)) += " { ";
        Separated(type.fields, depth, named);
        text_ += " }";
        return;
      default: text_ += "unsupported";
    }
  }

  const Contract& contract_;
  std::string text_;
};

// The named types that functions of an item reach, in the order in which they are met.
std::vector<TypeRef> Reached(const Contract& contract, const Item& item) {
  std::vector<TypeRef> order;
  std::set<TypeRef> seen;
  std::vector<TypeRef> next;
  for (const Function& function : item.functions) {
    next.clear();
    next.push_back(function.result);
    for (auto param = function.params.rbegin(); param != function.params.rend(); ++param) next.push_back(param->type);
    while (!next.empty()) {
      TypeRef at = next.back();
      next.pop_back();
      if (at == kNone || !seen.insert(at).second) continue;
      const Type& type = contract.At(at);
      if (!type.name.empty() && (type.kind == Kind::kRecord || type.kind == Kind::kVariant ||
                                 type.kind == Kind::kEnum || type.kind == Kind::kFlags)) {
        order.push_back(at);
      }
      next.push_back(type.error);
      next.push_back(type.element);
      for (auto field = type.fields.rbegin(); field != type.fields.rend(); ++field) next.push_back(field->type);
    }
  }
  return order;
}

void PrintItem(Printer& printer, const Contract& contract, const Item& item, const std::string& direction) {
  std::string name = direction + ' ' + Escape(item.name);
  if (item.kind != Item::Kind::kInterface) {
    if (item.kind == Item::Kind::kFunction && contract.kind == Contract::Kind::kComponent) {
      for (TypeRef type : Reached(contract, item)) printer.Definition(contract.At(type), "");
    }
    printer.Docs(item.docs, "");
    printer.Line(name + ": " + Escape(item.type_text));
    return;
  }
  printer.Docs(item.docs, "");
  printer.Line(name + " {");
  for (const std::string& resource : item.resources) printer.Line("  resource " + Escape(resource));
  for (TypeRef type : Reached(contract, item)) printer.Definition(contract.At(type), "  ");
  for (const Function& function : item.functions) {
    printer.Docs(function.docs, "  ");
    printer.Line("  " + Escape(function.name) + ": " + FunctionText(contract, function));
  }
  printer.Line("}");
}

}  // namespace

std::string TypeText(const Contract& contract, TypeRef type) {
  Printer printer(contract);
  printer.Reference(type);
  return printer.Take();
}

std::string FunctionText(const Contract& contract, const Function& function) {
  Printer printer(contract);
  printer.Signature(function);
  return printer.Take();
}

std::string ContractText(const Contract& contract) {
  Printer printer(contract);
  printer.Line(contract.kind == Contract::Kind::kComponent ? "component" : "core module");
  for (const Item& item : contract.imports) PrintItem(printer, contract, item, "import");
  for (const Item& item : contract.exports) PrintItem(printer, contract, item, "export");
  return printer.Take();
}

}  // namespace cordon::wit
