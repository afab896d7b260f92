#include "engine/steering.h"

#include <cmath>

#include "base/fail.h"

namespace valuelens {
namespace {

bool in_scope(TokenScope scope, bool is_response) {
    return scope == TokenScope::all || (scope == TokenScope::response) == is_response;
}

} // namespace

PreparedIntervention::PreparedIntervention(const Intervention & intervention, int n_layer, int n_embd) {
    for (const LayerDirection & direction : intervention.directions) {
        if (direction.layer < 0 || direction.layer >= n_layer ||
            direction.vector.size() != static_cast<std::size_t>(n_embd)) {
            fail(ErrorKind::usage,
                 "steering: block {} with a vector of {} numbers; the model has blocks 0-{} of width {}",
                 direction.layer, direction.vector.size(), n_layer - 1, n_embd);
        }
        Step step{direction.vector, 0, direction.mode, direction.tokens};
        double squares = 0;
        for (const float x : direction.vector) {
            squares += static_cast<double>(x) * x;
        }
        if (direction.mode == SteerMode::add) {
            for (float & x : step.vector) {
                x *= direction.alpha;
            }
        } else {
            if (!(squares > 0)) {
                fail(ErrorKind::usage,
                     "steering: the vector of block {} is zero, it has no direction to ablate or clamp",
                     direction.layer);
            }
            const double scale = 1 / std::sqrt(squares);
            for (float & x : step.vector) {
                x = static_cast<float>(x * scale);
            }
            step.target = direction.mode == SteerMode::clamp ? direction.alpha : 0;
        }
        steps_[direction.layer].push_back(std::move(step));
    }
    for (const NeuronScale & scale : intervention.neurons) {
        if (scale.layer < 0 || scale.layer >= n_layer || scale.neuron < 0) {
            fail(ErrorKind::usage, "neuron scaling: block {} neuron {} does not exist; the model has blocks 0-{}",
                 scale.layer, scale.neuron, n_layer - 1);
        }
        neurons_[scale.layer].emplace_back(scale.neuron, scale.beta);
    }
}

void PreparedIntervention::edit_block_output(int layer, bool is_response, std::span<float> row) const {
    const auto found = steps_.find(layer);
    if (found == steps_.end()) {
        return;
    }
    for (const Step & step : found->second) {
        if (!in_scope(step.tokens, is_response)) {
            continue;
        }
        float factor = 1;
        if (step.mode != SteerMode::add) {
            double dot = 0;
            for (std::size_t i = 0; i < row.size(); ++i) {
                dot += static_cast<double>(row[i]) * step.vector[i];
            }
            factor = static_cast<float>(step.target - dot);
        }
        for (std::size_t i = 0; i < row.size(); ++i) {
            row[i] += factor * step.vector[i];
        }
    }
}

bool PreparedIntervention::edit_mlp(int layer, std::span<float> row) const {
    const auto found = neurons_.find(layer);
    if (found == neurons_.end()) {
        return true;
    }
    for (const auto & [neuron, beta] : found->second) {
        if (static_cast<std::size_t>(neuron) >= row.size()) {
            return false;
        }
        row[static_cast<std::size_t>(neuron)] *= beta;
    }
    return true;
}

} // namespace valuelens
