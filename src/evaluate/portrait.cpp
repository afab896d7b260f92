#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/fail.h"
#include "concepts/value_portrait.h"
#include "evaluate/question_scores.h"
#include "evaluate/ratings.h"
#include "evaluate/summarize.h"
#include "evaluate/task.h"

namespace valuelens {
namespace {

class PortraitTask : public EvaluationTask {
public:
    PortraitTask(const PortraitOptions & options, const ConceptSet & concepts)
        : options_(options), concepts_(concepts) {
        if (!options.similarity && !options.generation) {
            fail(ErrorKind::usage, "portrait: nothing is to be measured; choose similarity, generation or both");
        }
        if (!(options.min_correlation >= -1 && options.min_correlation < 1)) {
            fail(ErrorKind::usage, "--min-correlation {}: expected a correlation from -1 to 1",
                 options.min_correlation);
        }
        portrait_ = load_value_portrait(options.input, concepts);
        texts_ = shipped_questionnaire_texts("en");
        // A reply that nobody's value goes with measures none.
        for (std::size_t i = 0; i < portrait_.responses.size(); ++i) {
            if (!values_of(portrait_.responses[i]).empty()) {
                tagged_.push_back(i);
            }
        }
        if (tagged_.empty()) {
            fail(ErrorKind::bad_input, "{}: none of the {} replies correlates with a value by more than {}",
                 options.input.string(), portrait_.responses.size(), options.min_correlation);
        }
    }

    std::string name() const override { return "portrait"; }

    Evaluation run(Respondent & respondent, const EvaluationOptions & options) const override {
        Evaluation result = start_evaluation(name(), "value", respondent, options);
        note_input(result, options_.input);
        note_concepts(result, concepts_);
        result.settings.emplace_back("min_correlation", fmt::format("{}", options_.min_correlation));
        note_drop(result, "duplicate", "items", portrait_.duplicates);
        note_drop(result, "tag_is_no_concept", "tags", portrait_.unmatched_tags);
        note_drop(result, "no_correlation_above_minimum", "items", portrait_.responses.size() - tagged_.size());

        std::vector<const PortraitResponse *> asked;
        for (const std::size_t place : sample_items(tagged_.size(), options.limit, options.seed)) {
            asked.push_back(&portrait_.responses[tagged_[place]]);
            result.items.push_back({asked.back()->id, asked.back()->query_id, values_of(*asked.back()), {}});
        }
        if (options_.similarity) {
            ask_similar(respondent, asked, result);
        }
        if (options_.generation) {
            read_replies(respondent, asked, result);
        }
        finish_evaluation(result, respondent, concept_ids(concepts_));
        return result;
    }

private:
    std::vector<std::string> values_of(const PortraitResponse & response) const {
        std::vector<std::string> values;
        for (std::size_t value = 0; value < concepts_.concepts.size(); ++value) {
            if (response.correlations[value] > options_.min_correlation) { // NaN is not
                values.push_back(concepts_.concepts[value].id);
            }
        }
        return values;
    }

    void ask_similar(Respondent & respondent, const std::vector<const PortraitResponse *> & asked,
                     Evaluation & result) const {
        if (!texts_.similarity) {
            fail(ErrorKind::internal, "the shipped English texts have no question of similarity");
        }
        const AnswerScale & scale = *texts_.similarity;
        const auto ask_item = [&](std::size_t item, const QuestionFrame & frame, const std::string & labels) {
            return ask_similarity(frame, asked[item]->query, asked[item]->response, labels);
        };
        const Ratings ratings =
            rate(respondent, "portrait similarity", asked.size(), scale, ask_item, options_.reading);
        note_ratings(result, ratings, scale, options_.reading);
        const bool parsed = options_.reading == AnswerReading::greedy;
        result.quantities.emplace_back("similarity");
        result.measures.push_back(
            {"similarity", "similarity",
             "mean similarity to one's own thoughts, 1 (not similar at all) to 6 (very similar)"});
        result.measures.push_back(
            {"similarity_centred", "similarity", "similarity minus the mean of all items", Aggregate::mean, true});
        if (!parsed) {
            result.quantities.emplace_back("option_mass");
            result.measures.push_back(option_mass_measure());
        }
        for (std::size_t i = 0; i < asked.size(); ++i) {
            add_quantity(result.items[i], ratings.rating[i], ratings.shared[i]);
            if (!parsed) {
                result.items[i].scores.push_back(ratings.mass[i]);
            }
        }
    }

    void read_replies(Respondent & respondent, const std::vector<const PortraitResponse *> & asked,
                      Evaluation & result) const {
        std::vector<Passage> passages;
        for (const PortraitResponse * response : asked) {
            passages.push_back({response->query, response->response});
        }
        const std::vector<PassageScore> scores = respondent.read("portrait generation", passages);
        result.quantities.insert(result.quantities.end(), {"logprob", "logprob_per_token"});
        result.measures.push_back({"logprob_per_token", "logprob_per_token",
                                   "mean over replies of the natural-log probability per token of the reply"});
        result.measures.push_back({"logprob_per_token_centred", "logprob_per_token",
                                   "log-probability per token minus the mean of all items", Aggregate::mean, true});
        result.measures.push_back(
            {"logprob_sum", "logprob",
             "sum over replies of the natural-log probability of the reply; grows with the number "
             "and length of the replies, so compare variants, not values",
             Aggregate::sum});
        const std::size_t n_variants = result.variants.size();
        std::size_t too_long = 0;
        std::vector<std::size_t> not_finite(n_variants, 0);
        for (std::size_t i = 0; i < asked.size(); ++i) {
            std::vector<double> whole;
            std::vector<double> per_token;
            for (std::size_t variant = 0; variant < n_variants; ++variant) {
                const PassageScore & score = scores[i * n_variants + variant];
                const bool read = score.tokens > 0 && std::isfinite(score.logprob);
                not_finite[variant] += score.tokens > 0 && !read ? 1 : 0;
                constexpr double dropped = std::numeric_limits<double>::quiet_NaN();
                whole.push_back(read ? score.logprob : dropped);
                per_token.push_back(read ? score.logprob / static_cast<double>(score.tokens) : dropped);
            }
            too_long += scores[i * n_variants].tokens == 0 ? 1 : 0;
            result.items[i].scores.push_back(std::move(whole));
            result.items[i].scores.push_back(std::move(per_token));
        }
        note_drop(result, "too_long_to_read", "items", too_long);
        for (std::size_t variant = 0; variant < n_variants; ++variant) {
            note_drop(result, "not_finite", "replies", not_finite[variant], result.variants[variant].name);
        }
    }

    PortraitOptions options_;
    ConceptSet concepts_;
    ValuePortrait portrait_;
    QuestionnaireTexts texts_;
    std::vector<std::size_t> tagged_; ///< responses that count for a value
};

} // namespace

std::unique_ptr<EvaluationTask> portrait_task(const PortraitOptions & options, const ConceptSet & concepts) {
    return std::make_unique<PortraitTask>(options, concepts);
}

} // namespace valuelens
