#include "cli/evaluation_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

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

/// With many variants a line holds the base and the bare differences of the others.
constexpr std::size_t few_variants = 4;

std::size_t width_of(const std::string & variant) {
    constexpr std::size_t narrowest = 8;
    return std::max(narrowest, variant.size());
}

std::string line(const std::string & name, std::size_t n, const EvaluationRow & row, const Evaluation & evaluation) {
    std::string text = fmt::format("{:<20} {:>6}", name, n);
    if (evaluation.variants.size() > few_variants) {
        text += fmt::format("  {:<28}", cell(row.scores.front()));
        for (std::size_t variant = 1; variant < row.differences.size(); ++variant) {
            text += fmt::format("  {:>{}.3f}", row.differences[variant].estimate.value,
                                width_of(evaluation.variants[variant].name));
        }
        return text + "\n";
    }
    for (const EvaluationScore & score : row.scores) {
        text += fmt::format("  {:<28}", cell(score));
    }
    for (std::size_t variant = 1; variant < row.differences.size(); ++variant) {
        text += fmt::format("  {:<28}", cell(row.differences[variant]));
    }
    return text.substr(0, text.find_last_not_of(' ') + 1) + "\n";
}

std::string head_line(const std::string & first, const Evaluation & evaluation) {
    std::string head = fmt::format("{:<20} {:>6}", first, "n");
    if (evaluation.variants.size() > few_variants) {
        head += fmt::format("  {:<28}", "base, then what each differs");
        for (std::size_t variant = 1; variant < evaluation.variants.size(); ++variant) {
            const std::string & name = evaluation.variants[variant].name;
            head += fmt::format("  {:>{}}", name, width_of(name));
        }
        return head;
    }
    for (const EvaluationVariant & variant : evaluation.variants) {
        head += fmt::format("  {:<28}", variant.name);
    }
    for (std::size_t variant = 1; variant < evaluation.variants.size(); ++variant) {
        head += fmt::format("  {:<28}", evaluation.variants[variant].name + " - base");
    }
    return head.substr(0, head.find_last_not_of(' ') + 1);
}

std::string table(const Evaluation & evaluation, const EvaluationMeasure & measure) {
    std::string text =
        fmt::format("\n{}: {}\n{}\n", measure.name, measure.description, head_line(evaluation.group_kind, evaluation));
    std::string last;
    for (const EvaluationRow & row : evaluation.rows) {
        if (row.measure == measure.name) {
            (row.group.empty() ? last : text) +=
                line(row.group.empty() ? "overall" : row.group, row.scores.front().n, row, evaluation);
        }
    }
    return text + last;
}

/// Measures that have no groups, one a line: where there are many, a table each would be long.
std::string overall_table(const Evaluation & evaluation, const std::vector<const EvaluationMeasure *> & measures) {
    std::string text = "\n" + head_line("overall", evaluation) + "\n";
    for (const EvaluationMeasure * measure : measures) {
        if (const EvaluationRow * row = evaluation.find(measure->name)) {
            text += line(measure->name, row->scores.front().n, *row, evaluation);
        }
    }
    return text;
}

std::string tables(const Evaluation & evaluation) {
    std::string text;
    std::vector<const EvaluationMeasure *> ungrouped;
    for (const EvaluationMeasure & measure : evaluation.measures) {
        if (measure.grouped) {
            text += table(evaluation, measure);
        } else {
            ungrouped.push_back(&measure);
        }
    }
    constexpr std::size_t few = 5;
    if (ungrouped.size() > few) {
        return text + overall_table(evaluation, ungrouped);
    }
    for (const EvaluationMeasure * measure : ungrouped) {
        text += table(evaluation, *measure);
    }
    return text;
}

std::string statistic_lines(const Evaluation & evaluation) {
    std::string text;
    std::set<std::string> shown;
    for (const EvaluationStatistic & first : evaluation.statistics) {
        if (!shown.insert(first.name).second) {
            continue;
        }
        text += fmt::format("\n{}: {}\n", first.name, first.description);
        for (const EvaluationStatistic & statistic : evaluation.statistics) {
            if (statistic.name == first.name) {
                text += fmt::format("{:<20} {:>6}  {}{}\n", statistic.subject.empty() ? "all" : statistic.subject,
                                    statistic.n, cell({statistic.estimate, statistic.n}),
                                    std::isnan(statistic.p) ? "" : fmt::format("  p {:.4f}", statistic.p));
            }
        }
    }
    return text;
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
    text += tables(evaluation);
    text += statistic_lines(evaluation);
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
