# One static library per folder of src/, linked only to the layers it may use, so
# that an include in the wrong direction fails to compile or link
# (docs/architecture.md; scripts/check_layers.py checks the includes themselves).

add_library(valuelens_flags INTERFACE)
target_include_directories(valuelens_flags INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_compile_options(valuelens_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
  -Wno-missing-field-initializers) # designated initialisers leave out what has a default
target_compile_definitions(valuelens_flags INTERFACE VALUELENS_VERSION="${PROJECT_VERSION}")
if(VALUELENS_WERROR)
  target_compile_options(valuelens_flags INTERFACE -Werror)
endif()
if(VALUELENS_SANITIZE)
  # The build type stays Release, so that llama.cpp, which is not instrumented, is what ccache has of the release tree.
  target_compile_options(valuelens_flags INTERFACE -O1 -g1 -UNDEBUG -D_GLIBCXX_ASSERTIONS
    -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_link_options(valuelens_flags INTERFACE -fsanitize=address,undefined)
endif()

# valuelens_layer(<folder> USES <folder>... LIBRARIES <target>... PRIVATE_LIBRARIES <target>...)
function(valuelens_layer folder)
  cmake_parse_arguments(LAYER "" "" "USES;LIBRARIES;PRIVATE_LIBRARIES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cpp)
  if(NOT sources)
    message(FATAL_ERROR "src/${folder} holds no source file")
  endif()
  add_library(valuelens_${folder} STATIC ${sources})
  list(TRANSFORM LAYER_USES PREPEND valuelens_)
  target_link_libraries(valuelens_${folder}
    PUBLIC valuelens_flags ${LAYER_USES} ${LAYER_LIBRARIES}
    PRIVATE ${LAYER_PRIVATE_LIBRARIES})
endfunction()
