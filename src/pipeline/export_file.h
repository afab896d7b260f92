#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/ablate_weights.h"
#include "pipeline/spec_text.h"
#include "steer/directions.h"
#include "valuelens/progress.h"

namespace valuelens {

enum class ExportFormat {
    gguf,        ///< control vector of llama.cpp, repeng, EasySteer
    safetensors, ///< direction with metadata
    npz,         ///< direction for numpy
    lora,        ///< neuron scaling as a LoRA adapter of llama.cpp
    peft,        ///< neuron scaling as a LoRA adapter of PEFT, a folder
    ablated,     ///< the model itself, its weights changed so that it cannot write along the direction
};

struct ExportOptions {
    ExportFormat format = ExportFormat::gguf;
    std::filesystem::path output;
    std::string
        model; ///< GGUF file; lora, peft and ablated need it, for a direction it is checked against and names the hint

    // gguf, safetensors, npz, ablated
    std::filesystem::path from; ///< any file that --steer reads
    std::string key;            ///< empty: a control vector
    RowLocation location = RowLocation::layer_output;
    std::optional<LayerRange> layers; ///< nothing: all that the file has; ablated: the one whose row is taken
    float alpha = 1.0f;               ///< folded into what is written
    bool resid_unit = false;          ///< alpha is a fraction of the mean residual norm of each layer

    // lora, peft
    std::vector<std::string> scale_neurons; ///< as --scale-neurons
};

struct ExportResult {
    std::vector<int> layers;   ///< blocks that the file acts on
    std::size_t n_embd = 0;    ///< of a direction
    std::size_t n_neurons = 0; ///< of lora and peft
    std::size_t rank = 0;      ///< highest of a block
    AblatedModel ablated;
    std::vector<std::string> notes; ///< what was left out or could not be checked; reported as warnings too
};

/// Writes a direction, a neuron scaling or an ablated model for another tool. What is written appears whole or not at
/// all. Throws Error(usage): options that do not go together, a control vector of block 0 alone, a layer that the file
/// lacks, an architecture whose PEFT names are not known; Error(bad_input): a file that does not fit, an undefined
/// direction; Error(model).
ExportResult export_file(const ExportOptions & options, ProgressSink & progress = silent_progress(),
                         std::stop_token stop = {});

} // namespace valuelens
