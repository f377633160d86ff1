# The library that other programs link, in two forms:
#   cordon::cordon_static   in this build, the rooms; installed, libcordon.a: one archive of one object
#   cordon::cordon_shared   libcordon.so
# and cordon::cordon is one of them (CORDON_SHARED). Both show what include/ declares and hide everything else, the
# engine's symbols too: a program may hold another Rust library, another Wasmtime or OpenSSL beside it.

# A room that is on top of the library, when it is there.
set(roots embed)
if(TARGET cordon_capi)
  list(APPEND roots capi)
endif()
cordon_rooms_below(CORDON_LIBRARY_ROOMS ${roots})

set(objects)
set(archives)
foreach(room IN LISTS CORDON_LIBRARY_ROOMS)
  get_target_property(type cordon_${room} TYPE)
  if(NOT type STREQUAL INTERFACE_LIBRARY)
    list(APPEND objects $<TARGET_OBJECTS:cordon_${room}>)
    list(APPEND archives cordon_${room})
  endif()
endforeach()

# In this build.
list(TRANSFORM roots PREPEND "$<LINK_ONLY:cordon_" OUTPUT_VARIABLE linked)
list(TRANSFORM linked APPEND ">")
add_library(cordon_static INTERFACE)
target_link_libraries(cordon_static INTERFACE cordon_api ${linked})
target_compile_definitions(cordon_static INTERFACE CORDON_COMPILER_PATH="$<TARGET_FILE:cordon-compile>")
add_dependencies(cordon_static cordon-compile cordon-worker)
add_library(cordon::cordon_static ALIAS cordon_static)

# What both show.
set(library_dir ${PROJECT_BINARY_DIR}/library)
get_property(many_configurations GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(many_configurations)
  string(APPEND library_dir /$<CONFIG>)
endif()
set(exports ${PROJECT_SOURCE_DIR}/tools/exports.py)
file(GENERATE OUTPUT ${library_dir}/objects.txt CONTENT "$<JOIN:${objects},\n>\n")
add_custom_command(
  OUTPUT ${library_dir}/exports.txt ${library_dir}/exports.map
  COMMAND ${Python3_EXECUTABLE} ${exports} --include ${PROJECT_SOURCE_DIR}/include
    --objects ${library_dir}/objects.txt --symbols ${library_dir}/exports.txt
    --version-script ${library_dir}/exports.map --node CORDON_${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
  DEPENDS ${exports} ${CORDON_API_HEADERS} ${archives}
  COMMENT "Listing what libcordon exports" VERBATIM)
add_custom_target(cordon_exports DEPENDS ${library_dir}/exports.txt)

add_library(cordon_shared SHARED EXCLUDE_FROM_ALL ${objects})
add_library(cordon::cordon_shared ALIAS cordon_shared)
add_dependencies(cordon_shared cordon_exports)
target_link_libraries(cordon_shared PUBLIC cordon_api
  PRIVATE cordon_bridge OpenSSL::Crypto PkgConfig::YAML PkgConfig::SQLITE PkgConfig::RE2)
# nodelete: the engine has signal handlers and thread-local destructors, which must not be unmapped.
target_link_options(cordon_shared PRIVATE -Wl,--version-script=${library_dir}/exports.map
  -Wl,--gc-sections -Wl,--no-undefined -Wl,--as-needed -Wl,-z,relro -Wl,-z,now -Wl,-z,nodelete)
target_compile_definitions(cordon_shared INTERFACE CORDON_COMPILER_PATH="$<TARGET_FILE:cordon-compile>")
add_dependencies(cordon_shared cordon-compile cordon-worker)
set_target_properties(cordon_shared PROPERTIES
  OUTPUT_NAME cordon LINKER_LANGUAGE CXX LINK_DEPENDS ${library_dir}/exports.map
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
  LIBRARY_OUTPUT_DIRECTORY ${library_dir})

# libcordon.a, as it is installed.
set(merge ${PROJECT_SOURCE_DIR}/tools/merge_library.py)
find_program(CORDON_LD NAMES ld.bfd ld DOC "GNU ld: the one that collects garbage in what it links for later")
set(CORDON_MERGED_A ${library_dir}/libcordon.a)
add_custom_command(
  OUTPUT ${CORDON_MERGED_A}
  COMMAND ${Python3_EXECUTABLE} ${merge} --objects ${library_dir}/objects.txt --symbols ${library_dir}/exports.txt
    --archive $<TARGET_FILE:cordon_bridge> --script ${PROJECT_SOURCE_DIR}/cmake/merge.ld --output ${CORDON_MERGED_A}
    --ld ${CORDON_LD} --objcopy ${CMAKE_OBJCOPY} --ar ${CMAKE_AR}
  DEPENDS ${merge} ${PROJECT_SOURCE_DIR}/cmake/merge.ld ${library_dir}/exports.txt ${archives} ${CORDON_BRIDGE_A}
  COMMENT "Merging libcordon.a" VERBATIM)
add_custom_target(cordon_merged DEPENDS ${CORDON_MERGED_A})

if(CORDON_SHARED)
  add_library(cordon::cordon ALIAS cordon_shared)
else()
  add_library(cordon::cordon ALIAS cordon_static)
endif()
