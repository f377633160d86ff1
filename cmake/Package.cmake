# `make package`: a tarball that works wherever it is unpacked, and packages of Debian. Stripped; what debuggers want is
# apart. With SOURCE_DATE_EPOCH equal inputs give equal bytes.
set(CPACK_GENERATOR TGZ)
find_program(CORDON_DPKG dpkg-shlibdeps)
if(CORDON_DPKG)
  list(APPEND CPACK_GENERATOR DEB)
endif()
string(TOLOWER ${CMAKE_SYSTEM_NAME} system)
set(CPACK_PACKAGE_NAME cordon)
set(CPACK_PACKAGE_VENDOR "The Cordon authors")
set(CPACK_PACKAGE_CONTACT "The Cordon authors <cordon@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "WebAssembly plugins with exactly the authority that was granted")
set(CPACK_PACKAGE_FILE_NAME cordon-${PROJECT_VERSION}-${system}-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGE_CHECKSUM SHA256)
set(CPACK_THREADS 0)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/package/before_packing.cmake)
set(CPACK_CORDON_OBJCOPY ${CMAKE_OBJCOPY})
set(CPACK_CORDON_STRIP ${CMAKE_STRIP})
set(CPACK_CORDON_READELF ${CMAKE_READELF})

# The tarball is one; Debian gets the shared library, what developers need, and the command.
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_DEBUGINFO_PACKAGE ON)
set(soversion ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libcordon${soversion})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
# What dpkg-shlibdeps reads of it, and who is told of a new library.
set(control_dir ${PROJECT_BINARY_DIR}/install/debian)
file(WRITE ${control_dir}/shlibs
  "libcordon ${soversion} libcordon${soversion} (>= ${PROJECT_VERSION})\n")
file(WRITE ${control_dir}/triggers "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${control_dir}/shlibs ${control_dir}/triggers)
# The library starts cordon-compile, which has to be of the same build.
set(CPACK_DEBIAN_LIBRARY_PACKAGE_DEPENDS "cordon (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libcordon-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
  "libcordon${soversion} (= ${PROJECT_VERSION}), libssl-dev, libyaml-dev, libsqlite3-dev, libre2-dev")
set(CPACK_DEBIAN_COMMAND_PACKAGE_NAME cordon)
set(CPACK_DEBIAN_COMMAND_PACKAGE_SECTION utils)
# Without it native plugins are refused.
set(CPACK_DEBIAN_COMMAND_PACKAGE_RECOMMENDS bubblewrap)
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "The shared library, for programs that load plugins.")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "Headers, the static library, and what CMake and pkg-config read.")
set(CPACK_COMPONENT_COMMAND_DESCRIPTION "The command cordon, which inspects, explains and runs plugins.")

# Where Debian looks for the licence of each; the tarball has it once.
file(READ NOTICE notice)
set(copyright ${control_dir}/copyright)
file(WRITE ${copyright} "${notice}
The Apache License 2.0 is in /usr/share/common-licenses/Apache-2.0. The Rust crates that are linked in, with their
licences, are in THIRD-PARTY.txt beside this file.
")
set(CPACK_COMPONENTS_ALL)
foreach(component IN ITEMS library development command)
  string(TOUPPER ${component} upper)
  set(package ${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
  install(FILES ${copyright} bridge/THIRD-PARTY.txt DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package}
    COMPONENT ${component}-debian EXCLUDE_FROM_ALL)
  list(APPEND CPACK_COMPONENTS_ALL ${component} ${component}-debian)
  set(CPACK_COMPONENT_${upper}_GROUP ${component})
  set(CPACK_COMPONENT_${upper}-DEBIAN_GROUP ${component})
endforeach()
include(CPack)
