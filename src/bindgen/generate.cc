#include <algorithm>
#include <map>
#include <tuple>

#include "bindgen/bindgen.h"
#include "bindgen/cpp_classes.h"
#include "bindgen/cpp_text.h"
#include "bindgen/cpp_types.h"
#include "bindgen/type_table.h"
#include "cordon/version.h"

namespace cordon::bindgen {
namespace {

using Side = wit::Unsupported::Side;

// Imports of WASI are the host's own affair.
bool IsOurs(const wit::Item& item, Side side) { return side == Side::kExport || !item.name.starts_with("wasi:"); }

std::string FullName(const std::string& interface_name, const std::string& function) {
  return interface_name.empty() ? function : interface_name + "#" + function;
}

class Groups {
 public:
  explicit Groups(const TypeTable& table) : table_(table) {
    for (const wit::Unsupported& one : table.world().unsupported) {
      known_[{one.side, one.item, one.function}] = &one;
    }
  }

  // One for each interface in the order of the world, and one for the functions of the world itself.
  std::vector<FunctionGroup> Of(Side side) {
    const wit::Contract& contract = table_.world().contract;
    const auto& items = side == Side::kImport ? contract.imports : contract.exports;
    std::vector<FunctionGroup> groups;
    std::size_t roots = items.size();
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (!IsOurs(items[i], side)) continue;
      const bool is_root = items[i].kind == wit::Item::Kind::kFunction;
      if (!is_root || roots == items.size()) {
        if (is_root) roots = groups.size();
        groups.push_back({is_root ? "" : items[i].name, is_root ? "" : items[i].docs, {}, {}});
      }
      Add(is_root ? groups[roots] : groups.back(), side, i, items[i]);
    }
    return groups;
  }

  std::vector<Error>& faults() { return faults_; }

 private:
  void Add(FunctionGroup& group, Side side, std::size_t index, const wit::Item& item) {
    for (std::size_t f = 0; f < item.functions.size(); ++f) {
      const wit::Function& function = item.functions[f];
      const auto known = known_.find({side, index, f});
      const std::string why = known != known_.end() ? known->second->what : table_.WhyNot(function);
      if (why.empty()) {
        group.functions.push_back(&function);
        continue;
      }
      group.skipped.push_back({group.interface_name, function.name, why});
      Error fault(Code::kInvalid, FullName(group.interface_name, function.name) + " cannot be called from C++: " + why,
                  "leave such functions out with --skip-unsupported, or change the WIT");
      if (known != known_.end()) fault.place = known->second->place;
      faults_.push_back(std::move(fault));
    }
  }

  const TypeTable& table_;
  std::map<std::tuple<Side, std::size_t, std::size_t>, const wit::Unsupported*> known_;
  std::vector<Error> faults_;
};

Error Together(std::vector<Error> faults) {
  if (faults.size() == 1) return std::move(faults.front());
  Error error(Code::kInvalid, std::to_string(faults.size()) + " functions of the world cannot be called from C++",
              faults.front().remedy);
  for (Error& fault : faults) fault.remedy.clear();
  error.causes = std::move(faults);
  return error;
}

// Text that goes into one namespace after another, each opened once for what stands together.
class Spaces {
 public:
  void Add(const std::string& space, const std::string& text) {
    if (space != open_) {
      Close();
      text_ += "\nnamespace " + space + " {\n";
      open_ = space;
    }
    text_ += "\n" + text;
  }
  std::string Take() {
    Close();
    return std::move(text_);
  }

 private:
  void Close() {
    if (!open_.empty()) text_ += "\n}  // namespace " + open_ + "\n";
    open_.clear();
  }
  std::string text_, open_;
};

std::string DefinitionsText(const TypeTable& table, CppHeader& header) {
  Spaces spaces;
  std::string crossings;
  for (std::size_t i = 0; i < table.world().definitions.size(); ++i) {
    if (!table.SpotOf(i)) continue;
    header.types += table.IsFirst(i) ? 1 : 0;
    spaces.Add(table.SpotOf(i)->space, DefinitionText(table, i));
    crossings += CrossingText(table, i);
  }
  std::string out = spaces.Take();
  if (!crossings.empty()) out += "\n" + crossings;
  return out;
}

// What is not in an interface is called after the world, or after the namespace that stands for it.
std::string WorldWord(const wit::World& world, const CppOptions& options) {
  const std::string& chosen = options.world_namespace;
  if (chosen.empty()) return std::string(Split(world.name).interface_name);
  return chosen.substr(chosen.rfind(':') + 1);
}

std::string ClassesText(TypeTable& table, Groups& groups, const std::string& world, CppHeader& header) {
  Spaces spaces;
  const auto wanted = [&](const FunctionGroup& group) {
    return TitleName(group.interface_name.empty() ? world : Split(group.interface_name).interface_name);
  };
  for (const Side side : {Side::kExport, Side::kImport}) {
    for (const FunctionGroup& group : groups.Of(side)) {
      header.skipped.insert(header.skipped.end(), group.skipped.begin(), group.skipped.end());
      if (group.functions.empty()) continue;
      ClassText one =
          side == Side::kExport ? ClientText(table, group, wanted(group)) : ServiceText(table, group, wanted(group));
      spaces.Add(one.space, one.text);
      auto& list = side == Side::kExport ? header.clients : header.services;
      list.push_back({group.interface_name, one.space + "::" + one.name});
    }
  }
  return spaces.Take();
}

std::string IncludesText(std::string_view body) {
  constexpr std::pair<std::string_view, std::string_view> kNeeds[] = {
      {"std::array<", "array"},
      {"std::uint", "cstdint"},
      {"std::int", "cstdint"},
      {"std::expected<", "expected"},
      {"std::map<", "map"},
      {"std::shared_ptr<", "memory"},
      {"std::optional<", "optional"},
      {"std::span<", "span"},
      {"std::string ", "string"},
      {"std::string>", "string"},
      {"std::string,", "string"},
      {"std::string;", "string"},
      {"std::string_view", "string_view"},
      {"std::tuple<", "tuple"},
      {"std::move(", "utility"},
      {"std::to_underlying(", "utility"},
      {"std::variant<", "variant"},
      {"std::monostate", "variant"},
      {"std::vector<", "vector"},
  };
  std::set<std::string_view> standard;
  for (const auto& [text, header] : kNeeds) {
    if (body.find(text) != std::string_view::npos) standard.insert(header);
  }
  std::string out;
  for (const std::string_view header : standard) out += "#include <" + std::string(header) + ">\n";
  if (!out.empty()) out += "\n";
  if (body.find("cordon::Plugin&") != std::string_view::npos) out += "#include \"cordon/plugin.h\"\n";
  if (body.find("cordon::Service ") != std::string_view::npos) out += "#include \"cordon/service.h\"\n";
  return out + "#include \"cordon/value.h\"\n";
}

}  // namespace

Result<CppHeader> GenerateCpp(const wit::World& world, const CppOptions& options) {
  CORDON_ASSIGN(TypeTable table, TypeTable::Make(world, options));
  CppHeader header;
  header.file_name = SnakeName(Split(world.name).interface_name) + ".h";
  Groups groups(table);
  std::string body = DefinitionsText(table, header);
  body += ClassesText(table, groups, WorldWord(world, options), header);
  if (!groups.faults().empty() && options.on_unsupported == OnUnsupported::kFail) {
    return Fail(Together(std::move(groups.faults())));
  }
  if (body.empty()) {
    return Fail(Code::kInvalid, "the world " + world.name + " has nothing for C++: no types, no exports, no imports",
                "imports of WASI are the host's own; name another world with --world");
  }
  // A component has lost the name of its world.
  const bool nameless = world.name.starts_with("root:component/");
  header.text = Comment(0, "C++ for the WIT world " + (nameless ? "of a component" : world.name) +
                               ", written by `cordon bindgen` " CORDON_VERSION
                               ". Do not edit: change the WIT and write it again.");
  if (!world.docs.empty()) header.text += "//\n" + Comment(0, world.docs);
  header.text += "#pragma once\n\n" + IncludesText(body) + body;
  return header;
}

}  // namespace cordon::bindgen
