llm_unit_test(schema_compiler jansson)
target_compile_definitions(test_schema_compiler PRIVATE SCHEMAC="$<TARGET_FILE:llm-schemac>")
add_dependencies(test_schema_compiler llm-schemac)
