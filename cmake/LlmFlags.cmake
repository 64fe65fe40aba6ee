# Compiler and sanitizer flags, for every target of the project.
add_compile_options(
  $<$<COMPILE_LANGUAGE:C>:-Wall> $<$<COMPILE_LANGUAGE:C>:-Wextra> $<$<COMPILE_LANGUAGE:C>:-Werror>
  $<$<COMPILE_LANGUAGE:C>:-Wconversion> $<$<COMPILE_LANGUAGE:C>:-Wshadow>
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes> -fno-omit-frame-pointer -ffunction-sections
  -fdata-sections -fstack-protector-strong)
add_compile_definitions(_GNU_SOURCE)
add_link_options(-Wl,--gc-sections -Wl,-z,relro -Wl,-z,now)
# Relocations in a tenth of the room, which every start of the program reads; glibc 2.36 and later know them.
if(NOT CMAKE_CROSSCOMPILING)
  include(CheckCSourceRuns)
  set(CMAKE_REQUIRED_LINK_OPTIONS -Wl,--fatal-warnings -Wl,-z,pack-relative-relocs)
  check_c_source_runs("int main(void) { return 0; }" LLM_PACKED_RELOCATIONS)
  unset(CMAKE_REQUIRED_LINK_OPTIONS)
endif()
if(LLM_PACKED_RELOCATIONS)
  add_link_options(-Wl,-z,pack-relative-relocs)
endif()
if(LLM_SANITIZE)
  add_compile_options(-fsanitize=${LLM_SANITIZE} -fno-sanitize-recover=all -g -O1)
  add_link_options(-fsanitize=${LLM_SANITIZE})
  set(LLM_STATIC OFF CACHE BOOL "" FORCE)
else()
  add_compile_definitions($<$<CONFIG:Release>:_FORTIFY_SOURCE=2>)
endif()
