#include <unistd.h>

#include <algorithm>

#include "abi/export_ref.h"
#include "abi/value_codec.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/report.h"
#include "formats/schema.h"
#include "formats/wit.h"
#include "formats/yaml.h"
#include "manifest/limits.h"
#include "manifest/manifest.h"
#include "runtime/provided.h"
#include "runtime/source.h"

namespace cordon::cli {
namespace {

namespace fs = std::filesystem;

constexpr Positional kWords[] = {
    {"PATH", "a folder with a plugin.yaml, or that file", Positional::Count::kOne, Offer::kFile}};

// Everything that is wrong with one plugin; each finding has its place in plugin.yaml where it has one.
class Check {
 public:
  explicit Check(const manifest::Config& config) : config_(config) {}

  // Errors that leave nothing to check: there is no such file, or it cannot be read.
  Status Run(const fs::path& path) {
    auto loaded = manifest::LoadManifest(path);
    if (!loaded) {
      Error error = std::move(loaded).error();
      if (!error.place && (error.code == Code::kNotFound || error.code == Code::kIo)) return Fail(std::move(error));
      Add(std::move(error));
      return {};
    }
    manifest_ = std::move(*loaded);
    ReadPlaces();
    CheckSchemas();
    CheckArtifact();
    return {};
  }

  const std::vector<Error>& findings() const { return findings_; }
  const std::string& name() const { return manifest_.name; }
  std::string Summary() const {
    return manifest_.name + " " + manifest_.version + ": " + std::to_string(manifest_.actions.size()) + " actions, " +
           std::to_string(manifest_.permissions.size()) + " permissions";
  }

 private:
  // The parser gives the first error with the others as its causes; here each stands for itself.
  void Add(Error error) {
    std::vector<Error> others = std::move(error.causes);
    error.causes.clear();
    findings_.push_back(std::move(error));
    for (Error& other : others) findings_.push_back(std::move(other));
  }

  void AddAt(std::string_view pointer, Error error) {
    if (!error.place && document_) error.place = document_->PlaceOf(yaml::AtPointer(document_->root, pointer));
    findings_.push_back(std::move(error));
  }

  // The manifest keeps no positions; the document does.
  void ReadPlaces() {
    auto text = ReadFile(manifest_.file, yaml::Limits{}.bytes);
    if (!text) return;
    auto document = yaml::Parse(*text, manifest_.file);
    if (document) document_ = std::move(*document);
  }

  void CheckSchemas() {
    for (const auto& [name, action] : manifest_.actions) {
      const auto compile = [&](const std::optional<Json>& schema, const char* key) {
        if (!schema) return;
        if (auto compiled = Schema::Compile(*schema); !compiled) {
          AddAt("/actions/" + name + "/" + key, std::move(compiled).error());
        }
      };
      compile(action.input, "input");
      compile(action.output, "output");
    }
  }

  void CheckArtifact() {
    const fs::path file = manifest_.ArtifactPath();
    auto bytes = ReadFile(file, runtime::kArtifactBytesMax);
    if (!bytes) return AddAt("/runtime/artifact", std::move(bytes).error());
    const Digest digest = Digest::Of(*bytes);
    if (manifest_.runtime.digest && *manifest_.runtime.digest != digest) {
      AddAt("/runtime/digest", Error(Code::kDigest, file.string() + " is not the artifact that was named",
                                     "build the plugin again, or correct the digest")
                                   .With("expected", manifest_.runtime.digest->ToString())
                                   .With("found", digest.ToString()));
    }
    if (manifest_.runtime.abi == manifest::Abi::kNative) {
      if (bytes->starts_with("\x7f"
                             "ELF") ||
          bytes->starts_with("#!"))
        return;
      return AddAt("/runtime/artifact", Error(Code::kInvalid, "the artifact is no program of this machine",
                                              "name an ELF binary, or a script that begins with #!"));
    }
    const std::span<const std::uint8_t> wasm(reinterpret_cast<const std::uint8_t*>(bytes->data()), bytes->size());
    const fs::path wit = manifest_.folder / "wit";
    std::error_code ignored;
    auto contract = wit::Describe(wasm, {.max_functions = manifest::EffectiveLimits(&manifest_, config_).functions,
                                         .wit_folder = fs::is_directory(wit, ignored) ? wit : fs::path()});
    if (!contract) return AddAt("/runtime/artifact", std::move(contract).error());
    CheckContract(*contract);
  }

  void CheckContract(const wit::Contract& contract) {
    const bool component = contract.kind == wit::Contract::Kind::kComponent;
    if (manifest::IsProgram(manifest_.runtime.abi)) {
      if (!abi::CommandEntry(contract)) AddAt("/runtime/abi", abi::NoCommand("the artifact"));
      return CheckProvided(contract);
    }
    if (component != (manifest_.runtime.abi == manifest::Abi::kComponent)) {
      AddAt("/runtime/abi",
            Error(Code::kInvalid, std::string("the artifact is a ") + (component ? "component" : "core module"),
                  component ? "write abi: component" : "write abi: core"));
    }
    for (const auto& [name, action] : manifest_.actions) {
      const std::string pointer = "/actions/" + name + "/export";
      const auto target = abi::ResolveExport(contract, action.export_name);
      if (!target) {
        Error error = target.error();
        error.message = "action '" + name + "': " + error.message;
        AddAt(pointer, std::move(error));
      } else if (Status crossable = abi::CheckCrossable(contract, *target->function); !crossable) {
        AddAt(pointer, std::move(crossable).error());
      }
    }
    CheckProvided(contract);
  }

  void CheckProvided(const wit::Contract& contract) {
    for (auto& [key, error] : runtime::CheckProvides(manifest_.provides, contract)) {
      AddAt("/provides/" + key, std::move(error));
    }
  }

  const manifest::Config& config_;
  manifest::Manifest manifest_;
  std::optional<yaml::Document> document_;
  std::vector<Error> findings_;
};

Result<int> Validate(Session& session) {
  session.CatchSignals();
  CORDON_ASSIGN(const manifest::Config config, session.LoadConfig());
  const fs::path path = session.arguments().Get("PATH");
  Check check(config);
  CORDON_TRY(check.Run(path));
  const bool valid = check.findings().empty();
  if (session.json()) {
    OrderedJson fields = {{"ok", valid}, {"path", Escape(path.string())}};
    if (!check.name().empty()) fields["plugin"] = Escape(check.name());
    fields["errors"] = OrderedJson::array();
    for (const Error& error : check.findings()) fields["errors"].push_back(ErrorJson(error));
    if (!valid) fields["error"] = fields["errors"].front();
    session.PrintDocument(fields);
  } else if (valid) {
    session.Print(Escape(check.Summary()) + ", valid\n");
  } else {
    std::string text;
    for (const Error& error : check.findings()) text += ErrorText(error, session.terminal());
    const std::size_t count = check.findings().size();
    text += Escape(path.string()) + ": " + std::to_string(count) + (count == 1 ? " error\n" : " errors\n");
    (void)WriteAll(STDERR_FILENO, text);
  }
  return valid ? 0 : ExitCode(Code::kInvalid);
}

}  // namespace

Command PluginValidateCommand() {
  return {{.command = "plugin validate",
           .summary = "check plugin.yaml, its artifact, schemas and exports, and show every error",
           .positionals = kWords,
           .settings = Syntax::Settings::kTaken},
          Validate};
}

}  // namespace cordon::cli
