#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/fail.h"
#include "math/auroc.h"
#include "math/bootstrap.h"
#include "math/classification.h"
#include "valuelens/judge.h"

namespace valuelens {
namespace {

constexpr double confidence = 0.95;

// One value: what people said and what the judge said, by place of the text.
struct Column {
    std::vector<double> probability;
    std::vector<std::uint8_t> truth;
    std::size_t n_no_opinion = 0;
    std::vector<std::size_t> text; ///< place among all texts, for the joint resamples
};

struct Scores {
    double auroc;
    double precision;
    double recall;
    double f1;
};

Scores score(const Column & column, const Auroc & area, const std::vector<std::uint32_t> & weights,
             const JudgeCheckOptions & options) {
    ClassificationCounts counts;
    for (std::size_t i = 0; i < column.truth.size(); ++i) {
        const double p = column.probability[i];
        if (p >= options.undecided_low && p < options.undecided_high) {
            continue;
        }
        counts.add(column.truth[i] != 0, p >= options.undecided_high, weights[i]);
    }
    return {area.value(weights), precision(counts), recall(counts), f1_score(counts)};
}

} // namespace

JudgeCheck check_judge(Judge & judge, const ConceptSet & concepts, std::span<const LabelledText> texts,
                       const std::string & data_name, const JudgeCheckOptions & options, ProgressSink & progress,
                       std::stop_token stop) {
    if (texts.empty()) {
        fail(ErrorKind::bad_input, "{}: holds no labelled text", data_name);
    }
    std::vector<JudgeItem> items;
    for (const LabelledText & text : texts) {
        JudgeItem item{text.id, text.text, {}};
        for (std::size_t value = 0; value < text.labels.size(); ++value) {
            if (text.labels[value] >= 0) {
                item.values.push_back(value);
            }
        }
        items.push_back(std::move(item));
    }
    progress.start("judge-check", items.size(), "texts");
    const std::vector<std::vector<double>> answers = judge.judge(items, progress, stop);
    progress.finish();

    JudgeCheck check;
    check.judge = judge.describe();
    check.data = data_name;
    check.n_texts = texts.size();
    const std::size_t n_value = concepts.concepts.size();
    std::vector<Column> columns(n_value);
    for (std::size_t t = 0; t < items.size(); ++t) {
        for (std::size_t k = 0; k < items[t].values.size(); ++k) {
            const std::size_t value = items[t].values[k];
            if (std::isnan(answers[t][k])) {
                ++columns[value].n_no_opinion;
                continue;
            }
            columns[value].probability.push_back(answers[t][k]);
            columns[value].truth.push_back(texts[t].labels[value] > 0 ? 1 : 0);
            columns[value].text.push_back(t);
        }
    }

    std::vector<double> sums(options.bootstraps, 0.0);
    std::size_t n_defined = 0;
    for (std::size_t value = 0; value < n_value; ++value) {
        const Column & column = columns[value];
        const Auroc area(column.probability, column.truth);
        std::vector<std::uint32_t> weights(column.truth.size(), 1);
        const Scores whole = score(column, area, weights, options);
        std::array<std::vector<double>, 4> resampled;
        std::vector<double> areas;
        for (std::size_t b = 0; b < options.bootstraps; ++b) {
            // The same resample of texts for every value, so that the mean over values has an interval of its own.
            const std::vector<std::uint32_t> drawn = bootstrap_weights(texts.size(), b, options.seed);
            for (std::size_t i = 0; i < weights.size(); ++i) {
                weights[i] = drawn[column.text[i]];
            }
            const Scores scores = score(column, area, weights, options);
            resampled[0].push_back(scores.auroc);
            resampled[1].push_back(scores.precision);
            resampled[2].push_back(scores.recall);
            resampled[3].push_back(scores.f1);
        }
        JudgeQuality quality;
        quality.value = concepts.concepts[value].id;
        quality.n_no_opinion = column.n_no_opinion;
        quality.n_positive = static_cast<std::size_t>(std::count(column.truth.begin(), column.truth.end(), 1));
        quality.n_negative = column.truth.size() - quality.n_positive;
        quality.n_undecided =
            static_cast<std::size_t>(std::count_if(column.probability.begin(), column.probability.end(), [&](double p) {
                return p >= options.undecided_low && p < options.undecided_high;
            }));
        const auto set = [&](double & estimate, double & low, double & high, double value_,
                             const std::vector<double> & estimates) {
            const Interval interval = percentile_interval(estimates, confidence);
            estimate = value_;
            low = interval.low;
            high = interval.high;
        };
        set(quality.auroc, quality.auroc_low, quality.auroc_high, whole.auroc, resampled[0]);
        set(quality.precision, quality.precision_low, quality.precision_high, whole.precision, resampled[1]);
        set(quality.recall, quality.recall_low, quality.recall_high, whole.recall, resampled[2]);
        set(quality.f1, quality.f1_low, quality.f1_high, whole.f1, resampled[3]);
        if (!std::isnan(quality.auroc)) {
            ++n_defined;
            check.mean_auroc += quality.auroc;
            for (std::size_t b = 0; b < options.bootstraps; ++b) {
                sums[b] += resampled[0][b];
            }
        }
        check.values.push_back(std::move(quality));
    }
    if (n_defined == 0) {
        check.mean_auroc = std::numeric_limits<double>::quiet_NaN();
    } else {
        check.mean_auroc /= static_cast<double>(n_defined);
    }
    for (double & sum : sums) {
        sum = n_defined == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(n_defined);
    }
    const Interval interval = percentile_interval(sums, confidence);
    check.mean_auroc_low = interval.low;
    check.mean_auroc_high = interval.high;
    return check;
}

} // namespace valuelens
