#pragma once

#include <cmath>
#include <filesystem>
#include <fstream>
#include <vector>

#include "store/provenance.h"
#include "store/safetensors.h"
#include "valuelens/model.h"

namespace valuelens::test {

/// Axes of made-up directions for a model: `care/shared` and `power/shared` [n_layer, n_embd], `compliance`, `one`
/// [n_embd] and `resid_norm`; each layer's row has length 1, that of `compliance` 2.
inline std::filesystem::path write_axes(const std::filesystem::path & path, const ModelInfo & model) {
    const auto n_layer = static_cast<std::size_t>(model.n_layer);
    const auto n_embd = static_cast<std::size_t>(model.n_embd);
    const auto direction = [&](std::size_t rows, float frequency, float length) {
        std::vector<float> values(rows * n_embd);
        for (std::size_t row = 0; row < rows; ++row) {
            double squares = 0;
            for (std::size_t i = 0; i < n_embd; ++i) {
                values[row * n_embd + i] = std::sin(frequency * static_cast<float>(i + row));
                squares += std::pow(static_cast<double>(values[row * n_embd + i]), 2);
            }
            for (std::size_t i = 0; i < n_embd; ++i) {
                values[row * n_embd + i] *= length / static_cast<float>(std::sqrt(squares));
            }
        }
        return values;
    };
    const std::vector<float> care = direction(n_layer, 0.7f, 1);
    const std::vector<float> power = direction(n_layer, 1.3f, 1);
    const std::vector<float> compliance = direction(n_layer, 0.2f, 2);
    const std::vector<float> one = direction(1, 0.9f, 1);
    const std::vector<float> norms(n_layer, 40.0f);
    const std::vector<FloatTensor> tensors = {{"care/shared", {n_layer, n_embd}, care},
                                              {"power/shared", {n_layer, n_embd}, power},
                                              {"compliance", {n_layer, n_embd}, compliance},
                                              {"one", {n_embd}, one},
                                              {"resid_norm", {n_layer}, norms}};
    Provenance provenance;
    provenance.model_name = model.name;
    provenance.model_hash = model.identity;
    provenance.location = "resid_post";
    provenance.tool_version = "0";
    write_safetensors(path, tensors, provenance_metadata(provenance));
    return path;
}

/// Two neurons of one group and one of another.
inline void write_neurons(const std::filesystem::path & path) {
    std::ofstream(path) << "value,layer,expert,neuron,norm,angle_shared,angle_intrinsic,angle_prompted,category\n"
                           "care,1,,0,1.0,10,80,100,shared\n"
                           "care,1,,2,1.0,10,80,100,shared\n"
                           "power,0,,1,1.0,10,80,100,prompted\n";
}

inline ModelInfo small_model() {
    ModelInfo model;
    model.name = "small";
    model.identity = "1111";
    model.n_layer = 3;
    model.n_embd = 8;
    model.n_ff = 5;
    return model;
}

} // namespace valuelens::test
