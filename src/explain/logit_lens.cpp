#include "explain/logit_lens.h"

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/fail.h"
#include "engine/down_projections.h"
#include "engine/output_head.h"

namespace valuelens {

namespace {

using FloatMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr std::size_t rows_at_once = 2048;

/// The n largest of a stream of logits; a later token of the same logit does not displace an earlier one.
class Largest {
public:
    explicit Largest(std::size_t n) : n_(n) {}

    void add(float logit, Token token) {
        if (kept_.size() == n_ && logit <= kept_.back().first) {
            return;
        }
        const auto place = std::upper_bound(kept_.begin(), kept_.end(), logit,
                                            [](float value, const auto & entry) { return value > entry.first; });
        kept_.insert(place, {logit, token});
        if (kept_.size() > n_) {
            kept_.pop_back();
        }
    }

    const std::vector<std::pair<float, Token>> & get() const { return kept_; }

private:
    std::size_t n_;
    std::vector<std::pair<float, Token>> kept_;
};

} // namespace

std::vector<LensTokens> logit_lens(const Model & model, std::span<const float> directions, std::size_t count,
                                   std::size_t n, ProgressSink & progress, std::stop_token stop) {
    const OutputHead head(model.info().path);
    const std::size_t width = head.n_embd();
    if (directions.size() != count * width) {
        fail(ErrorKind::internal, "{} numbers are no {} directions of width {}", directions.size(), count, width);
    }
    // The final norm takes away the mean (LayerNorm), and multiplies by its gain.
    FloatMatrix scaled(count, width);
    for (std::size_t d = 0; d < count; ++d) {
        double mean = 0;
        for (std::size_t i = 0; head.centres() && i < width; ++i) {
            mean += static_cast<double>(directions[d * width + i]) / static_cast<double>(width);
        }
        for (std::size_t i = 0; i < width; ++i) {
            scaled(static_cast<Eigen::Index>(d), static_cast<Eigen::Index>(i)) =
                (directions[d * width + i] - static_cast<float>(mean)) * head.gain()[i];
        }
    }
    std::vector<Largest> top(count, Largest(n));
    std::vector<Largest> bottom(count, Largest(n));
    FloatMatrix rows(rows_at_once, width);
    progress.start("logit lens", head.n_vocab(), "tokens");
    for (std::size_t first = 0; first < head.n_vocab(); first += rows_at_once) {
        if (stop.stop_requested()) {
            fail(ErrorKind::interrupted, "stopped");
        }
        const std::size_t n_rows = std::min(rows_at_once, head.n_vocab() - first);
        head.read(first, n_rows, rows.data());
        const FloatMatrix logits = scaled * rows.topRows(static_cast<Eigen::Index>(n_rows)).transpose();
        for (std::size_t d = 0; d < count; ++d) {
            for (std::size_t r = 0; r < n_rows; ++r) {
                const float logit = logits(static_cast<Eigen::Index>(d), static_cast<Eigen::Index>(r));
                if (std::isfinite(logit)) {
                    top[d].add(logit, static_cast<Token>(first + r));
                    bottom[d].add(-logit, static_cast<Token>(first + r));
                }
            }
        }
        progress.advance(first + n_rows);
    }
    progress.finish();
    std::vector<LensTokens> found(count);
    for (std::size_t d = 0; d < count; ++d) {
        for (const auto & [logit, token] : top[d].get()) {
            found[d].top.emplace_back(model.token_bytes(token, /* special = */ true), logit);
        }
        for (const auto & [logit, token] : bottom[d].get()) {
            found[d].bottom.emplace_back(model.token_bytes(token, /* special = */ true), -logit);
        }
    }
    return found;
}

std::vector<float> output_weights(const std::string & model_path, std::span<const NeuronId> neurons) {
    const DownProjections down(model_path);
    std::map<std::pair<int, int>, std::size_t> matrices; // by layer and expert
    for (std::size_t m = 0; m < down.matrices().size(); ++m) {
        matrices[{down.matrices()[m].layer, down.matrices()[m].expert}] = m;
    }
    std::vector<float> weights(neurons.size() * down.n_embd());
    std::vector<float> piece;
    for (std::size_t i = 0; i < neurons.size(); ++i) {
        const NeuronId & id = neurons[i];
        const auto found = matrices.find({id.layer, id.expert});
        if (found == matrices.end() || static_cast<std::size_t>(id.neuron) >= down.matrices()[found->second].n_neuron) {
            fail(ErrorKind::usage, "layer {} has no neuron {} in {}", id.layer, id.neuron, model_path);
        }
        const std::size_t step = down.column_step(found->second);
        const std::size_t first = static_cast<std::size_t>(id.neuron) / step * step;
        const std::size_t n_columns = std::min(step, down.matrices()[found->second].n_neuron - first);
        piece.resize(down.n_embd() * n_columns);
        down.read(found->second, 0, down.n_embd(), first, n_columns, piece.data(), n_columns);
        for (std::size_t row = 0; row < down.n_embd(); ++row) {
            weights[i * down.n_embd() + row] = piece[row * n_columns + static_cast<std::size_t>(id.neuron) - first];
        }
    }
    return weights;
}

} // namespace valuelens
