#include "cli/decompose_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "decompose/axes_json.h"

namespace valuelens {
namespace {

std::string interval(double low, double high) {
    return std::isnan(low) ? std::string() : fmt::format(" [{:.2f}, {:.2f}]", low, high);
}

std::string cell(double value, double low, double high) {
    return std::isnan(value) ? "-" : fmt::format("{:.3f}", value) + interval(low, high);
}

std::string cell(const Estimate & estimate) {
    return cell(estimate.value, estimate.low, estimate.high);
}

std::string cell(const Null & null) {
    return cell(null.mean, null.low, null.high);
}

std::string cell(double value) {
    return std::isnan(value) ? "-" : fmt::format("{:.3f}", value);
}

/// Mean over the layers of the range; NaN where a layer has none.
template <typename Field>
double range_mean(const AxisSet & set, Field && field) {
    double sum = 0;
    for (std::size_t layer = set.options.first_layer; layer <= set.options.last_layer; ++layer) {
        sum += field(set.compliance_layers[layer]);
    }
    return sum / static_cast<double>(set.options.last_layer - set.options.first_layer + 1);
}

std::size_t middle_layer(const AxisSet & set) {
    return (set.options.first_layer + set.options.last_layer) / 2;
}

std::string value_line(const ValueAxes & axes, std::size_t layer) {
    if (!axes.problem.empty()) {
        return fmt::format("{:<16} no axes: {}\n", axes.value, axes.problem);
    }
    const PairGeometry & pair = axes.layers[layer];
    std::string line = fmt::format("{:<16} {:>9.3g} {:>9.3g}  {:<22} {:<22} {:>6} {:>6}", axes.value,
                                   pair.norm_intrinsic, pair.norm_prompted, cell(pair.cosine), cell(pair.sigma_ratio),
                                   cell(pair.stability_shared), cell(pair.stability_unique));
    if (!pair.undefined.empty()) {
        line += "  no axes here: " + pair.undefined;
    }
    std::size_t elsewhere = 0;
    for (std::size_t other = 0; other < axes.layers.size(); ++other) {
        elsewhere += other != layer && !axes.layers[other].undefined.empty();
    }
    if (elsewhere > 0) {
        line += fmt::format("  (undefined at {} other layers)", elsewhere);
    }
    return line + "\n";
}

std::string pair_table(const AxisSet & set) {
    const std::size_t layer = middle_layer(set);
    std::string text = fmt::format("layer {} of {}, the middle of {}-{}{}\n\n{:<16} {:>9} {:>9}  {:<22} {:<22} {}\n",
                                   layer, set.n_layer, set.options.first_layer, set.options.last_layer,
                                   set.options.normalize ? "; SVD of unit vectors" : "", "value", "|v_int|", "|v_pro|",
                                   "cosine", "sigma_2 / sigma_1", "stability: shared, unique");
    for (const ValueAxes & axes : set.axes) {
        text += value_line(axes, layer);
    }
    return text;
}

std::string compliance_text(const AxisSet & set) {
    const ComplianceLayer & at = set.compliance_layers[middle_layer(set)];
    if (std::isnan(at.mean_cosine.value)) {
        return "compliance direction: undefined, it takes two values with different vectors of both conditions\n";
    }
    const auto line = [&](const char * name, const Estimate & estimate, const Null & null, auto field) {
        return fmt::format("  {:<34} {:<22} {:<22} {}\n", name, cell(estimate), cell(null),
                           cell(range_mean(set, field)));
    };
    return fmt::format("{:<36} {:<22} {:<22} mean of {}-{}\n", "compliance direction", "here", "chance",
                       set.options.first_layer, set.options.last_layer) +
           line("share of the deltas explained", at.explained, at.explained_null,
                [](const ComplianceLayer & layer) { return layer.explained.value; }) +
           line("the same of unit deltas", at.explained_unit, at.explained_unit_null,
                [](const ComplianceLayer & layer) { return layer.explained_unit.value; }) +
           line("mean cosine of two deltas", at.mean_cosine, at.mean_cosine_null,
                [](const ComplianceLayer & layer) { return layer.mean_cosine.value; });
}

/// The prompted axes are the intrinsic ones turned around: their circle is the same.
std::string circle_text(const AxisSet & set) {
    std::string text;
    bool titled = false;
    for (const Circle & circle : set.circles) {
        if (circle.kind == AxisKind::prompted) {
            continue;
        }
        const char * name = circle.kind == AxisKind::shared ? "shared" : "unique";
        if (!circle.range.undefined.empty()) {
            text += fmt::format("circle of the {} axes: undefined, {}\n", name, circle.range.undefined);
            continue;
        }
        const auto line = [&](const char * which, const CircleFit & fit) {
            if (!std::isnan(fit.r_squared)) {
                text += fmt::format("  {:<34} {:<22} {:<22} {}\n", fmt::format("{} axes, {}", name, which),
                                    cell(fit.r_squared), cell(fit.null), cell(fit.p));
            }
        };
        if (!titled) {
            titled = true;
            text += fmt::format(
                "{:<36} {:<22} {:<22} p\n",
                fmt::format("circle, axes averaged over {}-{}", set.options.first_layer, set.options.last_layer), "R2",
                "chance");
        }
        line("stated angles", circle.range.even);
        line("shared wedges", circle.range.wedges);
        text += fmt::format("  {} axes: two components hold {:.0f} % of the variance\n", name,
                            100 * (circle.range.explained_1 + circle.range.explained_2));
    }
    return text;
}

/// Who is nearest to and furthest from whom, beside what the theory says.
std::string neighbour_table(const AxisSet & set) {
    for (const Circle & circle : set.circles) {
        if (circle.kind != AxisKind::shared || !circle.range.undefined.empty()) {
            continue;
        }
        const auto name = [&](std::size_t place) -> const std::string & {
            return set.values[circle.used[place]];
        };
        std::string text = fmt::format("{:<16} {:<16} {:<16} {:<16} {}\n", "shared axis of", "nearest", "in theory",
                                       "opposite", "in theory");
        for (std::size_t i = 0; i < circle.used.size(); ++i) {
            text += fmt::format("{:<16} {:<16} {:<16} {:<16} {}\n", name(i), name(circle.range.nearest[i]),
                                name(circle.theoretical_nearest[i]), name(circle.range.opposite[i]),
                                name(circle.theoretical_opposite[i]));
        }
        return text;
    }
    return {};
}

nlohmann::ordered_json headline_json(const AxisSet & set) {
    const auto mean = [&](auto field) {
        return range_mean(set, [&](const ComplianceLayer & layer) { return (layer.*field).value; });
    };
    return {{"layers", {set.options.first_layer, set.options.last_layer}},
            {"middle_layer", middle_layer(set)},
            {"compliance",
             {{"explained", mean(&ComplianceLayer::explained)},
              {"explained_unit", mean(&ComplianceLayer::explained_unit)},
              {"mean_cosine", mean(&ComplianceLayer::mean_cosine)}}}};
}

} // namespace

Outcome axes_outcome(const AxisSet & set, const std::string & output) {
    nlohmann::ordered_json json = {{"output", output},
                                   {"model", set.provenance.model_name},
                                   {"n_layer", set.n_layer},
                                   {"n_embd", set.n_embd},
                                   {"headline", headline_json(set)}};
    const nlohmann::json stats = axes_stats(set);
    for (const auto & [key, value] : stats.items()) {
        json[key] = value;
    }
    std::string text = pair_table(set) + "\n" + compliance_text(set);
    if (const std::string circles = circle_text(set); !circles.empty()) {
        text += "\n" + circles;
    }
    if (const std::string neighbours = neighbour_table(set); !neighbours.empty()) {
        text += "\n" + neighbours;
    }
    text += "\n";
    for (const std::string & note : set.notes) {
        text += note + "\n";
    }
    const bool any_interval = std::any_of(set.axes.begin(), set.axes.end(), [&](const ValueAxes & axes) {
        return axes.problem.empty() && !std::isnan(axes.layers[middle_layer(set)].cosine.low);
    });
    text += any_interval
                ? fmt::format("[{:g} % intervals: spread over resampled queries. Resampling adds noise once "
                              "more, so cosines and shares lean low and sigma ratios high, beside the estimate "
                              "where responses are few]\n",
                              100 * set.options.confidence)
                : "no intervals and stabilities of the axes: they take resamples of the responses behind the "
                  "vectors (--activations and --labels, or a run that keeps activations)\n";
    return {std::move(json), text + output};
}

} // namespace valuelens
