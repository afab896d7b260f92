// The verdicts, cautions and next steps of a report, of models whose numbers are set by the test.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "report/findings.h"
#include "report/report_fixture.h"

namespace valuelens {
namespace {

using testing::HasSubstr;
using testing::Not;

class Verdicts : public test::ReportTest {
protected:
    Verdicts() {
        sample_.write_all();
        model_ = model();
    }

    std::string verdict(const std::string & id) const { return of(id).at("verdict"); }
    std::string answer(const std::string & id) const { return of(id).at("answer"); }

    Json & vectors() { return model_["vectors"]["vectors"]; }

    /// The texts of cautions that hold these words.
    std::vector<std::string> cautions(const std::string & words) const {
        std::vector<std::string> texts;
        for (const Json & warning : warnings(model_)) {
            if (const std::string text = warning.at("text"); text.find(words) != std::string::npos) {
                texts.push_back(text);
            }
        }
        return texts;
    }

    Json model_;

private:
    Json of(const std::string & id) const {
        Json holder = {{"findings", findings(model_)}};
        return finding(holder, id);
    }
};

TEST_F(Verdicts, IntervalsOfFewHeldOutResponsesDoNotCount) {
    for (Json & vector : vectors()) {
        vector["held_out_expressing"] = vector["condition"] == "prompted" ? 4 : 5;
    }
    // Nine of ten intrinsic vectors are left, stimulation has too few of the other class: 9 of the 20 vectors.
    EXPECT_EQ(verdict("separation"), "partly");
    EXPECT_THAT(answer("separation"), HasSubstr("9 of 9 intervals above chance, 1 more rests on fewer than 5"));
    EXPECT_THAT(answer("separation"), HasSubstr("No prompted vector has a held-out AUROC that counts, 9 rest on"));
    for (Json & vector : vectors()) {
        vector["held_out_not_expressing"] = 4;
    }
    EXPECT_EQ(verdict("separation"), "not measured");
}

TEST_F(Verdicts, AnAurocWithoutAnIntervalIsNotMeasured) {
    for (Json & vector : vectors()) {
        for (Json & auroc : vector["auroc"]) {
            auroc = {0.9, nullptr, nullptr};
        }
    }
    EXPECT_EQ(verdict("separation"), "not measured");
}

TEST_F(Verdicts, OneValueDoesNotSpeakForTen) {
    const Json column = model_["vectors"]["condition_cosine"]["power"];
    model_["vectors"]["condition_cosine"] = {{"power", column}};
    EXPECT_EQ(verdict("sharing"), "partly");
    EXPECT_THAT(answer("sharing"), HasSubstr("1 of 10 values measured"));
    EXPECT_THAT(answer("sharing"), HasSubstr("of the two vectors of Power is 0.55"));

    model_["neurons"]["values"].erase(model_["neurons"]["values"].begin() + 1, model_["neurons"]["values"].end());
    EXPECT_EQ(verdict("neurons"), "partly");
    EXPECT_THAT(answer("neurons"), HasSubstr("1 of 1 values have more of some category than chance. 1 of 10 values"));

    for (Json & at : model_["axes"]["compliance"]["explained"]) {
        at = {0.9, 0.8, 0.95};
    }
    for (Json & at : model_["axes"]["compliance"]["explained_null"]) {
        at = {0.1, 0.05, 0.2};
    }
    EXPECT_EQ(verdict("compliance"), "clear") << "nine of ten values have axes";
    for (std::size_t v = 0; v < 5; ++v) {
        model_["axes"]["axes"][v]["problem"] = "absent";
    }
    EXPECT_EQ(verdict("compliance"), "partly");

    Json & circle = model_["axes"]["circles"][0];
    ASSERT_EQ(circle["kind"], "shared");
    circle["range"]["even"] = {{"r_squared", 0.9}, {"p", 0.001}, {"null", {0.2, 0.0, 0.4}}};
    EXPECT_EQ(verdict("circle"), "clear") << "nine of ten values stand on it";
    circle["used"] = {"power", "security", "tradition"};
    EXPECT_EQ(verdict("circle"), "partly");
    EXPECT_THAT(answer("circle"), HasSubstr("3 of 10 values measured"));
}

TEST_F(Verdicts, WhyTheCommonDirectionIsNotMeasured) {
    for (Json & at : model_["axes"]["compliance"]["explained"]) {
        at = {nullptr, nullptr, nullptr};
    }
    EXPECT_EQ(verdict("compliance"), "not measured");
    EXPECT_THAT(answer("compliance"), HasSubstr("At layer 3 it is undefined"));
    for (std::size_t v = 1; v < 10; ++v) {
        model_["axes"]["axes"][v]["problem"] = "absent";
    }
    EXPECT_THAT(answer("compliance"), HasSubstr("two values or more that have both vectors; 1 of 10 has"));
    model_["axes"] = nullptr;
    EXPECT_EQ(answer("compliance"), "There are no axes yet.");
}

TEST_F(Verdicts, NeuronsWithoutChanceAreNotMeasured) {
    for (Json & value : model_["neurons"]["values"]) {
        value["chance"] = nullptr;
    }
    EXPECT_EQ(verdict("neurons"), "not measured");
}

TEST_F(Verdicts, AGainWithoutAnIntervalIsNotMeasured) {
    for (Json & point : model_["tunes"][0]["curves"][0]["points"]) {
        point["gain_centred"] = {-0.01, nullptr, nullptr};
    }
    EXPECT_EQ(verdict("steering"), "not measured");
    EXPECT_THAT(answer("steering"), HasSubstr("gain -0.01 points of likeness"));
    EXPECT_THAT(answer("steering"), HasSubstr("1 of 1 gains has no interval"));
    for (Json & point : model_["tunes"][0]["curves"][0]["points"]) {
        point["gain_centred"] = {-0.01, -0.2, 0.2};
    }
    EXPECT_EQ(verdict("steering"), "not shown");
}

TEST_F(Verdicts, EachReasonIsACautionOfItsOwn) {
    for (const std::size_t v : {0, 2}) { // self-direction and stimulation, intrinsic
        Json & vector = vectors()[v];
        vector["expressing"] = 5 + v;
        vector["problem"] =
            fmt::format("value '{}', condition intrinsic: {} expressing and 20 not expressing responses",
                        vector["value"].get<std::string>(), 5 + v);
        Json & axes = model_["axes"]["axes"][v / 2];
        axes["problem"] = vector["problem"];
        model_["axes"]["notes"].push_back(
            fmt::format("no axes of '{}': {}", axes["value"].get<std::string>(), axes["problem"].get<std::string>()));
        model_["neurons"]["notes"].push_back(
            fmt::format("{}: no axes ({})", axes["value"].get<std::string>(), axes["problem"].get<std::string>()));
    }
    EXPECT_THAT(cautions("5 expressing"),
                testing::ElementsAre("No vector, and so no axes and no neurons, for Self-Direction (intrinsic: 5 "
                                     "expressing, 20 not), Stimulation (intrinsic: 7 expressing, 20 not), Universalism "
                                     "(prompted: 7 expressing, 20 not): at least 8 responses of each class are needed; "
                                     "label more, or lower --min-count."));
    EXPECT_THAT(cautions("no axes ("), testing::IsEmpty());
    EXPECT_THAT(cautions("no axes of"), testing::IsEmpty());
}

TEST_F(Verdicts, NotesThatDifferInValueAndNumbersAreOne) {
    model_["vectors"]["notes"] = {"value 'power', condition prompted: 3 of 100 resamples hold no response of one class",
                                  "value 'security', condition prompted: 12 of 100 resamples hold no response of one "
                                  "class",
                                  "217 of 704 responses have no label"};
    model_["neurons"]["notes"] = {"power: its axes are undefined at all layers",
                                  "security: its axes are undefined at all layers"};
    EXPECT_THAT(
        cautions("resamples hold"),
        testing::ElementsAre("Power (prompted), Security (prompted): 3 of 100 resamples hold no response of one "
                             "class (the numbers are those of Power (prompted))"));
    EXPECT_THAT(cautions("undefined at all"),
                testing::ElementsAre("Power, Security: its axes are undefined at all layers"));
    EXPECT_THAT(cautions("no label"), testing::ElementsAre("217 of 704 responses have no label"));
}

TEST_F(Verdicts, NextStepsChooseAValueThatCounts) {
    model_["tunes"] = model_["samples"] = model_["evaluations"] = Json::array();
    model_["run"] = "my run";
    for (Json & vector : vectors()) {
        if (vector["value"] == "stimulation") { // the highest, of too few responses
            vector["auroc"][3] = {1.0, 1.0, 1.0};
        }
        if (vector["value"] == "security") {
            vector["auroc"][3] = {0.9, 0.8, 1.0};
        }
    }
    const Json steps = next_steps(model_);
    EXPECT_THAT(steps[0]["text"].get<std::string>(), HasSubstr("Security has the direction that holds up best"));
    EXPECT_EQ(steps[1]["command"], "valuelens sample -m smollm2-135m --prompt \"What matters in life?\" --steer 'my "
                                   "run/axes.safetensors:security/shared,unit=resid,alpha=0.1' --output 'my "
                                   "run/sample-security.jsonl'");
    EXPECT_EQ(steps.back()["command"], "valuelens run 'my run/config.toml' --run 'my run-more'");
    for (Json & vector : vectors()) {
        vector["held_out_expressing"] = 1;
    }
    EXPECT_THAT(next_steps(model_)[0]["text"].get<std::string>(), HasSubstr("no direction is shown to hold up"));
}

TEST_F(Verdicts, AfterSteeringThatShowedNothingAnotherValueIsAdvised) {
    const auto advised = [&] {
        model_["findings"] = findings(model_);
        return dump(next_steps(model_));
    };
    EXPECT_THAT(advised(), Not(HasSubstr("Steering showed nothing")));
    for (Json & point : model_["tunes"][0]["curves"][0]["points"]) {
        point["gain_centred"] = {0.0, -0.2, 0.2};
    }
    EXPECT_THAT(advised(), HasSubstr("Self-Direction has not been tuned yet"));
    EXPECT_THAT(advised(), Not(HasSubstr("no gain was measured")));
    for (Json & value : model_["axes"]["axes"]) {
        value["problem"] = value["value"] == "power" ? "" : "absent";
    }
    EXPECT_THAT(advised(), HasSubstr("give narrower intervals.")) << "power alone has axes, and was tuned";
    for (Json & point : model_["tunes"][0]["curves"][0]["points"]) {
        point["gain_centred"] = {0.0, nullptr, nullptr};
    }
    EXPECT_THAT(advised(), HasSubstr("no gain was measured"));
    EXPECT_THAT(advised(), Not(HasSubstr("Steering showed nothing")));
}

} // namespace
} // namespace valuelens
