# cordon_embed(TARGET FILE SYMBOL): compiles a text file, relative to the current source folder, into TARGET as
#   extern const char SYMBOL[]; extern const std::size_t SYMBOL_size;
# in namespace cordon::embedded. GCC 12 has no #embed.
function(cordon_embed target file symbol)
  set(source ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  set(output ${CMAKE_CURRENT_BINARY_DIR}/embedded/${symbol}.cc)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
  file(READ ${source} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" bytes "${hex}")
  # Eight bytes a line, and the rest on one more: adjacent literals are joined by the compiler.
  set(byte "\\\\x[0-9a-f][0-9a-f]")
  string(REPEAT "${byte}" 8 eight)
  string(REGEX REPLACE "(${eight})" "  \"\\1\"\n" lines "${bytes}")
  string(REGEX REPLACE "((${byte})+)$" "  \"\\1\"\n" lines "${lines}")
  file(CONFIGURE OUTPUT ${output} CONTENT "#include <cstddef>
namespace cordon::embedded {
extern const char ${symbol}[];
extern const std::size_t ${symbol}_size;
const char ${symbol}[] =
${lines}  ;
const std::size_t ${symbol}_size = sizeof(${symbol}) - 1;
}
" @ONLY)
  target_sources(${target} PRIVATE ${output})
endfunction()
