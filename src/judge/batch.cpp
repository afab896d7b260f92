#include "judge/batch.h"

#include <cmath>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/fail.h"
#include "base/file.h"
#include "judge/batch_results.h"
#include "judge/log_odds.h"

namespace valuelens {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char * endpoint = "/v1/chat/completions";

// One file after the other, each of at most so many lines.
class Lines {
public:
    Lines(const fs::path & output, std::size_t most) : output_(output), most_(most) { next_file(); }

    void add(const std::string & line) {
        if (written_ == most_) {
            file_->commit();
            next_file();
        }
        file_->write(line);
        file_->write("\n");
        ++written_;
    }
    std::vector<fs::path> finish() {
        file_->commit();
        return std::move(files_);
    }

private:
    void next_file() {
        fs::path path = output_;
        if (!files_.empty()) {
            path.replace_filename(
                fmt::format("{}-{}{}", output_.stem().string(), files_.size() + 1, output_.extension().string()));
        }
        file_ = std::make_unique<AtomicFile>(path);
        files_.push_back(path);
        written_ = 0;
    }

    fs::path output_;
    std::size_t most_;
    std::size_t written_ = 0;
    std::unique_ptr<AtomicFile> file_;
    std::vector<fs::path> files_;
};

std::vector<std::size_t> open_judge_slices(const RunDb & db) {
    const std::set<std::size_t> judged = db.finished_judge_slices();
    std::vector<std::size_t> open;
    for (const std::size_t slice : db.finished_slices()) {
        if (judged.count(slice) == 0) {
            open.push_back(slice);
        }
    }
    return open;
}

// Takes its answers from results.
class ResultsJudge : public Judge {
public:
    ResultsJudge(const ConceptSet & concepts, const ServerQuestions & questions, std::string model,
                 const BatchResults & results)
        : concepts_(concepts), questions_(questions), model_(std::move(model)), results_(results),
          tag_(batch_tag(questions_, model_)) {
        if (!questions_.calibrated()) {
            return;
        }
        std::vector<std::string> without;
        for (const Concept & each : concepts_.concepts) {
            const double * odds = find("", each.id);
            baseline_.push_back(odds == nullptr ? std::numeric_limits<double>::quiet_NaN() : *odds);
            if (std::isnan(baseline_.back())) {
                without.push_back(each.id);
            }
        }
        if (!without.empty()) {
            fail(ErrorKind::bad_input,
                 "no result says how the model answers about an empty text for {}, which calibrates its answers; add "
                 "the results that hold '{}'",
                 fmt::join(without, ", "), batch_id(tag_, "", without.front()));
        }
    }

    std::string describe() const override { return questions_.describe(model_); }

    std::vector<std::vector<double>> judge(std::span<const JudgeItem> items, ProgressSink & progress,
                                           std::stop_token) override {
        std::vector<std::vector<double>> answers;
        for (const JudgeItem & item : items) {
            std::vector<double> row;
            for (const std::size_t value : item.values) {
                const double * odds = find(item.id, concepts_.concepts[value].id);
                const double base = questions_.calibrated() ? baseline_[value] : 0;
                row.push_back(odds == nullptr ? std::numeric_limits<double>::quiet_NaN()
                                              : probability_of(*odds - base));
            }
            answers.push_back(std::move(row));
            progress.advance(answers.size());
        }
        return answers;
    }

    const double * find(const std::string & response, const std::string & value) const {
        const auto found = results_.odds.find(batch_id(tag_, response, value));
        return found == results_.odds.end() ? nullptr : &found->second;
    }

private:
    const ConceptSet & concepts_;
    const ServerQuestions & questions_;
    std::string model_;
    const BatchResults & results_;
    std::string tag_;
    std::vector<double> baseline_; ///< [concept]
};

} // namespace

BatchExport export_batch(const RunDb & db, const ConceptSet & concepts, const ServerQuestions & questions,
                         const std::string & model, const fs::path & output, std::span<const fs::path> answered_by,
                         std::size_t max_lines) {
    const BatchResults known = read_batch_results(answered_by, questions, model);
    const std::string tag = batch_tag(questions, model);
    BatchExport result;
    Lines lines(output, max_lines);
    const auto ask = [&](const std::string & response, std::size_t value, const std::string & text) {
        const Concept & wanted = concepts.concepts[value];
        const std::string id = batch_id(tag, response, wanted.id);
        if (const auto found = known.odds.find(id); found != known.odds.end() && !std::isnan(found->second)) {
            ++result.answered;
            return false;
        }
        const ChatRequest request = questions.ask(wanted, text);
        const json line = {
            {"custom_id", id}, {"method", "POST"}, {"url", endpoint}, {"body", json::parse(chat_body(request, model))}};
        lines.add(line.dump());
        ++result.cost.requests;
        result.cost.prompt_tokens += guess_tokens(request.messages.front().content.size());
        result.cost.completion_tokens += static_cast<std::uint64_t>(request.max_tokens);
        return true;
    };
    if (questions.calibrated()) {
        for (std::size_t value = 0; value < concepts.concepts.size(); ++value) {
            ask("", value, "");
        }
    }
    for (const std::size_t slice : open_judge_slices(db)) {
        db.for_each_response(slice, [&](const ResponseRow & row) {
            bool asked = false;
            for (const std::size_t value : judged_values(row, concepts)) {
                asked = ask(row.id, value, row.text) || asked;
            }
            result.responses += asked ? 1 : 0;
        });
    }
    result.files = lines.finish();
    return result;
}

BatchImport import_batch(RunDb & db, const ConceptSet & concepts, const ServerQuestions & questions,
                         const std::string & model, const JudgeStageOptions & options, std::span<const fs::path> files,
                         bool accept_missing, ProgressSink & progress, std::stop_token stop) {
    const BatchResults results = read_batch_results(files, questions, model);
    ResultsJudge judge(concepts, questions, model, results);
    BatchImport report;
    report.failed = results.failed;
    report.failures = results.failures;
    report.unreadable = results.unreadable;
    report.doubled = results.doubled;

    // Which slices have all their answers, and which answers belong to none.
    constexpr std::size_t shown = 10;
    std::unordered_set<std::size_t> incomplete;
    std::size_t expected = questions.calibrated() ? concepts.concepts.size() : 0;
    for (const std::size_t slice : open_judge_slices(db)) {
        db.for_each_response(slice, [&](const ResponseRow & row) {
            for (const std::size_t value : judged_values(row, concepts)) {
                const std::string & id = concepts.concepts[value].id;
                if (judge.find(row.id, id) != nullptr) {
                    ++expected;
                    continue;
                }
                incomplete.insert(slice);
                ++report.missing;
                if (report.missing_ids.size() < shown) {
                    report.missing_ids.push_back(row.id + "/" + id);
                }
            }
        });
    }
    report.unexpected = results.odds.size() - expected;
    report.slices_left = accept_missing ? 0 : incomplete.size();
    if (!accept_missing && incomplete.size() == open_judge_slices(db).size()) {
        return report; // nobody has judged yet, so that nobody is noted as the judge
    }
    report.stage = run_judge(db, concepts, judge, options, progress, std::move(stop),
                             [&](std::size_t slice) { return accept_missing || incomplete.count(slice) == 0; });
    return report;
}

} // namespace valuelens
