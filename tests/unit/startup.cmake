# The start-up scripts: how they are put together, and what the one for GCP does (the one for AWS is
# rendered by a test of resources.cmake).
find_package(Python3 REQUIRED COMPONENTS Interpreter)
llm_unit_test(startup_scripts room_resources)
target_compile_definitions(test_startup_scripts PRIVATE CATALOGC="$<TARGET_FILE:llm-catalogc>")
add_dependencies(test_startup_scripts llm-catalogc)
add_test(NAME unit.gcp_startup
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/startup/test_gcp_startup.py
          $<TARGET_FILE:test_startup_scripts>)
