pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)

llm_unit_test(value_golden room_value PkgConfig::JANSSON)
target_sources(test_value_golden PRIVATE value_vectors.c)

# golden/vectors.json is what go-cty's codecs make; with Go at hand that is checked, and go-cty
# reads what ours make.
add_executable(golden_rewrite golden_rewrite.c value_vectors.c random_value.c)
target_link_libraries(golden_rewrite PRIVATE room_value PkgConfig::JANSSON)
find_program(GO go)
if(GO)
  foreach(mode regenerate verify)
    add_test(NAME golden.${mode}
      COMMAND ${CMAKE_COMMAND} -DMODE=${mode} -DGO=${GO} -DREWRITE=$<TARGET_FILE:golden_rewrite>
        -DOUT=${CMAKE_CURRENT_BINARY_DIR} -P ${CMAKE_CURRENT_SOURCE_DIR}/golden/run.cmake)
    set_tests_properties(golden.${mode} PROPERTIES TIMEOUT 600)
  endforeach()
endif()

foreach(test types numbers values convert limits)
  llm_unit_test(value_${test} room_value m)
endforeach()
target_sources(test_value_numbers PRIVATE random_value.c)

llm_unit_test(value_roundtrip room_value PkgConfig::JANSSON)
target_sources(test_value_roundtrip PRIVATE random_value.c)
