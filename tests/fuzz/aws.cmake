foreach(what answer process_output profiles)
  llm_fuzz_target(aws_${what} room_aws)
endforeach()
