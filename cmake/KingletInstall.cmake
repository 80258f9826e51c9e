# Both include roots are installed as one include/kinglet/; find_package(kinglet) gives
# kinglet::kernels and kinglet::kinglet.
include(CMakePackageConfigHelpers)

set(kinglet_package_dir "${CMAKE_INSTALL_DATADIR}/cmake/kinglet")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/kinglet" "${PROJECT_SOURCE_DIR}/kernels/kinglet"
        DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.hpp")
install(TARGETS kinglet kinglet_kernels EXPORT kinglet-targets)
install(EXPORT kinglet-targets NAMESPACE kinglet:: DESTINATION "${kinglet_package_dir}")
configure_package_config_file(
  "${CMAKE_CURRENT_LIST_DIR}/kinglet-config.cmake.in" "${PROJECT_BINARY_DIR}/kinglet-config.cmake"
  INSTALL_DESTINATION "${kinglet_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/kinglet-config-version.cmake"
                                 COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES "${PROJECT_BINARY_DIR}/kinglet-config.cmake"
              "${PROJECT_BINARY_DIR}/kinglet-config-version.cmake"
        DESTINATION "${kinglet_package_dir}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")

# Manual pages and completions are what the programs say themselves, so they need to run here.
foreach(program kinglet-weights kinglet-bench)
  if(NOT TARGET ${program})
    continue()
  endif()
  install(TARGETS ${program} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
  if(CMAKE_CROSSCOMPILING)
    continue()
  endif()
  set(texts "${PROJECT_BINARY_DIR}/texts")
  file(MAKE_DIRECTORY "${texts}")
  add_custom_command(
    OUTPUT "${texts}/${program}.1" "${texts}/${program}.bash" "${texts}/_${program}"
           "${texts}/${program}.fish"
    COMMAND ${program} man > "${texts}/${program}.1"
    COMMAND ${program} completion bash > "${texts}/${program}.bash"
    COMMAND ${program} completion zsh > "${texts}/_${program}"
    COMMAND ${program} completion fish > "${texts}/${program}.fish"
    DEPENDS ${program} VERBATIM)
  add_custom_target(${program}-texts ALL DEPENDS "${texts}/${program}.1")
  install(FILES "${texts}/${program}.1" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1" OPTIONAL)
  install(FILES "${texts}/${program}.bash" RENAME ${program} OPTIONAL
          DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions")
  install(FILES "${texts}/_${program}" DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/site-functions"
          OPTIONAL)
  install(FILES "${texts}/${program}.fish" OPTIONAL
          DESTINATION "${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d")
endforeach()
