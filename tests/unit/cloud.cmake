llm_unit_test(plain room_cloud)
foreach(test error retry template thumbprint)
  llm_unit_test(cloud_${test} room_cloud m)
endforeach()
target_sources(test_cloud_retry PRIVATE fake_clock.c)

# The adaptive mode against botocore's, which the tests' Python environment has.
add_executable(retry_lines retry_lines.c fake_clock.c)
target_link_libraries(retry_lines PRIVATE room_cloud m)
set(test_python ${CMAKE_SOURCE_DIR}/.cache/venv/bin/python)
if(EXISTS ${test_python})
  add_test(NAME unit.cloud_retry_compare
    COMMAND ${test_python} ${CMAKE_CURRENT_SOURCE_DIR}/retry_compare.py $<TARGET_FILE:retry_lines>)
  set_tests_properties(unit.cloud_retry_compare PROPERTIES TIMEOUT 900)
endif()
