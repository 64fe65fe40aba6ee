# Compiler and sanitizer flags, for every target of the project.
add_compile_options(
  $<$<COMPILE_LANGUAGE:C>:-Wall> $<$<COMPILE_LANGUAGE:C>:-Wextra> $<$<COMPILE_LANGUAGE:C>:-Werror>
  $<$<COMPILE_LANGUAGE:C>:-Wconversion> $<$<COMPILE_LANGUAGE:C>:-Wshadow>
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes> -fno-omit-frame-pointer -ffunction-sections
  -fdata-sections -fstack-protector-strong)
add_compile_definitions(_GNU_SOURCE)
add_link_options(-Wl,--gc-sections -Wl,-z,relro -Wl,-z,now)
if(LLM_SANITIZE)
  add_compile_options(-fsanitize=${LLM_SANITIZE} -fno-sanitize-recover=all -g -O1)
  add_link_options(-fsanitize=${LLM_SANITIZE})
  set(LLM_STATIC OFF CACHE BOOL "" FORCE)
else()
  add_compile_definitions($<$<CONFIG:Release>:_FORTIFY_SOURCE=2>)
endif()
