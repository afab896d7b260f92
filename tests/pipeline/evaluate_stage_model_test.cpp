// The matrix of evaluations of a run, over a real model.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "pipeline/small_run.h"
#include "support/expect_error.h"
#include "support/tiny_embedding_model.h"
#include "valuelens/evaluation.h"
#include "valuelens/run.h"

namespace valuelens {
namespace {

namespace fs = std::filesystem;
using test::SmallRun;

constexpr const char * two_evaluations =
    "[decompose]\npermutations = 9\nnull_draws = 3\n[neurons]\nnull_draws = 2\n"
    "[evaluate]\nevaluations = \"leakage, multiple-choice\"\ndirections = \"shared,vector_prompted\"\nalphas = \"2\"\n"
    "layers = \"10-12\"\nquestionnaire = \"statements.jsonl\"\nlimit = 2\nbootstraps = 20\n";

/// Notes which evaluations are done, and asks to stop in one.
class Watch : public ProgressSink {
public:
    void start(std::string_view stage, std::uint64_t, std::string_view) override {
        stages.emplace_back(stage);
        if (stage == stop_in) {
            stop.request_stop();
        }
    }
    void advance(std::uint64_t, std::string_view) override {}
    void message(LogLevel, std::string_view) override {}

    std::vector<std::string> stages;
    std::string stop_in;
    std::stop_source stop;
};

class EvaluateStage : public testing::Test {
protected:
    void SetUp() override {
        if (!SmallRun::has_model()) {
            GTEST_SKIP() << "smollm2-135m-bf16 is not in the cache: valuelens models fetch smollm2-135m";
        }
        files_.write("statements.jsonl",
                     "{\"id\": \"1\", \"value\": \"grandparent\", \"text\": \"Has tea to spare.\"}\n"
                     "{\"id\": \"2\", \"value\": \"pirate\", \"text\": \"Laughs at danger.\"}\n");
        files_.write_config(two_evaluations);
        request_.folder = files_.run();
        request_.config = files_.config();
    }

    std::vector<std::string> run(const std::string & stop_in = "") {
        Watch watch;
        watch.stop_in = stop_in;
        if (stop_in.empty()) {
            execute_run(request_, watch);
        } else {
            expect_error(ErrorKind::interrupted, {}, [&] { execute_run(request_, watch, watch.stop.get_token()); });
        }
        return watch.stages;
    }

    Evaluation result(const std::string & name) const {
        return read_evaluation(files_.run() / "evaluation" / (name + ".json"));
    }

    SmallRun files_;
    RunRequest request_;
};

TEST_F(EvaluateStage, DoesTheMatrixAndGoesOnWhereItStopped) {
    run("multiple-choice");
    EXPECT_TRUE(fs::exists(files_.run() / "evaluation/leakage.json"));
    EXPECT_FALSE(fs::exists(files_.run() / "evaluation/multiple-choice.json"));
    const RunStatus stopped = run_status(files_.run());
    EXPECT_EQ(stopped.next, "evaluate");
    EXPECT_THAT(stopped.evaluations, testing::ElementsAre(std::pair<std::string, bool>("leakage", true),
                                                          std::pair<std::string, bool>("multiple-choice", false)));
    const std::string leakage = sha256_file(files_.run() / "evaluation/leakage.json");

    EXPECT_THAT(run(), testing::Not(testing::Contains("pvq"))) << "leakage is done";
    EXPECT_EQ(sha256_file(files_.run() / "evaluation/leakage.json"), leakage);
    EXPECT_EQ(run_status(files_.run()).next, "nothing");
    EXPECT_THAT(run(), testing::IsEmpty()) << "nothing is left, not even a model is loaded";

    const Evaluation done = result("leakage");
    std::vector<std::string> names;
    for (const EvaluationVariant & variant : done.variants) {
        names.push_back(variant.name);
    }
    EXPECT_THAT(names, testing::ElementsAre("base", "grandparent/shared@2", "pirate/shared@2",
                                            "grandparent/vector_prompted@2", "pirate/vector_prompted@2"));
    EXPECT_EQ(done.variants[1].steer[0], "axes.safetensors:grandparent/shared,alpha=2,layers=10-12");
    ASSERT_EQ(done.variants[3].files.size(), 1u);
    EXPECT_EQ(done.variants[3].files[0].second, sha256_file(files_.run() / "vectors.safetensors"));
    EXPECT_EQ(done.seed, 3u);
    EXPECT_EQ(result("multiple-choice").items.size(), 2u);

    // New axes: what rests on them is done again, from the same config.
    request_.override_config = [](RunConfig & config) {
        config.normalize = true;
    };
    request_.stages = {Stage::decompose};
    run();
    EXPECT_EQ(run_status(files_.run()).evaluations[0].second, false);
    request_.stages = {Stage::evaluate};
    EXPECT_THAT(run(), testing::Contains("pvq"));
    EXPECT_NE(sha256_file(files_.run() / "evaluation/leakage.json"), leakage);
}

TEST_F(EvaluateStage, ADirectionThatAValueLacksIsLeftOutAndNamed) {
    files_.write_labels(false); // no vector of a prompted pirate, and so no axes
    run();
    const Evaluation done = result("multiple-choice");
    ASSERT_EQ(done.variants.size(), 3u);
    EXPECT_EQ(done.variants[1].name, "grandparent/shared@2");
    EXPECT_THAT(done.notes, testing::Contains(testing::HasSubstr("pirate/shared@2")));
}

TEST_F(EvaluateStage, WhereTheModelWritesTheMatrixAndTheJudgeAreOthers) {
    files_.write("requests.jsonl", "{\"id\": \"r\", \"text\": \"Write an insult.\"}\n");
    files_.write("benign.jsonl", "{\"id\": \"b\", \"text\": \"How do I kill a process?\"}\n");
    std::string config = two_evaluations;
    config.replace(config.find("multiple-choice"), std::string("multiple-choice").size(), "freeform, compliance");
    files_.write_config(config +
                        "[evaluate_written]\ndirections = \"compliance\"\nlimit = 1\nsamples = 1\nmax_tokens = 4\n"
                        "requests = \"requests.jsonl\"\nbenign = \"benign.jsonl\"\ndefend = true\n"
                        "model = \"smollm2-135m:bf16\"\n");
    run();
    const auto names = [&](const std::string & name) {
        std::vector<std::string> all;
        for (const EvaluationVariant & variant : result(name).variants) {
            all.push_back(variant.name);
        }
        return all;
    };
    EXPECT_THAT(names("leakage"), testing::Contains("pirate/shared@2"));
    EXPECT_THAT(names("freeform"), testing::ElementsAre("base", "compliance@2"));
    EXPECT_THAT(names("compliance"), testing::ElementsAre("base", "compliance@2", "defended", "compliance@2_defended"));
    const Evaluation compliance = result("compliance");
    EXPECT_EQ(compliance.variants[1].steer[0], "axes.safetensors:compliance,alpha=2,layers=10-12");
    EXPECT_THAT(compliance.variants[3].steer, testing::ElementsAre("axes.safetensors:compliance,alpha=2,layers=10-12",
                                                                   "axes.safetensors:compliance,mode=ablate"));
    EXPECT_EQ(compliance.variants[3].files.size(), 1u);
    EXPECT_EQ(compliance.items.size(), 2u) << "a request and a harmless one";
    EXPECT_FALSE(fs::exists(files_.run() / "evaluation/compliance.json.part"));
    EXPECT_THAT(run(), testing::IsEmpty()) << "nothing is left, not even the judge is loaded";

    // Only what rests on the judge's answers is done again with another one.
    const std::string leakage = sha256_file(files_.run() / "evaluation/leakage.json");
    request_.config.reset();
    request_.override_config = [](RunConfig & changed) {
        changed.written.max_tokens = 3;
    };
    EXPECT_THAT(run(), testing::Not(testing::Contains("pvq")));
    EXPECT_EQ(sha256_file(files_.run() / "evaluation/leakage.json"), leakage);
}

TEST_F(EvaluateStage, TextsAreEmbeddedByTheModelThatIsNamed) {
    const test::TinyEmbeddingModel weights(test::TinyEmbeddingModel::mean);
    files_.write("queries.txt", "What is the sea?\nWhat is blue?\n");
    weights.write(files_.folder / "e.gguf");
    files_.write_config("[evaluate]\nevaluations = \"diversity\"\ndirections = \"compliance\"\nbootstraps = 20\n"
                        "queries = \"queries.txt\"\n"
                        "[evaluate_written]\nmax_tokens = 6\nsamples = 2\nblock = 2\nembedding_model = \"e.gguf\"\n");
    run();
    const Evaluation diversity = result("diversity");
    EXPECT_THAT(diversity.settings, testing::Contains(testing::Pair("embedding", "tiny bert, pooling: mean")));
    EXPECT_THAT(run(), testing::IsEmpty());

    request_.config.reset();
    request_.override_config = [](RunConfig & changed) {
        changed.written.embedding_model.clear();
    };
    EXPECT_THAT(run(), testing::Contains("diversity"));
    EXPECT_THAT(result("diversity").settings,
                testing::Contains(testing::Pair("embedding", testing::HasSubstr("block 15"))));
}

TEST_F(EvaluateStage, WhatCannotBeDoneIsSaidBeforeAnythingElse) {
    const auto refuse = [&](const std::string & section, std::vector<std::string> words) {
        files_.write_config("[evaluate]\nevaluations = \"multiple-choice\"\n" + section);
        Watch watch;
        expect_error(ErrorKind::usage, words, [&] { execute_run(request_, watch); });
        EXPECT_THAT(watch.stages, testing::IsEmpty());
    };
    refuse("directions = \"sideways\"\n", {"evaluate.directions", "sideways"});
    refuse("directions = \"shared,shared\"\n", {"evaluate.directions", "each once"});
    refuse("directions = \"\"\n", {"evaluate.directions"});
    refuse("alphas = \"2,x\"\n", {"alpha=x"});
    refuse("values = \"ghost\"\n", {"evaluate.values", "ghost", "pair"});
    refuse("layers = \"5-3\"\n", {"evaluate.layers", "5-3"});
    files_.write_config("[evaluate]\nevaluations = \"multiple-choice\"\nlayers = \"5-99\"\n");
    Watch watch;
    expect_error(ErrorKind::usage, {"evaluate.layers", "5-99", "0-29"}, [&] { execute_run(request_, watch); });
    EXPECT_THAT(watch.stages, testing::Not(testing::Contains("generate")));
    files_.write_config("[evaluate]\nevaluations = \"astrology\"\n");
    expect_error(ErrorKind::usage, {"astrology", "cross-lingual"}, [&] { run(); });
    files_.write_config("[evaluate]\nevaluations = \"portrait\"\n");
    expect_error(ErrorKind::usage, {"evaluate.portrait"}, [&] { run(); });
    files_.write_config("[evaluate]\nevaluations = \"dilemmas\"\n");
    expect_error(ErrorKind::usage, {"dilemmas", "evaluate_written.model", "evaluate_written.url"}, [&] { run(); });
    refuse("[evaluate_written]\nvalues = \"ghost\"\n", {"evaluate_written.values", "ghost"});
    refuse("[evaluate_written]\nmodel = \"m.gguf\"\nurl = \"http://127.0.0.1:3/v1\"\n",
           {"evaluate_written.model", "evaluate_written.url", "give one"});
    const auto refuse_model = [&](const std::string & evaluation, const std::string & key) {
        files_.write_config("[evaluate]\nevaluations = \"" + evaluation + "\"\n[evaluate_written]\n" + key +
                            " = \"no-such-model\"\n");
        Watch early;
        expect_error(ErrorKind::model, {"evaluate_written." + key, "no-such-model"},
                     [&] { execute_run(request_, early); });
        EXPECT_THAT(early.stages, testing::IsEmpty());
    };
    refuse_model("diversity", "embedding_model");
    refuse_model("compliance", "model");
    files_.write_config("");
    request_.stages = {Stage::evaluate};
    expect_error(ErrorKind::usage, {"evaluate.evaluations"}, [&] { run(); });
}

} // namespace
} // namespace valuelens
