// A call that was stopped, or in which something failed, ends with the bytes of one that was not, when it is made
// again.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "explain/planted_job.h"
#include "support/expect_error.h"

namespace valuelens {
namespace {

using nlohmann::json;
using test::answered;
using test::StopAfter;

bool asks_for_phrase(const ChatRequest & request) {
    return request.max_tokens > 1;
}

bool is_rating(const ChatRequest & request) {
    return request.messages.back().content.find("Answer with one number") != std::string::npos;
}

/// Each question has an answer of its own, so that a score of other questions is another score.
ChatOutcome answer_by_hash(const ChatRequest & request) {
    const std::uint64_t hash = derive_seed(1, request.messages.back().content);
    const double p = 0.01 + 0.98 * static_cast<double>(hash % 10007) / 10007;
    if (asks_for_phrase(request)) {
        return answered(fmt::format("words of kind {}", hash));
    }
    if (is_rating(request)) {
        return answered("1", {{"1", std::log(p)}, {"5", std::log(1 - p)}});
    }
    return answered("Yes", {{"Yes", std::log(p)}, {"No", std::log(1 - p)}});
}

class Resume : public test::PlantedJob {
protected:
    /// So many neurons of the model, whatever they do.
    void take_neurons(int n) {
        job_.neurons.clear();
        for (int i = 0; i < n; ++i) {
            job_.neurons.push_back({{i / 48, -1, i % 48}, {{"care", i % 2 == 0 ? "shared" : "intrinsic", 1}}});
        }
    }

    void run_whole() {
        run(answer_by_hash);
        expected_ = read_file(job_.output);
        expected_about_ = read_file(folder_ / "explanations.json");
        whole_ = lines();
        std::filesystem::remove(job_.output);
        std::filesystem::remove(folder_ / "explanations.json");
    }

    void expect_whole() const {
        EXPECT_EQ(read_file(job_.output), expected_);
        EXPECT_EQ(read_file(folder_ / "explanations.json"), expected_about_);
    }

    void stop_in(const char * stage, std::uint64_t done) {
        StopAfter stopper(stage, done);
        expect_error(ErrorKind::interrupted, {}, [&] { run(answer_by_hash, stopper, stopper.source.get_token()); });
        EXPECT_FALSE(std::filesystem::exists(job_.output));
    }

    /// Makes the call again and counts what is asked.
    void resume() {
        run([&](const ChatRequest & request) {
            ++(asks_for_phrase(request) ? n_phrases_ : is_rating(request) ? n_ratings_ : n_questions_);
            return answer_by_hash(request);
        });
    }

    std::string expected_;
    std::string expected_about_;
    std::vector<json> whole_;
    std::size_t n_phrases_ = 0;
    std::size_t n_questions_ = 0;
    std::size_t n_ratings_ = 0;
};

// Of three neurons in a circle one has the middle one's explanation as its baseline, and another's while that is
// missing.
TEST_F(Resume, ABaselineIsThatOfACallInWhichNothingFailed) {
    take_neurons(3);
    run_whole();
    const std::string middle = whole_[1]["key"];
    const auto leans_on_middle = [&](const std::vector<json> & all) {
        std::size_t n = 0;
        for (const json & line : all) {
            for (const json & score : line["scores"]) {
                n += score["baseline"]["explanation_of"] == middle ? 1 : 0;
            }
        }
        return n;
    };
    ASSERT_EQ(leans_on_middle(whole_), 2u) << "detection and fuzzing of one neuron";
    run([&](const ChatRequest & request) {
        return request.messages.back().content == whole_[1]["prompt"] ? answered("") : answer_by_hash(request);
    });
    ASSERT_EQ(lines()[1]["explanation"], nullptr);
    ASSERT_EQ(leans_on_middle(lines()), 0u);
    resume();
    EXPECT_EQ(n_phrases_, 1u);
    EXPECT_EQ(n_ratings_, 2u) << "the other ratings are there";
    expect_whole();
}

TEST_F(Resume, AScoreThatLacksAnAnswerIsAskedForWhole) {
    take_neurons(3);
    run_whole();
    std::string missing;
    run([&](const ChatRequest & request) {
        const std::string & prompt = request.messages.back().content;
        if (missing.empty() && prompt.starts_with("Description:") && !is_rating(request)) {
            missing = prompt;
        }
        return prompt == missing ? answered("perhaps") : answer_by_hash(request);
    });
    resume();
    EXPECT_EQ(n_phrases_, 0u);
    EXPECT_EQ(n_ratings_, 0u);
    EXPECT_EQ(n_questions_, 40u) << "20 with its own explanation, 20 with the baseline's";
    expect_whole();
}

TEST_F(Resume, AStopBetweenSlicesOfScores) {
    take_neurons(10);
    run_whole();
    stop_in("score", 8);
    resume();
    EXPECT_EQ(n_phrases_, 0u);
    std::size_t open = 0; // of the poles behind the slices that were done
    for (std::size_t i = 0; i < whole_.size(); ++i) {
        for (const json & score : whole_[i]["scores"]) {
            open += i < 8 ? 0 : 2 * (score["n_positive"].get<std::size_t>() + score["n_negative"].get<std::size_t>());
        }
    }
    EXPECT_GT(open, 0u);
    EXPECT_EQ(n_questions_, open);
    expect_whole();
}

TEST_F(Resume, AStopBetweenSlicesOfRatings) {
    take_neurons(70);
    options_.scores.clear();
    run_whole();
    std::size_t explained = 0;
    for (std::size_t i = 64; i < whole_.size(); ++i) {
        explained += whole_[i]["explanation"].is_string() ? 1 : 0;
    }
    ASSERT_GT(explained, 0u);
    stop_in("rate", 64);
    resume();
    EXPECT_EQ(n_phrases_, 0u);
    EXPECT_EQ(n_ratings_, 2 * explained);
    expect_whole();
}

} // namespace
} // namespace valuelens
