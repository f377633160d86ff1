# CORDON_SANITIZE: a comma-separated list for -fsanitize (address,undefined or thread).
set(CORDON_SANITIZE "" CACHE STRING "sanitizers, e.g. address,undefined")
if(CORDON_SANITIZE)
  add_compile_options(-fsanitize=${CORDON_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${CORDON_SANITIZE})
endif()
