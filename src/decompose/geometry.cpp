#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <Eigen/Core>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "math/correlation.h"
#include "math/row_matrix.h"
#include "store/provenance.h"
#include "valuelens/decompose.h"

namespace valuelens {
namespace {

using nlohmann::json;

constexpr std::array<Condition, 2> conditions{Condition::intrinsic, Condition::prompted};

/// Six decimals; NaN becomes null in the text.
json rounded(double value) {
    constexpr double decimals = 1e6;
    return std::round(value * decimals) / decimals + 0.0; // + 0.0: no "-0.0"
}

template <typename List>
json rounded_list(const List & values) {
    json list = json::array();
    for (const double value : values) {
        list.push_back(rounded(value));
    }
    return list;
}

json rounded_matrix(const RowMatrix & matrix) {
    json rows = json::array();
    for (Eigen::Index i = 0; i < matrix.rows(); ++i) {
        rows.push_back(rounded_list(matrix.row(i)));
    }
    return rows;
}

/// A vector at unit length; NaN for one that is absent, zero or not finite.
void read_unit(const ValueVectorSet & set, const ValueVector & entry, std::size_t layer,
               Eigen::Ref<Eigen::RowVectorXd> out) {
    double length = 0;
    if (entry.problem.empty()) {
        out = Eigen::Map<const Eigen::RowVectorXf>(entry.vector.data() + layer * set.n_embd,
                                                   static_cast<Eigen::Index>(set.n_embd))
                  .cast<double>();
        length = out.norm();
    }
    if (length > 0 && std::isfinite(length)) {
        out /= length;
    } else {
        out.setConstant(std::numeric_limits<double>::quiet_NaN());
    }
}

const ValueVector & entry_of(const ValueVectorSet & set, std::size_t value, Condition condition) {
    return set.vectors[value * conditions.size() + static_cast<std::size_t>(condition)];
}

/// [values.size(), n_embd] unit vectors of a condition at a layer.
RowMatrix units_at_layer(const ValueVectorSet & set, const std::vector<std::size_t> & values, Condition condition,
                         std::size_t layer) {
    RowMatrix units(static_cast<Eigen::Index>(values.size()), static_cast<Eigen::Index>(set.n_embd));
    for (std::size_t i = 0; i < values.size(); ++i) {
        read_unit(set, entry_of(set, values[i], condition), layer, units.row(static_cast<Eigen::Index>(i)));
    }
    return units;
}

/// NaN stays NaN, which Eigen's own minimum and maximum do not promise.
double clamped(double cosine) {
    return std::clamp(cosine, -1.0, 1.0);
}

/// Inner products of unit vectors as cosines in [-1, 1].
RowMatrix cosines(const RowMatrix & a, const RowMatrix & b) {
    const RowMatrix inner = a * b.transpose();
    return inner.unaryExpr(&clamped);
}

json layer_cosines(const ValueVectorSet & set, const ValueVector & entry) {
    RowMatrix units(static_cast<Eigen::Index>(set.n_layer), static_cast<Eigen::Index>(set.n_embd));
    for (std::size_t layer = 0; layer < set.n_layer; ++layer) {
        read_unit(set, entry, layer, units.row(static_cast<Eigen::Index>(layer)));
    }
    return rounded_matrix(cosines(units, units));
}

/// The block of the other model after which the same share of its blocks has run.
std::size_t layer_of_same_depth(std::size_t layer, std::size_t n_layer, std::size_t n_other) {
    const std::size_t nearest = (2 * (layer + 1) * n_other + n_layer) / (2 * n_layer);
    return std::max<std::size_t>(nearest, 1) - 1;
}

/// The values that two sets share under a condition, and why the others are left out.
struct SharedValues {
    std::vector<std::string> ids;
    std::vector<std::size_t> here;
    std::vector<std::size_t> there;
    json left_out = json::array();
};

SharedValues shared_values(const ValueVectorSet & set, const ValueVectorSet & other, Condition condition) {
    SharedValues shared;
    const auto leave_out = [&](const std::string & value, const std::string & reason) {
        shared.left_out.push_back({{"value", value}, {"reason", reason}});
    };
    for (std::size_t i = 0; i < set.values.size(); ++i) {
        const std::string & id = set.values[i];
        const auto found = std::find(other.values.begin(), other.values.end(), id);
        if (found == other.values.end()) {
            leave_out(id, "the other model's vectors lack this value");
            continue;
        }
        const auto j = static_cast<std::size_t>(found - other.values.begin());
        if (const std::string & problem = entry_of(set, i, condition).problem; !problem.empty()) {
            leave_out(id, problem);
        } else if (const std::string & theirs = entry_of(other, j, condition).problem; !theirs.empty()) {
            leave_out(id, fmt::format("the other model: {}", theirs));
        } else {
            shared.ids.push_back(id);
            shared.here.push_back(i);
            shared.there.push_back(j);
        }
    }
    for (const std::string & id : other.values) {
        if (std::find(set.values.begin(), set.values.end(), id) == set.values.end()) {
            leave_out(id, "only the other model's vectors have this value");
        }
    }
    return shared;
}

/// Likeness of two value x value matrices by their upper triangles, over the pairs that both define.
json matrix_likeness(const RowMatrix & a, const RowMatrix & b) {
    std::vector<double> left;
    std::vector<double> right;
    for (Eigen::Index i = 0; i < a.rows(); ++i) {
        for (Eigen::Index j = i + 1; j < a.cols(); ++j) {
            if (std::isfinite(a(i, j)) && std::isfinite(b(i, j))) {
                left.push_back(a(i, j));
                right.push_back(b(i, j));
            }
        }
    }
    constexpr std::size_t fewest_pairs = 3;
    const bool enough = left.size() >= fewest_pairs;
    constexpr double undefined = std::numeric_limits<double>::quiet_NaN();
    return {{"n_pairs", left.size()},
            {"pearson", rounded(enough ? pearson(left, right) : undefined)},
            {"spearman", rounded(enough ? spearman(left, right) : undefined)}};
}

json compare_condition(const ValueVectorSet & set, const ValueVectorSet & other, Condition condition) {
    SharedValues shared = shared_values(set, other, condition);
    json layers = json::array();
    for (std::size_t layer = 0; layer < set.n_layer; ++layer) {
        const std::size_t theirs = layer_of_same_depth(layer, set.n_layer, other.n_layer);
        const RowMatrix a = units_at_layer(set, shared.here, condition, layer);
        const RowMatrix b = units_at_layer(other, shared.there, condition, theirs);
        json entry = matrix_likeness(cosines(a, a), cosines(b, b));
        entry["layer"] = layer;
        entry["other_layer"] = theirs;
        layers.push_back(std::move(entry));
    }
    json result{{"values", shared.ids}, {"left_out", std::move(shared.left_out)}, {"layers", std::move(layers)}};
    if (set.n_layer == other.n_layer && set.n_embd == other.n_embd) {
        RowMatrix same(static_cast<Eigen::Index>(set.n_layer), static_cast<Eigen::Index>(shared.ids.size()));
        for (std::size_t layer = 0; layer < set.n_layer; ++layer) {
            const RowMatrix a = units_at_layer(set, shared.here, condition, layer);
            const RowMatrix b = units_at_layer(other, shared.there, condition, layer);
            same.row(static_cast<Eigen::Index>(layer)) =
                a.cwiseProduct(b).rowwise().sum().unaryExpr(&clamped).transpose();
        }
        result["cosine"] = rounded_matrix(same);
    }
    return result;
}

} // namespace

std::string geometry_json(const ValueVectorSet & vectors, const ValueVectorSet * other) {
    json result{{"provenance", provenance_metadata(vectors.provenance)},
                {"n_layer", vectors.n_layer},
                {"n_embd", vectors.n_embd},
                {"values", vectors.values}};

    std::vector<std::size_t> all(vectors.values.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
        all[i] = i;
    }
    json & value_cosine = result["value_cosine"];
    json & cross_cosine = result["cross_cosine"] = json::array();
    for (std::size_t layer = 0; layer < vectors.n_layer; ++layer) {
        const RowMatrix intrinsic = units_at_layer(vectors, all, Condition::intrinsic, layer);
        const RowMatrix prompted = units_at_layer(vectors, all, Condition::prompted, layer);
        value_cosine["intrinsic"].push_back(rounded_matrix(cosines(intrinsic, intrinsic)));
        value_cosine["prompted"].push_back(rounded_matrix(cosines(prompted, prompted)));
        cross_cosine.push_back(rounded_matrix(cosines(intrinsic, prompted)));
    }

    result["left_out"] = json::array();
    json & layer_cosine = result["layer_cosine"];
    for (const ValueVector & entry : vectors.vectors) {
        json & place = layer_cosine[entry.value][to_string(entry.condition)];
        if (entry.problem.empty()) {
            place = layer_cosines(vectors, entry);
        } else {
            result["left_out"].push_back(
                {{"value", entry.value}, {"condition", to_string(entry.condition)}, {"reason", entry.problem}});
        }
    }

    if (other != nullptr) {
        json & comparison = result["other"];
        comparison = {{"provenance", provenance_metadata(other->provenance)},
                      {"n_layer", other->n_layer},
                      {"n_embd", other->n_embd}};
        for (const Condition condition : conditions) {
            comparison[to_string(condition)] = compare_condition(vectors, *other, condition);
        }
    }
    return result.dump();
}

} // namespace valuelens
