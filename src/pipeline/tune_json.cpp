#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "valuelens/tune.h"

namespace valuelens {

namespace {

using nlohmann::ordered_json;

ordered_json estimate_json(const Estimate & estimate) {
    return {estimate.value, estimate.low, estimate.high}; // NaN becomes null
}

/// As short as it was written: 0.2 and not the double next to the float.
ordered_json strength_json(float strength) {
    return ordered_json::parse(fmt::format("{}", strength));
}

ordered_json settings_json(const Evaluation & evaluation) {
    ordered_json settings = ordered_json::object();
    for (const auto & [name, value] : evaluation.settings) {
        settings[name] = value;
    }
    return settings;
}

/// What an evaluation rests on, and the model as it is under it.
ordered_json evaluation_summary(const Evaluation & evaluation) {
    ordered_json dropped = ordered_json::array();
    for (const EvaluationDrop & drop : evaluation.dropped) {
        dropped.push_back({{"reason", drop.reason},
                           {"unit", drop.unit},
                           {"variant", drop.variant.empty() ? ordered_json(nullptr) : ordered_json(drop.variant)},
                           {"count", drop.count}});
    }
    ordered_json base = ordered_json::array();
    for (const EvaluationRow & row : evaluation.rows) {
        if (evaluation.group_kind == "value" || row.group.empty()) {
            base.push_back({{"measure", row.measure},
                            {"group", row.group.empty() ? ordered_json(nullptr) : ordered_json(row.group)},
                            {"estimate", estimate_json(row.scores.front().estimate)},
                            {"n", row.scores.front().n}});
        }
    }
    return {{"evaluation", evaluation.name},
            {"settings", settings_json(evaluation)},
            {"base", std::move(base)},
            {"dropped", std::move(dropped)},
            {"notes", evaluation.notes}};
}

ordered_json point_json(const TunePoint & point) {
    return {{"strength", strength_json(point.strength)},
            {"intervention", point.intervention},
            {"accuracy", estimate_json(point.accuracy)},
            {"drop", estimate_json(point.drop)},
            {"probability_drop", estimate_json(point.probability_drop)},
            {"option_mass", point.option_mass},
            {"gain", estimate_json(point.gain)},
            {"gain_centred", estimate_json(point.gain_centred)}};
}

ordered_json strength_at(const TuneCurve & curve, const std::optional<std::size_t> & point) {
    return point ? strength_json(curve.points[*point].strength) : ordered_json(nullptr);
}

ordered_json choice_json(const TuneCurve & curve, const TuneChoice & choice) {
    return {{"strength", strength_at(curve, choice.point)}, {"certain", strength_at(curve, choice.certain)}};
}

ordered_json curve_json(const TuneCurve & curve) {
    ordered_json points = ordered_json::array();
    for (const TunePoint & point : curve.points) {
        points.push_back(point_json(point));
    }
    return {{"intervention", curve.intervention},
            {"value", curve.value.empty() ? ordered_json(nullptr) : ordered_json(curve.value)},
            {"layers", curve.layers ? ordered_json({curve.layers->first, curve.layers->last}) : ordered_json(nullptr)},
            {"auroc", curve.auroc},
            {"points", std::move(points)},
            {"above", choice_json(curve, curve.above)},
            {"below", choice_json(curve, curve.below)}};
}

} // namespace

std::string tune_json(const TuneResult & result) {
    ordered_json files = ordered_json::array();
    for (const auto & [file, sha256] : result.files) {
        files.push_back({{"file", file}, {"sha256", sha256}});
    }
    ordered_json curves = ordered_json::array();
    for (const TuneCurve & curve : result.curves) {
        curves.push_back(curve_json(curve));
    }
    ordered_json best = ordered_json::array();
    for (const TuneBest & each : result.best) {
        const TuneCurve & curve = result.curves[each.curve];
        best.push_back({{"for", each.intervention},
                        {"side", each.above ? "above" : "below"},
                        {"layers", {curve.layers->first, curve.layers->last}},
                        {"strength", strength_json(curve.points[each.point].strength)},
                        {"intervention", curve.points[each.point].intervention}});
    }
    const bool neurons = !result.options.scale_neurons.empty();
    const ordered_json json = {
        {"format", "valuelens.tune/1"},
        {"tool_version", result.questions.tool_version},
        {"model", {{"name", result.questions.model_name}, {"identity", result.questions.model_identity}}},
        {"strength", neurons ? "beta" : "alpha"},
        {"unchanged", neurons ? 1 : 0},
        {"max_drop", result.options.max_drop},
        {"seed", result.questions.seed},
        {"bootstraps", result.questions.bootstraps},
        {"confidence", result.questions.confidence},
        {"files", std::move(files)},
        {"curves", std::move(curves)},
        {"best", std::move(best)},
        {"questions", evaluation_summary(result.questions)},
        {"portraits", result.portraits ? evaluation_summary(*result.portraits) : ordered_json(nullptr)},
        {"notes", result.notes}};
    return json.dump(1, ' ', false, ordered_json::error_handler_t::replace);
}

} // namespace valuelens
