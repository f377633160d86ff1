#include "bindgen/cpp_classes.h"

#include "base/text.h"
#include "bindgen/cpp_text.h"

namespace cordon::bindgen {
namespace {

// The names of one class: types whose names methods take over are written with their namespace there.
struct Members {
  std::vector<std::string> methods;  // "PriceOf", one for each function
  std::vector<std::string> async;    // "PriceOfAsync"
  std::vector<std::string> fields;   // "price_of_"
  std::set<std::string> hidden;
};

Members NameMembers(const FunctionGroup& group, const std::string& class_name,
                    std::initializer_list<std::string_view> taken) {
  Members members;
  Scope methods, fields;
  (void)methods.Take(class_name);
  for (const std::string_view name : taken) (void)methods.Take(std::string(name));
  for (const wit::Function* function : group.functions) {
    members.methods.push_back(methods.Take(TitleName(function->name)));
    members.async.push_back(methods.Take(members.methods.back() + "Async"));
    std::string field = SnakeName(function->name);
    if (!field.ends_with('_')) field += '_';
    members.fields.push_back(fields.Take(std::move(field)));
  }
  members.hidden.insert(members.methods.begin(), members.methods.end());
  members.hidden.insert(members.async.begin(), members.async.end());
  members.hidden.insert(class_name);
  return members;
}

// The parameters of one function, under names that nothing else has.
std::vector<std::string> NameParameters(const wit::Function& function, const std::vector<std::string>& fields,
                                        std::initializer_list<std::string_view> taken) {
  Scope scope;
  for (const std::string& field : fields) (void)scope.Take(field);
  for (const std::string_view name : taken) (void)scope.Take(std::string(name));
  std::vector<std::string> names;
  for (const wit::Field& param : function.params) names.push_back(scope.Take(SnakeName(param.name)));
  return names;
}

std::vector<std::string> With(std::initializer_list<std::string> first, const std::vector<std::string>& rest) {
  std::vector<std::string> all(first);
  all.insert(all.end(), rest.begin(), rest.end());
  return all;
}

std::string ResultText(const TypeTable& table, const wit::Function& function, const Site& site) {
  return function.result == wit::kNone ? "void" : table.Value(function.result, site);
}

std::string SkippedText(const FunctionGroup& group) {
  std::string out;
  for (const SkippedFunction& one : group.skipped)
    out += Comment(2, "Not here: " + one.name + ", since " + one.why + ".");
  return out;
}

// The five ways to call one function.
std::string MethodsText(const TypeTable& table, const wit::Function& function, const Members& members, std::size_t i,
                        const Site& site) {
  const std::vector<std::string> names = NameParameters(function, members.fields, {"instance", "options", "executor"});
  std::vector<std::string> parameters;
  for (std::size_t p = 0; p < names.size(); ++p) {
    parameters.push_back(table.Parameter(function.params[p].type, site) + " " + names[p]);
  }
  const std::string result = ResultText(table, function, site);
  const std::string head = "cordon::Result<" + result + "> " + members.methods[i];
  const std::string call = "return " + members.fields[i];
  const std::string options = "const cordon::CallOptions& options", instance = "cordon::Instance& instance";
  std::string out = Comment(2, function.docs);
  out += FunctionText(2, head, parameters, " const", call, names);
  out += FunctionText(2, head, With({options}, parameters), " const", call + ".Call", With({"options"}, names));
  out += FunctionText(2, head, With({instance}, parameters), " const", call + ".On", With({"instance"}, names));
  out += FunctionText(2, head, With({instance, options}, parameters), " const", call + ".On",
                      With({"instance", "options"}, names));
  out += FunctionText(2, "cordon::Pending<" + result + "> " + members.async[i],
                      With({"cordon::Executor executor", "cordon::CallOptions options"}, parameters), " const",
                      call + ".Async", With({"std::move(executor)", "std::move(options)"}, names));
  return out;
}

std::string SignatureText(const TypeTable& table, const wit::Function& function, const Site& site) {
  std::string out = ResultText(table, function, site) + "(";
  for (const wit::Field& param : function.params) {
    if (!out.ends_with('(')) out += ", ";
    out += table.Argument(param.type, site);
  }
  return out + ")";
}

std::string ExportName(const FunctionGroup& group, const wit::Function& function) {
  return group.interface_name.empty() ? function.name : group.interface_name + "#" + function.name;
}

}  // namespace

ClassText ClientText(TypeTable& table, const FunctionGroup& group, const std::string& wanted_name) {
  const std::string space = table.SpaceOf(group.interface_name);
  const std::string name = table.TakeName(space, wanted_name, "Client");
  const Members members = NameMembers(group, name, {"Bind", "Find"});
  const Site site{space, &members.hidden};
  std::string out = Comment(0, group.docs);
  if (!group.docs.empty()) out += "//\n";
  const std::string of = group.interface_name.empty() ? "the functions of the world itself" : group.interface_name;
  out += Comment(0, "Calls " + of + " in a plugin. Immutable and thread-safe; copies are cheap.");
  out += "class " + name + " {\n public:\n";
  out += "  // Looks every function up and compares its types, once: E_NOT_FOUND, E_TYPE.\n";
  out += "  static cordon::Result<" + name + "> Bind(const cordon::Plugin& plugin) {\n    " + name + " bound;\n";
  for (std::size_t i = 0; i < members.fields.size(); ++i) {
    const std::string arguments[] = {"plugin", Quoted(ExportName(group, *group.functions[i])),
                                     "bound." + members.fields[i]};
    out += Call(4, "CORDON_TRY(Find", arguments, ");") + "\n";
  }
  out += "    return bound;\n  }\n\n";
  out += "  // In a fresh instance, in one that the caller keeps, or on the Host's threads.\n";
  for (std::size_t i = 0; i < members.fields.size(); ++i) {
    if (i > 0) out += "\n";
    out += MethodsText(table, *group.functions[i], members, i, site);
  }
  out += SkippedText(group);
  out += "\n private:\n  " + name + "() = default;\n";
  out += "  template <typename Signature>\n";
  const std::string parameters[] = {"const cordon::Plugin& plugin", "std::string_view name",
                                    "cordon::TypedFunction<Signature>& out"};
  out += Call(2, "static cordon::Status Find", parameters, " {") + "\n";
  out += "    CORDON_ASSIGN(out, plugin.Function<Signature>(name));\n    return {};\n  }\n\n";
  for (std::size_t i = 0; i < members.fields.size(); ++i) {
    out += TypeLine(2, "cordon::TypedFunction<" + SignatureText(table, *group.functions[i], site) + ">",
                    members.fields[i] + "{nullptr};");
  }
  return {space, name, out + "};\n"};
}

ClassText ServiceText(TypeTable& table, const FunctionGroup& group, const std::string& wanted_name) {
  const std::string space = table.SpaceOf(group.interface_name);
  const std::string name = table.TakeName(space, wanted_name, "Host");
  const std::string make = table.TakeName(space, "Make" + name + "Service", "Of");
  const Members members = NameMembers(group, name, {});
  const Site site{space, &members.hidden};
  std::string out = Comment(0, group.docs);
  if (!group.docs.empty()) out += "//\n";
  const std::string of = group.interface_name.empty() ? "the functions of the world itself" : group.interface_name;
  out += Comment(0, "Answers " + of + ". Functions run at the same time on many threads: what they share must lock " +
                        "itself. An error ends the guest's call; what WIT calls an error is a value of the result.");
  out += "class " + name + " {\n public:\n  virtual ~" + name + "() = default;\n";
  for (std::size_t i = 0; i < members.methods.size(); ++i) {
    const wit::Function& function = *group.functions[i];
    const std::vector<std::string> names = NameParameters(function, {}, {"call"});
    std::vector<std::string> parameters = {"const cordon::ServiceCall& call"};
    for (std::size_t p = 0; p < names.size(); ++p) {
      parameters.push_back(table.Value(function.params[p].type, site) + " " + names[p]);
    }
    out += "\n" + Comment(2, function.docs);
    const std::string head = "virtual cordon::Result<" + ResultText(table, function, site) + "> " + members.methods[i];
    out += Call(2, head, parameters, " = 0;") + "\n";
  }
  out += SkippedText(group) + "};\n\n";
  out += Comment(0,
                 "For Host::Register. A plugin gets the functions when it was granted host:NAME, where NAME is that of "
                 "`needs`.");
  const std::string object = "std::shared_ptr<" + name + "> object";
  const std::string parameters[] = {object, "const cordon::Needs& needs", "cordon::Runs runs = cordon::Runs::kAside"};
  out += Call(0, "inline cordon::Service " + make, parameters, " {") + "\n";
  out += "  cordon::Service service(" + Quoted(group.interface_name) + ");\n";
  for (std::size_t i = 0; i < members.methods.size(); ++i) {
    const std::string arguments[] = {Quoted(group.functions[i]->name), "needs", "object",
                                     "&" + name + "::" + members.methods[i], "runs"};
    out += Call(2, "service.Function", arguments, ";") + "\n";
  }
  return {space, name, out + "  return service;\n}\n"};
}

}  // namespace cordon::bindgen
