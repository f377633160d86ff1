#include "manifest/schemas.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "formats/schema.h"
#include "formats/yaml.h"
#include "manifest/config.h"
#include "manifest/keys.h"
#include "manifest/manifest.h"

namespace cordon::manifest {
namespace {

Json SchemaOf(std::string_view text) {
  Result<Json> json = json::Parse(text, "schema");
  EXPECT_TRUE(json) << (json ? "" : json.error().message);
  return json ? *json : Json();
}

// Follows references within the schema.
const Json& Follow(const Json& root, const Json& schema) {
  if (!schema.contains("$ref")) return schema;
  return root.at(Json::json_pointer(schema.at("$ref").get<std::string>().substr(1)));
}

// The schema of a path such as "actions.*" or "permissions.required[].files".
const Json& At(const Json& root, std::string_view path) {
  const Json* schema = &root;
  while (!path.empty()) {
    const std::size_t dot = path.find('.');
    std::string_view name = path.substr(0, dot);
    path = dot == path.npos ? "" : path.substr(dot + 1);
    const bool items = name.ends_with("[]");
    if (items) name.remove_suffix(2);
    schema = &Follow(root,
                     name == "*" ? schema->at("additionalProperties") : schema->at("properties").at(std::string(name)));
    if (items) schema = &Follow(root, schema->at("items"));
  }
  return *schema;
}

void ExpectSameKeys(const Json& schema, std::span<const Keys> table) {
  for (const Keys& keys : table) {
    const Json& mapping = At(schema, keys.path);
    EXPECT_EQ(mapping.at("additionalProperties"), Json(false)) << keys.path;
    std::set<std::string> listed;
    for (const auto& [name, unused] : mapping.at("properties").items()) listed.insert(name);
    EXPECT_EQ(listed, std::set<std::string>(keys.names.begin(), keys.names.end())) << keys.path;
  }
}

// The number of mappings with a fixed set of keys.
std::size_t CountClosed(const Json& schema) {
  std::size_t count = 0;
  if (schema.is_object() && schema.contains("properties") && schema.contains("additionalProperties") &&
      schema.at("additionalProperties") == Json(false)) {
    ++count;
  }
  for (const auto& [unused, member] : schema.items()) {
    if (member.is_structured()) count += CountClosed(member);
  }
  return count;
}

TEST(Schemas, ListTheKeysThatTheParsersTakeAndNoOthers) {
  const Json manifest = SchemaOf(ManifestSchemaText());
  const Json config = SchemaOf(ConfigSchemaText());
  ExpectSameKeys(manifest, ManifestKeys());
  ExpectSameKeys(config, ConfigKeys());
  // `required` and `optional` share one list of keys.
  EXPECT_EQ(&At(manifest, "permissions.required[]"), &At(manifest, "permissions.optional[]"));
  EXPECT_EQ(CountClosed(manifest), ManifestKeys().size() - 1);
  // Nor are the quotas of one plugin other ones than those of all: the mapping and the two in it.
  EXPECT_EQ(CountClosed(config), ConfigKeys().size() - 3);
}

TEST(Schemas, AcceptTheExampleOfTheFormat) {
  const Result<Schema> schema = Schema::Compile(SchemaOf(ManifestSchemaText()));
  ASSERT_TRUE(schema) << schema.error().message;
  const std::filesystem::path example = std::filesystem::path(CORDON_SOURCE_DIR) / "tests/cases/manifest/ok_full.yaml";
  std::ostringstream text;
  text << std::ifstream(example).rdbuf();
  const Result<yaml::Document> document = yaml::Parse(text.str(), "ok_full.yaml");
  ASSERT_TRUE(document) << document.error().message;
  for (const SchemaViolation& violation : schema->Check(yaml::ToJson(document->root))) {
    ADD_FAILURE() << violation.instance_path << ": " << violation.message;
  }
}

// What is wrong in itself, and what the schema cannot express: names of devices, ranges of versions, grammars of
// capabilities, equal keys, worlds, names of what stands elsewhere.
bool BeyondSchema(const std::string& name, Code code) {
  for (const char* other :
       {"name_device", "requires_garbled", "later_cordon", "name_world", "world_of_core", "config_", "huge", "forever",
        "key_duplicate", "artifact_", "unknown_action", "extism_modules_of", "extism_module_twice",
        "extism_module_outside", "extism_vars_of", "lifecycle_of_", "instance_of_"}) {
    if (name.find(other) != name.npos) return true;
  }
  return code == Code::kSyntax;
}

TEST(Schemas, AgreeWithTheParserOnEveryCase) {
  const Result<Schema> schema = Schema::Compile(SchemaOf(ManifestSchemaText()));
  ASSERT_TRUE(schema) << schema.error().message;
  const std::filesystem::path folder = std::filesystem::path(CORDON_SOURCE_DIR) / "tests/cases/manifest";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ostringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    const Result<yaml::Document> document = yaml::Parse(text.str(), "plugin.yaml", {.scalar = 16 << 10});
    if (!document) continue;
    const Result<Manifest> manifest = ParseManifest(text.str(), "plugin.yaml", {});
    const bool fits = schema->Check(yaml::ToJson(document->root)).empty();
    if (manifest) {
      EXPECT_TRUE(fits) << entry.path();
    } else if (!BeyondSchema(entry.path().filename().string(), manifest.error().code)) {
      EXPECT_FALSE(fits) << entry.path();
    }
  }
}

TEST(Schemas, TheDefaultsOfTheConfigurationAreWrittenDown) {
  const Json limits = At(SchemaOf(ConfigSchemaText()), "plugins.limits").at("properties");
  const Config config;
  EXPECT_EQ(limits.at("memory").at("default"), FormatBytes(config.limits.memory));
  EXPECT_EQ(limits.at("timeout").at("default"), FormatDuration(config.limits.timeout));
  EXPECT_EQ(limits.at("stack").at("default"), FormatBytes(config.limits.stack));
  EXPECT_EQ(limits.at("tables").at("default"), config.limits.tables);
  EXPECT_EQ(limits.at("instances").at("default"), config.limits.instances);
  EXPECT_EQ(limits.at("handles").at("default"), config.limits.handles);
  EXPECT_EQ(limits.at("stdout").at("default"), FormatBytes(config.limits.stdout_bytes));
  EXPECT_EQ(limits.at("input").at("default"), FormatBytes(config.limits.input));
  EXPECT_EQ(limits.at("output").at("default"), FormatBytes(config.limits.output));
  EXPECT_EQ(limits.at("functions").at("default"), config.limits.functions);
}

}  // namespace
}  // namespace cordon::manifest
