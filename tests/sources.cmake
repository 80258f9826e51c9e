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
# A compiler an instruction set: all of it is compiled elsewhere for all of them.
set(alone headers/alone.sh "${PROJECT_SOURCE_DIR}")
foreach(compiler g++ clang++)
  kinglet_add_script_test(headers.alone.${compiler}.scalar ${alone} none ${compiler})
endforeach()
if(XSIMD_INCLUDE_DIR AND CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  kinglet_add_script_test(headers.alone.g++.avx2 ${alone} "${XSIMD_INCLUDE_DIR}" g++ -mavx2 -mfma)
  kinglet_add_script_test(
    headers.alone.clang++.avx512 ${alone} "${XSIMD_INCLUDE_DIR}" clang++ -mavx512f -mavx512cd
    -mavx512dq -mavx512bw -mavx512vl -mavx512vnni -mavx2 -mfma)
endif()
if(XSIMD_INCLUDE_DIR)
  kinglet_add_script_test(headers.alone.aarch64 ${alone} "${XSIMD_INCLUDE_DIR}"
                          aarch64-linux-gnu-g++ -march=armv8.2-a+dotprod+i8mm)
  # Started early, so that short tests fill the gaps.
  set_tests_properties(${KINGLET_TEST_PREFIX}headers.alone.aarch64 PROPERTIES COST 50)
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

if(TARGET kinglet-bench AND CMAKE_BUILD_TYPE STREQUAL "Release")  # others hold paths for debuggers
  kinglet_add_script_test(
    install.bench install/bench.sh "${CMAKE_COMMAND}" "${PROJECT_BINARY_DIR}"
    "${PROJECT_SOURCE_DIR}" "${KINGLET_HAVE_GOOGLE_BENCHMARK}"
    "${CMAKE_CURRENT_BINARY_DIR}/install_bench")
endif()

set(size embedded/size.sh "${PROJECT_SOURCE_DIR}" "${XSIMD_INCLUDE_DIR}" 300000)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  kinglet_add_script_test(embedded.size.avx2 ${size} g++ -mavx2 -mfma)
endif()
kinglet_add_script_test(embedded.size.aarch64 ${size} aarch64-linux-gnu-g++)

# The scheduling model of a Cortex-A57 over the tiles as they are compiled.
find_program(KINGLET_PYTHON3 python3)
mark_as_advanced(KINGLET_PYTHON3)
if(KINGLET_PYTHON3)
  kinglet_add_test(bench.mca COMMAND "${KINGLET_PYTHON3}" "${PROJECT_SOURCE_DIR}/bench/mca/tiles.py"
                   --check)
  set_tests_properties(${KINGLET_TEST_PREFIX}bench.mca PROPERTIES SKIP_RETURN_CODE 77)
else()
  kinglet_add_skipped_test(bench.mca "estimates for Arm cores: python3 is not installed")
endif()

# Instructions of the AVX2 kernels, as recorded with one compiler; `record_instructions` records
# them anew.
if(TARGET kinglet_kernels_avx2)
  find_path(CALLGRIND_INCLUDE_DIR valgrind/callgrind.h)
  mark_as_advanced(CALLGRIND_INCLUDE_DIR)
  set(count none)
  if(CALLGRIND_INCLUDE_DIR)
    add_executable(kinglet_instructions instructions/count.cpp
                                        $<TARGET_OBJECTS:kinglet_kernels_avx2>)
    target_include_directories(kinglet_instructions SYSTEM PRIVATE "${CALLGRIND_INCLUDE_DIR}")
    target_link_libraries(kinglet_instructions PRIVATE kinglet_kernels kinglet_developer)
    set(count "$<TARGET_FILE:kinglet_instructions>")
  endif()
  string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
  string(STRIP "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${type}}" flags)
  file(STRINGS "${XSIMD_INCLUDE_DIR}/xsimd/config/xsimd_config.hpp" versions
       REGEX "define XSIMD_VERSION_(MAJOR|MINOR|PATCH) ")
  string(REGEX REPLACE "[^0-9;]" "" versions "${versions}")
  string(REPLACE ";" "." xsimd "${versions}")
  set(built "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION} ${flags}, xsimd ${xsimd}")
  set(instructions instructions/instructions.sh "${count}" "${built}"
                   "${CMAKE_CURRENT_SOURCE_DIR}/instructions/counts.txt")
  kinglet_add_script_test(instructions.avx2 ${instructions})
  add_custom_target(
    record_instructions COMMAND bash ${instructions} --record
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" VERBATIM)
  if(CALLGRIND_INCLUDE_DIR)
    add_dependencies(record_instructions kinglet_instructions)
  endif()
endif()
