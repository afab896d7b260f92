#include "steer/neuron_lora.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/fail.h"
#include "base/file.h"
#include "engine/down_projections.h"
#include "store/provenance.h"
#include "store/safetensors.h"

namespace valuelens {

namespace {

namespace fs = std::filesystem;

// gemma3 with vision has a longer prefix, so only the models for text alone can load it.
constexpr std::array<std::string_view, 11> peft_architectures = {
    "llama", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "phi3", "olmo2", "stablelm", "smollm3", "granite"};

std::size_t find_matrix(const DownProjections & projections, int layer, int expert) {
    const auto matrices = projections.matrices();
    const auto found = std::find_if(matrices.begin(), matrices.end(), [&](const DownProjection & matrix) {
        return matrix.layer == layer && matrix.expert == expert;
    });
    if (found == matrices.end()) {
        const char * tensor = expert == dense_mlp       ? "ffn_down"
                              : expert == shared_expert ? "ffn_down_shexp"
                                                        : "ffn_down_exps";
        fail(ErrorKind::model, "{}: block {} has no down projection of {} (blk.{}.{}.weight) to change",
             projections.info().path, layer, expert == dense_mlp ? "a dense MLP" : "such an expert", layer, tensor);
    }
    return static_cast<std::size_t>(found - matrices.begin());
}

/// Fills one plane of a pair with the neurons of one matrix. Neurons of one block of the quantisation are dequantised
/// together.
void fill_plane(const DownProjections & projections, std::size_t matrix, std::span<const NeuronScale> neurons,
                LoraPair & pair, std::size_t plane) {
    float * a = pair.a.data() + plane * pair.rank * pair.n_in;
    float * b = pair.b.data() + plane * pair.n_out * pair.rank;
    const std::size_t step = projections.column_step(matrix);
    std::vector<float> columns;
    std::size_t begin = pair.n_in; // nothing is read yet
    std::size_t width = 0;
    for (std::size_t r = 0; r < neurons.size(); ++r) {
        const auto neuron = static_cast<std::size_t>(neurons[r].neuron);
        if (neuron >= pair.n_in) {
            fail(ErrorKind::bad_input, "{}: block {} has the neurons 0-{}, not {}", projections.info().path,
                 neurons[r].layer, pair.n_in - 1, neuron);
        }
        if (neuron < begin || neuron >= begin + width) {
            begin = neuron / step * step;
            width = std::min(step, pair.n_in - begin);
            columns.resize(pair.n_out * width);
            projections.read(matrix, 0, pair.n_out, begin, width, columns.data(), width);
        }
        a[r * pair.n_in + neuron] = 1.0f;
        for (std::size_t row = 0; row < pair.n_out; ++row) {
            b[row * pair.rank + r] = (neurons[r].beta - 1.0f) * columns[row * width + neuron - begin];
        }
    }
}

using Neurons = std::span<const NeuronScale>;

bool of_experts(const NeuronScale & neuron) {
    return neuron.expert >= 0;
}

/// The neurons at the beginning that `same` holds for, compared with the first.
template <typename Same>
Neurons leading(Neurons neurons, Same && same) {
    const auto end = std::find_if(neurons.begin(), neurons.end(),
                                  [&](const NeuronScale & each) { return !same(each, neurons.front()); });
    return neurons.first(static_cast<std::size_t>(end - neurons.begin()));
}

bool same_matrix(const NeuronScale & a, const NeuronScale & b) {
    return a.layer == b.layer && a.expert == b.expert;
}

/// The pair of one matrix, or of all experts of a block.
LoraPair make_pair_of(const DownProjections & projections, Neurons neurons) {
    std::size_t rank = 0;
    for (Neurons rest = neurons; !rest.empty();) {
        const Neurons own = leading(rest, same_matrix);
        rank = std::max(rank, own.size());
        rest = rest.subspan(own.size());
    }
    const NeuronScale & front = neurons.front();
    const std::size_t first =
        find_matrix(projections, front.layer, of_experts(front) ? 0 : front.expert); // planes lie in this order
    const DownProjection & projection = projections.matrices()[first];
    LoraPair pair;
    pair.weight = projection.tensor;
    pair.n_in = projection.n_neuron;
    pair.n_out = projections.n_embd();
    pair.rank = rank;
    if (of_experts(front)) {
        const auto matrices = projections.matrices();
        pair.n_expert = static_cast<std::size_t>(std::count_if(
            matrices.begin(), matrices.end(), [&](const DownProjection & each) { return each.tensor == pair.weight; }));
    }
    pair.a.resize(pair.n_expert * pair.rank * pair.n_in);
    pair.b.resize(pair.n_expert * pair.n_out * pair.rank);
    for (Neurons rest = neurons; !rest.empty();) {
        const Neurons own = leading(rest, same_matrix);
        const std::size_t matrix = find_matrix(projections, own.front().layer, own.front().expert);
        fill_plane(projections, matrix, own, pair, matrix - first);
        rest = rest.subspan(own.size());
    }
    return pair;
}

std::map<std::string, std::string> metadata_of(const NeuronLora & lora,
                                               const std::map<std::string, std::string> & how) {
    std::map<std::string, std::string> metadata = how;
    metadata.merge(provenance_metadata(lora.provenance));
    return metadata;
}

nlohmann::ordered_json peft_config(const NeuronLora & lora, std::size_t highest) {
    nlohmann::ordered_json modules = nlohmann::ordered_json::array();
    nlohmann::ordered_json ranks = nlohmann::ordered_json::object();
    for (std::size_t i = 0; i < lora.pairs.size(); ++i) {
        const std::string module = fmt::format("layers.{}.mlp.down_proj", lora.layers[i]);
        modules.push_back(module);
        if (lora.pairs[i].rank != highest) {
            ranks[module] = lora.pairs[i].rank;
        }
    }
    // alpha = rank everywhere: PEFT multiplies by alpha / rank.
    return {
        {"peft_type", "LORA"},
        {"task_type", "CAUSAL_LM"},
        {"base_model_name_or_path", lora.provenance.model_name},
        {"inference_mode", true},
        {"r", highest},
        {"lora_alpha", highest},
        {"target_modules", modules},
        {"rank_pattern", ranks},
        {"alpha_pattern", ranks},
        {"lora_dropout", 0.0},
        {"bias", "none"},
        {"fan_in_fan_out", false},
        {"init_lora_weights", true},
        {"modules_to_save", nullptr},
        {"use_rslora", false},
        {"use_dora", false},
    };
}

} // namespace

NeuronLora make_neuron_lora(const std::string & model_path, std::span<const NeuronScale> neurons) {
    // LoRA acts on the matrix itself, before any norm that follows it.
    const DownProjections projections(model_path, /* norm_gains = */ false);
    NeuronLora lora;
    lora.provenance.model_name = projections.info().name;
    lora.provenance.model_hash = projections.info().identity;
    lora.provenance.location = "mlp_post";
    lora.provenance.tool_version = VALUELENS_VERSION;
    lora.architecture = projections.info().architecture;
    std::vector<NeuronScale> changed;
    std::copy_if(neurons.begin(), neurons.end(), std::back_inserter(changed),
                 [](const NeuronScale & neuron) { return neuron.beta != 1.0f; });
    if (changed.empty()) {
        fail(ErrorKind::bad_input, "no neuron is scaled by another factor than 1, so there is nothing to export");
    }
    for (Neurons rest = changed; !rest.empty();) {
        const Neurons own = leading(rest, [](const NeuronScale & a, const NeuronScale & b) {
            return a.layer == b.layer && (a.expert == b.expert || (of_experts(a) && of_experts(b)));
        });
        lora.layers.push_back(own.front().layer);
        lora.pairs.push_back(make_pair_of(projections, own));
        lora.has_experts = lora.has_experts || own.front().expert != dense_mlp;
        rest = rest.subspan(own.size());
    }
    lora.n_neurons = changed.size();
    return lora;
}

void write_neuron_lora_gguf(const fs::path & path, const NeuronLora & lora,
                            const std::map<std::string, std::string> & how) {
    LoraAdapter adapter;
    adapter.architecture = lora.architecture;
    adapter.name = fmt::format("{} with {} neurons scaled", lora.provenance.model_name, lora.n_neurons);
    adapter.pairs = lora.pairs;
    for (const auto & [key, value] : metadata_of(lora, how)) {
        adapter.texts["valuelens." + key] = value;
    }
    write_lora(path, adapter);
}

void require_peft_names(const std::string & architecture) {
    if (std::find(peft_architectures.begin(), peft_architectures.end(), architecture) == peft_architectures.end()) {
        fail(ErrorKind::usage,
             "the PEFT names of architecture {} are not known (known: {}); export --format lora for llama.cpp",
             architecture, fmt::join(peft_architectures, ", "));
    }
}

void write_neuron_lora_peft(const fs::path & folder, const NeuronLora & lora,
                            const std::map<std::string, std::string> & how) {
    require_peft_names(lora.architecture);
    if (lora.has_experts) {
        fail(ErrorKind::usage, "PEFT has no modules for the experts of a mixture; export --format lora for llama.cpp");
    }
    std::error_code problem;
    if (fs::exists(folder) && (!fs::is_directory(folder) || !fs::is_empty(folder, problem) || problem)) {
        fail(ErrorKind::bad_input, "{}: exists and is not empty; name another folder", folder.string());
    }
    std::size_t highest = 0;
    std::vector<FloatTensor> tensors;
    for (std::size_t i = 0; i < lora.pairs.size(); ++i) {
        const LoraPair & pair = lora.pairs[i];
        const std::string module = fmt::format("base_model.model.model.layers.{}.mlp.down_proj", lora.layers[i]);
        tensors.push_back({module + ".lora_A.weight", {pair.rank, pair.n_in}, pair.a});
        tensors.push_back({module + ".lora_B.weight", {pair.n_out, pair.rank}, pair.b});
        highest = std::max(highest, pair.rank);
    }
    std::map<std::string, std::string> metadata = metadata_of(lora, how);
    metadata["format"] = "pt"; // transformers refuses weights without it

    const fs::path target = folder.has_filename() ? folder : folder.parent_path(); // "name/" too
    const fs::path side = fmt::format("{}.{}.partial", target.string(), ::getpid());
    fs::create_directory(side, problem);
    if (problem) {
        fail(ErrorKind::bad_input, "{}: the folder cannot be made ({})", side.string(), problem.message());
    }
    try {
        write_safetensors(side / "adapter_model.safetensors", tensors, metadata);
        write_file(side / "adapter_config.json", peft_config(lora, highest).dump(2) + "\n");
    } catch (...) {
        fs::remove_all(side, problem);
        throw;
    }
    fs::rename(side, target, problem);
    if (problem) {
        const std::string reason = problem.message();
        fs::remove_all(side, problem);
        fail(ErrorKind::bad_input, "{}: cannot be put in place ({})", target.string(), reason);
    }
}

} // namespace valuelens
