# What only kinglet's own sources are compiled with; users of the headers get none of it.

add_library(kinglet_developer INTERFACE)
target_compile_options(
  kinglet_developer INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow
                              $<$<BOOL:${KINGLET_WERROR}>:-Werror>)

# For programs with one instruction set, that of the compiler's flags.
add_library(kinglet_one_isa INTERFACE)
if(KINGLET_MARCH)
  target_compile_options(kinglet_one_isa INTERFACE -march=${KINGLET_MARCH})
endif()

if(KINGLET_SANITIZE)
  add_compile_options(-fsanitize=${KINGLET_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${KINGLET_SANITIZE})
  add_compile_definitions(KINGLET_DEBUG)  # preconditions are checked too
endif()

if(KINGLET_BUILD_FUZZERS AND NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR "KINGLET_BUILD_FUZZERS needs clang")
endif()

# kinglet_sources(<variable> <folder> [EXCLUDE <name>...]): the .cpp files of one folder.
function(kinglet_sources variable folder)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "EXCLUDE")
  file(GLOB sources CONFIGURE_DEPENDS "${folder}/*.cpp")
  foreach(name IN LISTS arg_EXCLUDE)
    list(REMOVE_ITEM sources "${folder}/${name}")
  endforeach()
  set(${variable} "${sources}" PARENT_SCOPE)
endfunction()

# What a command line has to start with to run a program of this build ("" unless emulated).
set(KINGLET_EMULATOR ${CMAKE_CROSSCOMPILING_EMULATOR})
string(REPLACE ";" " " KINGLET_EMULATOR_TEXT "${KINGLET_EMULATOR}")
