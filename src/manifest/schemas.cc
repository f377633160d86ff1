#include "manifest/schemas.h"

#include <cstddef>

namespace cordon::embedded {
extern const char manifest_schema[];
extern const std::size_t manifest_schema_size;
extern const char config_schema[];
extern const std::size_t config_schema_size;
extern const char policy_schema[];
extern const std::size_t policy_schema_size;
}  // namespace cordon::embedded

namespace cordon::manifest {

std::string_view ManifestSchemaText() { return {embedded::manifest_schema, embedded::manifest_schema_size}; }
std::string_view ConfigSchemaText() { return {embedded::config_schema, embedded::config_schema_size}; }
std::string_view PolicySchemaText() { return {embedded::policy_schema, embedded::policy_schema_size}; }

}  // namespace cordon::manifest
