// `plugin import`: a manifest of another plugin system as ours, with a report of what became of each of its fields.
#include <algorithm>
#include <filesystem>

#include "abi/export_ref.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/describe.h"
#include "cli/grant_records.h"
#include "cli/report.h"
#include "foreign/convert.h"
#include "foreign/draft.h"
#include "formats/wit.h"
#include "manifest/name.h"
#include "policy/grants_file.h"
#include "runtime/source.h"

namespace cordon::cli {
namespace {

namespace fs = std::filesystem;
using foreign::Finding;

constexpr Positional kImportWords[] = {
    {"SOURCE", "the manifest of another system", Positional::Count::kOne, Offer::kFile}};
constexpr Option kImportOptions[] = {
    {"--from", "FORMAT", "extism, fledge, zeroclaw, nexus, autokestra or wassette, where it is not clear",
     Option::Times::kOnce},
    {"--output", "DIR", "where plugin.yaml goes (a folder of the source's name, here)", Option::Times::kOnce,
     Offer::kFile},
    {"--artifact", "FILE", "the .wasm file, where the source does not name it", Option::Times::kOnce, Offer::kFile},
    {"--name", "NAMESPACE/NAME", "the plugin's name", Option::Times::kOnce},
    {"--force", "", "write over what is there"},
};

constexpr std::string_view kMagic("\0asm", 4);

// A source that does not say how it is called says so by its artifact.
void NameAbi(foreign::Imported& imported, std::string_view wasm) {
  OrderedJson& abi = imported.manifest["runtime"]["abi"];
  constexpr std::string_view kVersion("\1\0\0\0", 4);  // of a core module
  if (abi != "component" || !wasm.starts_with(kMagic)) return;
  if (wasm.substr(kMagic.size(), kVersion.size()) != kVersion) return;
  abi = wasm.find("extism:host/env") != std::string_view::npos ? "extism" : "core";
  const std::string to = "runtime.abi: " + abi.get<std::string>();
  imported.findings.push_back({Finding::Fate::kCarried, "(the artifact)", to, ""});
}

// The actions of a source that names none are the exports of its artifact.
void NameActions(foreign::Imported& imported, std::string_view wasm) {
  OrderedJson& actions = imported.manifest["actions"];
  if (!actions.empty()) return;
  const auto contract = wit::Describe({reinterpret_cast<const std::uint8_t*>(wasm.data()), wasm.size()}, {});
  if (!contract) return;
  for (const abi::ExportRef& target : abi::Exports(*contract)) {
    const std::string name(target.function->name);
    const std::string slug = foreign::SlugOf(name);
    if (slug.empty() || name.starts_with('_') || actions.contains(slug)) continue;
    actions[slug] = OrderedJson::object();
    if (target.ToString() != slug) actions[slug]["export"] = target.ToString();
  }
}

// A module of zeroclaw that sends and listens is a channel of the plugin's name, whatever its manifest says.
void NameChannel(foreign::Imported& imported, std::string_view wasm) {
  OrderedJson& manifest = imported.manifest;
  if (imported.origin != "zeroclaw" || manifest["runtime"]["abi"] != "extism") return;
  if (manifest.contains("provides") && manifest["provides"].contains("channels")) return;
  const auto contract = wit::Describe({reinterpret_cast<const std::uint8_t*>(wasm.data()), wasm.size()}, {});
  if (!contract || !abi::ResolveExport(*contract, "channel_send")) return;
  if (!abi::ResolveExport(*contract, "channel_listen")) return;
  const std::string name = manifest["name"].get<std::string>();
  const std::string channel = name.substr(name.find('/') + 1);
  manifest["provides"]["channels"] = OrderedJson::array({channel});
  imported.findings.push_back({Finding::Fate::kCarried, "(the artifact)", "provides.channels: " + channel, ""});
}

struct Written {
  fs::path folder;
  bool has_artifact = false;
  std::optional<Error> not_yet;  // why this build would not take the plugin as it is
  std::string grants;            // the text of grants.yaml
};

Status WriteNew(const Session& session, const fs::path& file, std::string_view text) {
  std::error_code error;
  if (fs::exists(fs::symlink_status(file, error)) && !session.arguments().Has("--force")) {
    return Fail(Code::kUsage, file.string() + " is there already", "choose another --output, or add --force");
  }
  return WriteFileAtomically(file, text, FileMode::kPrivate);
}

bool IsNative(const foreign::Imported& imported) { return imported.manifest["runtime"]["abi"] == "native"; }

Result<std::string> Artifact(const Session& session, const fs::path& source, const foreign::Imported& imported) {
  if (const auto given = session.arguments().One("--artifact")) return ReadFile(*given, runtime::kArtifactBytesMax);
  if (!imported.artifact_bytes.empty()) return imported.artifact_bytes;
  if (imported.artifact.empty()) return std::string();
  // Or the absolute path itself. A source that was written by somebody else names it: only WebAssembly is taken from
  // there, or for a native plugin a program of its own folder, and no name means standard input.
  const fs::path beside = fs::absolute(source).parent_path() / imported.artifact;
  auto bytes = ReadFile(beside, runtime::kArtifactBytesMax);
  if (!bytes && bytes.error().code == Code::kNotFound) return std::string();
  const bool is_native = IsNative(imported) && manifest::ParseFolderPath(imported.artifact.string()).has_value();
  const bool is_program = bytes && (bytes->starts_with("\x7f"
                                                       "ELF") ||
                                    bytes->starts_with("#!"));
  if (is_native && is_program) return bytes;
  if (bytes && !bytes->starts_with(kMagic)) {
    return Fail(Code::kNotWasm, EscapeShort(beside.string(), 200) + ", which the source names, is not WebAssembly",
                IsNative(imported) ? "name the program with --artifact" : "name the .wasm file with --artifact");
  }
  return bytes;
}

// What the source's operator had granted, bound to these bytes.
std::string GrantsText(const foreign::Imported& imported, const runtime::Source& source) {
  policy::GrantSet set;
  set.plugin = source.name;
  set.artifact = source.digest;
  set.manifest = source.manifest_digest;
  set.by = Actor();
  set.at = Now();
  for (const std::string& text : imported.grants) set.granted.push_back(*policy::Grant::Parse(text));
  for (const auto& [name, path] : imported.roots) set.roots[name] = fs::absolute(path).lexically_normal();
  policy::GrantBook book;
  book.Put(std::move(set));
  return book.ToYaml();
}

Result<Written> Write(const Session& session, const fs::path& source, foreign::Imported& imported) {
  Written written;
  written.folder = session.arguments().One("--output").value_or(source.stem().string());
  CORDON_ASSIGN(const std::string bytes, Artifact(session, source, imported));
  written.has_artifact = !bytes.empty();
  OrderedJson& runtime = imported.manifest["runtime"];
  const std::string name = imported.manifest["name"].get<std::string>();
  const std::string file = name.substr(name.find('/') + 1) + (IsNative(imported) ? "" : ".wasm");
  runtime["artifact"] = file;
  if (written.has_artifact) {
    NameAbi(imported, bytes);
    NameActions(imported, bytes);
    NameChannel(imported, bytes);
  }
  if (imported.manifest["actions"].empty()) imported.manifest.erase("actions");
  std::error_code error;
  fs::create_directories(written.folder, error);
  if (error) return Fail(Code::kIo, "cannot make " + written.folder.string() + ": " + error.message());
  CORDON_TRY(WriteNew(session, written.folder / "plugin.yaml", foreign::ToYaml(imported.manifest)));
  if (!written.has_artifact) return written;
  CORDON_TRY(WriteNew(session, written.folder / file, bytes));
  auto made = runtime::ReadSource(written.folder);
  if (!made) {
    written.not_yet = std::move(made).error();
  } else if (!imported.grants.empty()) {
    written.grants = GrantsText(imported, *made);
    CORDON_TRY(WriteNew(session, written.folder / "grants.yaml", written.grants));
  }
  return written;
}

std::string FindingText(const Finding& finding, const Terminal& terminal) {
  const Style style = finding.fate == Finding::Fate::kCarried    ? Style::kGood
                      : finding.fate == Finding::Fate::kNarrowed ? Style::kWarning
                                                                 : Style::kError;
  std::string text = "  " + terminal.Paint(style, Padded(foreign::FateName(finding.fate), 10)) +
                     EscapeShort(finding.from.empty() ? "(nothing)" : finding.from, 200);
  if (!finding.to.empty()) text += " -> " + EscapeShort(finding.to, 300);
  if (!finding.why.empty()) text += "\n" + std::string(12, ' ') + EscapeShort(finding.why, 400);
  return text + "\n";
}

Result<int> Import(Session& session) {
  session.CatchSignals();
  const fs::path source = session.arguments().Get("SOURCE");
  std::optional<foreign::Format> format;
  if (const auto name = session.arguments().One("--from")) {
    format = foreign::FormatNamed(*name);
    if (!format) {
      return Fail(Code::kUsage, "'" + EscapeShort(*name, 80) + "' is no format that can be imported",
                  "write extism, fledge, zeroclaw, nexus, autokestra or wassette");
    }
  }
  CORDON_ASSIGN(const std::string text, ReadFile(source, foreign::kSourceBytesMax));
  CORDON_ASSIGN(foreign::Imported imported, foreign::Convert(text, source.string(), format));
  if (const auto name = session.arguments().One("--name")) {
    CORDON_ASSIGN(imported.manifest["name"], manifest::ParsePluginName(*name));
  }
  CORDON_ASSIGN(const Written written, Write(session, source, imported));
  if (session.json()) {
    OrderedJson findings = OrderedJson::array();
    for (const Finding& one : imported.findings) {
      OrderedJson json = {{"fate", foreign::FateName(one.fate)}, {"from", Escape(one.from)}};
      if (!one.to.empty()) json["to"] = Escape(one.to);
      if (!one.why.empty()) json["why"] = Escape(one.why);
      findings.push_back(std::move(json));
    }
    OrderedJson fields = {{"format", imported.origin},
                          {"folder", Escape(written.folder.string())},
                          {"grants", imported.grants},
                          {"findings", std::move(findings)}};
    if (written.not_yet) fields["not_yet"] = ErrorJson(*written.not_yet);
    session.PrintDocument(fields);
    return 0;
  }
  std::string shown = "from " + std::string(imported.origin) + "\n";
  for (const Finding& one : imported.findings) shown += FindingText(one, session.terminal().ForResults());
  session.Print(shown);
  session.Note("wrote " + Escape((written.folder / "plugin.yaml").string()));
  if (!written.has_artifact) {
    session.Warn("the artifact is not there: put it beside plugin.yaml, or import again with --artifact FILE");
  }
  if (written.not_yet) session.Warn("this build does not take it yet: " + EscapeShort(written.not_yet->message, 300));
  if (!written.grants.empty()) {
    session.Note("what the source allowed is in grants.yaml beside it: cordon run " + Escape(written.folder.string()) +
                 " --grants " + Escape((written.folder / "grants.yaml").string()));
  }
  return 0;
}

}  // namespace

Command PluginImportCommand() {
  return {{.command = "plugin import",
           .summary = "make a plugin.yaml of another system's manifest",
           .positionals = kImportWords,
           .options = kImportOptions},
          Import};
}

}  // namespace cordon::cli
