llm_unit_test(base_memory room_base)
llm_unit_test(base_diag room_base)
llm_unit_test(base_clock room_base)
llm_unit_test(base_log room_base)
