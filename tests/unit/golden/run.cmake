# cmake -DMODE=regenerate|verify -DGO=… -DREWRITE=… -DOUT=… -P run.cmake
#
# regenerate: the committed vectors are what go-cty makes.
# verify: go-cty reads what our encoders make of the vectors and of values of their own.
set(vectors ${CMAKE_CURRENT_LIST_DIR}/vectors.json)
set(gen ${CMAKE_CURRENT_LIST_DIR}/gen)

if(MODE STREQUAL regenerate)
  set(made ${OUT}/vectors.json)
  execute_process(COMMAND ${GO} run -mod=readonly . vectors WORKING_DIRECTORY ${gen}
    OUTPUT_FILE ${made} RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "The vectors could not be made: ${failed}")
  endif()
  execute_process(COMMAND ${CMAKE_COMMAND} -E compare_files ${vectors} ${made}
    RESULT_VARIABLE differ)
  if(differ)
    message(FATAL_ERROR "${made} is not the committed ${vectors}.")
  endif()
elseif(MODE STREQUAL verify)
  set(rewritten ${OUT}/rewritten.json)
  execute_process(COMMAND ${REWRITE} ${vectors} OUTPUT_FILE ${rewritten} RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "The vectors could not be rewritten: ${failed}")
  endif()
  execute_process(COMMAND ${GO} run -mod=readonly . verify ${vectors} ${rewritten}
    WORKING_DIRECTORY ${gen} RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "go-cty does not agree.")
  endif()
else()
  message(FATAL_ERROR "MODE is regenerate or verify.")
endif()
