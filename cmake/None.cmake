# CORDON_ENGINE=none: the public headers with a library that runs no plugin, for programs that can be built without
# plugins. It needs a C++ compiler and nothing else: no Rust, no OpenSSL, no libyaml.
# With the headers of nlohmann_json it has the C API too.
set(sources ${PROJECT_SOURCE_DIR}/src)
set(capi)
find_path(CORDON_JSON_INCLUDE nlohmann/json.hpp)
if(CORDON_JSON_INCLUDE)
  file(GLOB capi CONFIGURE_DEPENDS ${sources}/capi/*.cc)
  list(FILTER capi EXCLUDE REGEX "_test\\.cc$")
endif()
foreach(form IN ITEMS STATIC SHARED)
  string(TOLOWER ${form} name)
  set(target cordon_${name})
  add_library(${target} ${form} EXCLUDE_FROM_ALL ${sources}/embed/none.cc ${sources}/embed/audit_memory.cc
    ${sources}/base/error.cc ${sources}/base/text.cc ${capi})
  add_library(cordon::${target} ALIAS ${target})
  target_link_libraries(${target} PUBLIC cordon_api)
  target_include_directories(${target} PRIVATE ${sources})
  target_compile_options(${target} PRIVATE ${CORDON_WARNINGS})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME cordon
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/library ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/library)
endforeach()
if(CORDON_SHARED)
  add_library(cordon::cordon ALIAS cordon_shared)
else()
  add_library(cordon::cordon ALIAS cordon_static)
endif()
