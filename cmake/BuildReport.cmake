# Run by the build: cmake -DSOURCE=report -DFOLDER=build/.../report -DNODE=... -DNPM=... -DREQUIRED=AUTO|ON -P BuildReport.cmake
# Installs what report/package-lock.json names into FOLDER and bundles the page's script into FOLDER/bundle.js. Where that
# fails and charts are not required, the bundle is empty and the build goes on.

function(give_up reason)
  if(REQUIRED STREQUAL "ON")
    message(FATAL_ERROR "The report's charts cannot be bundled: ${reason}")
  endif()
  message(WARNING "The report will have tables and no charts: ${reason}. Remove ${FOLDER}/bundle.js and build again to try once more.")
  file(WRITE "${FOLDER}/bundle.js" "")
endfunction()

set(lock "${SOURCE}/package-lock.json")
file(SHA256 "${lock}" wanted)
set(stamp "${FOLDER}/node_modules/.installed")
set(installed "")
if(EXISTS "${stamp}")
  file(READ "${stamp}" installed)
endif()
if(NOT installed STREQUAL wanted)
  file(COPY "${lock}" "${SOURCE}/package.json" DESTINATION "${FOLDER}")
  execute_process(COMMAND "${NPM}" ci --omit=dev --ignore-scripts --no-audit --no-fund --fetch-retries=1 --fetch-timeout=30000
    WORKING_DIRECTORY "${FOLDER}" RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output TIMEOUT 300)
  if(failed)
    string(REGEX MATCH "npm (ERR!|error) [^\n]*" first "${output}")
    if(NOT first)
      set(first "it ended with: ${failed}")
    endif()
    give_up("npm could not install the packages of report/package-lock.json (${first})")
    return()
  endif()
  file(WRITE "${stamp}" "${wanted}")
endif()
execute_process(COMMAND "${NODE}" "${SOURCE}/build.mjs" "${FOLDER}/node_modules" "${FOLDER}/bundle.js"
  RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(failed)
  # Our own script is at fault: whoever changes it must see that.
  message(FATAL_ERROR "The report's script cannot be bundled:\n${output}")
endif()
