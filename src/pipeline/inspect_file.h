#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "valuelens/vectors.h"

namespace valuelens {

/// What kind of file of ours one is, told by its contents.
enum class FileKind {
    activations,
    slice_sums,
    vectors,
    axes,
    directions,
    probe,
    tensors,
    neurons,
    json,
    evaluation,
    lines,
    configuration,
    adapter,
    model,
    run
};
const char * to_string(FileKind kind);

/// What any file says about itself, before its numbers are looked at.
struct FileInspection {
    struct Tensor {
        std::string name;
        std::string type; ///< "F32", "<f4", ...
        std::vector<std::size_t> shape;
    };
    FileKind kind = FileKind::tensors;
    std::uint64_t bytes = 0;
    std::optional<Provenance> provenance;                   ///< where the file states one
    std::vector<std::pair<std::string, std::string>> facts; ///< name and value, in order
    std::vector<Tensor> tensors;                            ///< of safetensors, npz and adapters
};

/// Looks into a run's folder, a safetensors or npz file, a GGUF model, control vector or LoRA, a PEFT folder, a table
/// of neurons (with its companion), a JSON file of results, JSON lines, or a configuration. Throws Error(bad_input) for
/// anything else, saying what is understood, and as the readers do for damaged files.
FileInspection inspect_file(const std::filesystem::path & path);

} // namespace valuelens
