#include "manifest/refs.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/text.h"
#include "manifest/name.h"

namespace cordon::manifest {
namespace {

constexpr std::size_t kDepthMax = 64;
constexpr std::size_t kShownMax = 80;

// Keywords whose members are names of the author's, each with a schema.
constexpr std::array<std::string_view, 5> kNamed = {"properties", "patternProperties", "$defs", "definitions",
                                                    "dependentSchemas"};
// Keywords that hold values, in which `$ref` is an ordinary word.
constexpr std::array<std::string_view, 5> kValues = {"const", "enum", "default", "examples", "required"};

bool IsIn(std::span<const std::string_view> words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

std::string Quoted(std::string_view text) { return "'" + EscapeShort(text, kShownMax) + "'"; }

// RFC 6901: '~' and '/' are escaped; RFC 3986: a fragment takes few characters as they are.
std::string PointerToken(std::string_view key) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (char c : key) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '_' || c == '.' || c == '$';
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else if (plain) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out;
}

// Where the walk is: the file that it reads, and that file's root in the whole schema.
struct Position {
  std::string file;     // "" for the manifest itself
  std::string root;     // pointer of the file's root
  std::string pointer;  // pointer of the present value
  std::size_t depth = 0;

  Position Below(std::string_view key) const {
    Position below = *this;
    below.pointer += "/" + PointerToken(key);
    ++below.depth;
    return below;
  }
};

class Inliner {
 public:
  Inliner(const RefResolver& resolver, RefBudget& budget) : resolver_(resolver), budget_(budget) {}

  Result<Json> Schema(const Json& value, const Position& at) {
    if (at.depth > kDepthMax) return Fail(Code::kLimit, "a schema is nested deeper than " + std::to_string(kDepthMax));
    if (value.is_array()) return List(value, at);
    if (!value.is_object()) return value;
    const auto ref = value.find("$ref");
    if (ref != value.end() && ref->is_string()) {
      const std::string& target = ref->get_ref<const std::string&>();
      if (!target.starts_with("#")) return File(value, target, at);
    }
    Json out = Json::object();
    for (const auto& [key, member] : value.items()) {
      CORDON_ASSIGN(out[key], Member(key, member, at));
    }
    return out;
  }

 private:
  Result<Json> List(const Json& value, const Position& at) {
    Json out = Json::array();
    for (std::size_t i = 0; i < value.size(); ++i) {
      CORDON_ASSIGN(Json item, Schema(value[i], at.Below(std::to_string(i))));
      out.push_back(std::move(item));
    }
    return out;
  }

  Result<Json> Member(const std::string& key, const Json& member, const Position& at) {
    if (IsIn(kValues, key)) return member;
    if ((key == "$ref" || key == "$dynamicRef") && member.is_string()) {
      const std::string& target = member.get_ref<const std::string&>();
      if (!target.starts_with("#")) {
        return Fail(Code::kInvalid, "'" + key + "' cannot name " + Quoted(target),
                    "use $ref with a file beneath the folder");
      }
      // An anchor (`#name`) is found wherever it stands; a pointer counts from its file's root.
      const bool pointer = target == "#" || target.starts_with("#/");
      return Json(pointer ? "#" + at.root + target.substr(1) : target);
    }
    if (IsIn(kNamed, key) && member.is_object()) {
      const Position below = at.Below(key);
      Json out = Json::object();
      for (const auto& [name, schema] : member.items()) {
        CORDON_ASSIGN(out[name], Schema(schema, below.Below(name)));
      }
      return out;
    }
    return Schema(member, at.Below(key));
  }

  Result<Json> File(const Json& value, const std::string& target, const Position& at) {
    if (value.size() != 1) {
      return Fail(Code::kInvalid, "the reference to " + Quoted(target) + " has other keys beside it",
                  "move them into the file; a $ref to a file stands alone");
    }
    CORDON_ASSIGN(std::string path, Resolve(target, at.file));
    if (std::ranges::find(open_, path) != open_.end()) {
      return Fail(Code::kInvalid, "the schema " + Quoted(path) + " reaches itself through its references");
    }
    if (open_.size() >= kSchemaNestingMax) {
      return Fail(Code::kLimit, "schemas refer to each other more than " + std::to_string(kSchemaNestingMax) + " deep");
    }
    if (budget_.files == 0) {
      return Fail(Code::kLimit, "more than " + std::to_string(kSchemaFilesMax) + " references to files");
    }
    --budget_.files;
    CORDON_ASSIGN(std::string text, resolver_(path));
    if (text.size() > budget_.bytes) {
      return Fail(Code::kLimit, "the schemas are larger than " + std::to_string(kSchemaBytesMax) + " bytes together");
    }
    budget_.bytes -= text.size();
    CORDON_ASSIGN(Json schema,
                  json::Parse(text, path, {.bytes = kSchemaBytesMax, .depth = kDepthMax, .nodes = 64 << 10}));
    // An identifier would become the base of every reference below it.
    if (schema.is_object() && !at.pointer.empty()) {
      schema.erase("$id");
      schema.erase("$schema");
    }
    open_.push_back(path);
    Result<Json> out = Schema(schema, Position{path, at.pointer, at.pointer, at.depth + 1});
    open_.pop_back();
    return out;
  }

  // A reference is relative to the file that has it, and stays beneath the plugin's folder.
  static Result<std::string> Resolve(const std::string& target, const std::string& file) {
    if (target.find('#') != target.npos) {
      return Fail(Code::kInvalid, "the reference " + Quoted(target) + " names a part of a file",
                  "put that part into a file of its own");
    }
    // These are refused as they stand; joined to a folder they could pass for something else.
    if (target.starts_with('/') || target.find_first_of("\\:") != target.npos) return ParseFolderPath(target);
    const std::filesystem::path joined = std::filesystem::path(file).parent_path() / target;
    return ParseFolderPath(joined.lexically_normal().generic_string());
  }

  const RefResolver& resolver_;
  RefBudget& budget_;
  std::vector<std::string> open_;
};

}  // namespace

Result<Json> InlineRefs(const Json& schema, const RefResolver& resolver, RefBudget& budget) {
  return Inliner(resolver, budget).Schema(schema, Position{});
}

}  // namespace cordon::manifest
