# Tests of the GCP room.
llm_unit_test(gcp_config room_gcp)
llm_unit_test(gcp_credential_file room_gcp OpenSSL::Crypto)
foreach(test gcp_credentials gcp_federation)
  llm_unit_test(${test} room_gcp OpenSSL::Crypto)
endforeach()
foreach(test gcp_config gcp_credential_file gcp_credentials gcp_federation)
  target_sources(test_${test} PRIVATE fake_clock.c)
endforeach()
