# What `cmake --install` and CPack put where. The tree is relocatable: it works wherever it is unpacked.
set(may_install ${PROJECT_IS_TOP_LEVEL})
if(CORDON_SANITIZE OR CORDON_FUZZ OR CORDON_BRIDGE_LIBRARY OR NOT CORDON_BUILD_COMMAND)
  set(may_install OFF)
endif()
option(CORDON_INSTALL "install the libraries, headers and the command" ${may_install})
if(NOT CORDON_INSTALL)
  return()
endif()
include(CMakePackageConfigHelpers)
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME command)
set(package_dir ${PROJECT_SOURCE_DIR}/cmake/package)
set(made_dir ${PROJECT_BINARY_DIR}/install)

# Both libraries, whichever of them this build calls cordon::cordon.
install(TARGETS cordon_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  COMPONENT library NAMELINK_COMPONENT development)
install(FILES ${CORDON_MERGED_A} DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development
  FILES_MATCHING PATTERN "*.h")

# How consumers find them.
set(cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/cordon)
configure_package_config_file(${package_dir}/cordonConfig.cmake.in ${made_dir}/cordonConfig.cmake
  INSTALL_DESTINATION ${cmake_dir} PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBEXECDIR)
write_basic_package_version_file(${made_dir}/cordonConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${made_dir}/cordonConfig.cmake ${made_dir}/cordonConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/CordonBindgen.cmake
  DESTINATION ${cmake_dir} COMPONENT development)
file(RELATIVE_PATH CORDON_PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
string(REGEX REPLACE "/$" "" CORDON_PC_PREFIX "${CORDON_PC_PREFIX}")
foreach(name IN ITEMS cordon cordon-static)
  configure_file(${package_dir}/${name}.pc.in ${made_dir}/${name}.pc @ONLY)
  install(FILES ${made_dir}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
endforeach()

# The command, and the compiler and the workers that it and the library start.
install(TARGETS cordon RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT command)
if(TARGET cordon-compile)
  install(TARGETS cordon-compile cordon-worker RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/cordon COMPONENT command)
endif()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT command
  FILES_MATCHING PATTERN "*.1")
set(completions)
foreach(shell IN ITEMS bash zsh fish)
  set(output ${made_dir}/completion.${shell})
  add_custom_command(OUTPUT ${output} COMMAND cordon completion ${shell} > ${output} VERBATIM)
  list(APPEND completions ${output})
endforeach()
set(schemas)
foreach(name IN ITEMS manifest grants config)
  set(output ${made_dir}/${name}.schema.json)
  add_custom_command(OUTPUT ${output} COMMAND cordon schema ${name} > ${output} VERBATIM)
  list(APPEND schemas ${output})
endforeach()
# All that is installed, and nothing else.
add_custom_target(cordon_installed ALL DEPENDS ${completions} ${schemas})
add_dependencies(cordon_installed cordon cordon_shared cordon_merged)
if(TARGET cordon-compile)
  add_dependencies(cordon_installed cordon-compile cordon-worker)
endif()
set(share ${CMAKE_INSTALL_DATADIR})
install(FILES ${made_dir}/completion.bash DESTINATION ${share}/bash-completion/completions RENAME cordon
  COMPONENT command)
install(FILES ${made_dir}/completion.zsh DESTINATION ${share}/zsh/vendor-completions RENAME _cordon COMPONENT command)
install(FILES ${made_dir}/completion.fish DESTINATION ${share}/fish/vendor_completions.d RENAME cordon.fish
  COMPONENT command)
install(FILES ${schemas} DESTINATION ${share}/cordon/schemas COMPONENT command)

# What plugins implement and import, and what people read.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/wit/ DESTINATION ${share}/cordon/wit COMPONENT development
  FILES_MATCHING PATTERN "*.wit")
install(DIRECTORY docs/guide docs/formats docs/reference
  DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT development FILES_MATCHING PATTERN "*.md")
install(FILES README.md CHANGELOG.md SECURITY.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT development)
install(FILES LICENSE NOTICE bridge/THIRD-PARTY.txt DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT development)
include(Package)
