#include "cli/evaluation_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace valuelens {

namespace {

std::string cell(const EvaluationScore & score) {
    const Estimate & estimate = score.estimate;
    if (std::isnan(estimate.value)) {
        return "-";
    }
    return std::isnan(estimate.low)
               ? fmt::format("{:.3f}", estimate.value)
               : fmt::format("{:.3f} [{:.3f}, {:.3f}]", estimate.value, estimate.low, estimate.high);
}

std::string line(const std::string & name, std::size_t n, const EvaluationRow & row) {
    std::string text = fmt::format("{:<20} {:>6}", name, n);
    for (const EvaluationScore & score : row.scores) {
        text += fmt::format("  {:<28}", cell(score));
    }
    for (std::size_t variant = 1; variant < row.differences.size(); ++variant) {
        text += fmt::format("  {:<28}", cell(row.differences[variant]));
    }
    return text.substr(0, text.find_last_not_of(' ') + 1) + "\n";
}

std::string table(const Evaluation & evaluation, const EvaluationMeasure & measure) {
    std::string head = fmt::format("{:<20} {:>6}", evaluation.group_kind, "n");
    for (const EvaluationVariant & variant : evaluation.variants) {
        head += fmt::format("  {:<28}", variant.name);
    }
    for (std::size_t variant = 1; variant < evaluation.variants.size(); ++variant) {
        head += fmt::format("  {:<28}", evaluation.variants[variant].name + " - base");
    }
    std::string text = fmt::format("\n{}: {}\n{}\n", measure.name, measure.description,
                                   head.substr(0, head.find_last_not_of(' ') + 1));
    std::string last;
    for (const EvaluationRow & row : evaluation.rows) {
        if (row.measure == measure.name) {
            (row.group.empty() ? last : text) +=
                line(row.group.empty() ? "overall" : row.group, row.scores.front().n, row);
        }
    }
    return text + last;
}

/// What an intervention costs in accuracy, in words.
std::string drop_lines(const Evaluation & evaluation) {
    const EvaluationRow * accuracy = evaluation.find("accuracy");
    std::string text;
    for (std::size_t variant = 1; accuracy != nullptr && variant < evaluation.variants.size(); ++variant) {
        const Estimate drop = paired_drop(*accuracy, variant);
        text += fmt::format("\n{}: accuracy drops by {:.2f} points [{:.2f}, {:.2f}] over {} paired questions\n",
                            evaluation.variants[variant].name, drop.value, drop.low, drop.high,
                            accuracy->differences[variant].n);
    }
    return text;
}

} // namespace

Outcome describe_evaluation(const Evaluation & evaluation, const std::string & output) {
    nlohmann::ordered_json json = {{"output", output}};
    json.update(nlohmann::ordered_json::parse(evaluation_json(evaluation, /* with_items = */ false)));

    std::string text = fmt::format("{} of {}, {} items, {} % intervals", evaluation.name, evaluation.model_name,
                                   evaluation.items.size(), 100 * evaluation.confidence);
    for (const EvaluationVariant & variant : evaluation.variants) {
        for (const std::string & spec : variant.steer) {
            text += fmt::format("\n{}: --steer {}", variant.name, spec);
        }
        for (const std::string & spec : variant.scale_neurons) {
            text += fmt::format("\n{}: --scale-neurons {}", variant.name, spec);
        }
    }
    text += "\n";
    for (const EvaluationMeasure & measure : evaluation.measures) {
        text += table(evaluation, measure);
    }
    text += drop_lines(evaluation);
    if (!evaluation.dropped.empty()) {
        text += "\ndropped:";
        for (const EvaluationDrop & drop : evaluation.dropped) {
            text += fmt::format(" {} {} {}{}{}", drop.count, drop.unit, drop.reason,
                                drop.variant.empty() ? "" : fmt::format(" ({})", drop.variant),
                                &drop == &evaluation.dropped.back() ? "\n" : ",");
        }
    }
    for (const std::string & note : evaluation.notes) {
        text += note + "\n";
    }
    return {std::move(json), text + "\n" + output};
}

} // namespace valuelens
