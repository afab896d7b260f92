#include "evaluate/cut_answers.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/fail.h"
#include "evaluate/slices.h"

namespace valuelens {
namespace {

/// The cut is noted where it leaves less than this of the base's words.
constexpr double noted_share = 0.5;

/// Whether each of [variant] has an embedding that a cosine can be taken of; counts those that have none.
bool check_embeddings(const std::vector<CutAnswer> & sample, Evaluation & result) {
    bool all = true;
    for (std::size_t variant = 0; variant < sample.size(); ++variant) {
        const std::vector<float> & embedding = sample[variant].embedding;
        const bool finite = std::all_of(embedding.begin(), embedding.end(), [](float x) { return std::isfinite(x); });
        const bool zero = std::all_of(embedding.begin(), embedding.end(), [](float x) { return x == 0; });
        if (!finite || zero) {
            add_drop(result.dropped, finite ? "not_embedded" : "not_finite", "texts", result.variants[variant].name);
            all = false;
        }
    }
    return all;
}

} // namespace

void note_cut(const CutWords & words, Evaluation & result) {
    if (words.kept >= noted_share * words.base) {
        return;
    }
    const auto shortest = std::min_element(words.alone.begin(), words.alone.end());
    result.notes.push_back(fmt::format(
        "cut to the shortest of all variants' answers, the base's keep {:.0f} % of their words, and n-grams and "
        "embeddings are of these alone; '{}' cuts most (beside it alone they would keep {:.0f} %): without it the "
        "others are compared on longer texts",
        100 * words.kept / words.base, result.variants[static_cast<std::size_t>(shortest - words.alone.begin())].name,
        100 * *shortest / words.base));
}

void embed_answers(Respondent & respondent, const EmbeddingModel * by, CutAnswers & cut, Evaluation & result) {
    std::vector<std::string> texts;
    std::vector<CutAnswer *> places;
    for (auto & prompt : cut) {
        for (auto & sample : prompt) {
            for (CutAnswer & answer : sample) {
                if (!answer.words.empty()) {
                    texts.push_back(answer.text);
                    places.push_back(&answer);
                }
            }
        }
    }
    std::vector<std::vector<float>> embeddings = respondent.embed("diversity embeddings", texts, by);
    for (std::size_t i = 0; i < places.size(); ++i) {
        places[i]->embedding = std::move(embeddings[i]);
    }
    for (auto & prompt : cut) {
        for (auto & sample : prompt) {
            if (sample.front().words.empty()) {
                add_drop(result.dropped, "no_words", "texts", "");
            } else if (!check_embeddings(sample, result)) {
                for (CutAnswer & answer : sample) {
                    answer.embedding.clear();
                }
            }
        }
    }
}

} // namespace valuelens
