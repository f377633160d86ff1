# Runs in CPack, when the files are installed into its staging folder and before they are packed.
set(stage ${CPACK_TEMPORARY_DIRECTORY})

# The tarball: debug information goes into a tarball of its own, as debuggers look for it. CPack does that for Debian.
if(CPACK_GENERATOR STREQUAL "TGZ")
  set(debug ${stage}-debug)
  file(REMOVE_RECURSE ${debug})
  file(GLOB_RECURSE files LIST_DIRECTORIES false ${stage}/*)
  foreach(file IN LISTS files)
    if(IS_SYMLINK ${file} OR NOT file MATCHES "/(bin|lib|libexec)/")
      continue()
    endif()
    file(READ ${file} magic LIMIT 4 HEX)
    if(NOT magic STREQUAL "7f454c46")
      continue()
    endif()
    execute_process(COMMAND ${CPACK_CORDON_READELF} -n ${file} OUTPUT_VARIABLE notes COMMAND_ERROR_IS_FATAL ANY)
    if(NOT notes MATCHES "Build ID: ([0-9a-f][0-9a-f])([0-9a-f]+)")
      message(FATAL_ERROR "${file} has no build id")
    endif()
    set(folder ${debug}/lib/debug/.build-id/${CMAKE_MATCH_1})
    set(apart ${folder}/${CMAKE_MATCH_2}.debug)
    file(MAKE_DIRECTORY ${folder})
    execute_process(COMMAND ${CPACK_CORDON_OBJCOPY} --only-keep-debug --compress-debug-sections ${file} ${apart}
      COMMAND_ERROR_IS_FATAL ANY)
    execute_process(COMMAND ${CPACK_CORDON_STRIP} --strip-unneeded ${file} COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
endif()

# Debian wants a changelog of its own form for each package, and pages that are compressed.
if(CPACK_GENERATOR STREQUAL "DEB")
  string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC)  # of SOURCE_DATE_EPOCH, if that is set
  file(GLOB folders ${stage}/*/usr/share/doc/* ${stage}/usr/share/doc/*)
  foreach(folder IN LISTS folders)
    if(EXISTS ${folder}/copyright)
      file(WRITE ${folder}/changelog "cordon (${CPACK_PACKAGE_VERSION}) unstable; urgency=medium\n
  * What changed is in CHANGELOG.md of libcordon-dev.\n
 -- ${CPACK_PACKAGE_CONTACT}  ${now}\n")
    endif()
  endforeach()
  execute_process(COMMAND find ${stage} -type f ( -path "*/man/man1/*.1" -o -path "*/doc/*/changelog" )
    -exec gzip -9n {} + COMMAND_ERROR_IS_FATAL ANY)
endif()

# Equal dates, so that equal inputs give equal packages.
set(date $ENV{SOURCE_DATE_EPOCH})
if(NOT date STREQUAL "")
  execute_process(COMMAND find ${stage} -exec touch --no-dereference --date=@${date} {} +
    COMMAND_ERROR_IS_FATAL ANY)
endif()
if(CPACK_GENERATOR STREQUAL "TGZ")
  if(date STREQUAL "")
    string(TIMESTAMP date %s)
  endif()
  execute_process(
    COMMAND tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@${date} -C ${debug} -c lib
    COMMAND gzip -9n
    OUTPUT_FILE ${CPACK_PACKAGE_DIRECTORY}/${CPACK_PACKAGE_FILE_NAME}-debug.tar.gz COMMAND_ERROR_IS_FATAL ANY)
endif()
