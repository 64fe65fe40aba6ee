# Tests of the Kubernetes room.
foreach(test call errors objects)
  llm_unit_test(kubernetes_${test} room_kubernetes)
  target_sources(test_kubernetes_${test} PRIVATE fake_clock.c)
endforeach()
