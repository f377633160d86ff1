#include "abi/export_ref.h"

#include <algorithm>

#include "abi/wasi_table.h"
#include "base/text.h"

namespace cordon::abi {
namespace {

constexpr std::size_t kListedMax = 20;

bool NamesInterface(std::string_view wanted, std::string_view exported) {
  return wanted == exported || (wanted.find('@') == std::string_view::npos && wanted == SplitInterface(exported).name);
}

std::string Listed(const std::vector<ExportRef>& refs) {
  std::string text;
  for (std::size_t i = 0; i < refs.size() && i < kListedMax; ++i) text += (i > 0 ? ", " : "") + refs[i].ToString();
  if (refs.size() > kListedMax) text += " and " + std::to_string(refs.size() - kListedMax) + " more";
  return text;
}

Error NotFound(std::string_view name, const std::vector<ExportRef>& all) {
  std::vector<std::string> spellings;
  for (const ExportRef& ref : all) {
    spellings.push_back(ref.ToString());
    spellings.emplace_back(ref.function->name);
    if (!ref.interface_name.empty()) {
      spellings.push_back(std::string(SplitInterface(ref.interface_name).name) + "#" + ref.function->name);
    }
  }
  const std::vector<std::string_view> views(spellings.begin(), spellings.end());
  const std::string_view nearest = Nearest(name, views);
  std::string remedy = all.empty() ? "the plugin exports no function" : "exported: " + Listed(all);
  if (!nearest.empty()) remedy = "did you mean '" + std::string(nearest) + "'? " + remedy;
  return Error(Code::kNotFound, "there is no exported function '" + std::string(name) + "'", std::move(remedy))
      .With("export", std::string(name))
      .With("candidates", Listed(all));
}

}  // namespace

std::string ExportRef::ToString() const {
  return interface_name.empty() ? function->name : std::string(interface_name) + "#" + function->name;
}

std::vector<ExportRef> Exports(const wit::Contract& contract) {
  std::vector<ExportRef> refs;
  for (const wit::Item& item : contract.exports) {
    if (item.kind == wit::Item::Kind::kOther) continue;
    const std::string_view owner = item.kind == wit::Item::Kind::kInterface ? std::string_view(item.name) : "";
    for (const wit::Function& function : item.functions) refs.push_back({owner, &function});
  }
  return refs;
}

std::optional<ExportRef> CommandEntry(const wit::Contract& contract) {
  const bool is_module = contract.kind == wit::Contract::Kind::kModule;
  // A plugin for Extism may have a _start too; it is called by its exports.
  constexpr std::string_view kExtism = "extism:host/";
  if (std::ranges::any_of(contract.imports, [&](const wit::Item& i) { return i.module.starts_with(kExtism); })) {
    return std::nullopt;
  }
  for (const ExportRef& ref : Exports(contract)) {
    const wit::Function& function = *ref.function;
    if (!function.params.empty()) continue;
    if (is_module ? function.name == "_start" && function.result == wit::kNone
                  : function.name == "run" && SplitInterface(ref.interface_name).name == "wasi:cli/run") {
      return ref;
    }
  }
  return std::nullopt;
}

Error NoCommand(std::string_view what) {
  return Error(Code::kInvalid, std::string(what) + " is no command: it exports neither _start nor wasi:cli/run",
               "see what it exports: cordon inspect PLUGIN");
}

Result<ExportRef> ResolveExport(const wit::Contract& contract, std::string_view name) {
  const std::vector<ExportRef> all = Exports(contract);
  const std::size_t hash = name.find('#');
  const std::string_view owner = hash == std::string_view::npos ? "" : name.substr(0, hash);
  const std::string_view function = hash == std::string_view::npos ? name : name.substr(hash + 1);
  std::vector<ExportRef> found;
  for (const ExportRef& ref : all) {
    // What is spelled out in full, or stands at the root under just this name, is never ambiguous.
    if (ref.ToString() == name) return ref;
    if (ref.function->name != function) continue;
    if (hash == std::string_view::npos || NamesInterface(owner, ref.interface_name)) found.push_back(ref);
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) return std::unexpected<Error>(NotFound(name, all));
  return Fail(Error(Code::kNotFound,
                    "'" + std::string(name) + "' means " + std::to_string(found.size()) + " exported functions",
                    "name one of them in full: " + Listed(found))
                  .With("export", std::string(name))
                  .With("candidates", Listed(found)));
}

}  // namespace cordon::abi
