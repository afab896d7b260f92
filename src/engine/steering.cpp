#include "engine/steering.h"

#include <array>
#include <cmath>

#include "base/fail.h"

namespace valuelens {
namespace {

bool in_scope(TokenScope scope, bool is_response) {
    return scope == TokenScope::all || (scope == TokenScope::response) == is_response;
}

// In double, but in eight sums side by side, which the compiler turns into vector instructions.
double dot(std::span<const float> a, std::span<const float> b) {
    constexpr std::size_t lanes = 8;
    std::array<double, lanes> sums{};
    const std::size_t whole = a.size() / lanes * lanes;
    for (std::size_t i = 0; i < whole; i += lanes) {
        for (std::size_t lane = 0; lane < lanes; ++lane) {
            sums[lane] += static_cast<double>(a[i + lane]) * static_cast<double>(b[i + lane]);
        }
    }
    double sum = 0;
    for (std::size_t i = whole; i < a.size(); ++i) {
        sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    }
    for (const double lane : sums) {
        sum += lane;
    }
    return sum;
}

} // namespace

MlpKind mlp_kind(int expert) {
    return expert == dense_mlp ? MlpKind::dense : expert == shared_expert ? MlpKind::shared : MlpKind::experts;
}

PreparedIntervention::PreparedIntervention(const Intervention & intervention, int n_layer, int n_embd)
    : steps_(static_cast<std::size_t>(n_layer)) {
    neurons_.fill(std::vector<std::vector<Factor>>(static_cast<std::size_t>(n_layer)));
    for (const LayerDirection & direction : intervention.directions) {
        if (direction.layer < 0 || direction.layer >= n_layer ||
            direction.vector.size() != static_cast<std::size_t>(n_embd)) {
            fail(ErrorKind::usage,
                 "steering: block {} with a vector of {} numbers; the model has blocks 0-{} of width {}",
                 direction.layer, direction.vector.size(), n_layer - 1, n_embd);
        }
        Step step{direction.vector, 0, direction.mode, direction.tokens};
        const double squares = dot(direction.vector, direction.vector);
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
        steps_[static_cast<std::size_t>(direction.layer)].push_back(std::move(step));
    }
    for (const NeuronScale & scale : intervention.neurons) {
        if (scale.layer < 0 || scale.layer >= n_layer || scale.neuron < 0 || scale.expert < shared_expert) {
            fail(ErrorKind::usage, "neuron scaling: block {} neuron {} does not exist; the model has blocks 0-{}",
                 scale.layer, scale.neuron, n_layer - 1);
        }
        neurons_[static_cast<std::size_t>(mlp_kind(scale.expert))][static_cast<std::size_t>(scale.layer)].push_back(
            {scale.expert, scale.neuron, scale.beta});
    }
}

void PreparedIntervention::edit_block_output(int layer, bool is_response, std::span<float> row) const {
    for (const Step & step : steps_[static_cast<std::size_t>(layer)]) {
        if (!in_scope(step.tokens, is_response)) {
            continue;
        }
        const float factor =
            step.mode == SteerMode::add ? 1.0f : static_cast<float>(step.target - dot(row, step.vector));
        float * x = row.data();
        const float * v = step.vector.data();
        for (std::size_t i = 0; i < row.size(); ++i) {
            x[i] += factor * v[i];
        }
    }
}

bool PreparedIntervention::edit_mlp(int layer, MlpKind kind, int expert, std::span<float> row) const {
    for (const Factor & factor : neurons_[static_cast<std::size_t>(kind)][static_cast<std::size_t>(layer)]) {
        if (kind == MlpKind::experts && factor.expert != expert) {
            continue;
        }
        if (static_cast<std::size_t>(factor.neuron) >= row.size()) {
            return false;
        }
        row[static_cast<std::size_t>(factor.neuron)] *= factor.beta;
    }
    return true;
}

} // namespace valuelens
