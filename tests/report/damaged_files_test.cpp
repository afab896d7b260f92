// Files of a run that are JSON, or a table, but hold other things than they should: each is named, the rest is shown.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "report/document.h"
#include "report/report_fixture.h"
#include "support/expect_error.h"

namespace valuelens {
namespace {

using testing::HasSubstr;

class DamagedFiles : public test::ReportTest {
protected:
    DamagedFiles() { sample_.write_all(); }

    /// Changes a JSON file of the run.
    template <typename Change>
    void change(const std::string & name, Change change) const {
        Json json = Json::parse(read_file(sample_.folder / name));
        change(json);
        write_file(sample_.folder / name, json.dump());
    }

    /// The one problem of the report, which is made in all formats.
    std::string problem() const {
        const Json model = this->model();
        EXPECT_EQ(model["problems"].size(), 1u) << model["problems"].dump();
        EXPECT_FALSE(model["vectors"].is_null()) << "the rest is there";
        text(ReportFormat::html);
        text(ReportFormat::markdown);
        return model["problems"].empty() ? "" : model["problems"][0].get<std::string>();
    }
};

TEST_F(DamagedFiles, Tune) {
    for (const auto & [key, value] : {std::pair("notes", Json::parse("[1]")), std::pair("notes", Json("none")),
                                      std::pair("curves", Json::parse(R"([{"intervention": 1, "points": []}])")),
                                      std::pair("curves", Json::parse("[3]")), std::pair("max_drop", Json("5"))}) {
        sample_.write_results();
        change("evaluation/tune.json", [&](Json & tune) { tune[key] = value; });
        EXPECT_THAT(problem(), HasSubstr("tune.json: has no ")) << key;
        EXPECT_TRUE(model()["tunes"].empty());
        EXPECT_EQ(model()["evaluations"].size(), 3u);
    }
    sample_.write_results();
    change("evaluation/tune.json", [](Json & tune) { tune["curves"][0]["points"][1]["gain_centred"] = "much"; });
    EXPECT_THAT(problem(), HasSubstr("has no estimate \"gain_centred\""));
}

TEST_F(DamagedFiles, ExplanationsAreShownUpToTheDamage) {
    const std::string good = R"({"layer": 1, "neuron": 2, "explanation": "money"})";
    for (const char * bad :
         {R"({"layer": 1, "neuron": 3, "explanation": "x", "excerpts": [{"use": 1, "tokens": [],
                                 "activations": []}]})",
          R"({"layer": 1, "neuron": 3, "explanation": "x", "excerpts": [4]})",
          R"({"layer": 1, "neuron": 3, "explanation": ["x"]})", R"({"layer": "1", "neuron": 3, "explanation": "x"})",
          R"({"layer": 1, "neuron": 3, "explanation": "x", "roles": [{"value": 2}]})",
          R"({"layer": 1, "neuron": 3})"}) {
        std::string line = bad;
        std::erase(line, '\n');
        write_file(sample_.folder / "explanations.jsonl", good + "\n" + line + "\n");
        EXPECT_THAT(problem(), HasSubstr("explanations.jsonl:2: ")) << bad;
        EXPECT_EQ(model()["explanations"].size(), 1u);
    }
}

TEST_F(DamagedFiles, NeuronCounts) {
    const auto damage = [&](auto how) {
        sample_.write_neurons();
        change("neurons.json", how);
        const std::string said = problem();
        EXPECT_TRUE(model()["neurons"].is_null());
        return said;
    };
    EXPECT_THAT(damage([](Json & json) { json["values"][0].erase("chance"); }),
                HasSubstr("neurons.json: has no \"chance\""));
    EXPECT_THAT(damage([](Json & json) { json["values"] = {1}; }), HasSubstr("neurons.json: has no text \"value\""));
    EXPECT_THAT(damage([](Json & json) { json["values"][0].erase("layers"); }),
                HasSubstr("neurons.json: has no object \"layers\""));
    EXPECT_THAT(damage([](Json & json) { json["values"][0]["layers"]["shared"].erase(0); }),
                HasSubstr("neurons.json: has no numbers \"layers.shared\""));
    EXPECT_THAT(damage([](Json & json) { json["values"][0]["counts"]["shared"] = "6"; }),
                HasSubstr("neurons.json: has no number of shared"));
    EXPECT_THAT(damage([](Json & json) { json["notes"] = {1}; }), HasSubstr("neurons.json: has no list of texts"));
}

TEST_F(DamagedFiles, ATruncatedTableOfNeurons) {
    const std::string whole = read_file(sample_.folder / "neurons.csv");
    const std::size_t line = whole.rfind('\n', whole.size() - 2) + 1;
    write_file(sample_.folder / "neurons.csv",
               whole.substr(0, line)); // at the end of a line, so that each line is whole
    EXPECT_THAT(problem(), HasSubstr("neurons.csv: has other numbers of neurons than neurons.json counts, for "
                                     "universalism (11 of 12)"));
    EXPECT_EQ(model()["neurons"]["table"]["columns"]["layer"].size(), 119u);
    write_file(sample_.folder / "neurons.csv", whole.substr(0, line + 12)); // inside a line
    EXPECT_THAT(problem(), HasSubstr("neurons.csv"));
    EXPECT_TRUE(model()["neurons"]["table"].is_null());
    EXPECT_EQ(model()["neurons"]["values"].size(), 10u) << "the counts are shown all the same";
}

TEST_F(DamagedFiles, Geometry) {
    const std::string whole = read_file(sample_.folder / "geometry.json");
    const auto damage = [&](auto how) {
        write_file(sample_.folder / "geometry.json", whole);
        change("geometry.json", how);
        const std::string said = problem();
        EXPECT_TRUE(model()["geometry"].is_null());
        return said;
    };
    EXPECT_THAT(damage([](Json & json) { json["value_cosine"] = Json::object(); }),
                HasSubstr("geometry.json: has no list \"intrinsic\""));
    EXPECT_THAT(damage([](Json & json) { json["cross_cosine"][2].erase(0); }),
                HasSubstr("geometry.json: has no numbers \"cross_cosine\""));
    EXPECT_THAT(damage([](Json & json) { json["values"] = {1, 2}; }), HasSubstr("list of texts \"values\""));
    EXPECT_THAT(damage([](Json & json) { json["n_layer"] = "six"; }), HasSubstr("number \"n_layer\""));
}

TEST_F(DamagedFiles, AnIncludedOneEndsTheCommandByItsName) {
    const std::filesystem::path elsewhere = temp_ / "tune.json";
    write_file(elsewhere, R"({"format": "valuelens.tune/1", "max_drop": 5, "strength": "alpha", "curves": [1]})");
    expect_error(ErrorKind::bad_input, {"tune.json", "intervention"}, [&] {
        report_model({sample_.folder, {}, {elsewhere}});
    });
}

} // namespace
} // namespace valuelens
