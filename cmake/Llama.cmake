# The transformer is llama.cpp's. Its source is the folder vendor/llama.cpp of the source package
# llama-cpp-python from PyPI, fetched once into the cache that models share, its SHA-256 pinned.
# -DVALUELENS_LLAMA_DIR=<tree> takes another one; GGML_* options pass through.

set(VALUELENS_LLAMA_PACKAGE "llama-cpp-python" CACHE INTERNAL "")
set(VALUELENS_LLAMA_VERSION "0.3.36" CACHE INTERNAL "")
set(VALUELENS_LLAMA_SHA256 "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e" CACHE INTERNAL "")

function(valuelens_cache_home out)
  if(DEFINED ENV{VALUELENS_HOME} AND NOT "$ENV{VALUELENS_HOME}" STREQUAL "")
    set(home "$ENV{VALUELENS_HOME}")
  elseif(DEFINED ENV{XDG_CACHE_HOME} AND NOT "$ENV{XDG_CACHE_HOME}" STREQUAL "")
    set(home "$ENV{XDG_CACHE_HOME}/valuelens")
  else()
    set(home "$ENV{HOME}/.cache/valuelens")
  endif()
  set(${out} "${home}" PARENT_SCOPE)
endfunction()

# Fetches and unpacks the pinned tree if the cache lacks it; sets <out> to the tree's path.
function(valuelens_fetch_llama out)
  valuelens_cache_home(home)
  string(SUBSTRING ${VALUELENS_LLAMA_SHA256} 0 12 short_hash)
  set(tree "${home}/sources/llama.cpp-${VALUELENS_LLAMA_VERSION}-${short_hash}")
  if(EXISTS "${tree}/CMakeLists.txt")
    set(${out} "${tree}" PARENT_SCOPE)
    return()
  endif()
  file(MAKE_DIRECTORY "${home}/sources")
  file(LOCK "${home}/sources/llama.lock" GUARD FUNCTION TIMEOUT 1800)
  if(EXISTS "${tree}/CMakeLists.txt") # another configure fetched it while this one waited
    set(${out} "${tree}" PARENT_SCOPE)
    return()
  endif()
  message(STATUS "Fetching llama.cpp (${VALUELENS_LLAMA_PACKAGE} ${VALUELENS_LLAMA_VERSION}, 77 MB) into ${home}/sources")
  find_program(VALUELENS_PYTHON python3 REQUIRED)
  set(stage "${home}/sources/stage")
  file(REMOVE_RECURSE "${stage}")
  file(MAKE_DIRECTORY "${stage}")
  execute_process(
    COMMAND ${VALUELENS_PYTHON} -m pip download --quiet --disable-pip-version-check --no-deps
            --no-binary ${VALUELENS_LLAMA_PACKAGE} ${VALUELENS_LLAMA_PACKAGE}==${VALUELENS_LLAMA_VERSION}
            -d "${stage}"
    RESULT_VARIABLE status)
  file(GLOB archive "${stage}/*.tar.gz")
  if(NOT status EQUAL 0 OR NOT archive)
    message(FATAL_ERROR "pip could not fetch ${VALUELENS_LLAMA_PACKAGE}==${VALUELENS_LLAMA_VERSION}: check the network and "
      "python3-pip, or give a llama.cpp tree with -DVALUELENS_LLAMA_DIR=<path>")
  endif()
  file(SHA256 "${archive}" hash)
  if(NOT hash STREQUAL VALUELENS_LLAMA_SHA256)
    message(FATAL_ERROR "${archive} has SHA-256 ${hash}, expected ${VALUELENS_LLAMA_SHA256}: the download is damaged or "
      "not the pinned release; remove ${stage} and configure again")
  endif()
  file(ARCHIVE_EXTRACT INPUT "${archive}" DESTINATION "${stage}" PATTERNS "*/vendor/llama.cpp/*")
  file(GLOB unpacked "${stage}/*/vendor/llama.cpp")
  file(REMOVE_RECURSE "${tree}" "${unpacked}/.git") # a submodule link to a repository that is not there
  file(RENAME "${unpacked}" "${tree}")
  file(REMOVE_RECURSE "${stage}")
  set(${out} "${tree}" PARENT_SCOPE)
endfunction()

if(VALUELENS_LLAMA_DIR)
  set(llama_dir "${VALUELENS_LLAMA_DIR}")
else()
  valuelens_fetch_llama(llama_dir)
endif()
message(STATUS "llama.cpp: ${llama_dir}")

set(BUILD_SHARED_LIBS OFF)
set(LLAMA_BUILD_COMMON ON CACHE BOOL "" FORCE)
foreach(part TESTS EXAMPLES APP UI)
  set(LLAMA_BUILD_${part} OFF CACHE BOOL "" FORCE)
endforeach()
# llama-server is built for the test of our HTTP client alone, without its web page (which npm would build, or the net bring).
foreach(part TOOLS SERVER)
  set(LLAMA_BUILD_${part} ${VALUELENS_TEST_LLAMA_SERVER} CACHE BOOL "" FORCE)
endforeach()
set(LLAMA_USE_PREBUILT_UI OFF CACHE BOOL "" FORCE)
set(LLAMA_OPENSSL ON CACHE BOOL "" FORCE) # TLS in the HTTP library below
set(GGML_OPENMP OFF CACHE BOOL "ggml's own thread pool: no OpenMP run-time needed")
set(GGML_CCACHE OFF CACHE BOOL "" FORCE) # ours is already set as compiler launcher
add_subdirectory("${llama_dir}" "${CMAKE_BINARY_DIR}/llama.cpp" EXCLUDE_FROM_ALL SYSTEM)

# What src/engine links: the library and `common`, which holds the Jinja chat templates.
add_library(valuelens_llama INTERFACE)
target_link_libraries(valuelens_llama INTERFACE llama llama-common)
target_include_directories(valuelens_llama SYSTEM INTERFACE "${llama_dir}/common" "${llama_dir}/vendor")

# The HTTP library (client and server) is the cpp-httplib in llama.cpp's tree, which `common` links anyway: a second
# version of it in one program would clash (docs/decisions/0004-one-http-library.md).
add_library(valuelens_http INTERFACE)
target_link_libraries(valuelens_http INTERFACE cpp-httplib)
target_include_directories(valuelens_http SYSTEM INTERFACE "${llama_dir}/vendor")
