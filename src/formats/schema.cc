#include "formats/schema.h"

#include <new>

#include "formats/bridge_text.h"

namespace cordon {

using formats::BridgeText;
using formats::BytesOf;
using formats::CodeOf;

struct Schema::Handle {
  cordon_formats_schema* raw = nullptr;
  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { cordon_formats_schema_free(raw); }
};

Result<Schema> Schema::Compile(const Json& schema) {
  auto handle = std::make_shared<Handle>();
  std::string text = json::Dump(schema);
  BridgeText problem;
  auto status = cordon_formats_schema_compile(BytesOf(text), text.size(), &handle->raw, problem.out());
  if (status != CORDON_FORMATS_OK) {
    handle->raw = nullptr;
    return Fail(CodeOf(status), "not a usable JSON Schema: " + std::string(problem.view()),
                "use JSON Schema draft 2020-12, with every '$ref' inside the document ('#/$defs/…')");
  }
  Schema compiled;
  compiled.handle_ = std::move(handle);
  return compiled;
}

std::vector<SchemaViolation> Schema::Check(const Json& value) const { return CheckText(json::Dump(value)); }

std::vector<SchemaViolation> Schema::CheckText(std::string_view json_text) const {
  if (!handle_) return {{"", "", "there is no schema to check against"}};
  BridgeText out, problem;
  auto status =
      cordon_formats_schema_check(handle_->raw, BytesOf(json_text), json_text.size(), out.out(), problem.out());
  if (status == CORDON_FORMATS_MEMORY) throw std::bad_alloc();
  // A value that cannot be judged does not fit.
  if (status != CORDON_FORMATS_OK) return {{"", "", std::string(problem.view())}};
  if (out.view().empty()) return {};
  auto parsed = json::Parse(out.view(), "violations");
  if (!parsed) return {{"", "", "the value does not fit the schema"}};
  std::vector<SchemaViolation> violations;
  for (const Json& row : *parsed) {
    violations.push_back({row.at(0).get<std::string>(), row.at(1).get<std::string>(), row.at(2).get<std::string>()});
  }
  return violations;
}

}  // namespace cordon
