# llm_room(NAME SOURCES… [LINK …]): one static library room_NAME whose headers are included as
# "NAME/header.h".
function(llm_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
  add_library(room_${name} STATIC ${ROOM_SOURCES})
  target_include_directories(room_${name} PUBLIC ${CMAKE_SOURCE_DIR}/provider)
  target_link_libraries(room_${name} PUBLIC ${ROOM_LINK} PRIVATE ${ROOM_PRIVATE_LINK})
endfunction()
