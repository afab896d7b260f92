#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace valuelens {

/// A GGUF control vector: `direction.N` is added to the output of block N. llama.cpp has no place for block 0.
struct ControlVector {
    std::string model_hint;                       ///< controlvector.model_hint; may be empty
    std::map<std::string, std::string> texts;     ///< other text entries, by their whole key
    std::map<int, std::vector<float>> directions; ///< N -> [n_embd], all of one length
};

/// Reads what llama.cpp, repeng, EasySteer and write_control_vector() write, direction.0 included (repeng and EasySteer
/// may have one). Weights of any type of ggml become float. Throws Error(bad_input) that names the file and the tensor:
/// not GGUF, truncated, another architecture than `controlvector`, no direction, directions of different lengths.
ControlVector read_control_vector(const std::filesystem::path & path);

/// Writes it with general.architecture = controlvector, controlvector.layer_count (u32) = the number of directions, and
/// F32 tensors in the order of N. The file appears whole or not at all. N < 1 is Error(internal).
void write_control_vector(const std::filesystem::path & path, const ControlVector & vector);

/// The change of one weight matrix W [n_out, n_in]: W + b a; of a mixture's experts, the changes of all of them.
struct LoraPair {
    std::string weight; ///< name of the tensor in the model, "blk.3.ffn_down.weight"
    std::size_t n_in = 0;
    std::size_t n_out = 0;
    std::size_t rank = 0;
    std::size_t n_expert = 1;
    std::vector<float> a; ///< [n_expert, rank, n_in]
    std::vector<float> b; ///< [n_expert, n_out, rank]
};

/// A LoRA adapter in the form that llama.cpp reads.
struct LoraAdapter {
    std::string architecture;                 ///< of the model; llama.cpp refuses another
    std::string name;                         ///< general.name; may be empty
    std::map<std::string, std::string> texts; ///< other text entries, by their whole key
    std::vector<LoraPair> pairs;
};

/// Whether a GGUF file is an adapter (general.type).
bool is_adapter_file(const std::filesystem::path & path);

/// What a LoRA adapter in GGUF says of itself; the weights stay in the file. Throws Error(bad_input): no GGUF, no
/// adapter, or a tensor without its partner.
struct LoraSummary {
    struct Pair {
        std::string weight;
        std::string type;                          ///< of `a`
        std::vector<std::size_t> a_shape, b_shape; ///< as in the file, the contiguous dimension last
    };
    std::string architecture;
    float alpha = 0;
    std::map<std::string, std::string> texts; ///< text entries, by their whole key
    std::vector<Pair> pairs;                  ///< in the order of the file
};
LoraSummary read_lora_summary(const std::filesystem::path & path);

/// Writes it as GGUF: general.type = adapter, adapter.type = lora, `<weight>.lora_a`, `<weight>.lora_b`. llama.cpp
/// multiplies each pair by adapter.lora.alpha / rank; alpha is the highest rank here, and `b` of a pair of lower rank
/// is multiplied by its share, so that scale 1 gives W + b a. The file appears whole or not at all.
void write_lora(const std::filesystem::path & path, const LoraAdapter & adapter);

} // namespace valuelens
