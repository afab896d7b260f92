// eval freeform, dilemmas and compliance through the program: a model of random weights answers, another one or a
// scripted server judges, well or badly.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/program.h"
#include "store/safetensors.h"
#include "support/scripted_server.h"
#include "support/tiny_language_model.h"
#include "valuelens/evaluation.h"

namespace valuelens {
namespace {

using nlohmann::json;
using test::completion;
using test::ProgramResult;
using test::run_program;
using test::ScriptedServer;
using test::TinyLanguageModel;
using testing::HasSubstr;
using testing::Not;

/// A judge with probabilities: as a number 7 or 10, as a letter A, as a word No.
json verdict(const json & body) {
    const std::string asked = body["messages"][0]["content"];
    const auto likely = [](const char * a, const char * b) {
        return completion(a, "big",
                          {{{"token", a}, {"logprob", std::log(0.75)}}, {{"token", b}, {"logprob", std::log(0.25)}}});
    };
    return asked.find("A or B") != std::string::npos      ? likely("A", "B")
           : asked.find("Yes or No") != std::string::npos ? likely("No", "Yes")
                                                          : likely("7", "10");
}

void answer_well(const json & body, httplib::Response & response, int) {
    ScriptedServer::answer(response, verdict(body));
}

class JudgedEvaluation : public testing::Test {
protected:
    JudgedEvaluation() {
        model_ = TinyLanguageModel::dense().write(folder_ / "m.gguf");
        std::vector<float> rows(3 * TinyLanguageModel::n_embd);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            rows[i] = i % 3 == 0 ? 0.5f : -0.25f;
        }
        const std::vector<std::size_t> shape = {3, TinyLanguageModel::n_embd};
        const std::vector<FloatTensor> tensors = {{"compliance", {shape[0], shape[1]}, rows},
                                                  {"power/shared", {shape[0], shape[1]}, rows}};
        write_safetensors(folder_ / "axes.safetensors", tensors, {});
    }

    ProgramResult eval(const std::string & name, const std::vector<std::string> & more,
                       const std::vector<std::string> & variables = {}) const {
        std::vector<std::string> all = {"eval",         name, "-m",           model_, "--output", output_.string(),
                                        "-t",           "1",  "-np",          "8",    "-c",       "2048",
                                        "--bootstraps", "20", "--max-tokens", "8"};
        all.insert(all.end(), more.begin(), more.end());
        return run_program(all, variables);
    }

    std::string steer() const { return axes_ + ":power/shared,alpha=4"; }

    static std::string setting(const Evaluation & evaluation, const std::string & name) {
        for (const auto & [key, value] : evaluation.settings) {
            if (key == name) {
                return value;
            }
        }
        return "";
    }

    TempFolder folder_;
    std::string model_;
    std::string axes_ = (folder_ / "axes.safetensors").string();
    std::filesystem::path output_ = folder_ / "result.json";
    std::filesystem::path part_ = folder_ / "result.json.part";
};

TEST_F(JudgedEvaluation, FreeformJudgedByALocalModel) {
    const std::string judge = TinyLanguageModel::dense(2, 48, 9).write(folder_ / "judge.gguf");
    const ProgramResult result = eval("freeform", {"--limit", "2", "--judge", judge, "--steer", steer(), "--json"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.err, HasSubstr("judge and subject are the same model")) << "their names are one";
    const Evaluation stored = read_evaluation(output_);
    EXPECT_EQ(stored.variants.size(), 2u);
    EXPECT_EQ(stored.items.size(), 2u);
    const double rating = stored.find("rating")->scores[0].estimate.value;
    EXPECT_GT(rating, 0);
    EXPECT_LT(rating, 10);
    EXPECT_EQ(setting(stored, "judge_identity").size(), 64u);
    EXPECT_FALSE(std::filesystem::exists(part_));
}

TEST_F(JudgedEvaluation, DilemmasJudgedByAServerInBothOrders) {
    ScriptedServer server(answer_well, {"big"});
    const ProgramResult result = eval("dilemmas", {"--limit", "3", "--judge", server.url(), "--steer", steer()},
                                      {"VALUELENS_API_KEY=secret-0123456789"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(server.authorization(), "Bearer secret-0123456789");
    const Evaluation stored = read_evaluation(output_);
    EXPECT_EQ(stored.find("win_rate")->scores[1].estimate.value, 50) << "it always says A: ties";
    EXPECT_EQ(setting(stored, "judge"), "big");
    EXPECT_THAT(result.out, HasSubstr("win_rate: percent"));
    EXPECT_THAT(read_file(output_) + result.err + result.out, Not(HasSubstr("secret")));
}

TEST_F(JudgedEvaluation, ComplianceWithTheDefenceOnAndOff) {
    write_file(folder_ / "adv.csv", "goal,target\nplaceholder one,Sure\nplaceholder two,Sure\n");
    ScriptedServer server(answer_well, {"big"});
    const ProgramResult result =
        eval("compliance", {"--limit", "2", "--samples", "2", "--judge", server.url(), "--classifier", server.url(),
                            "--input", (folder_ / "adv.csv").string(), "--defend", axes_, "--steer", steer(),
                            "--store-completions", (folder_ / "t.jsonl").string()});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const Evaluation stored = read_evaluation(output_);
    ASSERT_EQ(stored.variants.size(), 4u);
    EXPECT_EQ(stored.variants[2].name, "defended");
    EXPECT_EQ(stored.variants[3].name, "steered_defended");
    EXPECT_EQ(stored.variants[3].steer.back(), axes_ + ":compliance,mode=ablate");
    EXPECT_EQ(stored.variants[2].files.size(), 1u);
    for (const char * measure :
         {"asr_at_1_phrases", "asr_any_of_2_phrases", "asr_at_1_judge", "asr_any_of_2_judge", "asr_at_1_judge_score_9",
          "asr_any_of_2_judge_score_9", "asr_at_1_classifier", "asr_any_of_2_classifier", "judge_score",
          "over_refusal_phrases", "over_refusal_judge"}) {
        EXPECT_NE(stored.find(measure), nullptr) << measure;
    }
    EXPECT_EQ(stored.find("asr_at_1_classifier")->scores[3].estimate.value, 0);
    EXPECT_THAT(read_file(output_), Not(HasSubstr("placeholder")));
    // Two requests with three answers, two benign ones with one, four variants.
    std::size_t lines = 0;
    for_each_line(folder_ / "t.jsonl", [&](std::string_view line, std::size_t) {
        EXPECT_TRUE(json::parse(line).contains("refusal_phrase"));
        ++lines;
    });
    EXPECT_EQ(lines, (2u * 3 + 2) * 4);
}

/// The text without an address that stands in it once.
std::string apart_from(std::string text, const std::string & address) {
    const std::size_t at = text.find(address);
    return at == std::string::npos ? text : text.erase(at, address.size());
}

TEST_F(JudgedEvaluation, AFailingJudgeCostsOneSliceAndTheSameCommandGoesOn) {
    // Two variants: 64 dilemmas are a slice of 128 answers, so 70 are two.
    const auto run = [&](const ScriptedServer & server) {
        return eval("dilemmas", {"--limit", "70", "--steer", steer(), "--max-retries", "0", "--concurrency", "1",
                                 "--judge", server.url()});
    };
    int all_calls = 0;
    std::string whole;
    {
        ScriptedServer well(answer_well, {"big"});
        ASSERT_EQ(run(well).exit_code, 0);
        whole = apart_from(read_file(output_), well.url());
        std::filesystem::remove(output_);
        all_calls = well.calls();
    }
    ScriptedServer ill(
        [&](const json & body, httplib::Response & response, int call) {
            call < all_calls - 5 ? answer_well(body, response, call)
                                 : ScriptedServer::fail(response, 500, "out of order");
        },
        {"big"});
    const ProgramResult failed = run(ill);
    EXPECT_EQ(failed.exit_code, 5) << failed.err;
    EXPECT_THAT(failed.last_error_line(), HasSubstr("HTTP 500"));
    EXPECT_THAT(failed.err, HasSubstr("1 of 2 slices are finished and kept in " + part_.string()));
    EXPECT_FALSE(std::filesystem::exists(output_));
    ASSERT_TRUE(std::filesystem::exists(part_));

    ScriptedServer well(answer_well, {"big"});
    const ProgramResult done = run(well);
    ASSERT_EQ(done.exit_code, 0) << done.err;
    EXPECT_THAT(done.err, HasSubstr("going on from"));
    EXPECT_LE(well.calls(), 1 + 6 * 2 * 2) << "the trial, and the second slice alone";
    const std::string resumed = read_file(output_);
    EXPECT_THAT(resumed, HasSubstr(well.url())) << "who judged is on record";
    EXPECT_EQ(apart_from(resumed, well.url()), whole) << "as if nothing had happened, at another address";
    EXPECT_FALSE(std::filesystem::exists(part_));
}

TEST_F(JudgedEvaluation, BadUseIsSaidBeforeAnybodyIsAsked) {
    const auto expect_failure = [&](const ProgramResult & result, int exit_code, const char * words) {
        EXPECT_EQ(result.exit_code, exit_code) << result.err;
        EXPECT_THAT(result.last_error_line(), HasSubstr(words));
        EXPECT_FALSE(std::filesystem::exists(output_));
    };
    expect_failure(eval("freeform", {}), 2, "--judge is required");
    expect_failure(eval("dilemmas", {"--judge", "http://127.0.0.1:1/v1"}), 2, "--steer");
    expect_failure(eval("freeform", {"--judge", "ftp://x"}), 2, "--judge: 'ftp://x'");
    expect_failure(eval("freeform", {"--judge", "http://127.0.0.1:1/v1", "--max-retries", "0"}), 5,
                   "cannot be reached");
    write_file(folder_ / "bad.csv", "question,target\nx,y\n");
    expect_failure(eval("compliance", {"--input", (folder_ / "bad.csv").string()}), 3, "bad.csv:1");
    expect_failure(eval("compliance", {"--defend", (folder_ / "none.safetensors").string()}), 3, "none.safetensors");
    write_file(folder_ / "p.toml", "user = \"{request}\"\n");
    expect_failure(
        eval("compliance", {"--judge", "http://127.0.0.1:1/v1", "--judge-prompt", (folder_ / "p.toml").string()}), 3,
        "p.toml:1");
    ScriptedServer mute([](const json &, httplib::Response & response,
                           int) { ScriptedServer::answer(response, completion("?", "big")); },
                        {"big"});
    expect_failure(eval("freeform", {"--judge", mute.url(), "--answers", "logprobs"}), 5, "cannot judge");
}

} // namespace
} // namespace valuelens
