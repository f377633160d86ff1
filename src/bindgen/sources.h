// The files of a WIT world, as `cordon bindgen` is given them. Reads files, and nothing else.
#pragma once

#include <filesystem>
#include <span>
#include <string_view>

#include "cordon/result.h"
#include "formats/wit_world.h"

namespace cordon::bindgen {

// `path`: a .wit file, a folder of them (with packages that they use in deps/), or a component or WIT package (.wasm).
// `packages`: further packages that it uses, each a .wit file or a folder. `world` may be empty when there is one.
// Errors: E_NOT_FOUND, E_NOT_REGULAR, E_IO, E_LIMIT (4 MiB of text, 64 MiB of binary), and those of wit_world.h.
Result<wit::World> ReadWorld(const std::filesystem::path& path, std::span<const std::filesystem::path> packages,
                             std::string_view world);

}  // namespace cordon::bindgen
