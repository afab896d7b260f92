#include "decompose/same_vectors.h"

#include <algorithm>

#include "base/fail.h"
#include "math/parallel_for.h"

namespace valuelens {
namespace {

constexpr double tolerance = 1e-3;

void require_same_model_and_shape(const ValueVectorSet & vectors, const ResponseSource & source) {
    const Provenance provenance = source.activations.provenance();
    if (provenance.model_hash != vectors.provenance.model_hash) {
        fail(ErrorKind::bad_input,
             "{}: the activations are of model {} (hash {:.12}), the vectors of {} (hash {:.12}); give the activations "
             "that the vectors were computed from",
             source.name, provenance.model_name, provenance.model_hash, vectors.provenance.model_name,
             vectors.provenance.model_hash);
    }
    if (provenance.location != vectors.provenance.location ||
        provenance.layer_convention != vectors.provenance.layer_convention) {
        fail(ErrorKind::bad_input, "{}: the activations are of '{}' ({}), the vectors of '{}' ({})", source.name,
             provenance.location, provenance.layer_convention, vectors.provenance.location,
             vectors.provenance.layer_convention);
    }
    if (source.activations.n_layer() != vectors.n_layer || source.activations.n_embd() != vectors.n_embd) {
        fail(ErrorKind::bad_input, "{}: the activations have {} layers of {} numbers, the vectors {} of {}",
             source.name, source.activations.n_layer(), source.activations.n_embd(), vectors.n_layer, vectors.n_embd);
    }
}

/// "; they have 12 expressing and ..., the vector rests on ..." where the counts are known and differ.
std::string count_difference(const ValueVector & entry, const Cell & cell) {
    const bool known = entry.n_expressing + entry.n_not_expressing > 0;
    if (!known || (entry.n_expressing == cell.count[1] && entry.n_not_expressing == cell.count[0])) {
        return {};
    }
    return fmt::format(" (they have {} expressing and {} not expressing responses, the vector rests on {} and {})",
                       cell.count[1], cell.count[0], entry.n_expressing, entry.n_not_expressing);
}

} // namespace

void require_same_vectors(const ValueVectorSet & vectors, const ResponseSource & source, std::span<const Cell> cells,
                          unsigned threads, const std::stop_token & stop) {
    require_same_model_and_shape(vectors, source);
    const auto refuse = [&](std::size_t i, const std::string & how) {
        const ValueVector & entry = vectors.vectors[i];
        fail(ErrorKind::bad_input,
             "{}: value '{}', condition {}: {}{}; give the activations and labels that the vectors were computed from",
             source.name, entry.value, to_string(entry.condition), how, count_difference(entry, cells[i]));
    };
    for (std::size_t i = 0; i < cells.size(); ++i) {
        if (vectors.vectors[i].problem.empty() && std::min(cells[i].count[0], cells[i].count[1]) == 0) {
            refuse(i, "the responses of one class are missing, the vectors have this one");
        }
    }

    const auto n_embd = static_cast<Eigen::Index>(vectors.n_embd);
    parallel_for(vectors.n_layer, threads, [&](std::size_t layer) {
        std::array<Eigen::VectorXd, 2> sums;
        Eigen::VectorXf activation(n_embd);
        for (std::size_t i = 0; i < cells.size(); ++i) {
            if (!vectors.vectors[i].problem.empty()) {
                continue;
            }
            sums.fill(Eigen::VectorXd::Zero(n_embd));
            for (const Cell::Entry & entry : cells[i].entries) {
                check_stop(stop);
                source.activations.read(entry.row, layer, {activation.data(), vectors.n_embd});
                sums[entry.expresses] += activation.cast<double>();
            }
            const Eigen::VectorXd found =
                sums[1] / static_cast<double>(cells[i].count[1]) - sums[0] / static_cast<double>(cells[i].count[0]);
            const Eigen::Map<const Eigen::VectorXf> given(vectors.vectors[i].vector.data() + layer * vectors.n_embd,
                                                          n_embd);
            const double length = given.cast<double>().norm();
            const double difference = (found - given.cast<double>()).norm();
            if (!(difference <= tolerance * length)) { // NaN counts as different
                refuse(i, fmt::format("at layer {} the vector of these activations and labels differs from the one "
                                      "given by {:.3g} of its length",
                                      layer, difference / length));
            }
        }
    });
}

} // namespace valuelens
