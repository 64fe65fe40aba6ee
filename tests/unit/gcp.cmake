# Tests of the GCP room.
llm_unit_test(gcp_config room_gcp)
llm_unit_test(gcp_credential_file room_gcp OpenSSL::Crypto)
foreach(test gcp_credentials gcp_federation)
  llm_unit_test(${test} room_gcp OpenSSL::Crypto)
endforeach()
foreach(test gcp_config gcp_credential_file gcp_credentials gcp_federation)
  target_sources(test_${test} PRIVATE fake_clock.c)
endforeach()

# What we ask for tokens against what Google's own library asks, which the tests' Python environment
# has.
add_executable(gcp_token_lines gcp_token_lines.c fake_clock.c)
target_link_libraries(gcp_token_lines PRIVATE room_gcp)
if(EXISTS ${test_python})
  foreach(script compare live)
    add_test(NAME unit.gcp_token_${script}
      COMMAND ${test_python} ${CMAKE_CURRENT_SOURCE_DIR}/gcp_token_${script}.py
        $<TARGET_FILE:gcp_token_lines>)
    set_tests_properties(unit.gcp_token_${script} PROPERTIES TIMEOUT 900)
  endforeach()
endif()

# The driver's calls against the simulator.
add_executable(gcp_call_lines gcp_call_lines.c)
target_link_libraries(gcp_call_lines PRIVATE room_gcp)
if(EXISTS ${test_python})
  add_test(NAME unit.gcp_call_live
    COMMAND ${test_python} ${CMAKE_CURRENT_SOURCE_DIR}/gcp_call_live.py $<TARGET_FILE:gcp_call_lines>)
  set_tests_properties(unit.gcp_call_live PROPERTIES TIMEOUT 900)
endif()

# The tables of single objects, by the engine and the driver, against the simulator.
add_executable(gcp_component_lines gcp_component_lines.c)
target_link_libraries(gcp_component_lines PRIVATE room_engine room_gcp tables_components)
if(EXISTS ${test_python})
  add_test(NAME unit.gcp_component_live
    COMMAND ${test_python} ${CMAKE_CURRENT_SOURCE_DIR}/gcp_component_live.py
      $<TARGET_FILE:gcp_component_lines>)
  set_tests_properties(unit.gcp_component_live PROPERTIES TIMEOUT 900)
endif()

# The component tables against Google's discovery documents.
if(EXISTS ${test_python})
  add_test(NAME unit.gcp_components
    COMMAND ${test_python} ${CMAKE_CURRENT_SOURCE_DIR}/gcp_components_check.py)
  set_tests_properties(unit.gcp_components PROPERTIES LABELS source)
endif()
