#include "evaluate/slices.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/fail.h"
#include "base/file.h"
#include "base/hash.h"
#include "evaluate/task.h"

namespace valuelens {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t slice_answers = 128;
constexpr const char * work_setting = "work_sha256";
constexpr const char * done_setting = "slices_done";
constexpr const char * bytes_setting = "completions_bytes";
constexpr const char * verdict_prefix = "verdict_";

std::string setting_of(const Evaluation & evaluation, const std::string & name) {
    for (const auto & [key, value] : evaluation.settings) {
        if (key == name) {
            return value;
        }
    }
    return "";
}

/// What of an evaluation is finished, in memory and in its files.
class Progress {
public:
    Progress(const JudgedFiles & files, Evaluation & evaluation, std::string work_sha256)
        : files_(files), evaluation_(evaluation), work_sha256_(std::move(work_sha256)) {
        if (!files_.part.empty() && fs::exists(files_.part)) {
            take_over();
        }
    }

    std::size_t slices() const { return slices_; }

    void add(SliceResult && slice) {
        std::move(slice.items.begin(), slice.items.end(), std::back_inserter(evaluation_.items));
        for (const EvaluationDrop & drop : slice.dropped) {
            add_drop(evaluation_.dropped, drop.reason, drop.unit, drop.variant, drop.count);
        }
        for (const std::string & line : slice.completions) {
            completions_ += line + "\n";
        }
        if (!files_.completions.empty()) {
            write_file(files_.completions, completions_);
        }
        if (!files_.part.empty()) {
            Evaluation part = evaluation_;
            part.settings = {{work_setting, work_sha256_},
                             {done_setting, fmt::format("{}", slices_ + 1)},
                             {bytes_setting, fmt::format("{}", completions_.size())}};
            write_evaluation(files_.part, part);
        }
        ++slices_; // only now: what a full disk did not take is not kept
    }

    void say(const std::string & text) const {
        if (files_.say) {
            files_.say(text);
        }
    }

private:
    void take_over() {
        Evaluation part = read_evaluation(files_.part);
        if (setting_of(part, work_setting).empty()) {
            fail(ErrorKind::bad_input,
                 "{}: is where unfinished evaluations are kept, and holds something else; move it or choose another "
                 "--output",
                 files_.part.string());
        }
        // The texts are written first: a killed program may leave more of them than belong to the finished slices.
        const std::size_t bytes = files_.completions.empty() ? 0 : std::stoul(setting_of(part, bytes_setting));
        std::string texts = bytes > 0 && fs::exists(files_.completions) ? read_file(files_.completions) : std::string();
        if (setting_of(part, work_setting) != work_sha256_ || texts.size() < bytes) {
            say(fmt::format("{} belongs to another evaluation and is begun anew", files_.part.string()));
            return;
        }
        completions_ = texts.substr(0, bytes);
        slices_ = std::stoul(setting_of(part, done_setting));
        evaluation_.items = std::move(part.items);
        evaluation_.dropped = std::move(part.dropped);
        say(fmt::format("going on from {}: {} items are scored", files_.part.string(), evaluation_.items.size()));
    }

    const JudgedFiles & files_;
    Evaluation & evaluation_;
    std::string work_sha256_;
    std::size_t slices_ = 0;
    std::string completions_;
};

std::string work_hash(const Evaluation & evaluation, const JudgedFiles & files, const std::string & work,
                      const std::function<void(Evaluation &)> & describe) {
    Evaluation described = evaluation;
    describe(described);
    // Where a judge is reached, and how many threads a machine has, may change before the work is done.
    std::erase_if(described.settings, [](const auto & setting) {
        return setting.first.ends_with(server_setting) || setting.first == "threads";
    });
    Sha256 hash;
    hash.update(evaluation_json(described));
    hash.update(files.completions.empty() ? "" : "with texts");
    hash.update(work);
    return hash.hex();
}

const char * to_string(NoVerdict problem) {
    switch (problem) {
    case NoVerdict::none:
        return "none";
    case NoVerdict::unparsable:
        return "unparsable";
    case NoVerdict::rejected:
        return "rejected";
    case NoVerdict::too_long:
        return "too_long";
    }
    return "";
}

} // namespace

void add_drop(std::vector<EvaluationDrop> & dropped, const std::string & reason, const std::string & unit,
              const std::string & variant, std::size_t count) {
    const auto same = std::find_if(dropped.begin(), dropped.end(), [&](const EvaluationDrop & drop) {
        return drop.reason == reason && drop.unit == unit && drop.variant == variant;
    });
    if (same != dropped.end()) {
        same->count += count;
    } else if (count > 0) {
        dropped.push_back({reason, unit, variant, count});
    }
}

void add_no_verdict(std::vector<EvaluationDrop> & dropped, NoVerdict problem, const std::string & unit,
                    const std::string & variant) {
    if (problem != NoVerdict::none) {
        add_drop(dropped, std::string(verdict_prefix) + to_string(problem), unit, variant);
    }
}

std::size_t items_per_slice(std::size_t answers_per_item) {
    return std::max<std::size_t>(1, slice_answers / std::max<std::size_t>(1, answers_per_item));
}

void score_slices(Evaluation & evaluation, const JudgedFiles & files, const std::string & work,
                  const std::function<void(Evaluation &)> & describe, std::size_t n, std::size_t per_slice,
                  const std::function<SliceResult(std::size_t first, std::size_t count)> & score) {
    Progress progress(files, evaluation, work_hash(evaluation, files, work, describe));
    const std::size_t n_slices = (n + per_slice - 1) / per_slice;
    try {
        for (std::size_t slice = progress.slices(); slice < n_slices; ++slice) {
            const std::size_t first = slice * per_slice;
            progress.add(score(first, std::min(per_slice, n - first)));
        }
    } catch (const Error &) {
        if (progress.slices() > 0 && !files.part.empty()) {
            progress.say(fmt::format("{} of {} slices are finished and kept in {}; the same command goes on from there",
                                     progress.slices(), n_slices, files.part.string()));
        }
        throw;
    }
}

void require_verdicts(const Evaluation & evaluation, const JudgedFiles & files, const std::string & rater,
                      const std::vector<std::string> & quantities) {
    const auto lost = std::find_if(evaluation.dropped.begin(), evaluation.dropped.end(),
                                   [](const EvaluationDrop & drop) { return drop.reason.starts_with(verdict_prefix); });
    bool known = false;
    bool scored = false;
    for (std::size_t i = 0; i < evaluation.quantities.size(); ++i) {
        if (std::find(quantities.begin(), quantities.end(), evaluation.quantities[i]) != quantities.end()) {
            known = true;
            scored = scored || std::any_of(evaluation.items.begin(), evaluation.items.end(),
                                           [i](const auto & item) { return !std::isnan(item.scores[i].front()); });
        }
    }
    if (known && !scored && lost != evaluation.dropped.end()) {
        std::error_code nothing_there; // the same command must ask again, not go on from answers without a verdict
        fs::remove(files.part, nothing_there);
        fail(ErrorKind::judge, "{}: the {} gave no verdict that counts ({} {} {}); try another one", evaluation.name,
             rater, lost->count, lost->unit, lost->reason);
    }
}

void finish_judged(Evaluation & evaluation, const Respondent & respondent, const std::vector<std::string> & groups) {
    finish_evaluation(evaluation, respondent, groups);
    for (const std::string rater : {"judge", "classifier"}) {
        const EvaluationRow * row = evaluation.find(rater + "_mass");
        if (row == nullptr) {
            continue;
        }
        // Of the first variant that has any: a base that is compared with itself is not asked about.
        const auto mass = std::find_if(row->scores.begin(), row->scores.end(),
                                       [](const auto & score) { return !std::isnan(score.estimate.value); });
        if (mass != row->scores.end() && mass->estimate.value < low_mass) {
            evaluation.notes.push_back(
                fmt::format("the {} answers with one of the answers offered in {:.0f} % of its probability alone, so "
                            "its verdicts say little; take another one",
                            rater, 100 * mass->estimate.value));
        }
    }
}

EvaluationMeasure mass_measure(const std::string & rater) {
    return {rater + "_mass",
            rater + "_mass",
            fmt::format("mean probability (0 to 1) that the {} answers with one of the answers offered; where it is "
                        "low, its ranking of these says little",
                        rater),
            Aggregate::mean,
            false,
            false};
}

} // namespace valuelens
