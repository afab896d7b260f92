# Everything under data/ travels inside the binary, so that one file is the whole program.
# valuelens_embedded_data defines `valuelens::embedded_files()` (src/base/embedded.h).

function(valuelens_embed_data target)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/data ${PROJECT_SOURCE_DIR}/data/*)
  list(FILTER files EXCLUDE REGEX "README\\.md$")
  list(SORT files)
  set(assembly "    .section .rodata\n")
  set(declarations "")
  set(table "")
  set(index 0)
  set(paths "")
  foreach(file IN LISTS files)
    string(APPEND assembly
      "    .global valuelens_data_${index}_begin\n    .global valuelens_data_${index}_end\n    .balign 16\n"
      "valuelens_data_${index}_begin:\n    .incbin \"${PROJECT_SOURCE_DIR}/data/${file}\"\nvaluelens_data_${index}_end:\n    .byte 0\n")
    string(APPEND declarations "extern const char valuelens_data_${index}_begin[], valuelens_data_${index}_end[];\n")
    string(APPEND table "        {\"${file}\", {valuelens_data_${index}_begin, static_cast<std::size_t>(valuelens_data_${index}_end - valuelens_data_${index}_begin)}},\n")
    list(APPEND paths "${PROJECT_SOURCE_DIR}/data/${file}")
    math(EXPR index "${index} + 1")
  endforeach()
  string(APPEND assembly "    .section .note.GNU-stack,\"\",%progbits\n")
  set(generated "${CMAKE_BINARY_DIR}/embedded")
  file(CONFIGURE OUTPUT "${generated}/data.S" CONTENT "${assembly}" @ONLY)
  file(CONFIGURE OUTPUT "${generated}/data.cpp" CONTENT
"#include \"base/embedded.h\"
extern \"C\" {
${declarations}}
namespace valuelens {
std::span<const EmbeddedFile> embedded_files() {
    static const EmbeddedFile files[] = {
${table}    };
    return files;
}
} // namespace valuelens
" @ONLY)
  set_source_files_properties("${generated}/data.S" PROPERTIES OBJECT_DEPENDS "${paths}")
  add_library(${target} STATIC "${generated}/data.S" "${generated}/data.cpp")
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
endfunction()

valuelens_embed_data(valuelens_embedded_data)
