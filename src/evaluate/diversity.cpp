#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/fail.h"
#include "evaluate/cut_answers.h"
#include "evaluate/ngrams.h"
#include "evaluate/slices.h"
#include "evaluate/summarize.h"
#include "evaluate/task.h"
#include "evaluate/text.h"
#include "valuelens/query.h"
#include "valuelens/rule_evaluations.h"

namespace valuelens {
namespace {

constexpr std::size_t longest = 5; ///< n-grams from 1 to 5
constexpr double dropped = std::numeric_limits<double>::quiet_NaN();

/// What is measured on a corpus of texts: distinct, EAD and entropy for each n, then the distance of embeddings.
constexpr std::size_t per_corpus = 3 * longest + 1;

/// Where a quantity stands in EvaluationItem::scores.
enum Place : std::size_t {
    within = 0,
    across = per_corpus,
    token_entropy = 2 * per_corpus,
    words,
    words_kept,
    cut_off,
    n_places
};

std::array<double, per_corpus> measure(const std::vector<const CutAnswer *> & corpus, std::size_t vocabulary) {
    std::vector<TextWords> texts;
    std::vector<std::vector<float>> embeddings;
    for (const CutAnswer * answer : corpus) {
        texts.push_back(answer->words);
        if (!answer->embedding.empty()) {
            embeddings.push_back(answer->embedding);
        }
    }
    std::array<double, per_corpus> values{};
    for (std::size_t n = 1; n <= longest; ++n) {
        const NgramCounts counts = count_ngrams(texts, n);
        values[n - 1] = distinct_share(counts);
        values[longest + n - 1] = expectation_adjusted_distinct(counts, vocabulary);
        values[2 * longest + n - 1] = counts.total == 0 ? dropped : counts.entropy;
    }
    values.back() = mean_pairwise_cosine_distance(embeddings);
    return values;
}

EvaluationItem make_item(const std::string & id, std::size_t n_variants) {
    return {id, id, {}, std::vector<std::vector<double>>(n_places, std::vector<double>(n_variants, dropped))};
}

class DiversityTask : public EvaluationTask {
public:
    explicit DiversityTask(const DiversityOptions & options) : options_(options) {
        const auto require = [](bool holds, const char * option, auto value, const char * expected) {
            if (!holds) {
                fail(ErrorKind::usage, "{} {}: expected {}", option, value, expected);
            }
        };
        require(options.max_tokens >= 1, "--max-tokens", options.max_tokens, "1 or more");
        require(options.temperature >= 0 && options.temperature <= 100, "--temperature", options.temperature,
                "a number from 0 to 100");
        require(options.samples >= 1, "--samples", options.samples, "1 or more");
        require(options.block >= 2, "--block", options.block, "2 or more prompts");
        require(options.vocabulary >= 1, "--vocabulary", options.vocabulary, "1 or more words");
        queries_ = options.input.empty() ? shipped_queries() : load_queries(options.input);
    }

    std::string name() const override { return "diversity"; }

    Evaluation run(Respondent & respondent, const EvaluationOptions & options) const override {
        Evaluation result = start_evaluation(name(), "prompt", respondent, options);
        note_input(result, options_.input);
        if (!options_.input.empty()) {
            result.settings.emplace_back("input_format", query_format_name(queries_.format));
        }
        for (const auto & [setting, value] : {std::pair{"max_tokens", fmt::format("{}", options_.max_tokens)},
                                              {"temperature", fmt::format("{}", options_.temperature)},
                                              {"samples", fmt::format("{}", samples())},
                                              {"block", fmt::format("{} prompts", options_.block)},
                                              {"vocabulary", fmt::format("{} (V of EAD)", options_.vocabulary)},
                                              {"min_words", fmt::format("{}", options_.min_words)}}) {
            result.settings.emplace_back(setting, value);
        }
        note_drop(result, "duplicate", "prompts", queries_.duplicates);
        note_drop(result, "no_user_turn", "conversations", queries_.without_user);
        define_measures(result);

        std::shared_ptr<EmbeddingModel> embedding;
        if (!options_.embedding_model.empty()) {
            result.settings.emplace_back("embedding_model", options_.embedding_model);
            if (!options_.open_embedding) {
                fail(ErrorKind::internal, "the embedding model {} is named, and nothing opens it",
                     options_.embedding_model);
            }
            embedding = options_.open_embedding();
        }

        std::vector<const Query *> asked;
        std::vector<std::string> texts;
        for (const std::size_t place : sample_items(queries_.queries.size(), options.limit, options.seed)) {
            asked.push_back(&queries_.queries[place]);
            texts.push_back(asked.back()->text);
        }
        const auto answers = respondent.write(name(), texts,
                                              {.max_tokens = options_.max_tokens,
                                               .temperature = static_cast<float>(options_.temperature),
                                               .samples = samples(),
                                               .seed = options.seed,
                                               .entropies = true});
        const std::size_t n_variants = result.variants.size();
        std::vector<const Query *> answered;
        CutAnswers cut;
        CutWords cut_words{0, 0, std::vector<double>(n_variants, 0)};
        for (std::size_t i = 0; i < asked.size(); ++i) {
            const auto of_prompt = std::span(answers).subspan(i * n_variants, n_variants);
            if (std::any_of(of_prompt.begin(), of_prompt.end(), [](const auto & each) { return each.empty(); })) {
                continue;
            }
            answered.push_back(asked[i]);
            result.items.push_back(make_item(asked[i]->id, n_variants));
            cut.push_back(cut_answers(of_prompt, result, cut_words));
        }
        note_drop(result, "too_long", "prompts", asked.size() - answered.size());
        note_cut(cut_words, result);
        embed_answers(respondent, embedding.get(), cut, result);
        if (samples() > 1) {
            score_within(cut, result);
        }
        score_across(cut, result);
        finish_evaluation(result, respondent, {});
        return result;
    }

private:
    /// Greedy answers to one prompt are all the same.
    std::size_t samples() const { return options_.temperature > 0 ? options_.samples : 1; }

    void define_measures(Evaluation & result) const {
        const auto add = [&](const std::string & name, const std::string & description, bool reported = true) {
            result.quantities.push_back(name);
            if (reported) {
                result.measures.push_back({name, name, description, Aggregate::mean, false, false});
            }
        };
        const std::pair<const char *, std::string> scopes[] = {
            {"within", fmt::format("the {} answers to one prompt", samples())},
            {"across", fmt::format("one answer to each of {} prompts", options_.block)}};
        for (const auto & [scope, corpus] : scopes) {
            const bool reported = scope != scopes[0].first || samples() > 1;
            for (std::size_t n = 1; n <= longest; ++n) {
                add(fmt::format("{}_distinct_{}", scope, n),
                    fmt::format("different {}-grams of words in {}, as a share of all", n, corpus), reported);
            }
            for (std::size_t n = 1; n <= longest; ++n) {
                add(fmt::format("{}_ead_{}", scope, n),
                    fmt::format("expectation-adjusted distinct {}-grams in {}, V = {}", n, corpus, options_.vocabulary),
                    reported);
            }
            for (std::size_t n = 1; n <= longest; ++n) {
                add(fmt::format("{}_entropy_{}", scope, n),
                    fmt::format("entropy in bits of the {}-grams of words in {}", n, corpus), reported);
            }
            add(fmt::format("{}_embedding_distance", scope),
                fmt::format("mean over pairs of texts of 1 - cosine of their embeddings, in {}", corpus), reported);
        }
        add("next_token_entropy", "mean entropy in nats of the distribution that a token is drawn from");
        add("answer_words", "mean length of an answer in words, before it is cut");
        add("words_kept",
            "mean length of an answer in words after the cut, the same for all variants; what n-grams are "
            "counted in");
        add("cut_off", "percent of answers that ended because they reached max_tokens");
    }

    /// [sample][variant]; what is known of each answer goes into the prompt's item, the last of the result.
    CutAnswers::value_type cut_answers(std::span<const std::vector<WrittenAnswer>> answers, Evaluation & result,
                                       CutWords & cut_words) const {
        EvaluationItem & item = result.items.back();
        const std::size_t n_variants = answers.size();
        const auto n_samples = static_cast<double>(samples());
        CutAnswers::value_type cut(samples(), std::vector<CutAnswer>(n_variants));
        std::vector<double> entropy(n_variants, 0);
        for (const Place place : {words, words_kept, cut_off}) {
            item.scores[place].assign(n_variants, 0);
        }
        double drawn = 0;
        for (std::size_t sample = 0; sample < samples(); ++sample) {
            std::size_t shortest = std::numeric_limits<std::size_t>::max();
            std::size_t tokens = shortest;
            for (std::size_t variant = 0; variant < n_variants; ++variant) {
                const WrittenAnswer & answer = answers[variant][sample];
                CutAnswer & kept = cut[sample][variant];
                kept.words = words_of(answer.text);
                shortest = std::min(shortest, kept.words.size());
                tokens = std::min(tokens, answer.entropies.size());
                item.scores[words][variant] += static_cast<double>(kept.words.size()) / n_samples;
                item.scores[cut_off][variant] += answer.cut_off ? 100 / n_samples : 0;
            }
            const std::size_t base = cut[sample].front().words.size();
            cut_words.base += static_cast<double>(base);
            cut_words.kept += static_cast<double>(shortest);
            for (std::size_t variant = 0; variant < n_variants; ++variant) {
                CutAnswer & kept = cut[sample][variant];
                cut_words.alone[variant] += static_cast<double>(std::min(base, kept.words.size()));
                item.scores[words_kept][variant] += static_cast<double>(shortest) / n_samples;
                kept.words.resize(shortest);
                kept.text = first_words(answers[variant][sample].text, shortest);
                const auto first = answers[variant][sample].entropies.begin();
                entropy[variant] += std::accumulate(first, first + static_cast<std::ptrdiff_t>(tokens), 0.0);
            }
            drawn += static_cast<double>(tokens);
        }
        if (drawn == 0) {
            add_drop(result.dropped, "no_tokens", "prompts", "");
            return cut;
        }
        for (std::size_t variant = 0; variant < n_variants; ++variant) {
            if (std::isfinite(entropy[variant])) {
                item.scores[token_entropy][variant] = entropy[variant] / drawn;
            } else {
                add_drop(result.dropped, "not_finite", "prompts", result.variants[variant].name);
            }
        }
        return cut;
    }

    /// Counts what a corpus gives no number for, by the base: all variants have as many words and embeddings.
    static void count_missing(const std::array<double, per_corpus> & of_base, const std::string & unit,
                              Evaluation & result) {
        for (std::size_t n = 1; n <= longest; ++n) {
            if (std::isnan(of_base[n - 1])) {
                add_drop(result.dropped, fmt::format("no_ngrams_{}", n), unit, "");
            }
        }
        if (std::isnan(of_base.back())) {
            add_drop(result.dropped, "too_few_embedded", unit, "");
        }
    }

    static std::size_t words_in(const std::vector<const CutAnswer *> & corpus) {
        return std::accumulate(corpus.begin(), corpus.end(), std::size_t{0},
                               [](std::size_t sum, const CutAnswer * answer) { return sum + answer->words.size(); });
    }

    void score_within(const CutAnswers & cut, Evaluation & result) const {
        std::size_t too_few = 0;
        for (std::size_t prompt = 0; prompt < cut.size(); ++prompt) {
            for (std::size_t variant = 0; variant < result.variants.size(); ++variant) {
                std::vector<const CutAnswer *> corpus;
                for (const auto & sample : cut[prompt]) {
                    corpus.push_back(&sample[variant]);
                }
                if (words_in(corpus) < options_.min_words) {
                    too_few += variant == 0 ? 1 : 0; // as long under each variant
                    continue;
                }
                const auto values = measure(corpus, options_.vocabulary);
                if (variant == 0) {
                    count_missing(values, "prompts", result);
                }
                for (std::size_t i = 0; i < per_corpus; ++i) {
                    result.items[prompt].scores[within + i][variant] = values[i];
                }
            }
        }
        note_drop(result, "too_few_words", "prompts", too_few);
    }

    /// Blocks of prompts in order, each with its mean over the samples. A rest that fills no block is left out: its
    /// corpus would be smaller, and numbers of corpora of different size do not compare.
    void score_across(const CutAnswers & cut, Evaluation & result) const {
        const std::size_t size = std::min(options_.block, cut.size());
        const std::size_t n_blocks = size == 0 ? 0 : cut.size() / size;
        std::size_t too_few = 0;
        for (std::size_t block = 0; block < n_blocks; ++block) {
            EvaluationItem item = make_item(fmt::format("block {}", block), result.variants.size());
            for (std::size_t variant = 0; variant < result.variants.size(); ++variant) {
                std::array<double, per_corpus> sums{};
                std::size_t fewest = std::numeric_limits<std::size_t>::max();
                for (std::size_t sample = 0; sample < samples(); ++sample) {
                    std::vector<const CutAnswer *> corpus;
                    for (std::size_t prompt = block * size; prompt < (block + 1) * size; ++prompt) {
                        corpus.push_back(&cut[prompt][sample][variant]);
                    }
                    fewest = std::min(fewest, words_in(corpus));
                    const auto values = measure(corpus, options_.vocabulary);
                    for (std::size_t i = 0; i < per_corpus; ++i) {
                        sums[i] += values[i] / static_cast<double>(samples());
                    }
                }
                if (fewest < options_.min_words) {
                    too_few += variant == 0 ? 1 : 0;
                    continue;
                }
                if (variant == 0) {
                    count_missing(sums, "blocks", result);
                }
                for (std::size_t i = 0; i < per_corpus; ++i) {
                    item.scores[across + i][variant] = sums[i];
                }
            }
            result.items.push_back(std::move(item));
        }
        note_drop(result, "too_few_words", "blocks", too_few);
        note_drop(result, "fill_no_block", "prompts across", cut.size() - n_blocks * size);
        if (n_blocks - too_few == 1) {
            const std::string one = size < options_.block
                                        ? fmt::format("{} prompts are fewer than a block of {}", size, options_.block)
                                        : fmt::format("one block of {} prompts is measured", size);
            result.notes.push_back(fmt::format(
                "across: {}, and one block gives no interval; ask {} prompts or more (--limit, --input), or take a "
                "smaller --block",
                one, 2 * options_.block));
        }
    }

    DiversityOptions options_;
    QuerySet queries_;
};

} // namespace

std::unique_ptr<EvaluationTask> diversity_task(const DiversityOptions & options) {
    return std::make_unique<DiversityTask>(options);
}

} // namespace valuelens
