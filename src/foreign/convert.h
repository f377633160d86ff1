// Manifests of other plugin systems, as ours. Pure: text in, a draft and a report out; no file is opened. The sources
// are those of docs/guide/import.md. What is imported is never wider than its source: an empty or absent allowlist
// grants nothing, whatever the source meant by it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cordon/result.h"
#include "foreign/report.h"

namespace cordon::foreign {

enum class Format { kExtism, kFledge, kZeroclaw, kNexus, kAutokestra, kWassette };
std::string_view FormatName(Format format);
std::optional<Format> FormatNamed(std::string_view name);

inline constexpr std::size_t kSourceBytesMax = 8 << 20;

// `file` names the source in errors; its ending says whether it is JSON, TOML or YAML. Without a format the content
// says. E_SYNTAX with the place; E_TYPE, E_RANGE, E_LIMIT naming the field; E_INVALID for what is none of these.
Result<Imported> Convert(std::string_view text, const std::string& file, std::optional<Format> format = std::nullopt);

// TOML 1.0 as JSON; dates are texts. E_SYNTAX with its place, E_LIMIT.

// A manifest as YAML, keys in their order.
std::string ToYaml(const OrderedJson& manifest);

// Each fills a draft from the root of its source.
class Draft;
class Walk;
Result<Imported> FromExtism(Walk root);
Result<Imported> FromFledge(Walk root);
Result<Imported> FromZeroclaw(Walk root);
Result<Imported> FromNexus(Walk root);
Result<Imported> FromAutokestra(Walk root);
Result<Imported> FromWassette(Walk root);

}  // namespace cordon::foreign
