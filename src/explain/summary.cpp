#include "explain/summary.h"

#include <fmt/format.h>

#include <cmath>
#include <set>
#include <utility>

#include "explain/compare.h"
#include "explain/logit_lens.h"

namespace valuelens {

std::vector<LensTokens> neuron_lenses(const ExplainJob & job, const Harvester & harvest, const ExplainOptions & options,
                                      ProgressSink & progress, const std::stop_token & stop) {
    if (options.lens_tokens == 0) {
        return {};
    }
    const std::vector<float> weights = output_weights(job.subject->info().path, harvest.neurons());
    return logit_lens(*job.subject, weights, harvest.neurons().size(), options.lens_tokens, progress, stop);
}

std::vector<AxisLens> axis_lenses(const ExplainJob & job, const ExplainOptions & options, ProgressSink & progress,
                                  const std::stop_token & stop) {
    std::vector<AxisLens> lenses;
    if (job.axes == nullptr || options.lens_tokens == 0) {
        return lenses;
    }
    const std::size_t width = job.axes->n_embd;
    std::vector<float> directions;
    for (const ValueAxes & value : job.axes->axes) {
        for (const auto & [name, rows] :
             {std::pair{"shared", &value.shared}, std::pair{"intrinsic", &value.intrinsic}}) {
            for (std::size_t layer = 0; layer < rows->size() / width; ++layer) {
                const auto begin = rows->begin() + static_cast<std::ptrdiff_t>(layer * width);
                if (std::isfinite(*begin)) {
                    lenses.push_back({value.value, name, layer, {}});
                    directions.insert(directions.end(), begin, begin + static_cast<std::ptrdiff_t>(width));
                }
            }
        }
    }
    const std::vector<LensTokens> tokens =
        logit_lens(*job.subject, directions, lenses.size(), options.lens_tokens, progress, stop);
    for (std::size_t i = 0; i < lenses.size(); ++i) {
        lenses[i].tokens = tokens[i];
    }
    return lenses;
}

void count_poles(std::span<const PoleWork> poles, ExplainSummary & summary) {
    summary.n_poles = poles.size();
    for (const PoleWork & pole : poles) {
        if (!pole.active()) {
            ++summary.n_inactive;
        } else if (pole.result.text.empty()) {
            ++summary.n_failed;
            ++summary.failures["explain: " + pole.result.problem];
        } else {
            ++summary.n_explained;
            bool scored = true;
            for (const ExplanationScore & score : pole.result.scores) {
                if (!score.problem.empty()) {
                    scored = false;
                    ++summary.failures[fmt::format("{}: {}", to_string(score.kind), score.problem)];
                } else if (!score.missing_reason.empty()) {
                    ++summary
                          .failures[fmt::format("{}, some answers: {}", to_string(score.kind), score.missing_reason)];
                }
            }
            summary.n_unscored += scored ? 0 : 1;
            if (!pole.result.rating_problem.empty()) {
                ++summary.failures["rate: " + pole.result.rating_problem];
            }
        }
    }
}

std::vector<CategorySummary> compare_poles(const ExplainJob & job, const Harvester & harvest,
                                           std::span<const PoleWork> poles, const ExplainOptions & options) {
    std::vector<ComparedPole> compared;
    for (const PoleWork & pole : poles) {
        ComparedPole & entry = compared.emplace_back();
        std::set<std::string> categories;
        for (const NeuronRole & role : job.neurons[pole.neuron].roles) {
            categories.insert(role.category);
        }
        entry.categories.assign(categories.begin(), categories.end());
        entry.neuron = pole.neuron;
        entry.explanation = &pole.result;
        entry.excerpts = harvest.of(pole.neuron).top[static_cast<std::size_t>(pole.pole)];
    }
    TokenCounts background;
    for (std::size_t place = 0; place < harvest.n_random(); ++place) {
        for (const Token token : harvest.random_excerpt(0, place, Pole::positive).tokens) {
            ++background[token];
        }
    }
    return compare_categories(
        compared, std::move(background), [&](Token token) { return job.subject->token_bytes(token, true); }, options);
}

} // namespace valuelens
