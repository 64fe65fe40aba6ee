foreach(form type msgpack json plain_json)
  llm_fuzz_target(value_${form} room_value)
endforeach()
