#include "formats/wit_world.h"

#include <utility>

#include "formats/bridge_text.h"
#include "formats/wit_document.h"

namespace cordon::wit {
namespace {

using formats::BridgeText;
using formats::BytesOf;
using formats::CodeOf;

std::string TextOf(const Json& object, const char* key) { return object.value(key, std::string()); }

std::optional<Place> PlaceOf(const Json& object) {
  auto found = object.find("place");
  if (found == object.end()) return std::nullopt;
  return Place{.file = TextOf(*found, "file"),
               .line = found->value("line", 0u),
               .column = found->value("column", 0u),
               .excerpt = TextOf(*found, "excerpt")};
}

World WorldOf(const Json& object) {
  World world;
  world.name = object.at("name").get<std::string>();
  world.docs = TextOf(object, "docs");
  world.contract = ContractOf(object.at("contract"));
  for (const Json& one : object.at("definitions")) {
    world.definitions.push_back(
        {TextOf(one, "interface"), TextOf(one, "name"), one.at("type").get<TypeRef>(), TextOf(one, "docs")});
  }
  for (const Json& one : object.at("unsupported")) {
    world.unsupported.push_back(
        {one.at("exported").get<bool>() ? Unsupported::Side::kExport : Unsupported::Side::kImport,
         one.at("item").get<std::size_t>(), one.at("function").get<std::size_t>(), TextOf(one, "what"), PlaceOf(one)});
  }
  return world;
}

std::string RemedyFor(Code code) {
  switch (code) {
    case Code::kSyntax: return "correct the WIT there; packages that it uses belong into deps/ beside it";
    case Code::kName: return "name a world of that package with --world";
    case Code::kInvalid: return "give a WIT file, a folder of them, or a component";
    case Code::kNotWasm: return "give a WIT file, a folder of them, or a component (.wasm)";
    case Code::kLimit: return "make the WIT smaller";
    default: return {};
  }
}

// The message is JSON with a place, but for faults at the boundary itself.
Error ErrorOf(cordon_formats_status status, std::string_view text) {
  const Code code = CodeOf(status);
  Error error(code, std::string(text), RemedyFor(code));
  const Json document = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (document.is_object() && document.contains("message")) {
    error.message = TextOf(document, "message");
    error.place = PlaceOf(document);
  }
  return error;
}

Result<World> Finish(cordon_formats_status status, const BridgeText& out, const BridgeText& problem) {
  try {
    if (status != CORDON_FORMATS_OK) return Fail(ErrorOf(status, problem.view()));
    CORDON_ASSIGN(const Json document, json::Parse(out.view(), "world", DocumentLimits()));
    return WorldOf(document);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& mismatch) {
    return Fail(Code::kInternal, std::string("the bridge and wit_world.cc disagree: ") + mismatch.what());
  }
}

}  // namespace

Result<World> WorldOfSources(std::span<const Source> sources, std::string_view world) {
  std::vector<cordon_formats_source> raw;
  for (const Source& source : sources) {
    raw.push_back({source.package, BytesOf(source.file), source.file.size(), BytesOf(source.text), source.text.size()});
  }
  BridgeText out, problem;
  const auto status =
      cordon_formats_world_of_sources(raw.data(), raw.size(), BytesOf(world), world.size(), out.out(), problem.out());
  return Finish(status, out, problem);
}

Result<World> WorldOfBinary(std::span<const std::uint8_t> wasm, std::string_view world) {
  BridgeText out, problem;
  const auto status =
      cordon_formats_world_of_binary(wasm.data(), wasm.size(), BytesOf(world), world.size(), out.out(), problem.out());
  return Finish(status, out, problem);
}

}  // namespace cordon::wit
