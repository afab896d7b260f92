#include "neurons/survey.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <span>

#include "base/fail.h"
#include "base/random.h"
#include "math/parallel_for.h"
#include "math/vector_ops.h"
#include "neurons/categories.h"
#include "neurons/plane_products.h"

namespace valuelens {

namespace {

/// Products that are held at once: [rows, neurons] of so many neurons (of one matrix at least).
constexpr std::size_t batch_neurons = 65536;

/// A plane through all layers, and the neurons kept for it.
struct Plane {
    const std::vector<bool> * layers = nullptr; ///< where it is defined
    std::size_t row = 0;                        ///< of the layer's products: this and the next; set layer by layer
    TopNorms top;
    std::vector<Projection> kept;
};

/// Two orthonormal vectors of a random plane into rows [2, n_embd].
void draw_plane(std::uint64_t seed, std::size_t draw, std::size_t layer, std::size_t n_embd, float * rows) {
    Rng rng(derive_seed(seed, fmt::format("random plane {} at layer {}", draw, layer)));
    std::vector<double> first(n_embd);
    std::vector<double> second(n_embd);
    for (std::vector<double> * vector : {&first, &second}) {
        for (double & x : *vector) {
            x = rng.normal();
        }
    }
    const double along = dot(first, second) / dot(first, first);
    for (std::size_t i = 0; i < n_embd; ++i) {
        second[i] -= along * first[i];
    }
    const double norm_first = norm(first);
    const double norm_second = norm(second);
    for (std::size_t i = 0; i < n_embd; ++i) {
        rows[i] = static_cast<float>(first[i] / norm_first);
        rows[n_embd + i] = static_cast<float>(second[i] / norm_second);
    }
}

class Surveyor {
public:
    Surveyor(const DownProjections & model, const AxisSet & axes, const NeuronPlan & plan,
             const NeuronOptions & options)
        : model_(model), axes_(axes), plan_(plan), options_(options), offsets_(neuron_offsets(model)),
          per_layer_(neurons_per_layer(model)) {
        for (const NeuronPlan::Value & value : plan.values) {
            add_plane(plan.groups[value.group]);
        }
        for (const std::vector<bool> & group : plan.groups) {
            for (std::size_t draw = 0; draw < options.null_draws; ++draw) {
                add_plane(group);
            }
        }
    }

    /// Projects matrices [first, last), all those of a layer.
    void add_layer(std::size_t layer, std::size_t first, std::size_t last,
                   const std::function<void(std::size_t)> & done, const std::stop_token & stop) {
        const std::vector<float> rows = layer_rows(layer);
        if (!rows.empty()) {
            const PlaneProducts products(rows, rows.size() / model_.n_embd(), model_.n_embd());
            while (first < last) {
                if (stop.stop_requested()) {
                    fail(ErrorKind::interrupted, "stopped while neurons were looked for; run the same command again");
                }
                std::size_t end = first + 1;
                while (end < last && offsets_[end + 1] - offsets_[first] <= batch_neurons) {
                    ++end;
                }
                add_batch(products, rows.size() / model_.n_embd(), layer, first, end);
                model_.release(first, end);
                done(end);
                first = end;
            }
        }
        for (Plane & plane : planes_) {
            if (options_.scope == NeuronScope::layer && (*plane.layers)[layer]) {
                std::ranges::move(plane.top.take(), std::back_inserter(plane.kept));
            }
        }
    }

    NeuronSurvey finish() {
        parallel_for(planes_.size(), options_.threads, [&](std::size_t i) {
            Plane & plane = planes_[i];
            if (options_.scope == NeuronScope::model) {
                plane.kept = plane.top.take();
            } else {
                std::sort(plane.kept.begin(), plane.kept.end(), [](const Projection & a, const Projection & b) {
                    return a.norm != b.norm ? a.norm > b.norm : a.neuron < b.neuron;
                });
            }
        });
        NeuronSurvey survey;
        auto plane = planes_.begin();
        for (std::size_t i = 0; i < plan_.values.size(); ++i) {
            survey.values.push_back(std::move((plane++)->kept));
        }
        survey.draws.resize(plan_.groups.size());
        for (auto & draws : survey.draws) {
            for (std::size_t draw = 0; draw < options_.null_draws; ++draw) {
                draws.push_back(std::move((plane++)->kept));
            }
        }
        return survey;
    }

private:
    void add_plane(const std::vector<bool> & layers) {
        std::size_t n = 0;
        for (std::size_t layer = 0; layer < layers.size(); ++layer) {
            n += layers[layer] ? per_layer_[layer] : 0;
        }
        planes_.push_back({&layers, 0, TopNorms(top_count(options_.top_percent, n)), {}});
    }

    /// The axes of a layer's planes [2 n, n_embd]; empty where no plane is defined. Groups share their random planes.
    std::vector<float> layer_rows(std::size_t layer) {
        const std::size_t n_embd = model_.n_embd();
        std::vector<float> rows;
        for (std::size_t i = 0; i < plan_.values.size(); ++i) {
            if (plan_.covers(plan_.values[i], layer)) {
                planes_[i].row = rows.size() / n_embd;
                const ValueAxes & entry = axes_.axes[plan_.values[i].axes];
                for (const std::vector<float> * axis : {&entry.shared, &entry.intrinsic}) {
                    const auto begin = axis->begin() + static_cast<std::ptrdiff_t>(layer * n_embd);
                    rows.insert(rows.end(), begin, begin + static_cast<std::ptrdiff_t>(n_embd));
                }
            }
        }
        if (rows.empty()) {
            return rows;
        }
        const std::size_t first_draw = rows.size() / n_embd;
        rows.resize(rows.size() + 2 * options_.null_draws * n_embd);
        for (std::size_t draw = 0; draw < options_.null_draws; ++draw) {
            draw_plane(options_.seed, draw, layer, n_embd, rows.data() + (first_draw + 2 * draw) * n_embd);
        }
        for (std::size_t i = plan_.values.size(); i < planes_.size(); ++i) {
            planes_[i].row = first_draw + 2 * ((i - plan_.values.size()) % options_.null_draws);
        }
        if (options_.scope == NeuronScope::layer) {
            for (Plane & plane : planes_) {
                plane.top = TopNorms(top_count(options_.top_percent, per_layer_[layer]));
            }
        }
        return rows;
    }

    void add_batch(const PlaneProducts & products, std::size_t n_rows, std::size_t layer, std::size_t first,
                   std::size_t last) {
        const std::size_t n = offsets_[last] - offsets_[first];
        products_.resize(n_rows * n);
        const std::vector<PlaneProducts::Piece> pieces = PlaneProducts::pieces(model_, first, last);
        parallel_for(pieces.size(), options_.threads,
                     [&](std::size_t i) { products.multiply(model_, pieces[i], products_.data(), n); });
        parallel_for(planes_.size(), options_.threads, [&](std::size_t i) {
            Plane & plane = planes_[i];
            if (!(*plane.layers)[layer]) {
                return;
            }
            const float * along = products_.data() + plane.row * n;
            for (std::size_t neuron = 0; neuron < n; ++neuron) {
                const auto a = static_cast<double>(along[neuron]);
                const auto b = static_cast<double>(along[n + neuron]);
                const double length = std::sqrt(a * a + b * b);
                if (!std::isfinite(length)) {
                    fail_not_finite(offsets_[first] + neuron);
                }
                plane.top.add({length, along[neuron], along[n + neuron], offsets_[first] + neuron});
            }
        });
    }

    [[noreturn]] void fail_not_finite(std::size_t neuron) const {
        const auto matrix =
            static_cast<std::size_t>(std::upper_bound(offsets_.begin(), offsets_.end(), neuron) - offsets_.begin() - 1);
        fail(ErrorKind::model,
             "{}: tensor '{}' holds a weight of neuron {} that is not a finite number; the file is damaged, fetch it "
             "again",
             model_.info().path, model_.matrices()[matrix].tensor, neuron - offsets_[matrix]);
    }

    const DownProjections & model_;
    const AxisSet & axes_;
    const NeuronPlan & plan_;
    const NeuronOptions & options_;
    const std::vector<std::size_t> offsets_;
    const std::vector<std::size_t> per_layer_;
    std::vector<Plane> planes_;   ///< of the values, then of the draws of each group
    std::vector<float> products_; ///< [rows, neurons of the batch]
};

} // namespace

std::vector<std::size_t> neuron_offsets(const DownProjections & model) {
    std::vector<std::size_t> offsets = {0};
    for (const DownProjection & matrix : model.matrices()) {
        offsets.push_back(offsets.back() + matrix.n_neuron);
    }
    return offsets;
}

std::vector<std::size_t> neurons_per_layer(const DownProjections & model) {
    std::vector<std::size_t> counts(model.n_layer(), 0);
    for (const DownProjection & matrix : model.matrices()) {
        counts[static_cast<std::size_t>(matrix.layer)] += matrix.n_neuron;
    }
    return counts;
}

NeuronSurvey survey_neurons(const DownProjections & model, const AxisSet & axes, const NeuronPlan & plan,
                            const NeuronOptions & options, ProgressSink & progress, std::stop_token stop) {
    const std::span<const DownProjection> matrices = model.matrices();
    std::vector<std::uint64_t> bytes = {0};
    for (const DownProjection & matrix : matrices) {
        bytes.push_back(bytes.back() + matrix.bytes);
    }
    progress.start("neurons", bytes.back(), "bytes");
    Surveyor surveyor(model, axes, plan, options);
    std::size_t begin = 0;
    while (begin < matrices.size()) {
        const auto end_of_layer = [&](std::size_t first) {
            std::size_t end = first;
            while (end < matrices.size() && matrices[end].layer == matrices[first].layer) {
                ++end;
            }
            return end;
        };
        const std::size_t end = end_of_layer(begin);
        model.prefetch(begin == 0 ? begin : end, end_of_layer(end));
        surveyor.add_layer(
            static_cast<std::size_t>(matrices[begin].layer), begin, end,
            [&](std::size_t done) { progress.advance(bytes[done]); }, stop);
        begin = end;
    }
    NeuronSurvey survey = surveyor.finish();
    progress.finish();
    return survey;
}

} // namespace valuelens
