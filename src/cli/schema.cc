#include "cli/command.h"
#include "manifest/schemas.h"
#include "policy/grants_file.h"

namespace cordon::cli {
namespace {

constexpr Positional kWords[] = {{"NAME", "manifest (what is shown without a name), config, policy or grants",
                                  Positional::Count::kOptional, Offer::kWords, "manifest config policy grants"}};

Result<int> Schema(Session& session) {
  const std::string name = session.arguments().One("NAME").value_or("manifest");
  std::string_view text;
  if (name == "manifest") text = manifest::ManifestSchemaText();
  if (name == "config") text = manifest::ConfigSchemaText();
  if (name == "policy") text = manifest::PolicySchemaText();
  if (name == "grants") text = policy::GrantsSchemaText();
  if (text.empty()) {
    return Fail(Code::kUsage, "there is no schema of that name", "name one of: manifest, config, policy, grants");
  }
  session.Print(text);
  if (!text.ends_with('\n')) session.Print("\n");
  return 0;
}

}  // namespace

Command SchemaCommand() {
  return {{.command = "schema", .summary = "print the JSON Schema of a file that people write", .positionals = kWords},
          Schema};
}

}  // namespace cordon::cli
