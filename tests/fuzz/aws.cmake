foreach(what answer profiles)
  llm_fuzz_target(aws_${what} room_aws)
endforeach()
