#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/adapter_file.h"
#include "valuelens/intervention.h"
#include "valuelens/progress.h"
#include "valuelens/vectors.h"

namespace valuelens {

/// Neuron scaling as a change of weights: W' = W + sum_i (beta_i - 1) w_i e_i^T of each down projection, with w_i the
/// column of neuron i. One pair per matrix: row r of `a` is e_i of its r-th neuron, column r of `b` is (beta_i - 1)
/// w_i. The experts of a block make one pair of as many planes; experts with fewer neurons have rows of zeros.
struct NeuronLora {
    Provenance provenance;
    std::string architecture;
    std::vector<int> layers;     ///< of each pair, ascending
    std::vector<LoraPair> pairs; ///< of blk.<layer>.ffn_down.weight, ffn_down_shexp, ffn_down_exps
    std::size_t n_neurons = 0;   ///< in all pairs
    bool has_experts = false;    ///< a neuron is one of an expert
};

/// Reads the columns from a GGUF model (dequantised, the model is not loaded). `neurons` ascend by block, expert
/// and neuron; those with beta 1 change nothing and are left out. Throws Error(bad_input): none is left, or a neuron
/// that its block does not have; Error(model): not a usable GGUF, or a block without such a down projection.
NeuronLora make_neuron_lora(const std::string & model_path, std::span<const NeuronScale> neurons);

/// For llama.cpp (--lora): the same logits as the scaling, for F32 weights exactly up to rounding.
void write_neuron_lora_gguf(const std::filesystem::path & path, const NeuronLora & lora,
                            const std::map<std::string, std::string> & how);

/// Throws Error(usage) unless transformers names the down projections of this architecture (of GGUF)
/// model.layers.<N>.mlp.down_proj: llama (Mistral and SmolLM2 too), qwen2, qwen3, gemma, gemma2, gemma3 (without
/// vision), phi3, olmo2, stablelm, smollm3, granite.
void require_peft_names(const std::string & architecture);

/// A folder for PEFT: adapter_config.json (rank and alpha of each block, so that the scaling is 1) and
/// adapter_model.safetensors. The folder appears whole or not at all. Throws Error(usage) for another architecture
/// (require_peft_names) and for neurons of experts, Error(bad_input) where the folder exists and is not empty.
void write_neuron_lora_peft(const std::filesystem::path & folder, const NeuronLora & lora,
                            const std::map<std::string, std::string> & how);

} // namespace valuelens
