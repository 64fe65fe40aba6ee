# Tests of the Kubernetes room.
foreach(test call errors objects rollout threads)
  llm_unit_test(kubernetes_${test} room_kubernetes)
  target_sources(test_kubernetes_${test} PRIVATE fake_clock.c)
endforeach()

# The driver's calls against a real API server.
add_executable(kubernetes_call_lines kubernetes_call_lines.c)
target_link_libraries(kubernetes_call_lines PRIVATE room_kubernetes)
if(EXISTS ${test_python})
  add_test(NAME unit.kubernetes_call_live
    COMMAND ${test_python} ${CMAKE_CURRENT_SOURCE_DIR}/kubernetes_call_live.py
      $<TARGET_FILE:kubernetes_call_lines>)
  set_tests_properties(unit.kubernetes_call_live PROPERTIES TIMEOUT 900)
endif()

# The tables of objects in a cluster, by the engine and the driver, against a real API server.
add_executable(kubernetes_component_lines kubernetes_component_lines.c component_lines.c)
target_link_libraries(kubernetes_component_lines PRIVATE room_engine room_kubernetes tables_components)
if(EXISTS ${test_python})
  add_test(NAME unit.kubernetes_component_live
    COMMAND ${test_python} ${CMAKE_CURRENT_SOURCE_DIR}/kubernetes_component_live.py
      $<TARGET_FILE:kubernetes_component_lines>)
  set_tests_properties(unit.kubernetes_component_live PROPERTIES TIMEOUT 900)
endif()
