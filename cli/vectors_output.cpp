#include "cli/vectors_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace valuelens {

namespace {

nlohmann::ordered_json estimates_json(const std::vector<Estimate> & estimates) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Estimate & estimate : estimates) {
        list.push_back({estimate.value, estimate.low, estimate.high});
    }
    return list;
}

nlohmann::ordered_json vector_json(const ValueVector & vector) {
    return {
        {"value", vector.value},
        {"condition", to_string(vector.condition)},
        {"problem", vector.problem},
        {"note", vector.note},
        {"n_expressing", vector.n_expressing},
        {"n_not_expressing", vector.n_not_expressing},
        {"n_held_out_expressing", vector.n_held_out_expressing},
        {"n_held_out_not_expressing", vector.n_held_out_not_expressing},
        {"norm", estimates_json(vector.norm)},
        {"split_half_cosine", vector.split_half_cosine},
        {"auroc", estimates_json(vector.auroc)},
    };
}

std::string vector_line(const ValueVector & vector) {
    std::string line = fmt::format("{:<16} {:<10} {:>6} express, {:>6} do not", vector.value,
                                   to_string(vector.condition), vector.n_expressing, vector.n_not_expressing);
    if (!vector.problem.empty()) {
        return line + "; no vector: " + vector.problem;
    }
    const auto highest =
        std::max_element(vector.auroc.begin(), vector.auroc.end(), [](const Estimate & a, const Estimate & b) {
            return std::isnan(a.value) || a.value < b.value;
        });
    if (highest != vector.auroc.end() && !std::isnan(highest->value)) {
        line +=
            fmt::format("; highest held-out AUROC {:.3f}{} at layer {}", highest->value,
                        std::isnan(highest->low) ? "" : fmt::format(" [{:.3f}, {:.3f}]", highest->low, highest->high),
                        highest - vector.auroc.begin());
    }
    return vector.note.empty() ? line : line + "; " + vector.note;
}

} // namespace

Outcome vectors_outcome(const ValueVectorSet & set, const std::string & output) {
    nlohmann::ordered_json vectors = nlohmann::ordered_json::array();
    std::string text;
    for (const ValueVector & vector : set.vectors) {
        vectors.push_back(vector_json(vector));
        text += vector_line(vector) + "\n";
    }
    for (const std::string & note : set.notes) {
        text += note + "\n";
    }
    return {
        {
            {"output", output},
            {"n_layer", set.n_layer},
            {"n_embd", set.n_embd},
            {"n_responses", set.n_responses},
            {"n_queries", set.n_queries},
            {"notes", set.notes},
            {"vectors", std::move(vectors)},
        },
        text + output,
    };
}

} // namespace valuelens
