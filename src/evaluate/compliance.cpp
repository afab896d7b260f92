#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/fail.h"
#include "base/hash.h"
#include "base/text.h"
#include "concepts/rater_prompts.h"
#include "concepts/refusals.h"
#include "concepts/requests.h"
#include "concepts/text_slots.h"
#include "evaluate/compliance_columns.h"
#include "evaluate/judged_values.h"
#include "evaluate/slices.h"
#include "evaluate/summarize.h"
#include "evaluate/task.h"

namespace valuelens {
namespace {

using nlohmann::ordered_json;

/// A request that is put to the model.
struct Asked {
    const ModelRequest * request;
    bool benign;
};

/// An answer to one, under a variant.
struct JudgedAnswer {
    std::size_t asked; ///< place in the slice
    std::size_t variant;
    std::size_t sample; ///< 0: the greedy one
    std::string text;
    AnswerFindings findings;
};

std::vector<Asked> sampled(const RequestSet & set, bool benign, const EvaluationOptions & options) {
    std::vector<Asked> asked;
    for (const std::size_t place : sample_items(set.requests.size(), options.limit, options.seed)) {
        asked.push_back({&set.requests[place], benign});
    }
    return asked;
}

class ComplianceTask : public EvaluationTask {
public:
    ComplianceTask(const ComplianceOptions & options, std::shared_ptr<Rater> judge, std::shared_ptr<Rater> classifier)
        : options_(options), judge_(std::move(judge)), classifier_(std::move(classifier)),
          requests_(options.input.empty() ? shipped_refusable_requests() : load_requests(options.input)),
          benign_(options.benign.empty() ? shipped_benign_requests() : load_requests(options.benign)),
          phrases_(load_refusal_phrases(options.refusal_phrases)),
          prompt_(load_rater_prompt(RaterQuestion::compliance, options.prompt)),
          classifier_prompt_(load_rater_prompt(RaterQuestion::classifier, options.classifier_prompt)) {
        require_max_tokens(options.max_tokens);
        if (options.samples > 0 && !(options.temperature > 0 && std::isfinite(options.temperature))) {
            fail(ErrorKind::usage,
                 "--temperature {}: expected a number above 0, or the drawn answers are all the same; --samples 0 does "
                 "without them",
                 options.temperature);
        }
        columns_ = {options.samples, judge_ != nullptr, judge_ != nullptr && judge_->offers_probabilities(),
                    classifier_ != nullptr, classifier_ != nullptr && classifier_->offers_probabilities()};
    }

    std::string name() const override { return "compliance"; }

    Evaluation run(Respondent & respondent, const EvaluationOptions & options) const override {
        Evaluation result = start_evaluation(name(), "category", respondent, options);
        note_settings(result);
        name_compliance_measures(result, columns_);

        std::vector<Asked> asked = sampled(requests_, false, options);
        const std::vector<Asked> benign = sampled(benign_, true, options);
        asked.insert(asked.end(), benign.begin(), benign.end());
        std::string work = prompt_.user + classifier_prompt_.user;
        for (const Asked & each : asked) {
            work += each.request->prompt();
        }
        const auto describe = [&](Evaluation & evaluation) {
            respondent.describe(evaluation);
            describe_raters(evaluation);
        };
        const std::size_t per_item = (1 + options_.samples) * result.variants.size();
        score_slices(result, options_.files, work, describe, asked.size(), items_per_slice(per_item),
                     [&](std::size_t first, std::size_t count) {
                         return score(respondent, std::span(asked).subspan(first, count), options.seed);
                     });
        describe_raters(result);
        require_verdicts(result, options_.files, "judge", {"asr_at_1_judge", "over_refusal_judge"});
        require_verdicts(result, options_.files, "classifier", {"asr_at_1_classifier"});
        finish_judged(result, respondent, categories());
        return result;
    }

private:
    void note_settings(Evaluation & result) const {
        note_input(result, options_.input);
        if (!options_.benign.empty()) {
            result.settings.emplace_back("benign", options_.benign.filename().string());
            result.settings.emplace_back("benign_sha256", sha256_file(options_.benign));
        }
        result.settings.emplace_back("samples", fmt::format("{}", options_.samples));
        if (options_.samples > 0) {
            result.settings.emplace_back("temperature", fmt::format("{}", options_.temperature));
        }
        result.settings.emplace_back("max_tokens", fmt::format("{}", options_.max_tokens));
        result.settings.emplace_back(
            "refusal_phrases", options_.refusal_phrases.empty() ? "shipped" : sha256_file(options_.refusal_phrases));
        note_drop(result, "duplicate", "requests", requests_.duplicates + benign_.duplicates);
        note_drop(result, "copyright", "requests", requests_.copyright + benign_.copyright);
        if (judge_ != nullptr) {
            note_rater_prompt(result, "judge", prompt_);
        }
        if (classifier_ != nullptr) {
            note_rater_prompt(result, "classifier", classifier_prompt_);
        }
        if (judge_ == nullptr && classifier_ == nullptr) {
            result.notes.emplace_back("refusal phrases alone overstate success: an answer may refuse in other words or "
                                      "say nothing; give --judge or --classifier");
        }
    }

    void describe_raters(Evaluation & evaluation) const {
        if (judge_ != nullptr) {
            judge_->describe(evaluation, "judge");
        }
        if (classifier_ != nullptr) {
            classifier_->describe(evaluation, "classifier");
        }
    }

    std::vector<std::string> categories() const {
        std::vector<std::string> names;
        for (const ModelRequest & request : requests_.requests) {
            if (!request.category.empty() && std::find(names.begin(), names.end(), request.category) == names.end()) {
                names.push_back(request.category);
            }
        }
        return names;
    }

    SliceResult score(Respondent & respondent, std::span<const Asked> asked, std::uint64_t seed) const {
        SliceResult slice;
        std::vector<JudgedAnswer> answers = generate(respondent, asked, seed, slice);
        judge(answers, asked, respondent.variants(), slice);
        classify(answers, asked, respondent.variants(), slice);

        const std::size_t n_variants = respondent.variants().size();
        for (std::size_t i = 0; i < asked.size(); ++i) {
            std::vector<std::vector<double>> by_variant;
            for (std::size_t variant = 0; variant < n_variants; ++variant) {
                std::vector<AnswerFindings> findings;
                for (const JudgedAnswer & answer : answers) {
                    if (answer.asked == i && answer.variant == variant) {
                        findings.push_back(answer.findings);
                    }
                }
                if (!findings.empty()) {
                    by_variant.push_back(compliance_scores(columns_, asked[i].benign, findings));
                }
            }
            if (by_variant.empty()) {
                continue; // too long, counted
            }
            const ModelRequest & request = *asked[i].request;
            EvaluationItem & item = slice.items.emplace_back();
            item.id = (asked[i].benign ? "benign/" : "decline/") + request.id;
            item.cluster = item.id;
            if (!asked[i].benign && !request.category.empty()) {
                item.groups = {request.category};
            }
            item.scores.assign(by_variant.front().size(), std::vector<double>(n_variants));
            for (std::size_t variant = 0; variant < n_variants; ++variant) {
                for (std::size_t quantity = 0; quantity < item.scores.size(); ++quantity) {
                    item.scores[quantity][variant] = by_variant[variant][quantity];
                }
            }
        }
        for (const JudgedAnswer & answer : answers) {
            slice.completions.push_back(completion(answer, asked[answer.asked], respondent.variants()));
        }
        return slice;
    }

    /// The greedy answers to all requests, then the drawn ones to those that ought to be declined.
    std::vector<JudgedAnswer> generate(Respondent & respondent, std::span<const Asked> asked, std::uint64_t seed,
                                       SliceResult & slice) const {
        const std::size_t n_variants = respondent.variants().size();
        std::vector<std::string> prompts;
        std::vector<std::string> drawn_prompts;
        std::vector<std::size_t> drawn_places;
        for (std::size_t i = 0; i < asked.size(); ++i) {
            prompts.push_back(asked[i].request->prompt());
            if (!asked[i].benign && options_.samples > 0) {
                drawn_prompts.push_back(prompts.back());
                drawn_places.push_back(i);
            }
        }
        std::vector<JudgedAnswer> answers;
        const auto add = [&](std::size_t place, std::size_t variant, std::size_t sample, const WrittenAnswer & answer) {
            answers.push_back({place,
                               variant,
                               sample,
                               answer.text,
                               {.refusal_phrase = phrases_.found_in(answer.text), .cut_off = answer.cut_off}});
        };
        AnswerOptions how;
        how.max_tokens = options_.max_tokens;
        const auto greedy = respondent.write(name(), prompts, how);
        for (std::size_t i = 0; i < greedy.size(); ++i) {
            if (!greedy[i].empty()) {
                add(i / n_variants, i % n_variants, 0, greedy[i].front());
            } else if (i % n_variants == 0) {
                add_drop(slice.dropped, "too_long", "requests", "");
            }
        }
        if (drawn_prompts.empty()) {
            return answers;
        }
        how.temperature = static_cast<float>(options_.temperature);
        how.samples = options_.samples;
        how.seed = seed;
        const auto drawn = respondent.write(name(), drawn_prompts, how);
        for (std::size_t i = 0; i < drawn.size(); ++i) {
            for (std::size_t sample = 0; sample < drawn[i].size(); ++sample) {
                add(drawn_places[i / n_variants], i % n_variants, sample + 1, drawn[i][sample]);
            }
        }
        return answers;
    }

    /// Puts a question about each answer that has words, those to harmless requests only where `benign_too`, and hands
    /// out the verdicts.
    static void ask_about(Rater & rater, const std::string & stage, std::vector<JudgedAnswer> & answers,
                          std::span<const Asked> asked, const RaterPrompt & prompt,
                          std::span<const std::string> offered, bool benign_too,
                          const std::function<void(JudgedAnswer &, const Verdict &)> & take) {
        std::vector<std::string> questions;
        std::vector<std::size_t> places;
        for (std::size_t i = 0; i < answers.size(); ++i) {
            const Asked & request = asked[answers[i].asked];
            if (!is_blank(answers[i].text) && (benign_too || !request.benign)) {
                places.push_back(i);
                questions.push_back(
                    fill_slots(prompt.user, {{"request", request.request->prompt()}, {"answer", answers[i].text}}));
            }
        }
        const std::vector<Verdict> verdicts = rater.ask(stage, questions, offered);
        for (std::size_t i = 0; i < verdicts.size(); ++i) {
            take(answers[places[i]], verdicts[i]);
        }
    }

    void judge(std::vector<JudgedAnswer> & answers, std::span<const Asked> asked,
               const std::vector<EvaluationVariant> & variants, SliceResult & slice) const {
        if (judge_ == nullptr) {
            return;
        }
        for (JudgedAnswer & answer : answers) {
            if (is_blank(answer.text)) {
                answer.findings.rating = 0;
            }
        }
        ask_about(*judge_, "judge", answers, asked, prompt_, rating_answers(), true,
                  [&](JudgedAnswer & answer, const Verdict & verdict) {
                      if (verdict.given()) {
                          answer.findings.rating = expected_rating(verdict);
                          answer.findings.judge_mass = verdict.mass;
                      } else {
                          add_no_verdict(slice.dropped, verdict.problem, "ratings", variants[answer.variant].name);
                      }
                  });
    }

    void classify(std::vector<JudgedAnswer> & answers, std::span<const Asked> asked,
                  const std::vector<EvaluationVariant> & variants, SliceResult & slice) const {
        if (classifier_ == nullptr) {
            return;
        }
        for (JudgedAnswer & answer : answers) {
            if (is_blank(answer.text)) {
                answer.findings.classified = false;
            }
        }
        const std::vector<std::string> words = {classifier_prompt_.yes, classifier_prompt_.no};
        ask_about(*classifier_, "classifier", answers, asked, classifier_prompt_, words, false,
                  [&](JudgedAnswer & answer, const Verdict & verdict) {
                      if (verdict.given()) {
                          answer.findings.classified = verdict.probabilities[0] > verdict.probabilities[1];
                          answer.findings.classifier_mass = verdict.mass;
                      } else {
                          add_no_verdict(slice.dropped, verdict.problem, "classifications",
                                         variants[answer.variant].name);
                      }
                  });
    }

    static std::string completion(const JudgedAnswer & answer, const Asked & asked,
                                  const std::vector<EvaluationVariant> & variants) {
        ordered_json line = {{"id", asked.request->id},
                             {"set", asked.benign ? "benign" : "decline"},
                             {"variant", variants[answer.variant].name},
                             {"sample", answer.sample},
                             {"text", answer.text},
                             {"refusal_phrase", answer.findings.refusal_phrase}};
        if (answer.findings.rating) {
            line["rating"] = *answer.findings.rating;
        }
        if (answer.findings.classified) {
            line["classified"] = *answer.findings.classified;
        }
        return line.dump();
    }

    ComplianceOptions options_;
    std::shared_ptr<Rater> judge_;
    std::shared_ptr<Rater> classifier_;
    RequestSet requests_;
    RequestSet benign_;
    RefusalPhrases phrases_;
    RaterPrompt prompt_;
    RaterPrompt classifier_prompt_;
    ComplianceColumns columns_;
};

} // namespace

std::unique_ptr<EvaluationTask> compliance_task(const ComplianceOptions & options, std::shared_ptr<Rater> judge,
                                                std::shared_ptr<Rater> classifier) {
    return std::make_unique<ComplianceTask>(options, std::move(judge), std::move(classifier));
}

} // namespace valuelens
