#include "bindgen/cpp_types.h"

#include "bindgen/cpp_text.h"

namespace cordon::bindgen {
namespace {

using wit::Kind;

constexpr std::size_t kMacroArgumentsMax = 64;

std::string Equality(const std::string& name, std::size_t indent) {
  return std::string(indent, ' ') + "bool operator==(const " + name + "&) const = default;\n";
}

std::string RecordText(const TypeTable& table, const Spot& spot, const wit::Type& type) {
  const Site site{spot.space};
  std::string out = "struct " + spot.name + " {\n";
  for (const wit::Field& field : type.fields) {
    out += Comment(2, field.docs);
    out += TypeLine(2, table.Value(field.type, site), SnakeName(field.name) + "{};");
  }
  return out + "\n" + Equality(spot.name, 2) + "};\n";
}

std::string EnumText(const std::string& head, const std::vector<wit::Field>& cases,
                     const std::vector<std::string>& texts) {
  std::string line = head + " { ", lines = head + " {\n";
  bool documented = false;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    documented = documented || !cases[i].docs.empty();
    line += (i > 0 ? ", " : "") + texts[i];
    lines += Comment(2, cases[i].docs) + "  " + texts[i] + ",\n";
  }
  line += " };\n";
  return documented || line.size() > kColumns + 1 ? lines + "};\n" : line;
}

std::string PlainEnumText(const Spot& spot, const wit::Type& type) {
  std::vector<std::string> names;
  names.reserve(type.fields.size());
  for (const wit::Field& one : type.fields) names.push_back(SnakeName(one.name));
  const char* integer = type.fields.size() <= 256 ? "std::uint8_t" : "std::uint32_t";
  return EnumText("enum class " + spot.name + " : " + integer, type.fields, names);
}

std::string FlagsText(const Spot& spot, const wit::Type& type) {
  const std::string& name = spot.name;
  std::vector<std::string> values;
  values.reserve(type.fields.size());
  for (std::size_t i = 0; i < type.fields.size(); ++i) {
    values.push_back(SnakeName(type.fields[i].name) + " = 1u << " + std::to_string(i));
  }
  std::string out = EnumText("enum class " + name + " : std::uint32_t", type.fields, values);
  const auto operation = [&](std::string_view symbol) {
    const std::string head = "constexpr " + name + " operator" + std::string(symbol);
    const std::string cast = "return static_cast<" + name + ">";
    const std::string parameters[] = {name + " a", name + " b"};
    const std::string argument = "std::to_underlying(a) " + std::string(symbol) + " std::to_underlying(b)";
    return FunctionText(0, head, parameters, "", cast, std::span(&argument, 1));
  };
  out += operation("|") + operation("&");
  out += "constexpr " + name + "& operator|=(" + name + "& a, " + name + " b) { return a = a | b; }\n";
  out += "// Whether all of `flags` are in `set`.\n";
  out += "constexpr bool Has(" + name + " set, " + name + " flags) { return (set & flags) == flags; }\n";
  return out;
}

std::string VariantText(const TypeTable& table, const Spot& spot, const wit::Type& type) {
  // The cases are structs inside: their names, and `value`, hide those of outside.
  Scope scope;
  (void)scope.Take(spot.name);
  std::vector<std::string> names;
  std::set<std::string> hidden;
  for (const wit::Field& one : type.fields) {
    names.push_back(scope.Take(TitleName(one.name)));
    hidden.insert(names.back());
  }
  const Site site{spot.space, &hidden};
  std::string out = "struct " + spot.name + " {\n";
  for (std::size_t i = 0; i < names.size(); ++i) {
    const wit::Field& one = type.fields[i];
    out += Comment(2, one.docs) + "  struct " + names[i] + " {\n";
    // Without an initializer: a nested class cannot have one before the end of the outer, which needs it.
    if (one.type != wit::kNone) out += TypeLine(4, table.Value(one.type, site), "value;") + "\n";
    out += Equality(names[i], 4) + "  };\n";
  }
  // clang-format fills the arguments of a template as those of a call.
  std::string line = "  std::variant<";
  const std::string pad(line.size(), ' ');
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool last = i + 1 == names.size();
    const std::string item = names[i] + (last ? "> value{};" : ",");
    if (i > 0 && line.size() + 1 + item.size() > kColumns) {
      out += line + "\n";
      line = pad;
    } else if (i > 0) {
      line += ' ';
    }
    line += item;
  }
  return out + line + "\n\n" + Equality(spot.name, 2) + "};\n";
}

// An enum of more cases than a macro takes arguments.
std::string LargeEnumCrossing(const std::string& name, const wit::Type& type) {
  std::string out =
      "template <>\nstruct cordon::WitType<" + name + "> {\n  static constexpr std::size_t kBytesMin = 4;\n";
  out += "  static void Shape(std::string& out) {\n    out +=\n        \"enum{";
  std::size_t at = 14;
  for (std::size_t i = 0; i < type.fields.size(); ++i) {
    const std::string item = type.fields[i].name + (i + 1 == type.fields.size() ? "}" : ",");
    if (at + item.size() + 2 > kColumns) {
      out += "\"\n        \"";
      at = 9;
    }
    out += item;
    at += item.size();
  }
  out += "\";\n  }\n";
  out += "  static void Encode(Encoder& out, " + name + " value) { out.Number(static_cast<std::uint32_t>(value)); }\n";
  out += "  static void Decode(Decoder& in, " + name + "& value) {\n    value = static_cast<" + name + ">(in.Case(" +
         std::to_string(type.fields.size()) + "));\n  }\n};\n";
  return out;
}

}  // namespace

std::string DefinitionText(const TypeTable& table, std::size_t definition) {
  const wit::Definition& one = table.world().definitions[definition];
  const Spot& spot = *table.SpotOf(definition);
  const wit::Type& type = table.At(one.type);
  std::string out = Comment(0, one.docs);
  if (!table.IsFirst(definition)) return out + "using " + spot.name + " = " + table.Target(definition) + ";\n";
  switch (type.kind) {
    case Kind::kRecord: return out + RecordText(table, spot, type);
    case Kind::kVariant: return out + VariantText(table, spot, type);
    case Kind::kEnum: return out + PlainEnumText(spot, type);
    case Kind::kFlags: return out + FlagsText(spot, type);
    default: return out + "using " + spot.name + " = " + table.Target(definition) + ";\n";
  }
}

std::string CrossingText(const TypeTable& table, std::size_t definition) {
  if (!table.IsFirst(definition)) return {};
  const wit::Type& type = table.At(table.world().definitions[definition].type);
  const std::string name = table.Qualified(*table.SpotOf(definition));
  std::string_view macro;
  switch (type.kind) {
    case Kind::kRecord: macro = "CORDON_RECORD"; break;
    case Kind::kVariant: macro = "CORDON_VARIANT"; break;
    case Kind::kEnum: macro = "CORDON_ENUM"; break;
    case Kind::kFlags: macro = "CORDON_FLAGS"; break;
    default: return {};
  }
  if (type.fields.size() > kMacroArgumentsMax) return LargeEnumCrossing(name, type);
  std::vector<std::string> items = {name};
  for (const wit::Field& field : type.fields) items.push_back(SnakeName(field.name));
  return Call(0, macro, items, ";") + "\n";
}

}  // namespace cordon::bindgen
