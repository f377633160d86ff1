# cordon_bridge: the Rust static library. Built by tools/build_bridge.py, which keeps the result in
# ${CORDON_BUILD_CACHE:-$XDG_CACHE_HOME/cordon-build}, keyed by everything that it is built from.
# A library that has the bridge and more in it (bench/run.py), used in place of building one.
set(CORDON_BRIDGE_LIBRARY "" CACHE FILEPATH "a library to link in place of the bridge that this build would make")
find_package(Python3 REQUIRED COMPONENTS Interpreter)
file(GLOB_RECURSE CORDON_BRIDGE_SOURCES CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/bridge/*.rs ${PROJECT_SOURCE_DIR}/bridge/*.toml ${PROJECT_SOURCE_DIR}/bridge/*.wit
  ${PROJECT_SOURCE_DIR}/bridge/*.wat ${PROJECT_SOURCE_DIR}/bridge/Cargo.lock)
function(cordon_cargo target package output)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/build_bridge.py --package ${package} --output ${output}
    DEPENDS ${CORDON_BRIDGE_SOURCES} ${PROJECT_SOURCE_DIR}/tools/build_bridge.py
    COMMENT "Building ${package} (Rust)"
    USES_TERMINAL VERBATIM)
  add_custom_target(${target} DEPENDS ${output})
endfunction()
if(CORDON_BRIDGE_LIBRARY)
  set(CORDON_BRIDGE_A ${CORDON_BRIDGE_LIBRARY})
  add_custom_target(cordon_bridge_build)
else()
  set(CORDON_BRIDGE_A ${PROJECT_BINARY_DIR}/libcordon_bridge.a)
  cordon_cargo(cordon_bridge_build cordon-bridge ${CORDON_BRIDGE_A})
endif()
set(kind STATIC)
if(CORDON_SANITIZE MATCHES thread)
  # As a library of its own, so that ThreadSanitizer can be told to look past what Rust does (tools/tsan.supp).
  set(shared ${PROJECT_BINARY_DIR}/lib/libcordon_bridge.so)
  file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
  add_custom_command(OUTPUT ${shared}
    COMMAND ${CMAKE_CXX_COMPILER} -shared -o ${shared} -Wl,-soname,libcordon_bridge.so
      -Wl,--whole-archive ${CORDON_BRIDGE_A} -Wl,--no-whole-archive -lgcc_s -lutil -lrt -lpthread -lm -ldl
    DEPENDS cordon_bridge_build ${CORDON_BRIDGE_A} VERBATIM)
  add_custom_target(cordon_bridge_shared DEPENDS ${shared})
  set(CORDON_BRIDGE_A ${shared})
  set(kind SHARED)
endif()
add_library(cordon_bridge ${kind} IMPORTED GLOBAL)
if(TARGET cordon_bridge_shared)
  add_dependencies(cordon_bridge cordon_bridge_shared)
endif()
set_target_properties(cordon_bridge PROPERTIES
  IMPORTED_LOCATION ${CORDON_BRIDGE_A}
  INTERFACE_INCLUDE_DIRECTORIES ${PROJECT_SOURCE_DIR}/bridge/include
  INTERFACE_LINK_LIBRARIES "gcc_s;util;rt;pthread;m;dl")
add_dependencies(cordon_bridge cordon_bridge_build)

# The same C ABI without a compiler, an HTTP client and parsers: for cordon-worker alone.
set(CORDON_BRIDGE_WORKER_A ${PROJECT_BINARY_DIR}/libcordon_bridge_worker.a)
cordon_cargo(cordon_bridge_worker_build cordon-bridge-worker ${CORDON_BRIDGE_WORKER_A})
add_library(cordon_bridge_worker STATIC IMPORTED GLOBAL)
set_target_properties(cordon_bridge_worker PROPERTIES
  IMPORTED_LOCATION ${CORDON_BRIDGE_WORKER_A}
  INTERFACE_INCLUDE_DIRECTORIES ${PROJECT_SOURCE_DIR}/bridge/include
  INTERFACE_LINK_LIBRARIES "gcc_s;util;rt;pthread;m;dl")
add_dependencies(cordon_bridge_worker cordon_bridge_worker_build)
