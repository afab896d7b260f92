#include "judge/train.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/fail.h"
#include "base/random.h"
#include "math/auroc.h"
#include "math/logistic.h"

namespace valuelens {
namespace {

// Whole groups to folds, largest first, each to the fold that is smallest so far. `folds`: lowered where there are
// fewer groups.
std::vector<std::size_t> fold_of_texts(std::span<const LabelledText> texts, const std::vector<std::size_t> & kept,
                                       std::size_t & folds, std::uint64_t seed) {
    std::map<std::string, std::vector<std::size_t>> groups;
    for (std::size_t i = 0; i < kept.size(); ++i) {
        const LabelledText & text = texts[kept[i]];
        groups[text.group.empty() ? text.id : text.group].push_back(i);
    }
    if (groups.size() < 2) {
        fail(ErrorKind::bad_input,
             "all texts belong to one group ('{}'); cross-validation needs texts of at least two groups",
             groups.empty() ? "" : groups.begin()->first);
    }
    folds = std::min(folds, groups.size());
    std::vector<const std::vector<std::size_t> *> order;
    for (const auto & [name, members] : groups) {
        order.push_back(&members);
    }
    Rng rng(derive_seed(seed, "probe folds"));
    rng.shuffle(order);
    std::stable_sort(order.begin(), order.end(), [](const auto * a, const auto * b) { return a->size() > b->size(); });
    std::vector<std::size_t> fold(kept.size());
    std::vector<std::size_t> sizes(folds);
    for (const auto * members : order) {
        const auto smallest = static_cast<std::size_t>(std::min_element(sizes.begin(), sizes.end()) - sizes.begin());
        sizes[smallest] += members->size();
        for (const std::size_t i : *members) {
            fold[i] = smallest;
        }
    }
    return fold;
}

RowMatrix rows_of(const RowMatrix & all, const std::vector<std::size_t> & chosen) {
    RowMatrix part(static_cast<Eigen::Index>(chosen.size()), all.cols());
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        part.row(static_cast<Eigen::Index>(i)) = all.row(static_cast<Eigen::Index>(chosen[i]));
    }
    return part;
}

struct Calibration {
    double slope = 1;
    double intercept = 0;
};

// Platt: a logistic regression of the label on the held-out log-odds.
Calibration calibrate(const std::vector<double> & odds, const std::vector<signed char> & labels) {
    RowMatrix samples(static_cast<Eigen::Index>(odds.size()), 1);
    for (std::size_t i = 0; i < odds.size(); ++i) {
        samples(static_cast<Eigen::Index>(i), 0) = odds[i];
    }
    LogisticOptions options;
    options.c = 1e6; // hardly any shrinkage: two numbers from thousands of labels
    const LogisticModel model = fit_logistic(samples, labels, {}, options);
    return {model.weights(0, 0), model.intercept(0)};
}

} // namespace

TrainResult train_probe(const Model & model, Scheduler & scheduler, const ConceptSet & concepts,
                        std::span<const LabelledText> texts, const TrainOptions & options, ProgressSink & progress,
                        std::stop_token stop) {
    const std::size_t n_value = concepts.concepts.size();
    if (options.reading.features.empty() || options.strengths.empty() || options.folds < 2) {
        fail(ErrorKind::usage, "training a probe needs at least one feature, one strength and two folds");
    }
    std::vector<std::string> contents;
    for (const LabelledText & text : texts) {
        contents.push_back(text.text);
    }
    progress.start("read texts", texts.size(), "texts");
    const std::vector<std::vector<float>> read =
        read_texts(model, scheduler, options.reading, contents, progress, stop);
    progress.finish();

    TrainResult result;
    std::vector<std::size_t> kept;
    for (std::size_t i = 0; i < read.size(); ++i) {
        if (!read[i].empty()) {
            kept.push_back(i);
        }
    }
    result.n_texts = kept.size();
    result.n_unread = read.size() - kept.size();
    for (std::size_t value = 0; value < n_value; ++value) {
        const auto count = [&](signed char label) {
            return std::count_if(kept.begin(), kept.end(),
                                 [&](std::size_t i) { return texts[i].labels[value] == label; });
        };
        if (count(0) < 2 || count(1) < 2) {
            fail(ErrorKind::bad_input,
                 "value '{}' has {} texts that express it and {} that do not; a probe needs at least two of each",
                 concepts.concepts[value].id, count(1), count(0));
        }
    }
    const std::size_t n_feature = read[kept.front()].size();
    RowMatrix samples(static_cast<Eigen::Index>(kept.size()), static_cast<Eigen::Index>(n_feature));
    std::vector<signed char> labels;
    for (std::size_t i = 0; i < kept.size(); ++i) {
        for (std::size_t f = 0; f < n_feature; ++f) {
            samples(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(f)) = static_cast<double>(read[kept[i]][f]);
        }
        labels.insert(labels.end(), texts[kept[i]].labels.begin(), texts[kept[i]].labels.end());
    }

    const auto fit = [&](const RowMatrix & part, const std::vector<signed char> & part_labels, double strength) {
        LogisticOptions logistic;
        logistic.c = strength / static_cast<double>(n_feature);
        logistic.tolerance = 1e-5;
        return fit_one_vs_rest(part, part_labels, n_value, {}, logistic, options.threads);
    };
    std::size_t folds = options.folds;
    const std::vector<std::size_t> fold = fold_of_texts(texts, kept, folds, options.seed);
    progress.start("choose the strength", options.strengths.size() * folds, "fits");
    std::vector<RowMatrix> held_out(options.strengths.size(), RowMatrix(static_cast<Eigen::Index>(kept.size()),
                                                                        static_cast<Eigen::Index>(n_value)));
    std::size_t fits = 0;
    for (std::size_t f = 0; f < folds; ++f) {
        std::vector<std::size_t> inside;
        std::vector<std::size_t> outside;
        for (std::size_t i = 0; i < kept.size(); ++i) {
            (fold[i] == f ? outside : inside).push_back(i);
        }
        const RowMatrix fit_rows = rows_of(samples, inside);
        const Standardizer standardizer = Standardizer::fit(fit_rows);
        const RowMatrix fit_samples = standardizer.transform(fit_rows);
        const RowMatrix test_samples = standardizer.transform(rows_of(samples, outside));
        std::vector<signed char> fit_labels;
        for (const std::size_t i : inside) {
            fit_labels.insert(fit_labels.end(), labels.begin() + static_cast<std::ptrdiff_t>(i * n_value),
                              labels.begin() + static_cast<std::ptrdiff_t>((i + 1) * n_value));
        }
        for (std::size_t value = 0; value < n_value; ++value) {
            const auto has = [&](signed char label) {
                for (std::size_t i = value; i < fit_labels.size(); i += n_value) {
                    if (fit_labels[i] == label) {
                        return true;
                    }
                }
                return false;
            };
            if (!has(0) || !has(1)) {
                fail(ErrorKind::bad_input,
                     "value '{}': all texts that {} it fall into one of {} folds (texts of one `group` stay together), "
                     "so "
                     "it cannot be cross-validated; give texts of more groups",
                     concepts.concepts[value].id, has(0) ? "express" : "do not express", folds);
            }
        }
        for (std::size_t s = 0; s < options.strengths.size(); ++s) {
            if (stop.stop_requested()) {
                fail(ErrorKind::interrupted, "stopped while training a probe");
            }
            const LogisticModel fitted = fit(fit_samples, fit_labels, options.strengths[s]);
            const RowMatrix odds = (test_samples * fitted.weights.transpose()).rowwise() + fitted.intercept.transpose();
            for (std::size_t i = 0; i < outside.size(); ++i) {
                held_out[s].row(static_cast<Eigen::Index>(outside[i])) = odds.row(static_cast<Eigen::Index>(i));
            }
            progress.advance(++fits);
        }
    }
    progress.finish();

    const auto column = [&](std::size_t s, std::size_t value, std::vector<double> & odds,
                            std::vector<signed char> & truth) {
        odds.clear();
        truth.clear();
        for (std::size_t i = 0; i < kept.size(); ++i) {
            if (labels[i * n_value + value] >= 0) {
                odds.push_back(held_out[s](static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(value)));
                truth.push_back(labels[i * n_value + value]);
            }
        }
    };
    std::size_t best = 0;
    std::vector<double> odds;
    std::vector<signed char> truth;
    std::vector<std::vector<double>> areas(options.strengths.size());
    for (std::size_t s = 0; s < options.strengths.size(); ++s) {
        for (std::size_t value = 0; value < n_value; ++value) {
            column(s, value, odds, truth);
            areas[s].push_back(auroc(odds, std::vector<std::uint8_t>(truth.begin(), truth.end())));
        }
        const double mean = std::accumulate(areas[s].begin(), areas[s].end(), 0.0) / static_cast<double>(n_value);
        result.trials.push_back({options.strengths[s], mean});
        if (mean > result.trials[best].mean_auroc) {
            best = s;
        }
    }
    result.auroc = areas[best];

    progress.start("fit on all texts", 1, "fits");
    const Standardizer standardizer = Standardizer::fit(samples);
    const LogisticModel fitted = fit(standardizer.transform(samples), labels, options.strengths[best]);
    progress.finish();
    Probe & probe = result.probe;
    probe.model_name = model.info().name;
    probe.n_layer = model.info().n_layer;
    probe.n_embd = model.info().n_embd;
    probe.reading = options.reading;
    probe.mean.assign(standardizer.mean.begin(), standardizer.mean.end());
    probe.scale.assign(standardizer.scale.begin(), standardizer.scale.end());
    for (std::size_t value = 0; value < n_value; ++value) {
        probe.values.push_back(concepts.concepts[value].id);
        column(best, value, odds, truth);
        const Calibration calibration = calibrate(odds, truth);
        for (std::size_t f = 0; f < n_feature; ++f) {
            probe.weights.push_back(static_cast<float>(
                calibration.slope * fitted.weights(static_cast<Eigen::Index>(value), static_cast<Eigen::Index>(f))));
        }
        probe.bias.push_back(static_cast<float>(calibration.slope * fitted.intercept(static_cast<Eigen::Index>(value)) +
                                                calibration.intercept));
        probe.base_rate.push_back(static_cast<float>(std::count(truth.begin(), truth.end(), 1)) /
                                  static_cast<float>(truth.size()));
    }
    return result;
}

} // namespace valuelens
