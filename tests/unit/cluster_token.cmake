# Tokens for clusters, by both clouds' drivers, against botocore's signer.
add_executable(cluster_token_lines cluster_token_lines.c fake_clock.c)
target_link_libraries(cluster_token_lines PRIVATE room_aws room_gcp)
if(EXISTS ${test_python})
  add_test(NAME unit.cluster_token_compare
    COMMAND ${test_python} ${CMAKE_CURRENT_SOURCE_DIR}/cluster_token_compare.py
      $<TARGET_FILE:cluster_token_lines>)
  set_tests_properties(unit.cluster_token_compare PROPERTIES TIMEOUT 900)
endif()
