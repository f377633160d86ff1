// The published JSON Schemas (draft 2020-12) of the files that people write, embedded in the program.
#pragma once

#include <string_view>

namespace cordon::manifest {

std::string_view ManifestSchemaText();
std::string_view ConfigSchemaText();
std::string_view PolicySchemaText();

}  // namespace cordon::manifest
