#include "pipeline/tune_layers.h"

#include <algorithm>
#include <cmath>

#include "base/fail.h"
#include "steer/strength.h"
#include "store/provenance.h"

namespace valuelens {

std::vector<double> auroc_by_layer(const ValueVectorSet & vectors, const std::string & value, const std::string & key) {
    const std::size_t slash = key.find('/');
    const std::string axis = slash == std::string::npos ? "" : key.substr(slash + 1);
    const bool intrinsic = axis == "intrinsic" || axis == "intrinsic_orth";
    const bool prompted = axis == "prompted" || axis == "prompted_orth";
    std::vector<double> sums(vectors.n_layer);
    std::vector<std::size_t> counts(vectors.n_layer);
    for (const ValueVector & vector : vectors.vectors) {
        const bool other_condition = (intrinsic && vector.condition != Condition::intrinsic) ||
                                     (prompted && vector.condition != Condition::prompted);
        if ((!value.empty() && vector.value != value) || other_condition) {
            continue;
        }
        for (std::size_t layer = 0; layer < vector.auroc.size(); ++layer) {
            if (!std::isnan(vector.auroc[layer].value)) {
                sums[layer] += vector.auroc[layer].value;
                ++counts[layer];
            }
        }
    }
    std::vector<double> means;
    for (std::size_t layer = 0; layer < sums.size(); ++layer) {
        means.push_back(counts[layer] == 0 ? std::numeric_limits<double>::quiet_NaN()
                                           : sums[layer] / static_cast<double>(counts[layer]));
    }
    return means;
}

std::vector<TunedRange> ranges_by_auroc(const ValueVectorSet & vectors, const std::filesystem::path & file,
                                        const std::string & value, const std::string & key, const ModelInfo & model,
                                        int width, std::size_t count) {
    require_same_model(vectors.provenance, model.identity, model.name, file);
    require_same_location(vectors.provenance, "resid_post", file);
    const int window = width > 0 ? width : std::max(1, model.n_layer / 6);
    if (window > model.n_layer) {
        fail(ErrorKind::usage, "--window {}: the model has {} blocks", window, model.n_layer);
    }
    std::vector<TunedRange> ranges;
    for (const ScoredRange & range : best_windows(auroc_by_layer(vectors, value, key), window, count)) {
        ranges.push_back({LayerSpan{range.first, range.last}, range.score});
    }
    if (ranges.empty()) {
        fail(ErrorKind::bad_input,
             "{}: has no held-out AUROC of {} at {} neighbouring blocks, so --layers auto cannot tell them apart; name "
             "ranges with --layers A-B,C-D",
             file.string(), value.empty() ? "any value" : "\"" + value + "\"", window);
    }
    return ranges;
}

} // namespace valuelens
