// plugin.yaml ↔ Manifest. A Manifest is a set of requests: nothing in it is worth anything without a grant.
// Parsing is pure (what a `$ref` points to comes through a function); LoadManifest reads the files of one folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/units.h"
#include "cordon/result.h"
#include "formats/json.h"
#include "manifest/command_shape.h"
#include "manifest/lifecycle.h"
#include "policy/authority.h"
#include "policy/quota.h"

namespace cordon::manifest {

// The version that `requires.cordon` is checked against.
inline constexpr std::string_view kCordonVersion = "0.1.0";

// The file that describes a plugin, in its folder.
inline constexpr std::string_view kManifestFile = "plugin.yaml";

// Bounds of one manifest with all that its `$ref`s bring in.
inline constexpr std::size_t kSchemaBytesMax = 1 << 20;
inline constexpr std::size_t kSchemaFilesMax = 64;
inline constexpr std::size_t kSchemaNestingMax = 8;
inline constexpr std::size_t kActionsMax = 256;
inline constexpr std::size_t kPermissionsMax = 256;
inline constexpr std::size_t kChannelsMax = 64;
inline constexpr std::size_t kModulesMax = 8;
inline constexpr std::size_t kErrorsMax = 20;

// As the format names them, in its order.
enum class Abi : std::uint8_t {
  kComponent,
  kCore,
  kExtism,
  kCommand,  // of either kind: a program
  kFledge,
  kNative,
};
std::string_view AbiName(Abi abi);
// Whether it is run as a program is, and has no exports to call.
constexpr bool IsProgram(Abi abi) { return abi >= Abi::kCommand; }

// Whether it is told and asked by the messages of fledge-v1.
constexpr bool SpeaksFledge(Abi abi) { return abi >= Abi::kFledge; }

// A module that a plugin for Extism imports from, under its name.
struct Library {
  std::string name;
  std::string artifact;  // as Runtime::artifact
  Digest digest;
};

struct Runtime {
  Abi abi = Abi::kComponent;
  std::string artifact;          // relative to the folder, beneath it
  std::optional<Digest> digest;  // of the artifact as it ships
  std::string world;             // empty: read from the artifact
  std::vector<Library> modules;  // of a plugin for Extism, beside the artifact
  InstancePolicy instance = InstancePolicy::kPerCall;
};

struct Action {
  std::string description;
  std::string export_name;    // the action's own name when the file gives none
  CommandShape command;       // of a program
  std::optional<Json> input;  // JSON Schema, every `$ref` to a file inlined; absent: derived from WIT
  std::optional<Json> output;
  std::optional<Duration> timeout;
  bool idempotent = false;
  std::optional<policy::RiskLevel> risk;  // the operator sees the higher of this and the derived one
};

// What the plugin asks for; absent: the operator's.
struct LimitRequests {
  std::optional<Bytes> memory;
  std::optional<Duration> timeout;
  std::optional<Duration> cpu;
  std::optional<std::uint64_t> fuel;
  // Of a plugin for Extism: what the variables of an instance hold, and one answer by HTTP.
  std::optional<Bytes> vars{};
  std::optional<Bytes> http_response{};
  policy::Quota quota{};  // concurrency and io: of all calls of the plugin together
};

// What others reach by name from outside the plugin. Registering gives no authority.
struct Provides {
  enum class Memory : std::uint8_t { kNo, kYes } memory = Memory::kNo;  // it exports cordon:memory/provider
  std::vector<std::string> channels;  // that it is: it exports cordon:messaging/channel
  // Names of its own actions.
  std::vector<std::string> tools;               // for models, and for other plugins
  std::vector<std::string> actions;             // for other plugins
  std::vector<std::string> services;            // that the host calls where it needs one
  std::vector<std::string> hooks;               // that the host calls wherever there is one
  std::map<std::string, std::string> commands;  // dotted path → action
};

// A value type; immutable in use, so safe to share between threads.
struct Manifest {
  std::string name;  // always `namespace/name`
  std::string version;
  std::string description;
  std::string license;
  std::string requires_cordon;  // the range as written; empty: any
  std::vector<std::string> authors;
  Runtime runtime;
  std::map<std::string, Action> actions;
  std::vector<policy::Request> permissions;  // and, at the end, what runtime.instance asks for
  std::vector<policy::Kind> withdrawn;       // defaults that the plugin does without (`clocks: none`)
  LimitRequests limits;
  Provides provides;
  Lifecycle lifecycle;         // of residents
  std::optional<Json> config;  // JSON Schema of the plugin's own settings, every `$ref` to a file inlined
  // kStrict: no stubs for optional permissions; of plugins for fledge and native ones unless it says `link: lenient`.
  policy::LinkMode link = policy::LinkMode::kLenient;

  std::string file;              // as named in errors
  std::filesystem::path folder;  // set by LoadManifest
  Json canonical;                // the document, `$ref`s inlined, without runtime.digest

  std::filesystem::path ArtifactPath() const { return folder / runtime.artifact; }
};

// The text of a file that a `$ref` names; `path` is relative and has been found to stay beneath the folder.
using RefResolver = std::function<Result<std::string>(const std::string& path)>;

// Errors carry file, line and column; the first one found in the file is the error, the others (all together at most
// kErrorsMax) are its causes: E_SYNTAX, E_DUPLICATE_KEY, E_LIMIT, E_UNKNOWN_KEY, E_TYPE, E_RANGE, E_NAME, E_MISSING,
// E_DIGEST, E_INVALID, E_UNENFORCEABLE, and those of the capability grammar. Never throws.
Result<Manifest> ParseManifest(std::string_view text, std::string file, const RefResolver& resolver);

// A folder with a plugin.yaml, or the file itself. No symbolic link is followed below the folder. A digest in
// `ARTIFACT.sha256` beside the artifact is read too, and must agree with the manifest's. The artifact is not opened.
// Errors: as above, E_NOT_FOUND, E_IO. `reads` is called with every file that it looks at; may be empty.
using FileSeen = std::function<void(const std::filesystem::path& path)>;
Result<Manifest> LoadManifest(const std::filesystem::path& folder_or_file, const FileSeen& reads = {});

// RFC 8785 text of the canonical manifest, and its digest, which grants bind to.
std::string CanonicalText(const Manifest& manifest);
Digest CanonicalDigest(const Manifest& manifest);

}  // namespace cordon::manifest
