# The signer against botocore's, which the tests' Python environment has.
add_executable(sign_lines sign_lines.c)
target_link_libraries(sign_lines PRIVATE room_cloud)
set(test_python ${CMAKE_SOURCE_DIR}/.cache/venv/bin/python)
if(EXISTS ${test_python})
  add_test(NAME unit.aws_sign_compare
    COMMAND ${test_python} ${CMAKE_CURRENT_SOURCE_DIR}/sign_compare.py $<TARGET_FILE:sign_lines>)
  set_tests_properties(unit.aws_sign_compare PROPERTIES TIMEOUT 900)
endif()

foreach(test decode encode errors xml)
  llm_unit_test(aws_${test} room_aws)
endforeach()

# The component tables of a platform, one object after the other, against the simulator.
add_executable(aws_component_lines aws_component_lines.c component_lines.c)
target_link_libraries(aws_component_lines PRIVATE room_engine room_aws tables_components)
if(EXISTS ${test_python})
  add_test(NAME unit.aws_component_live
    COMMAND ${test_python} ${CMAKE_CURRENT_SOURCE_DIR}/aws_component_live.py $<TARGET_FILE:aws_component_lines>)
  set_tests_properties(unit.aws_component_live PROPERTIES TIMEOUT 900)
endif()

# Endpoints against botocore's rules.
add_executable(endpoint_lines endpoint_lines.c)
target_link_libraries(endpoint_lines PRIVATE room_aws)
if(EXISTS ${test_python})
  add_test(NAME unit.aws_endpoint_compare
    COMMAND ${test_python} ${CMAKE_CURRENT_SOURCE_DIR}/endpoint_compare.py $<TARGET_FILE:endpoint_lines>)
  set_tests_properties(unit.aws_endpoint_compare PROPERTIES TIMEOUT 900)
endif()
