// Writing and reading evaluation/*.json.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"
#include "valuelens/evaluation.h"

namespace valuelens {
namespace {

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

Evaluation example() {
    Evaluation evaluation;
    evaluation.name = "pvq";
    evaluation.model_name = "a model";
    evaluation.model_identity = "00ff";
    evaluation.tool_version = "1.2.3";
    evaluation.seed = 7;
    evaluation.bootstraps = 1000;
    evaluation.confidence = 0.9;
    evaluation.settings = {{"language", "ko"}, {"frames", "3"}};
    evaluation.variants = {
        {"base", {}, {}, nullptr},
        {"steered", {"axes.st:power/shared,alpha=4"}, {"n.csv"}, nullptr, {{"axes.st", "00aa"}, {"n.csv", "00bb"}}}};
    evaluation.group_kind = "value";
    evaluation.quantities = {"likeness"};
    evaluation.measures = {{"likeness", "likeness", "1 to 6", Aggregate::mean, false, true},
                           {"likeness_centred", "likeness", "less the mean", Aggregate::sum, true, false}};
    evaluation.rows = {
        {"likeness", "", {{{3.5, 3, 4}, 2}, {{1.0 / 3, undefined, undefined}, 1}}, {{}, {{-0.5, -1, 0}, 1}}},
        {"likeness", "power", {{{3, 2, 4}, 1}, {}}, {{}, {}}}};
    evaluation.statistics = {{"circle_correlation", "shared@4", "r", {0.25, -0.1, 0.5}, 0.03, 90},
                             {"target_effect", "", "mean", {1, undefined, undefined}, undefined, 10}};
    evaluation.dropped = {{"unparsable", "answers", "steered", 3}, {"duplicate", "items", "", 1}};
    evaluation.notes = {"read \"this\" first"};
    evaluation.items = {{"p1", "p1", {"power", "security"}, {{3.5, undefined}}}, {"p2", "q", {}, {{2, 0.1}}}};
    return evaluation;
}

class EvaluationFile : public testing::Test {
protected:
    TempFolder folder_;
    std::filesystem::path path_ = folder_ / "pvq.json";
};

TEST_F(EvaluationFile, ReadsBackWhatWasWritten) {
    write_evaluation(path_, example());
    const Evaluation read = read_evaluation(path_);
    EXPECT_EQ(read.settings, example().settings);
    EXPECT_EQ(read.variants[1].steer, example().variants[1].steer);
    EXPECT_EQ(read.variants[1].files, example().variants[1].files);
    EXPECT_EQ(read.measures[1].aggregate, Aggregate::sum);
    ASSERT_EQ(read.statistics.size(), 2u);
    EXPECT_EQ(read.statistics[0].subject, "shared@4");
    EXPECT_EQ(read.statistics[0].p, 0.03);
    EXPECT_EQ(read.statistics[0].estimate.low, -0.1);
    EXPECT_TRUE(std::isnan(read.statistics[1].p));
    EXPECT_TRUE(std::isnan(read.rows[0].scores[1].estimate.low));
    EXPECT_EQ(read.rows[0].scores[1].estimate.value, 1.0 / 3) << "numbers keep all their bits";
    EXPECT_TRUE(std::isnan(read.items[0].scores[0][1]));
    EXPECT_EQ(evaluation_json(read), evaluation_json(example()));
    EXPECT_EQ(read_file(path_), evaluation_json(read) + "\n");
}

TEST_F(EvaluationFile, KeepsWhatVariantsAreComparedBy) {
    Evaluation evaluation = example();
    EXPECT_EQ(evaluation_json(evaluation).find("\"shared\""), std::string::npos) << "scores compare by themselves";
    evaluation.items[1].shared = {{{2, 2}, {0.1, 1.0 / 3}}};
    write_evaluation(path_, evaluation);
    const Evaluation read = read_evaluation(path_);
    EXPECT_TRUE(read.items[0].shared.empty());
    EXPECT_EQ(read.items[1].against_base(0, 1).variant, 0.1);
    EXPECT_EQ(read.items[1].against_base(0, 1).base, 1.0 / 3);
    EXPECT_EQ(evaluation_json(read), evaluation_json(evaluation));

    auto uneven = nlohmann::ordered_json::parse(evaluation_json(evaluation));
    uneven["items"][1]["shared"][0].erase(0);
    write_file(path_, uneven.dump());
    expect_error(ErrorKind::bad_input, {"pvq.json", "p2", "shared", "2 variants"}, [&] { read_evaluation(path_); });
}

TEST_F(EvaluationFile, HasTheDocumentedKeys) {
    const auto json = nlohmann::json::parse(evaluation_json(example()));
    EXPECT_EQ(json["format"], "valuelens.evaluation/1");
    EXPECT_EQ(json["model"]["identity"], "00ff");
    EXPECT_EQ(json["settings"]["language"], "ko");
    EXPECT_EQ(json["variants"][1]["files"][1]["sha256"], "00bb");
    EXPECT_EQ(json["results"][0]["group"], nullptr);
    EXPECT_EQ(json["results"][1]["group"], "power");
    EXPECT_EQ(json["results"][0]["scores"][0]["estimate"], nlohmann::json({3.5, 3, 4}));
    EXPECT_EQ(json["results"][0]["scores"][1]["estimate"][1], nullptr);
    EXPECT_EQ(json["dropped"][0]["variant"], "steered");
    EXPECT_FALSE(nlohmann::json::parse(evaluation_json(example(), false)).contains("items"));
}

TEST_F(EvaluationFile, AnotherFileIsRefused) {
    write_file(path_, "{\"format\": \"valuelens.evaluation/9\"}");
    expect_error(ErrorKind::bad_input, {"pvq.json", "valuelens.evaluation/1", "valuelens.evaluation/9"},
                 [&] { read_evaluation(path_); });
    for (const char * text : {"", "[1]", "{}", "{\"format\": 3}", "{\"format\""}) {
        write_file(path_, text);
        expect_error(ErrorKind::bad_input, {"pvq.json", "found none"}, [&] { read_evaluation(path_); });
    }
}

TEST_F(EvaluationFile, ABrokenOneIsNamed) {
    const auto whole = nlohmann::ordered_json::parse(evaluation_json(example()));
    for (const auto & [key, value] : whole.items()) {
        if (key == "format" || key == "statistics") { // files of older versions have no statistics
            continue;
        }
        auto without = whole;
        without.erase(key);
        write_file(path_, without.dump());
        expect_error(ErrorKind::bad_input, {"pvq.json", key}, [&] { read_evaluation(path_); });
    }
    auto uneven = whole;
    uneven["items"][1]["scores"][0].push_back(1);
    write_file(path_, uneven.dump());
    expect_error(ErrorKind::bad_input, {"pvq.json", "p2", "1 x 2"}, [&] { read_evaluation(path_); });
    uneven = whole;
    uneven["results"][0]["scores"].erase(0);
    write_file(path_, uneven.dump());
    expect_error(ErrorKind::bad_input, {"pvq.json", "1 scores", "2 variants"}, [&] { read_evaluation(path_); });
}

} // namespace
} // namespace valuelens
