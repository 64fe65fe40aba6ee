llm_unit_test(schema_compiler jansson)
target_compile_definitions(test_schema_compiler PRIVATE SCHEMAC="$<TARGET_FILE:llm-schemac>")
add_dependencies(test_schema_compiler llm-schemac)

llm_unit_test(schema_oracle room_schema)
target_sources(test_schema_oracle PRIVATE oracle.c random_schema.c)

llm_unit_test(schema_response room_schema)

# The tables of compiler/good, as the compiler makes them.
set(good_tables ${CMAKE_CURRENT_BINARY_DIR}/good)
file(GLOB_RECURSE good_files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/compiler/good/*.json)
add_custom_command(
  OUTPUT ${good_tables}/tables_schema.c ${good_tables}/tables_components.c
  COMMAND llm-schemac tables ${CMAKE_CURRENT_SOURCE_DIR}/compiler/good ${good_tables}
  DEPENDS llm-schemac ${good_files} VERBATIM)
add_library(good_tables STATIC ${good_tables}/tables_schema.c ${good_tables}/tables_components.c)
target_include_directories(good_tables BEFORE PUBLIC ${good_tables} ${CMAKE_SOURCE_DIR}/provider)

foreach(test schema_tables schema_validate schema_plan)
  llm_unit_test(${test} good_tables room_schema)
endforeach()
target_sources(test_schema_plan PRIVATE oracle.c)

add_test(NAME docs.check
  COMMAND llm-schemac docs --check ${CMAKE_SOURCE_DIR}/schemas ${CMAKE_SOURCE_DIR}/examples ${CMAKE_SOURCE_DIR}/docs)
