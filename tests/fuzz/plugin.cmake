pkg_check_modules(PROTOBUF_C REQUIRED libprotobuf-c)
llm_fuzz_target(plugin_dispatch room_plugin plugin_proto room_resources room_aws room_http ${PROTOBUF_C_LINK_LIBRARIES})
