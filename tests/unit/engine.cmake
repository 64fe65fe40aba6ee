llm_unit_test(engine room_engine room_cloud room_value room_base)
llm_unit_test(engine_claim room_engine room_cloud room_value room_base)
