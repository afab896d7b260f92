#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "valuelens/concept_set.h"
#include "valuelens/progress.h"
#include "valuelens/vectors.h"

namespace valuelens {

struct DecomposeOptions {
    bool normalize = false;            ///< unit vectors into the SVD, so that the longer one does not dominate
    std::size_t bootstraps = 200;      ///< resamples of queries behind each interval; 0: no intervals
    double confidence = 0.95;          ///< of all intervals, in (0, 1)
    std::size_t resample_groups = 512; ///< as in VectorOptions
    std::size_t permutations = 999;    ///< behind the p of each circle
    std::size_t null_draws = 200;      ///< sets of random directions behind each null
    std::uint64_t seed = 0;
    unsigned threads = 0;        ///< 0: all cores; changes nothing in the result
    std::size_t memory_mb = 256; ///< working memory aimed at; changes nothing in the result
    /// Layers [first, last] whose mean tells the headline numbers; last < first: the middle half of the model. Fixed
    /// beforehand: the best of many layers would flatter.
    std::size_t first_layer = 1;
    std::size_t last_layer = 0;
};

/// Mean of a statistic under chance and the interval that holds `confidence` of its draws. NaN: not computed.
struct Null {
    double mean = std::numeric_limits<double>::quiet_NaN();
    double low = std::numeric_limits<double>::quiet_NaN();
    double high = std::numeric_limits<double>::quiet_NaN();
};

/// The plane of one value's pair of vectors at one layer (design: SVD).
struct PairGeometry {
    double norm_intrinsic = std::numeric_limits<double>::quiet_NaN();
    double norm_prompted = std::numeric_limits<double>::quiet_NaN();
    Estimate cosine;                                                    ///< cos(v_int, v_prompted)
    double sigma_1 = std::numeric_limits<double>::quiet_NaN();          ///< singular values of [v_int, v_prompted], of
    double sigma_2 = std::numeric_limits<double>::quiet_NaN();          ///< unit vectors under `normalize`
    Estimate sigma_ratio;                                               ///< sigma_2 / sigma_1
    double stability_shared = std::numeric_limits<double>::quiet_NaN(); ///< mean |cosine| of the resamples' axis with
    double stability_unique = std::numeric_limits<double>::quiet_NaN(); ///< that of all data
    std::string undefined; ///< why an axis is NaN here ("the two vectors are parallel", ...); empty when none is
};

/// The axes of one value. Tensors are [n_layer, n_embd], NaN in undefined rows; empty where there is a problem.
struct ValueAxes {
    std::string value;
    std::string problem;          ///< why there are no axes at all: a condition without a vector; empty when there are
    std::vector<float> shared;    ///< u_shared, <u_shared, v_int + v_prompted> >= 0
    std::vector<float> intrinsic; ///< u_intrinsic, <u_intrinsic, v_int - v_prompted> >= 0
    std::vector<float> prompted;  ///< -u_intrinsic
    std::vector<float> intrinsic_orth; ///< v_int without its part along v_prompted; its own length
    std::vector<float> prompted_orth;  ///< the mirror image
    std::vector<PairGeometry> layers;  ///< [n_layer]
};

/// How far one direction explains what prompting adds, over the values with both vectors, at one layer
/// (design: Compliance direction).
struct ComplianceLayer {
    Estimate explained;      ///< sum_s (delta[s].m^)^2 / sum_s |delta[s]|^2
    Estimate explained_unit; ///< the same of unit deltas, m their mean
    Estimate mean_cosine;    ///< mean over pairs of cos(delta[s], delta[t])
    Null explained_null;     ///< of random vectors with the lengths of the deltas
    Null explained_unit_null;
    Null mean_cosine_null;
};

enum class AxisKind { shared, intrinsic, prompted };
const char * to_string(AxisKind kind);

/// The first two principal components of the values' axes against one theoretical circle.
struct CircleFit {
    double r_squared = std::numeric_limits<double>::quiet_NaN(); ///< 1 - Procrustes disparity
    double p = std::numeric_limits<double>::quiet_NaN(); ///< (1 + permutations at least as good) / (1 + permutations)
    Null null;                                           ///< of random directions through the same PCA
};

/// The circle of one kind of axis at one layer (or of the mean over layers of the layer range).
struct CircleLayer {
    double explained_1 = std::numeric_limits<double>::quiet_NaN(); ///< share of variance of the first component
    double explained_2 = std::numeric_limits<double>::quiet_NaN();
    CircleFit even;   ///< all angles as the concept set states them (`angle`)
    CircleFit wedges; ///< `wedge`; NaN where the set does not state one for all used values
    /// [n_used] the components, laid onto the even circle (radius 1, centre 0; value s is stated at the cosine and sine
    /// of its angle) by Procrustes: for drawing. The worse the fit, the closer to the middle of the stated points.
    std::vector<std::pair<double, double>> plane;
    std::vector<std::size_t> nearest;  ///< [n_used] position in `used` of the value of highest cosine
    std::vector<std::size_t> opposite; ///< [n_used] ... of lowest cosine
    std::string undefined;             ///< why there is no circle here; empty when there is
};

struct Circle {
    AxisKind kind = AxisKind::shared;
    std::vector<std::size_t> used;                ///< positions in AxisSet::values of the values with an angle and axes
    std::vector<std::size_t> theoretical_nearest; ///< [n_used] as CircleLayer::nearest, by the stated angles; the
    std::vector<std::size_t> theoretical_opposite; ///< first in order among equals
    std::vector<CircleLayer> layers;               ///< [n_layer]
    CircleLayer range;                             ///< of the axes averaged over the layer range
};

/// Everything `decompose` finds about one model.
struct AxisSet {
    Provenance provenance;
    DecomposeOptions options; ///< threads and memory_mb are not kept in files
    std::size_t n_layer = 0;
    std::size_t n_embd = 0;
    std::vector<std::string> values;
    std::vector<std::string> notes; ///< what was left out and why (no angles, values without axes, ...)
    std::vector<ValueAxes> axes;    ///< [n_value]
    std::vector<float> resid_norm;  ///< [n_layer] from the vectors: the unit of `unit=resid`
    std::vector<float> compliance; ///< [n_layer, n_embd] m, its own length; NaN where fewer than two values have deltas
    std::vector<ComplianceLayer> compliance_layers; ///< [n_layer]
    std::vector<Circle> circles; ///< of the three kinds of axis; empty where the concept set states no angles
};

/// Where the resamples come from: the responses behind the vectors. Both empty: no intervals.
struct DecomposeSource {
    std::vector<std::filesystem::path> activations;
    std::filesystem::path labels; ///< labels.jsonl
};

/// Axes, compliance direction and circles of a set of value vectors.
///
/// `concepts`: states the angles; a value that it lacks has none. Throws Error(bad_input): no value with both vectors,
/// activations of another model or shape, or whose vectors differ from those given (by more than 1e-3 of their length);
/// Error(usage): an option out of its range; Error(interrupted).
AxisSet decompose_vectors(const ValueVectorSet & vectors, const ConceptSet & concepts,
                          const DecomposeOptions & options = {}, const DecomposeSource & source = {},
                          ProgressSink & progress = silent_progress(), std::stop_token stop = {});

/// Writes axes.safetensors: `<value>/shared`, `/intrinsic`, `/prompted`, `/intrinsic_orth`, `/prompted_orth`
/// [n_layer, n_embd], `<value>/singular_values` [n_layer, 2], `compliance` [n_layer, n_embd], `resid_norm` [n_layer],
/// and in the metadata the provenance and `stats` (all else as compact JSON, NaN as null). The file appears whole or
/// not at all; equal sets give equal bytes.
void write_axes(const std::filesystem::path & path, const AxisSet & set);

/// Reads it back. A file without `stats` (made elsewhere) is taken with its tensors alone. Throws Error(bad_input).
AxisSet read_axes(const std::filesystem::path & path);

/// Cosines of value vectors between values, conditions, layers, and optionally with those of another model, as one JSON
/// object for the report and for plotting elsewhere (docs/files.md, "geometry.json"). Between two models of different
/// width only the likeness of their value x value matrices is given.
std::string geometry_json(const ValueVectorSet & vectors, const ValueVectorSet * other = nullptr);

} // namespace valuelens
