#include "policy/grants_file.h"

namespace cordon::policy {

std::string_view GrantsSchemaText() {
  return R"schema({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:cordon:schema:grants:1",
  "title": "Cordon grants",
  "description": "What an operator granted: one plugin, or many under 'grants'.",
  "oneOf": [
    { "$ref": "#/$defs/set" },
    { "$ref": "#/$defs/many" },
    { "type": "null" }
  ],
  "$defs": {
    "many": {
      "type": "object",
      "additionalProperties": false,
      "required": ["grants"],
      "properties": {
        "grants": { "type": ["array", "null"], "maxItems": 1024, "items": { "$ref": "#/$defs/set" } }
      }
    },
    "digest": { "type": "string", "pattern": "^sha256:[0-9a-f]{64}$" },
    "set": {
      "type": "object",
      "additionalProperties": false,
      "required": ["plugin", "artifact"],
      "properties": {
        "plugin": {
          "description": "The full name, namespace/name.",
          "type": "string",
          "pattern": "^[a-z0-9][a-z0-9-]{0,63}/[a-z0-9][a-z0-9-]{0,63}$"
        },
        "artifact": { "description": "Digest of the artifact.", "$ref": "#/$defs/digest" },
        "manifest": {
          "description": "Digest of the canonical manifest; absent for a bare .wasm.",
          "$ref": "#/$defs/digest"
        },
        "publisher": { "type": ["string", "null"] },
        "roots": {
          "description": "Named roots and the host folders that they are.",
          "type": ["object", "null"],
          "propertyNames": { "pattern": "^[a-z][a-z0-9-]{0,63}$" },
          "additionalProperties": { "type": "string", "pattern": "^/." }
        },
        "programs": {
          "description": "Programs of `exec` grants and the very files that they are.",
          "type": ["object", "null"],
          "propertyNames": { "pattern": "^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$" },
          "additionalProperties": {
            "type": "object",
            "additionalProperties": false,
            "required": ["path", "inode", "digest"],
            "properties": {
              "path": { "type": "string", "pattern": "^/." },
              "inode": { "description": "DEVICE:INODE.", "type": "string", "pattern": "^[0-9]+:[0-9]+$" },
              "digest": { "$ref": "#/$defs/digest" }
            }
          }
        },
        "granted": {
          "description": "Capabilities, such as fs:read:/data=workspace. Absent, null and [] grant nothing.",
          "type": ["array", "null"],
          "items": { "type": "string", "maxLength": 4096 }
        },
        "deny": {
          "description": "Defaults that are withdrawn.",
          "type": ["array", "null"],
          "items": { "enum": ["clock", "random", "stdio", "log"] }
        },
        "by": { "description": "Who granted.", "type": ["string", "null"] },
        "at": { "description": "When, RFC 3339 in UTC.", "type": ["string", "null"] }
      }
    }
  }
}
)schema";
}

}  // namespace cordon::policy
