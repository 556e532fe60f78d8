# Run by CPack between installing each component and packing it.
execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/finish "${CPACK_TEMPORARY_DIRECTORY}"
  "${CPACK_PACKAGE_VERSION}" "${CPACK_DEBIAN_PACKAGE_MAINTAINER}" COMMAND_ERROR_IS_FATAL ANY)
