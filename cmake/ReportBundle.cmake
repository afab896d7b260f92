# The charts of `valuelens report` (report/), bundled into one script and put into the binary. They need node and npm at
# build time only; without them the report has the same numbers as tables.
#
#   VALUELENS_REPORT=AUTO  bundle them where node and npm are there, and go on without where that fails (default)
#   VALUELENS_REPORT=ON    fail where it fails;  OFF: no charts
#   VALUELENS_REPORT_BUNDLE=FILE  a bundle that was built elsewhere, as in release archives; no node is needed

set(VALUELENS_REPORT AUTO CACHE STRING "Charts of the report: AUTO (where node and npm are there), ON, OFF")
set_property(CACHE VALUELENS_REPORT PROPERTY STRINGS AUTO ON OFF)
set(VALUELENS_REPORT_BUNDLE "" CACHE FILEPATH "A bundle of the report's charts built elsewhere")

function(valuelens_report_bundle_target target)
  set(folder "${CMAKE_BINARY_DIR}/report")
  set(bundle "${folder}/bundle.js")
  file(MAKE_DIRECTORY "${folder}")
  find_program(NODE_PROGRAM NAMES node nodejs)
  find_program(NPM_PROGRAM npm)
  if(VALUELENS_REPORT_BUNDLE)
    message(STATUS "Report: charts from ${VALUELENS_REPORT_BUNDLE}")
    add_custom_command(OUTPUT "${bundle}" DEPENDS "${VALUELENS_REPORT_BUNDLE}"
      COMMAND ${CMAKE_COMMAND} -E copy "${VALUELENS_REPORT_BUNDLE}" "${bundle}" VERBATIM)
  elseif(VALUELENS_REPORT STREQUAL "OFF" OR (VALUELENS_REPORT STREQUAL "AUTO" AND NOT (NODE_PROGRAM AND NPM_PROGRAM)))
    message(STATUS "Report: WITHOUT charts (node and npm were not found or are not wanted): `valuelens report` writes tables alone. "
      "`scripts/setup.sh` installs both; -DVALUELENS_REPORT_BUNDLE=FILE takes a bundle built elsewhere")
    add_custom_command(OUTPUT "${bundle}" COMMAND ${CMAKE_COMMAND} -E touch "${bundle}" VERBATIM)
  else()
    message(STATUS "Report: charts are bundled with node")
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/report/src/*.js ${PROJECT_SOURCE_DIR}/report/src/*/*.js)
    add_custom_command(OUTPUT "${bundle}"
      DEPENDS ${sources} "${PROJECT_SOURCE_DIR}/report/package-lock.json" "${PROJECT_SOURCE_DIR}/report/package.json"
        "${PROJECT_SOURCE_DIR}/report/build.mjs" "${PROJECT_SOURCE_DIR}/cmake/BuildReport.cmake"
      COMMAND ${CMAKE_COMMAND} "-DSOURCE=${PROJECT_SOURCE_DIR}/report" "-DFOLDER=${folder}" "-DNODE=${NODE_PROGRAM}"
        "-DNPM=${NPM_PROGRAM}" "-DREQUIRED=${VALUELENS_REPORT}" -P "${PROJECT_SOURCE_DIR}/cmake/BuildReport.cmake"
      COMMENT "Bundling the report's charts" VERBATIM)
  endif()
  file(CONFIGURE OUTPUT "${folder}/bundle.S" CONTENT
"    .section .rodata
    .global valuelens_report_begin
    .global valuelens_report_end
valuelens_report_begin:
    .incbin \"${bundle}\"
valuelens_report_end:
    .byte 0
    .section .note.GNU-stack,\"\",%progbits
" @ONLY)
  file(CONFIGURE OUTPUT "${folder}/bundle.cpp" CONTENT
"#include \"report/bundle.h\"
extern \"C\" {
extern const char valuelens_report_begin[], valuelens_report_end[];
}
namespace valuelens {
std::string_view report_bundle() {
    return {valuelens_report_begin, static_cast<std::size_t>(valuelens_report_end - valuelens_report_begin)};
}
} // namespace valuelens
" @ONLY)
  set_source_files_properties("${folder}/bundle.S" PROPERTIES OBJECT_DEPENDS "${bundle}")
  add_library(${target} STATIC "${folder}/bundle.S" "${folder}/bundle.cpp")
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src)
endfunction()

valuelens_report_bundle_target(valuelens_report_bundle)
