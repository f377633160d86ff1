/* Formats that are parsed in Rust: JSON Schema, semantic versions, WebAssembly binaries.
 *
 * Conventions, the same for every function here:
 *   - A function that can fail returns a cordon_formats_status and writes `*out` only on CORDON_FORMATS_OK and
 *     `*error_out` only otherwise; never both, never in part. Outputs come last. There are no in/out parameters.
 *   - Text and bytes go in as a pointer and a size, are borrowed for the call only, and need no terminator. The
 *     pointer may be null when the size is 0.
 *   - A cordon_formats_string that was written belongs to the caller, who frees it with cordon_formats_string_free.
 *   - Null where it is not allowed is CORDON_FORMATS_NULL_ARGUMENT; when `out` or `error_out` is the null one,
 *     nothing is written. A panic inside is caught and is CORDON_FORMATS_PANIC.
 *   - All functions are thread-safe; a schema may be checked against by many threads at once.
 */
#ifndef CORDON_FORMATS_H
#define CORDON_FORMATS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint32_t cordon_formats_status;
enum {
  CORDON_FORMATS_OK = 0,
  CORDON_FORMATS_NULL_ARGUMENT = 1,
  CORDON_FORMATS_PANIC = 2,         /* a fault inside the library */
  CORDON_FORMATS_TEXT = 3,          /* text that is not UTF-8 */
  CORDON_FORMATS_SYNTAX = 4,        /* not well-formed (JSON, WIT) */
  CORDON_FORMATS_INVALID = 5,       /* well-formed, and not allowed or meaningless */
  CORDON_FORMATS_LIMIT = 6,         /* too big, too deep, too many steps */
  CORDON_FORMATS_NAME = 7,          /* not a version, not a range */
  CORDON_FORMATS_NOT_WASM = 8,      /* not a WebAssembly binary */
  CORDON_FORMATS_PRECOMPILED = 9,   /* native code compiled from WebAssembly */
  CORDON_FORMATS_COMPILE = 10,      /* does not validate */
  CORDON_FORMATS_COMPILE_LIMIT = 11, /* more functions, segments, types or nesting than is allowed */
  CORDON_FORMATS_MEMORY = 12        /* the process has no memory left for it */
};

/* Bytes (UTF-8, no terminator) that the receiver owns. Empty is `{NULL, 0}`. */
typedef struct cordon_formats_string {
  uint8_t *data;
  size_t size;
} cordon_formats_string;

/* Frees what `string` holds and makes it empty, so that a second call does nothing. Null is allowed. */
void cordon_formats_string_free(cordon_formats_string *string);

/* ---- semantic versions (SemVer 2.0.0) ---- */

/* The canonical text of a strict version, without build metadata. CORDON_FORMATS_NAME. */
cordon_formats_status cordon_formats_version_parse(const uint8_t *text, size_t text_size, cordon_formats_string *out,
                                                   cordon_formats_string *error_out);

/* -1, 0 or 1, by precedence. CORDON_FORMATS_NAME. */
cordon_formats_status cordon_formats_version_compare(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                                     int32_t *out, cordon_formats_string *error_out);

/* 1 when the version lies in the range, else 0. The parts of a range are set apart by spaces or commas, and all of
 * them must hold. CORDON_FORMATS_NAME. */
cordon_formats_status cordon_formats_version_matches(const uint8_t *version, size_t version_size, const uint8_t *range,
                                                     size_t range_size, int32_t *out,
                                                     cordon_formats_string *error_out);

/* ---- JSON Schema, draft 2020-12 ---- */

/* A compiled schema: immutable, thread-safe. Freed with cordon_formats_schema_free. */
typedef struct cordon_formats_schema cordon_formats_schema;

/* Compiles a schema given as JSON (at most 1 MiB). `$ref` may only name places of the same document; there is no
 * network and no file access. Regular expressions run in linear time, so they have no look-around and no
 * back-references. CORDON_FORMATS_SYNTAX, _INVALID, _LIMIT. */
cordon_formats_status cordon_formats_schema_compile(const uint8_t *json, size_t json_size, cordon_formats_schema **out,
                                                    cordon_formats_string *error_out);

/* Checks a value given as JSON. `*out` is empty when the value fits, else a JSON array of at most 20 arrays
 * `[instance path, schema path, message]`, the paths JSON pointers. CORDON_FORMATS_SYNTAX, _LIMIT. */
cordon_formats_status cordon_formats_schema_check(const cordon_formats_schema *schema, const uint8_t *json,
                                                  size_t json_size, cordon_formats_string *out,
                                                  cordon_formats_string *error_out);

/* Null is allowed. */
void cordon_formats_schema_free(cordon_formats_schema *schema);

/* ---- WebAssembly binaries ---- */

/* Reads the types of a core module or a component, as JSON:
 *   {"kind": "module" | "component", "function_count": n, "has_start": bool, "types": [TYPE], "imports": [ITEM],
 *    "exports": [ITEM]}
 *   TYPE {"kind", "name"?, "docs"?, "fields"?: [FIELD], "element"?: n, "error"?: n, "size"?: n}
 *   FIELD {"name", "type"?: n, "docs"?}
 *   ITEM {"kind": "interface" | "function" | "other", "name", "module"?, "docs"?, "type_text"?,
 *         "functions"?: [FUNCTION], "resources"?: [string]}
 *   FUNCTION {"name", "docs"?, "params"?: [FIELD], "result"?: n, "is_async"?: true}
 * where n of a type is an index into "types". A borrowed resource has size 1.
 * More than `max_functions` functions in all modules inside is CORDON_FORMATS_COMPILE_LIMIT, found before anything is
 * validated. `wit_folder` (may be empty) is a folder of WIT source, whose doc comments are taken; one that cannot be
 * read is CORDON_FORMATS_SYNTAX. Also _NOT_WASM, _PRECOMPILED, _COMPILE. */
cordon_formats_status cordon_formats_describe(const uint8_t *wasm, size_t wasm_size, uint32_t max_functions,
                                              const uint8_t *wit_folder, size_t wit_folder_size,
                                              cordon_formats_string *out, cordon_formats_string *error_out);

/* ---- WIT worlds ---- */

/* One file of WIT text. Files of one `package` make one package; 0 is the one that has the world, the others are those
 * that it uses. `file` names it in errors. */
typedef struct {
  uint32_t package;
  const uint8_t *file;
  size_t file_size;
  const uint8_t *text;
  size_t text_size;
} cordon_formats_source;

/* A world of WIT text, as JSON:
 *   {"name": "acme:shop/shopper@1.0.0", "docs"?, "contract": as cordon_formats_describe, "definitions": [DEFINITION],
 *    "unsupported": [UNSUPPORTED]}
 *   DEFINITION {"interface", "name", "type": n, "docs"?}: a type with a name, after those that it is made of. The
 *     interface is "" for the world's own types, and has no colon when it is written inside the world. Two definitions
 *     of one type are two names for it.
 *   UNSUPPORTED {"exported": bool, "item": i, "function": i, "what", "place"?: PLACE}: a function of contract.exports
 *     or contract.imports that values cannot call, and why.
 *   PLACE {"file", "line", "column", "excerpt"}
 * Of interfaces of WASI that are imported, only those types are told that others are made of.
 * Here and in the next function `error_out` is JSON too: {"message", "place"?: PLACE}. `world` may be empty when there
 * is only one; CORDON_FORMATS_NAME when it is not there. CORDON_FORMATS_SYNTAX, _LIMIT (4 MiB, 1024 files, types 100
 * deep). */
cordon_formats_status cordon_formats_world_of_sources(const cordon_formats_source *sources, size_t sources_count,
                                                      const uint8_t *world, size_t world_size,
                                                      cordon_formats_string *out, cordon_formats_string *error_out);

/* The world of a component, or one of a WIT package in binary form. CORDON_FORMATS_NAME, _INVALID (a core module), and
 * those of cordon_formats_describe. */
cordon_formats_status cordon_formats_world_of_binary(const uint8_t *wasm, size_t wasm_size, const uint8_t *world,
                                                     size_t world_size, cordon_formats_string *out,
                                                     cordon_formats_string *error_out);

#ifdef __cplusplus
}
#endif

#endif
