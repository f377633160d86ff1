#include "bindgen/type_table.h"

#include <algorithm>

namespace cordon::bindgen {
namespace {

using wit::Kind;

constexpr std::size_t kShapeBytesMax = 16 << 10;  // what the host compares, and no more
constexpr std::uint32_t kArrayMax = 1 << 16;      // elements of a std::array, which stands on the stack
constexpr std::size_t kFieldsMax = 64;            // arguments of CORDON_RECORD and its like

std::vector<std::string_view> Segments(std::string_view name) {
  std::vector<std::string_view> parts;
  while (!name.empty()) {
    const std::size_t end = name.find("::");
    parts.push_back(name.substr(0, end));
    name.remove_prefix(end == std::string_view::npos ? name.size() : end + 2);
  }
  return parts;
}

std::string Joined(std::string_view outer, std::span<const std::string> inner) {
  std::string out(outer);
  for (const std::string& segment : inner) (out += out.empty() ? "" : "::") += segment;
  return out;
}

std::string VersionSuffix(std::string_view version) {
  std::string out = "_v";
  for (const char c : version) {
    if (out.back() != '_' || (c != '.' && c != '-' && c != '+')) out += c == '.' || c == '-' || c == '+' ? '_' : c;
  }
  return out;
}

const char* PrimitiveName(Kind kind) {
  switch (kind) {
    case Kind::kBool: return "bool";
    case Kind::kS8: return "std::int8_t";
    case Kind::kU8: return "std::uint8_t";
    case Kind::kS16: return "std::int16_t";
    case Kind::kU16: return "std::uint16_t";
    case Kind::kS32: return "std::int32_t";
    case Kind::kU32: return "std::uint32_t";
    case Kind::kS64: return "std::int64_t";
    case Kind::kU64: return "std::uint64_t";
    case Kind::kF32: return "float";
    case Kind::kF64: return "double";
    case Kind::kChar: return "char32_t";
    case Kind::kString: return "std::string";
    default: return nullptr;
  }
}

}  // namespace

Result<TypeTable> TypeTable::Make(const wit::World& world, const CppOptions& options) {
  TypeTable table(world, options);
  CORDON_TRY(table.CheckNamespaces());
  table.FindVersions();
  table.FindObstacles();
  table.NameDefinitions();
  return table;
}

Status TypeTable::CheckNamespaces() const {
  for (const std::string& name : {options_->outer_namespace, options_->world_namespace}) {
    const auto segments = Segments(name);
    const bool fits = std::all_of(segments.begin(), segments.end(), IsIdentifier) && !name.ends_with("::");
    if (!fits) {
      return Fail(Code::kName, "'" + name + "' is no namespace that the generated code can be in",
                  "give names of letters, digits and _ with :: between them, other than std and cordon");
    }
  }
  return {};
}

void TypeTable::FindVersions() {
  std::map<std::string, std::set<std::string, std::less<>>> versions;
  const auto see = [&](std::string_view name) {
    const InterfaceName parts = Split(name);
    if (parts.package.empty()) return;
    versions[std::string(parts.space) + ':' + std::string(parts.package)].emplace(parts.version);
  };
  for (const wit::Definition& one : world_->definitions) see(one.interface_name);
  for (const wit::Item& item : world_->contract.imports) see(item.name);
  for (const wit::Item& item : world_->contract.exports) see(item.name);
  for (const auto& [package, seen] : versions) {
    if (seen.size() > 1) many_versions_.insert(package);
  }
}

std::string TypeTable::SpaceOf(std::string_view interface_name) const {
  const bool inside_world = interface_name.find(':') == std::string_view::npos;
  if (inside_world && !options_->world_namespace.empty()) {
    std::string space = options_->world_namespace;
    if (!interface_name.empty()) space += "::" + SnakeName(interface_name);
    return Joined(options_->outer_namespace, std::span(&space, 1));
  }
  const InterfaceName parts = Split(inside_world ? std::string_view(world_->name) : interface_name);
  std::vector<std::string> segments;
  if (!parts.space.empty()) {
    const bool ours = parts.space == "cordon" && options_->outer_namespace.empty();
    segments.push_back(ours ? "cordon" : SnakeName(parts.space));
    std::string package = SnakeName(parts.package);
    if (ours && package == "detail") package += '_';
    if (many_versions_.contains(std::string(parts.space) + ':' + std::string(parts.package))) {
      package += VersionSuffix(parts.version);
    }
    segments.push_back(std::move(package));
  }
  segments.push_back(SnakeName(parts.interface_name));
  if (inside_world && !interface_name.empty()) segments.push_back(SnakeName(interface_name));
  return Joined(options_->outer_namespace, segments);
}

void TypeTable::NameDefinitions() {
  std::set<std::pair<std::string, std::string>> seen;
  std::set<std::string, std::less<>> roots, inner;
  spots_.resize(world_->definitions.size());
  for (std::size_t i = 0; i < spots_.size(); ++i) {
    const wit::Definition& one = world_->definitions[i];
    if (!seen.emplace(one.interface_name, one.name).second || !WhyNot(one.type).empty()) continue;
    const std::string space = SpaceOf(one.interface_name);
    const auto segments = Segments(space);
    roots.emplace(segments.front());
    inner.insert(segments.begin() + 1, segments.end());
    Scope& scope = scopes_[space];
    if (!scope.Has("Has")) (void)scope.Take("Has");  // the function that tests flags
    spots_[i] = Spot{space, scope.Take(TitleName(one.name))};
    first_.emplace(one.type, i);
    near_.emplace(std::pair(space, one.type), i);
  }
  needs_root_ = std::any_of(roots.begin(), roots.end(), [&](const std::string& root) { return inner.contains(root); });
}

bool TypeTable::IsFirst(std::size_t definition) const {
  return first_.at(world_->definitions[definition].type) == definition;
}

std::string TypeTable::TakeName(const std::string& space, std::string wanted, std::string_view else_suffix) {
  Scope& scope = scopes_[space];
  if (scope.Has(wanted)) wanted += else_suffix;
  return scope.Take(std::move(wanted));
}

// A type comes after its parts, so one pass in order sees each part before the whole.
void TypeTable::FindObstacles() {
  const auto& types = world_->contract.types;
  why_not_.resize(types.size());
  shape_bytes_.resize(types.size());
  for (wit::TypeRef i = 0; i < types.size(); ++i) {
    const wit::Type& type = types[i];
    std::size_t bytes = 24;  // "option<", a number of elements and so on
    for (const wit::Field& field : type.fields) {
      bytes += field.name.size() + 2 + (field.type == wit::kNone ? 0 : ShapeBytes(field.type));
    }
    bytes += ShapeBytes(type.element) + ShapeBytes(type.error);
    shape_bytes_[i] = std::min(bytes, 2 * kShapeBytesMax);
    why_not_[i] = ObstacleOf(type);
    if (why_not_[i].empty() && bytes > kShapeBytesMax) why_not_[i] = "a type is larger than 16 KiB when written out";
  }
}

std::string TypeTable::ObstacleOf(const wit::Type& type) {
  if (type.kind == Kind::kResource) return "the resource '" + type.name + "' does not cross";
  if (type.kind == Kind::kUnsupported) return "streams, futures and error contexts do not cross";
  if (type.kind == Kind::kFlags && type.fields.size() > 32) return "flags of more than 32 are in no component";
  if (type.kind == Kind::kTuple && type.fields.empty()) return "an empty tuple is in no component";
  if (type.size > kArrayMax) return "a list of " + std::to_string(type.size) + " elements has no room on a stack";
  if ((type.kind == Kind::kRecord || type.kind == Kind::kVariant) && type.fields.size() > kFieldsMax) {
    return "'" + type.name + "' has more than " + std::to_string(kFieldsMax) + " fields or cases";
  }
  const auto of = [&](wit::TypeRef part) { return part == wit::kNone ? std::string() : why_not_[part]; };
  for (const wit::Field& field : type.fields) {
    if (std::string why = of(field.type); !why.empty()) return why;
  }
  std::string why = of(type.element);
  return why.empty() ? of(type.error) : why;
}

std::string TypeTable::WhyNot(const wit::Function& function) const {
  std::size_t bytes = 0;
  std::vector<wit::TypeRef> parts;
  parts.reserve(function.params.size() + 1);
  for (const wit::Field& param : function.params) parts.push_back(param.type);
  if (function.result != wit::kNone) parts.push_back(function.result);
  for (const wit::TypeRef part : parts) {
    if (!why_not_[part].empty()) return why_not_[part];
    bytes += shape_bytes_[part];
  }
  return bytes > kShapeBytesMax ? "its types are larger than 16 KiB when written out" : "";
}

const std::string* TypeTable::NameFrom(wit::TypeRef type, const Site& site, std::string& room) const {
  const auto hidden = [&](const std::string& name) { return site.hidden != nullptr && site.hidden->contains(name); };
  const auto near = near_.find(std::pair(std::string(site.space), type));
  if (near != near_.end() && !hidden(spots_[near->second]->name)) return &spots_[near->second]->name;
  const auto first = first_.find(type);
  if (first == first_.end()) return nullptr;
  room = Qualified(*spots_[near != near_.end() ? near->second : first->second]);
  return &room;
}

std::string TypeTable::Value(wit::TypeRef ref, const Site& site) const {
  std::string room;
  if (const std::string* name = NameFrom(ref, site, room)) return *name;
  return Structure(At(ref), site);
}

std::string TypeTable::Target(std::size_t definition) const {
  const wit::TypeRef type = world_->definitions[definition].type;
  const Site site{spots_[definition]->space};
  if (IsFirst(definition)) return Structure(At(type), site);
  const Spot& first = *spots_[first_.at(type)];
  return first.space == site.space ? first.name : Qualified(first);
}

std::string TypeTable::Structure(const wit::Type& type, const Site& site) const {
  if (const char* name = PrimitiveName(type.kind)) return name;
  const auto part = [&](wit::TypeRef ref, const char* none) { return ref == wit::kNone ? none : Value(ref, site); };
  switch (type.kind) {
    case Kind::kList:
      if (type.size > 0) return "std::array<" + Value(type.element, site) + ", " + std::to_string(type.size) + ">";
      return "std::vector<" + Value(type.element, site) + ">";
    case Kind::kOption: return "std::optional<" + Value(type.element, site) + ">";
    case Kind::kResult:
      return "std::expected<" + part(type.element, "void") + ", " + part(type.error, "std::monostate") + ">";
    case Kind::kMap: return "std::map<" + Value(type.element, site) + ", " + Value(type.error, site) + ">";
    case Kind::kTuple: {
      std::string out = "std::tuple<";
      for (const wit::Field& field : type.fields) {
        if (!out.ends_with('<')) out += ", ";
        out += Value(field.type, site);
      }
      return out + ">";
    }
    default: return "void";  // a nominal type always has a definition
  }
}

std::string TypeTable::Argument(wit::TypeRef ref, const Site& site) const {
  const wit::Type& type = At(ref);
  if (type.kind == Kind::kString) return "std::string_view";
  if (type.kind == Kind::kList && type.size == 0 && At(type.element).kind != Kind::kBool) {
    return "std::span<const " + Value(type.element, site) + ">";
  }
  return Value(ref, site);
}

std::string TypeTable::Parameter(wit::TypeRef ref, const Site& site) const {
  const wit::Type& type = At(ref);
  std::string argument = Argument(ref, site);
  const bool by_value = PrimitiveName(type.kind) != nullptr || type.kind == Kind::kEnum || type.kind == Kind::kFlags ||
                        (type.kind == Kind::kList && argument.starts_with("std::span<"));
  return by_value ? argument : "const " + argument + "&";
}

}  // namespace cordon::bindgen
