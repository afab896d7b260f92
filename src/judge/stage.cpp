#include "judge/stage.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/fail.h"
#include "judge/log_odds.h"

namespace valuelens {

namespace {

std::optional<bool> decide(double probability, const JudgeStageOptions & options) {
    if (probability >= options.undecided_low && probability < options.undecided_high) {
        return std::nullopt;
    }
    return probability >= options.undecided_high;
}

// The judge counts within a slice; the bar counts over all of them.
class Offset : public ProgressSink {
public:
    Offset(ProgressSink & sink, std::size_t base) : sink_(sink), base_(base) {}
    void advance(std::uint64_t done, std::string_view extra) override { sink_.advance(base_ + done, extra); }
    void message(LogLevel level, std::string_view text) override { sink_.message(level, text); }

private:
    ProgressSink & sink_;
    std::size_t base_;
};

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t n = values.size();
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

void decide_matched(RunDb & db, const JudgeStageOptions & options) {
    std::map<std::string, std::vector<double>> intrinsic;
    db.for_each_label([&](const StoredLabel & label) {
        if (label.condition == Condition::intrinsic && label.label.probability) {
            intrinsic[label.label.value_id].push_back(log_odds(*label.label.probability));
        }
    });
    std::map<std::string, double> medians;
    for (auto & [value, odds] : intrinsic) {
        medians[value] = median(std::move(odds));
    }
    db.decide_labels([&](const LabelRow & label) {
        return label.probability
                   ? decide(probability_of(log_odds(*label.probability) - medians[label.value_id]), options)
                   : std::nullopt;
    });
    db.set_meta("judge_medians", nlohmann::json(medians).dump());
}

} // namespace

bool judge_stage_done(const RunDb & db) {
    const std::set<std::size_t> judged = db.finished_judge_slices();
    return !judged.empty() && judged == db.finished_slices() &&
           db.meta("judge_decided") == std::to_string(judged.size());
}

void claim_judge(RunDb & db, const Judge & judge, const JudgeStageOptions & options) {
    if (!(options.undecided_low >= 0 && options.undecided_low <= options.undecided_high &&
          options.undecided_high <= 1)) {
        fail(ErrorKind::usage, "the undecided band {}-{} must lie within 0-1", options.undecided_low,
             options.undecided_high);
    }
    const std::string description =
        fmt::format("{}; undecided {}-{}{}", judge.describe(), options.undecided_low, options.undecided_high,
                    options.matched ? " around the median intrinsic response" : "");
    const std::string before = db.meta("judge").value_or("");
    if (!before.empty() && before != description) {
        // Where sums alone are kept, they rest on the labels.
        const bool sums_only = db.meta("generate.activations") == "none";
        fail(ErrorKind::usage, "this run was judged by another judge ('{}', now '{}'); keep the old one, or {}", before,
             description, sums_only ? "begin another run" : "give --rejudge to forget its labels");
    }
    if (before.empty()) {
        db.set_meta("judge", description);
    }
}

std::vector<std::size_t> judged_values(const ResponseRow & response, const ConceptSet & concepts) {
    if (response.condition == Condition::intrinsic) {
        std::vector<std::size_t> every(concepts.concepts.size());
        std::iota(every.begin(), every.end(), std::size_t{0});
        return every;
    }
    const auto place = concepts.find(response.value_id.value_or(""));
    if (!place) {
        fail(ErrorKind::bad_input, "response {} belongs to '{}', which is not in the concept set {}", response.id,
             response.value_id.value_or(""), concepts.name);
    }
    return {*place};
}

JudgeWork work_left(const RunDb & db, std::size_t n_values) {
    JudgeWork work;
    const std::set<std::size_t> judged = db.finished_judge_slices();
    for (const std::size_t slice : db.finished_slices()) {
        if (judged.count(slice) != 0) {
            continue;
        }
        db.for_each_response(slice, [&](const ResponseRow & row) {
            const std::size_t pairs = row.condition == Condition::prompted ? 1 : n_values;
            work.pairs += pairs;
            work.text_bytes += pairs * row.text.size();
        });
    }
    return work;
}

JudgeWork work_of(std::span<const LabelledText> texts) {
    JudgeWork work;
    for (const LabelledText & text : texts) {
        const auto pairs = static_cast<std::uint64_t>(
            std::count_if(text.labels.begin(), text.labels.end(), [](signed char label) { return label >= 0; }));
        work.pairs += pairs;
        work.text_bytes += pairs * text.text.size();
    }
    return work;
}

std::vector<LabelRow> label_responses(std::span<const ResponseRow> responses, const ConceptSet & concepts,
                                      Judge & judge, const JudgeStageOptions & options, ProgressSink & progress,
                                      std::stop_token stop) {
    std::vector<JudgeItem> items;
    for (const ResponseRow & row : responses) {
        items.push_back({row.id, row.text, judged_values(row, concepts)});
    }
    const std::vector<std::vector<double>> answers = judge.judge(items, progress, std::move(stop));
    std::vector<LabelRow> labels;
    for (std::size_t i = 0; i < items.size(); ++i) {
        for (std::size_t k = 0; k < items[i].values.size(); ++k) {
            LabelRow label{items[i].id, concepts.concepts[items[i].values[k]].id, std::nullopt, std::nullopt};
            const double probability = answers[i][k];
            if (!std::isnan(probability)) {
                label.probability = probability;
                label.expresses = decide(probability, options);
            }
            labels.push_back(std::move(label));
        }
    }
    return labels;
}

void decide_labels(RunDb & db, const JudgeStageOptions & options) {
    if (options.matched) {
        decide_matched(db, options);
    }
    db.set_meta("judge_decided", std::to_string(db.finished_judge_slices().size()));
}

JudgeStageResult run_judge(RunDb & db, const ConceptSet & concepts, Judge & judge, const JudgeStageOptions & options,
                           ProgressSink & progress, std::stop_token stop,
                           const std::function<bool(std::size_t slice)> & wanted) {
    claim_judge(db, judge, options);

    const std::set<std::size_t> finished = db.finished_slices();
    const std::set<std::size_t> judged = db.finished_judge_slices();
    JudgeStageResult result;
    result.slices_before = judged.size();
    std::size_t total = 0;
    const auto skipped = [&](std::size_t slice) {
        return judged.count(slice) != 0 || (wanted && !wanted(slice));
    };
    for (const SliceRow & slice : db.slices()) {
        total += skipped(slice.slice) ? 0 : slice.n;
    }
    progress.start("judge", total, "responses");
    std::size_t done = 0;
    for (const std::size_t slice : finished) {
        if (skipped(slice)) {
            continue;
        }
        if (stop.stop_requested()) {
            fail(ErrorKind::interrupted, "stopped while judging");
        }
        std::vector<ResponseRow> responses;
        db.for_each_response(slice, [&](const ResponseRow & row) { responses.push_back(row); });
        Offset offset(progress, done);
        const std::vector<LabelRow> labels = label_responses(responses, concepts, judge, options, offset, stop);
        db.set_meta("judge_decided", ""); // until all are decided anew
        db.commit_labels(slice, labels);
        ++result.slices_done;
        result.labels += labels.size();
        done += responses.size();
        progress.advance(done);
    }
    progress.finish();
    decide_labels(db, options);
    return result;
}

} // namespace valuelens
