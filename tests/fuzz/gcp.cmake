foreach(what credential_file token)
  llm_fuzz_target(gcp_${what} room_gcp)
endforeach()
