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

foreach(program kinglet-weights kinglet-bench)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
  endif()
endforeach()
