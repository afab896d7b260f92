#pragma once

#include <cmath>
#include <filesystem>
#include <limits>
#include <vector>

#include "store/provenance.h"
#include "store/safetensors.h"
#include "valuelens/model.h"

namespace valuelens {

/// A model of three blocks that exists as a description only.
inline ModelInfo toy_model() {
    ModelInfo model;
    model.name = "toy";
    model.identity = "1111";
    model.n_layer = 3;
    model.n_embd = 2;
    model.n_ff = 5;
    return model;
}

/// Directions for toy_model(): `care/shared` (3-4 vectors of length 5, 10, 0), `care/undefined` with a NaN at layer 1,
/// `one` for no layer in particular, and `resid_norm`.
inline std::filesystem::path write_directions(const std::filesystem::path & path,
                                              const std::string & model_hash = "1111",
                                              const std::string & location = "resid_post") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> shared = {3, 4, 6, 8, 0, 0};
    const std::vector<float> undefined = {1, 0, nan, nan, 0, 1};
    const std::vector<float> one = {0, 2};
    const std::vector<float> norms = {10, 20, 30};
    const std::vector<FloatTensor> tensors = {{"care/shared", {3, 2}, shared},
                                              {"care/undefined", {3, 2}, undefined},
                                              {"one", {2}, one},
                                              {"resid_norm", {3}, norms}};
    Provenance provenance;
    provenance.model_name = "maker";
    provenance.model_hash = model_hash;
    provenance.location = location;
    provenance.tool_version = "0";
    write_safetensors(path, tensors, provenance_metadata(provenance));
    return path;
}

} // namespace valuelens
