// Diversity of the answers of a fake.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/file.h"
#include "evaluate/fake_respondent.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"
#include "support/tiny_embedding_model.h"
#include "valuelens/rule_evaluations.h"

namespace valuelens {
namespace {

using test::FakeRespondent;

class Diversity : public testing::Test {
protected:
    void SetUp() override { write_file(folder_ / "q.txt", "First?\nSecond?\nThird?\nFourth?\n"); }

    DiversityOptions options() const {
        DiversityOptions options;
        options.input = folder_ / "q.txt";
        options.samples = 2;
        options.block = 2;
        options.min_words = 2;
        options.vocabulary = 100;
        return options;
    }

    static WrittenAnswer answer(const std::string & text, std::vector<float> entropies) {
        const std::size_t n = entropies.size();
        return {text, n, false, std::move(entropies)};
    }

    static double value(const Evaluation & evaluation, const std::string & measure, std::size_t variant = 0) {
        return evaluation.find(measure)->scores[variant].estimate.value;
    }

    /// The base alone, with an answer of its own to each prompt and draw.
    static FakeRespondent plain_writer() {
        FakeRespondent respondent({"base"});
        respondent.on_write = [](const std::string & prompt, std::size_t, std::size_t sample) {
            return answer(prompt + " one two three four " + std::to_string(sample), {1});
        };
        respondent.on_embed = [](const std::string &) {
            return std::vector<float>{1};
        };
        return respondent;
    }

    /// Each as reason, count, unit and variant.
    static std::vector<std::string> drops(const Evaluation & evaluation) {
        std::vector<std::string> all;
        for (const EvaluationDrop & drop : evaluation.dropped) {
            all.push_back(drop.reason + " " + std::to_string(drop.count) + " " + drop.unit +
                          (drop.variant.empty() ? "" : " " + drop.variant));
        }
        return all;
    }

    TempFolder folder_;
};

TEST_F(Diversity, IsMeasuredAtEqualLengthWithinAndAcrossPrompts) {
    FakeRespondent respondent;
    // The base says new words each time, and more of them; steered, it always says the same.
    respondent.on_write = [](const std::string & prompt, std::size_t variant, std::size_t sample) {
        const std::string mark = prompt.substr(0, 2) + std::to_string(sample);
        return std::optional(variant == 0 ? answer("a" + mark + " b" + mark + ", c" + mark + " d" + mark, {3, 3, 9, 9})
                                          : answer("Same same", {1, 2}));
    };
    respondent.on_embed = [](const std::string & text) {
        return text == "Same same" ? std::vector<float>{1, 0} : std::vector<float>{text[2] == 'i' ? 1.0f : 0.0f, 1};
    };
    const Evaluation result = diversity_task(options())->run(respondent, {.bootstraps = 50, .seed = 4});
    EXPECT_EQ(respondent.answer_options.samples, 2u);
    EXPECT_EQ(respondent.answer_options.temperature, 1);
    EXPECT_EQ(respondent.answer_options.seed, 4u);
    EXPECT_TRUE(respondent.answer_options.entropies);

    // Two words of each answer count: two answers to a prompt are four words, and two pairs.
    EXPECT_EQ(value(result, "within_distinct_1"), 1);
    EXPECT_EQ(value(result, "within_distinct_1", 1), 0.25);
    EXPECT_EQ(value(result, "within_distinct_2", 1), 0.5);
    EXPECT_TRUE(std::isnan(value(result, "within_distinct_3"))) << "texts of two words have none";
    EXPECT_EQ(value(result, "within_entropy_1"), 2);
    EXPECT_EQ(value(result, "within_entropy_1", 1), 0);
    EXPECT_NEAR(value(result, "within_ead_1", 1), 1 / (100 * (1 - std::pow(0.99, 4))), 1e-12);
    EXPECT_EQ(value(result, "across_distinct_1"), 1);
    EXPECT_EQ(value(result, "across_distinct_1", 1), 0.25);
    EXPECT_EQ(result.find("within_distinct_1")->scores[0].n, 4u);
    EXPECT_EQ(result.find("across_distinct_1")->scores[0].n, 2u) << "blocks";
    EXPECT_EQ(result.find("across_distinct_1")->differences[1].estimate.value, -0.75);
    // The words before the cut, and the entropies of as many tokens as the shorter answer has.
    EXPECT_EQ(value(result, "answer_words"), 4);
    EXPECT_EQ(value(result, "words_kept"), 2);
    EXPECT_EQ(value(result, "words_kept", 1), 2);
    EXPECT_TRUE(result.notes.empty()) << "half of the words is enough";
    EXPECT_EQ(value(result, "next_token_entropy"), 3);
    EXPECT_EQ(value(result, "next_token_entropy", 1), 1.5);
    EXPECT_NEAR(value(result, "within_embedding_distance"), 0, 1e-12) << "the same prompt";
    EXPECT_GT(value(result, "across_embedding_distance"), 0.1);
    EXPECT_NEAR(value(result, "across_embedding_distance", 1), 0, 1e-12);
    EXPECT_THAT(result.settings, testing::Contains(testing::Pair("vocabulary", "100 (V of EAD)")));
    EXPECT_THAT(drops(result),
                testing::ElementsAre("no_ngrams_3 4 prompts", "no_ngrams_4 4 prompts", "no_ngrams_5 4 prompts",
                                     "no_ngrams_3 2 blocks", "no_ngrams_4 2 blocks", "no_ngrams_5 2 blocks"));
}

TEST_F(Diversity, TextsAreCutBeforeTheyAreEmbedded) {
    FakeRespondent respondent;
    std::vector<std::string> embedded;
    respondent.on_write = [](const std::string &, std::size_t variant, std::size_t) {
        return std::optional(answer(variant == 0 ? "One, two. Three" : "我喜欢吃", {1}));
    };
    respondent.on_embed = [&](const std::string & text) {
        embedded.push_back(text);
        return std::vector<float>{1};
    };
    DiversityOptions one = options();
    one.samples = 1;
    const Evaluation result = diversity_task(one)->run(respondent, {.limit = 2, .bootstraps = 0});
    EXPECT_THAT(embedded, testing::ElementsAre("One, two. Three", "我喜欢吃", "One, two. Three", "我喜欢吃"));
    EXPECT_EQ(result.find("within_distinct_1"), nullptr) << "of one answer there is none";
    EXPECT_NE(result.find("across_distinct_1"), nullptr);
}

TEST_F(Diversity, GreedyAnswersAreAskedForOnce) {
    FakeRespondent respondent({"base"});
    respondent.on_write = [](const std::string &, std::size_t, std::size_t) {
        return answer("some words here", {1});
    };
    respondent.on_embed = [](const std::string &) {
        return std::vector<float>{1};
    };
    DiversityOptions greedy = options();
    greedy.temperature = 0;
    greedy.samples = 5;
    const Evaluation result = diversity_task(greedy)->run(respondent, {.bootstraps = 0});
    EXPECT_EQ(respondent.answer_options.samples, 1u);
    EXPECT_EQ(result.find("within_distinct_1"), nullptr);
}

TEST_F(Diversity, WhatCannotBeMeasuredIsCounted) {
    FakeRespondent respondent({"base"});
    respondent.on_write = [](const std::string & prompt, std::size_t, std::size_t) -> std::optional<WrittenAnswer> {
        if (prompt == "First?") {
            return std::nullopt;
        }
        return prompt == "Second?" ? answer("", {}) : answer("three words here", {1, 1, 1});
    };
    respondent.on_embed = [](const std::string &) {
        return std::vector<float>{1};
    };
    const Evaluation result = diversity_task(options())->run(respondent, {.bootstraps = 0});
    EXPECT_THAT(drops(result),
                testing::ElementsAre("no_tokens 1 prompts", "too_long 1 prompts", "no_words 2 texts",
                                     "no_ngrams_4 2 prompts", "no_ngrams_5 2 prompts", "too_few_words 1 prompts",
                                     "no_ngrams_4 1 blocks", "no_ngrams_5 1 blocks", "too_few_embedded 1 blocks",
                                     "fill_no_block 1 prompts across"));
    EXPECT_EQ(result.find("within_distinct_1")->scores[0].n, 2u);

    respondent.on_write = [](const std::string &, std::size_t, std::size_t) {
        return answer("three words here", {1});
    };
    DiversityOptions wide = options();
    wide.block = 50;
    const Evaluation one_block = diversity_task(wide)->run(respondent, {.bootstraps = 20});
    ASSERT_EQ(one_block.notes.size(), 1u);
    EXPECT_THAT(one_block.notes[0], testing::HasSubstr("one block"));
    EXPECT_TRUE(std::isnan(one_block.find("across_distinct_1")->scores[0].estimate.low));
}

TEST_F(Diversity, WhatIsNotFiniteOrNotEmbeddedIsCountedForItsVariant) {
    FakeRespondent respondent;
    respondent.on_write = [](const std::string & prompt, std::size_t variant, std::size_t sample) {
        const bool broken = variant == 1 && prompt == "Second?" && sample == 1;
        return std::optional(
            answer((variant == 0 ? "we say " : "they say ") + prompt + " one two three", {1, broken ? NAN : 2.0f}));
    };
    respondent.on_embed = [](const std::string & text) -> std::vector<float> {
        if (text.starts_with("they say First?")) {
            return {};
        }
        return {1, text.starts_with("we say Third?") ? NAN : text.starts_with("we") ? 0.0f : 1.0f};
    };
    const Evaluation result = diversity_task(options())->run(respondent, {.bootstraps = 0});
    EXPECT_THAT(drops(result), testing::ElementsAre("not_finite 1 prompts steered", "not_embedded 2 texts steered",
                                                    "not_finite 2 texts base", "too_few_embedded 2 prompts",
                                                    "too_few_embedded 2 blocks"));
    EXPECT_EQ(result.find("next_token_entropy")->scores[0].n, 4u);
    EXPECT_EQ(result.find("next_token_entropy")->scores[1].n, 3u);
    EXPECT_EQ(value(result, "next_token_entropy", 1), 1.5);
    for (const std::size_t variant : {0u, 1u}) {
        EXPECT_EQ(result.find("within_embedding_distance")->scores[variant].n, 2u)
            << "texts without an embedding are left out under all variants";
        EXPECT_EQ(result.find("within_distinct_1")->scores[variant].n, 4u);
    }
}

TEST_F(Diversity, AVariantThatCutsTheOthersIsNamed) {
    FakeRespondent respondent({"base", "mild", "broken"});
    respondent.on_write = [](const std::string &, std::size_t variant, std::size_t) {
        return answer(variant == 0   ? "one two three four five six seven eight nine ten"
                      : variant == 1 ? "one two three four five six seven eight nine"
                                     : "one two three four",
                      {1});
    };
    respondent.on_embed = [](const std::string &) {
        return std::vector<float>{1};
    };
    const Evaluation result = diversity_task(options())->run(respondent, {.bootstraps = 0});
    ASSERT_EQ(result.notes.size(), 1u);
    EXPECT_THAT(result.notes[0], testing::HasSubstr("keep 40 %"));
    EXPECT_THAT(result.notes[0], testing::HasSubstr("'broken'"));
    for (const std::size_t variant : {0u, 1u, 2u}) {
        EXPECT_EQ(value(result, "words_kept", variant), 4);
    }
    EXPECT_EQ(value(result, "answer_words"), 10);
}

TEST_F(Diversity, OneBlockHasNoIntervalAndANoteSaysWhatToDo) {
    FakeRespondent respondent = plain_writer();
    const Evaluation one = diversity_task(options())->run(respondent, {.limit = 2, .bootstraps = 20});
    EXPECT_TRUE(std::isnan(one.find("across_distinct_1")->scores[0].estimate.low));
    ASSERT_EQ(one.notes.size(), 1u);
    EXPECT_THAT(one.notes[0], testing::HasSubstr("one block of 2 prompts"));
    EXPECT_THAT(one.notes[0], testing::HasSubstr("ask 4 prompts or more (--limit"));

    const Evaluation two = diversity_task(options())->run(respondent, {.limit = 4, .bootstraps = 20});
    EXPECT_FALSE(std::isnan(two.find("across_distinct_1")->scores[0].estimate.low));
    EXPECT_TRUE(two.notes.empty());
}

TEST_F(Diversity, AnEmbeddingModelIsOpenedBeforeAnythingIsWritten) {
    const auto model = EmbeddingModel::load(
        {.path = test::TinyEmbeddingModel(test::TinyEmbeddingModel::mean).write(folder_ / "e.gguf"), .threads = 1});
    FakeRespondent respondent = plain_writer();
    DiversityOptions by = options();
    by.embedding_model = "e.gguf";
    by.open_embedding = [&] {
        EXPECT_THAT(respondent.prompts, testing::IsEmpty());
        return model;
    };
    const Evaluation result = diversity_task(by)->run(respondent, {.bootstraps = 0});
    EXPECT_EQ(respondent.embedded_by, model.get());
    EXPECT_THAT(result.settings, testing::Contains(testing::Pair("embedding_model", "e.gguf")));
    diversity_task(options())->run(respondent, {.bootstraps = 0});
    EXPECT_EQ(respondent.embedded_by, nullptr);
}

TEST_F(Diversity, TheFormOfTheInputIsStatedAndWhatItLacksIsCounted) {
    write_file(folder_ / "share.json", R"([{"id": "a", "conversations": [{"from": "human", "value": "First?"}]},
        {"id": "b", "conversations": [{"from": "human", "value": "First?"}]},
        {"id": "c", "conversations": [{"from": "gpt", "value": "Hello."}]},
        {"id": "d", "conversations": [{"from": "human", "value": "Second?"}]}])");
    FakeRespondent respondent = plain_writer();
    DiversityOptions share = options();
    share.input = folder_ / "share.json";
    const Evaluation result = diversity_task(share)->run(respondent, {.bootstraps = 0});
    EXPECT_THAT(result.settings, testing::Contains(testing::Pair("input_format", "sharegpt")));
    EXPECT_THAT(drops(result), testing::IsSupersetOf({"duplicate 1 prompts", "no_user_turn 1 conversations"}));
    EXPECT_EQ(respondent.prompts, (std::vector<std::string>{"First?", "Second?"}));
}

TEST_F(Diversity, OptionsOutOfRangeAreRefused) {
    const auto refuse = [&](const char * word, auto change) {
        DiversityOptions bad = options();
        change(bad);
        expect_error(ErrorKind::usage, {word}, [&] { diversity_task(bad); });
    };
    refuse("--max-tokens 0", [](DiversityOptions & o) { o.max_tokens = 0; });
    refuse("--temperature -1", [](DiversityOptions & o) { o.temperature = -1; });
    refuse("--samples 0", [](DiversityOptions & o) { o.samples = 0; });
    refuse("--block 1", [](DiversityOptions & o) { o.block = 1; });
    refuse("--vocabulary 0", [](DiversityOptions & o) { o.vocabulary = 0; });
}

} // namespace
} // namespace valuelens
