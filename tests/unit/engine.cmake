# What the tests that run the engine share.
add_library(engine_bench STATIC engine_bench.c)
target_link_libraries(engine_bench PUBLIC room_engine room_cloud room_value room_base
  PRIVATE ${CMOCKA_LIBRARY} Threads::Threads)
foreach(test engine engine_found engine_inner)
  llm_unit_test(${test} engine_bench)
endforeach()

llm_unit_test(engine_claim room_engine room_cloud room_value room_base)
llm_unit_test(engine_object room_engine room_cloud room_value room_base)
llm_unit_test(engine_read room_engine room_cloud room_value room_base)
