// JSON Schema, draft 2020-12 (the jsonschema crate). A Schema is immutable and thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "formats/json.h"

namespace cordon {

struct SchemaViolation {
  std::string instance_path;  // JSON pointer into the value, "" for the root
  std::string schema_path;    // JSON pointer into the schema
  std::string message;        // lower-case, no period
};

class Schema {
 public:
  // Compiles a schema. No `$ref` leaves the document; remote ones are E_INVALID. Bounded: E_LIMIT.
  static Result<Schema> Compile(const Json& schema);
  // All violations (at most 20); empty when the value fits.
  std::vector<SchemaViolation> Check(const Json& value) const;
  // The same for text that is already JSON, to save a copy.
  std::vector<SchemaViolation> CheckText(std::string_view json_text) const;

 private:
  struct Handle;
  std::shared_ptr<const Handle> handle_;
};

}  // namespace cordon
