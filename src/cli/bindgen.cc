#include "bindgen/bindgen.h"

#include <system_error>

#include "base/file.h"
#include "base/text.h"
#include "bindgen/names.h"
#include "bindgen/sources.h"
#include "cli/command.h"

namespace cordon::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHeaderBytesMax = 64 << 20;

constexpr Positional kWords[] = {
    {"PATH", "a .wit file, a folder of them, or a component (.wasm)", Positional::Count::kOne, Offer::kFile}};

constexpr Option kOptions[] = {
    {"--host", "LANGUAGE", "the language of the host program: cpp", Option::Times::kOnce, Offer::kWords, "cpp"},
    {"--world", "NAME", "the world, where there are several"},
    {"--package", "PATH", "a WIT package that the world uses, besides deps/", Option::Times::kMany, Offer::kFile},
    {"--output", "FILE", "the header, or a folder for it; else it is printed", Option::Times::kOnce, Offer::kFile},
    {"--namespace", "NAME", "a namespace around everything"},
    {"--skip-unsupported", "", "leave out what values cannot call: resources, streams"},
};

OrderedJson ClassesJson(const std::vector<bindgen::WrittenClass>& classes) {
  OrderedJson list = OrderedJson::array();
  for (const bindgen::WrittenClass& one : classes) {
    list.push_back({{"interface", Escape(one.interface_name)}, {"class", one.name}});
  }
  return list;
}

OrderedJson Document(const wit::World& world, const bindgen::CppHeader& header) {
  OrderedJson json = {
      {"host", "cpp"}, {"world", Escape(world.name)}, {"bytes", header.text.size()}, {"types", header.types}};
  json["clients"] = ClassesJson(header.clients);
  json["services"] = ClassesJson(header.services);
  json["skipped"] = OrderedJson::array();
  for (const bindgen::SkippedFunction& one : header.skipped) {
    json["skipped"].push_back(
        {{"interface", Escape(one.interface_name)}, {"function", Escape(one.name)}, {"why", Escape(one.why)}});
  }
  return json;
}

enum class Write : std::uint8_t { kChanged, kSame };

// A header that says the same stays as it is, so that nothing is built again for it.
Result<Write> WriteHeader(const fs::path& file, const std::string& text) {
  const auto old = ReadFile(file, kHeaderBytesMax);
  if (old && *old == text) return Write::kSame;
  CORDON_TRY(WriteFileAtomically(file, text, FileMode::kShared));
  return Write::kChanged;
}

Result<bindgen::CppHeader> Generate(const Arguments& arguments, const wit::World& world, const fs::path& path) {
  bindgen::CppOptions options;
  options.outer_namespace = arguments.One("--namespace").value_or("");
  if (arguments.Has("--skip-unsupported")) options.on_unsupported = bindgen::OnUnsupported::kSkip;
  // A component has lost the name of its world: its file has one.
  const bool nameless = world.name.starts_with("root:component/");
  if (nameless) options.world_namespace = bindgen::SnakeName(path.stem().string());
  CORDON_ASSIGN(bindgen::CppHeader header, bindgen::GenerateCpp(world, options));
  if (nameless) header.file_name = options.world_namespace + ".h";
  return header;
}

Result<int> Bindgen(Session& session) {
  const Arguments& arguments = session.arguments();
  if (arguments.One("--host").value_or("") != "cpp") {
    return Fail(Code::kUsage, "the language of the host program is missing, or is none that is known",
                "say: cordon bindgen --host cpp " + arguments.Get("PATH"));
  }
  const fs::path path = arguments.Get("PATH");
  std::vector<fs::path> packages;
  for (const std::string& one : arguments.All("--package")) packages.emplace_back(one);
  CORDON_ASSIGN(const wit::World world, bindgen::ReadWorld(path, packages, arguments.One("--world").value_or("")));
  CORDON_ASSIGN(const bindgen::CppHeader header, Generate(arguments, world, path));
  for (const bindgen::SkippedFunction& one : header.skipped) {
    session.Warn("left out " + Escape(one.interface_name) + "#" + Escape(one.name) + ": " + Escape(one.why));
  }
  OrderedJson document = Document(world, header);
  if (const auto output = arguments.One("--output")) {
    std::error_code error;
    const fs::path file = fs::is_directory(*output, error) ? fs::path(*output) / header.file_name : fs::path(*output);
    CORDON_ASSIGN(const Write written, WriteHeader(file, header.text));
    document["file"] = Escape(file.string());
    document["changed"] = written == Write::kChanged;
    session.Note((written == Write::kChanged ? "wrote " : "unchanged: ") + Escape(file.string()));
  } else if (session.json()) {
    document["text"] = header.text;
  } else {
    session.Print(header.text);
  }
  if (session.json()) session.PrintDocument(document);
  return 0;
}

}  // namespace

Command BindgenCommand() {
  return {
      {.command = "bindgen", .summary = "write typed C++ for a WIT world", .positionals = kWords, .options = kOptions},
      Bindgen};
}

}  // namespace cordon::cli
