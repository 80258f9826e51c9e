# Tests of the source tree rather than of one build of it; one build tree runs them.
# A script that lacks a tool says so and returns 77: skipped.
function(kinglet_add_script_test name script)
  kinglet_add_test(${name} COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/${script}" ${ARGN})
  set_tests_properties(${KINGLET_TEST_PREFIX}${name} PROPERTIES SKIP_RETURN_CODE 77)
endfunction()

kinglet_add_script_test(headers.layers headers/layers.sh "${PROJECT_SOURCE_DIR}")
kinglet_add_script_test(headers.profile headers/profile.sh "${PROJECT_SOURCE_DIR}")
kinglet_add_script_test(headers.readme headers/readme.sh "${PROJECT_SOURCE_DIR}"
                        "${XSIMD_INCLUDE_DIR}" "${CMAKE_CXX_COMPILER}")
kinglet_add_script_test(headers.format headers/format.sh "${PROJECT_SOURCE_DIR}")
set(avx512 -mavx512f -mavx512cd -mavx512dq -mavx512bw -mavx512vl -mavx2 -mfma)
foreach(compiler g++ clang++)
  set(alone headers/alone.sh "${PROJECT_SOURCE_DIR}")
  kinglet_add_script_test(headers.alone.${compiler}.scalar ${alone} none ${compiler})
  if(XSIMD_INCLUDE_DIR AND CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    kinglet_add_script_test(headers.alone.${compiler}.avx2 ${alone} "${XSIMD_INCLUDE_DIR}"
                            ${compiler} -mavx2 -mfma)
    kinglet_add_script_test(headers.alone.${compiler}.avx512 ${alone} "${XSIMD_INCLUDE_DIR}"
                            ${compiler} ${avx512})
  endif()
endforeach()
if(XSIMD_INCLUDE_DIR)
  kinglet_add_script_test(headers.alone.aarch64 ${alone} "${XSIMD_INCLUDE_DIR}"
                          aarch64-linux-gnu-g++)
endif()

get_property(isa_objects GLOBAL PROPERTY KINGLET_ISA_OBJECTS)
kinglet_add_script_test(dispatch.symbols dispatch/symbols.sh "${CMAKE_NM}" ${isa_objects})
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64" AND TARGET kinglet-bench)
  set(old_cpu dispatch/old_cpu.sh qemu-x86_64-static)
  foreach(cpu_and_isa core2duo:scalar Nehalem:sse4_2 Haswell:avx2)
    string(REPLACE ":" ";" pair "${cpu_and_isa}")
    list(GET pair 0 cpu)
    kinglet_add_script_test(dispatch.${cpu} ${old_cpu} ${pair} "${PROJECT_BINARY_DIR}"
                            "${CMAKE_CURRENT_SOURCE_DIR}/data")
  endforeach()
endif()

kinglet_add_script_test(
  install.consumer install/consumer.sh "${CMAKE_COMMAND}" "${PROJECT_BINARY_DIR}"
  "${CMAKE_CURRENT_BINARY_DIR}/install" "${CMAKE_CXX_COMPILER}" -G "${CMAKE_GENERATOR}"
  "-DXSIMD_INCLUDE_DIR=${XSIMD_INCLUDE_DIR}")

set(size embedded/size.sh "${PROJECT_SOURCE_DIR}" "${XSIMD_INCLUDE_DIR}" 300000)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  kinglet_add_script_test(embedded.size.avx2 ${size} g++ -mavx2 -mfma)
endif()
kinglet_add_script_test(embedded.size.aarch64 ${size} aarch64-linux-gnu-g++)
