// What a report says of a run: counts, findings, warnings, what is missing, and that nothing in it is taken for markup.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "report/commands.h"
#include "report/document.h"
#include "report/model.h"
#include "report/page.h"
#include "report/parts.h"
#include "report/report_fixture.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"
#include "valuelens/report.h"

namespace valuelens {
namespace {

using test::hostile;
using testing::HasSubstr;
using testing::Not;

class Report : public test::ReportTest {};

TEST_F(Report, CountsResponsesAndLabels) {
    sample_.write_responses();
    const Json model = this->model();
    EXPECT_EQ(model["data"]["queries"], 20);
    EXPECT_EQ(model["data"]["intrinsic"], 20);
    EXPECT_EQ(model["data"]["prompted"], 200);
    EXPECT_EQ(model["data"]["cut_at_max_tokens"], 55) << "of every fourth query all eleven responses";
    ASSERT_EQ(model["labels"].size(), 20u) << "ten values, two conditions";
    // Of queries 0 to 19, 4, 9, 14 and 19 are undecided; of the others 8 are even.
    EXPECT_EQ(model["labels"][0]["expressing"], 8);
    EXPECT_EQ(model["labels"][0]["not_expressing"], 8);
    EXPECT_EQ(model["labels"][0]["undecided"], 4);
    EXPECT_EQ(model["judge"]["quality"]["mean_auroc"], 0.62);
}

TEST_F(Report, SaysWhatIsMissingAndWhatMakesIt) {
    sample_.write_responses();
    const Json model = this->model();
    EXPECT_TRUE(model["vectors"].is_null());
    std::vector<std::string> missing;
    for (const Json & part : model["missing"]) {
        missing.push_back(part["part"]);
    }
    EXPECT_THAT(missing, testing::ElementsAre("vectors", "axes", "geometry", "neurons", "tunes", "samples",
                                              "evaluations", "explanations"));
    EXPECT_EQ(finding(model, "separation")["verdict"], "not measured");
    EXPECT_EQ(model["next"][0]["command"], "valuelens vectors --run " + sample_.folder.string());
    EXPECT_THAT(text(ReportFormat::html), HasSubstr("value vectors: made by valuelens vectors"));
}

TEST_F(Report, FindsWhatTheNumbersSay) {
    sample_.write_all();
    const Json model = this->model();
    EXPECT_EQ(model["layer"], 3) << "the middle of six";
    // AUROC at layer 3 is 0.72 [0.57, 0.87] for each vector that is there.
    EXPECT_EQ(finding(model, "separation")["verdict"], "clear");
    EXPECT_THAT(finding(model, "separation")["answer"].get<std::string>(),
                HasSubstr("Prompted: median held-out AUROC 0.72, 8 of 8 intervals above chance, 1 more rests on "
                          "fewer than 5 held-out responses of a class and does not count."));
    EXPECT_THAT(finding(model, "sharing")["answer"].get<std::string>(), HasSubstr("is 0.55 on average"));
    EXPECT_THAT(finding(model, "circle")["answer"].get<std::string>(), HasSubstr("Shared axes against the"));
    // Of each value's twelve neurons six are nearer than 30 degrees to the shared axis, chance says at most five.
    EXPECT_EQ(finding(model, "neurons")["verdict"], "clear");
    EXPECT_THAT(finding(model, "neurons")["answer"].get<std::string>(), HasSubstr("60 shared (chance 30)"));
    EXPECT_EQ(finding(model, "steering")["verdict"], "clear");
    EXPECT_THAT(finding(model, "steering")["answer"].get<std::string>(), HasSubstr("alpha 2"));
    // Of 220 differences those of the values steered toward leave out 0: two of the questionnaires, 20 of leakage.
    EXPECT_EQ(finding(model, "evaluations")["verdict"], "partly");
    EXPECT_THAT(finding(model, "evaluations")["answer"].get<std::string>(), HasSubstr("22 of 220 differences"));
}

TEST_F(Report, WarnsInPlainWords) {
    sample_.write_all();
    const Json model = this->model();
    EXPECT_TRUE(warns(model, "agrees with people only weakly (mean AUROC 0.62"));
    EXPECT_TRUE(warns(model, "for Universalism (prompted: 7 expressing, 20 not): at least 8"));
    EXPECT_TRUE(warns(model, "Few labels"));
    EXPECT_TRUE(warns(model, "rests on fewer than 5 responses"));
    EXPECT_TRUE(warns(model, "Unstable axes"));
    EXPECT_TRUE(warns(model, "at the edge of the guard"));
    EXPECT_FALSE(warns(model, "is the strongest on the grid")) << "4 was tried, 2 is chosen";
    EXPECT_TRUE(warns(model, "pvq: a made-up questionnaire"));
    EXPECT_FALSE(warns(model, "Two halves")) << "the split-half cosine is 0.6";
}

TEST_F(Report, TakesInResultsOfEveryKind) {
    sample_.write_all();
    const Json model = this->model();
    EXPECT_EQ(model["evaluations"].size(), 3u);
    EXPECT_FALSE(model["evaluations"][0].contains("items"));
    EXPECT_EQ(model["tunes"].size(), 1u);
    EXPECT_EQ(model["samples"][0]["prompts"][0]["answers"].size(), 2u);
    EXPECT_EQ(model["samples"][0]["prompts"][0]["text"], "What do you want? " + hostile)
        << "of prompts.jsonl beside it";
    EXPECT_EQ(model["explanations"][0]["neuron"], 7);
    EXPECT_EQ(model["explanations"][0]["excerpts"].size(), 3u) << "the first ones, random ones left out";
    EXPECT_FALSE(model["explanations"][0].contains("prompt"));
    EXPECT_EQ(model["n_explanations"], 1);
    EXPECT_EQ(model["neurons"]["table"]["columns"]["layer"].size(), 120u);
    EXPECT_EQ(model["axes"]["circles"].size(), 3u);
    EXPECT_TRUE(model["missing"].empty());
    EXPECT_TRUE(model["problems"].empty());
}

TEST_F(Report, KeepsTheLongestNeuronsOfEachValueAndSaysSo) {
    sample_.write_all();
    Json problems = Json::array();
    const Json part = neurons_part(sample_.folder, problems, 5);
    EXPECT_TRUE(problems.empty()) << "all lines were counted";
    EXPECT_EQ(part["table"]["columns"]["norm"].size(), 50u);
    EXPECT_EQ(part["table"]["columns"]["norm"][0], 2.0);
    EXPECT_EQ(part["table"]["kept"]["power"], 12);
}

TEST_F(Report, GoesOnWithoutADamagedFileAndNamesIt) {
    sample_.write_all();
    write_file(sample_.folder / "axes.safetensors", "no safetensors");
    write_file(sample_.folder / "evaluation" / "pvq-power.json", R"({"format": "valuelens.evaluation/1"})");
    const Json model = this->model();
    EXPECT_TRUE(model["axes"].is_null());
    EXPECT_FALSE(model["vectors"].is_null());
    EXPECT_EQ(model["evaluations"].size(), 2u);
    EXPECT_TRUE(warns(model, "axes.safetensors"));
    EXPECT_TRUE(warns(model, "pvq-power.json"));
}

TEST_F(Report, NamesAFileThatWasBrokenOff) {
    sample_.write_all();
    const std::string whole = read_file(sample_.folder / "evaluation" / "tune.json");
    write_file(sample_.folder / "evaluation" / "tune.json", whole.substr(0, whole.size() / 2));
    write_file(sample_.folder / "samples" / "empty.jsonl", "");
    write_file(sample_.folder / "samples" / "notes.json", R"({"mine": 1})");
    const Json model = this->model();
    EXPECT_TRUE(model["tunes"].empty());
    EXPECT_TRUE(warns(model, "tune.json: is no JSON"));
    EXPECT_TRUE(warns(model, "empty.jsonl: is no JSON"));
    EXPECT_EQ(model["problems"].size(), 2u) << "a whole file that is no result is passed over";
}

TEST_F(Report, PromptsOfAnswersMayBeQueriesOfTheRun) {
    sample_.write_all();
    write_file(sample_.folder / "samples" / "queries.jsonl",
               R"({"id": "q3", "intervention": "base", "text": "So.", "finish": "length"})"
               "\n"
               R"({"id": "q99", "intervention": "base", "text": "So.", "finish": "length"})"
               "\n");
    const Json model = this->model();
    EXPECT_EQ(model["samples"][1]["prompts"][0]["text"], "Question 3?");
    EXPECT_EQ(model["samples"][1]["prompts"][1]["text"], "") << "nobody knows";
}

TEST_F(Report, CountsOfAnEvaluationWhatItAsksAbout) {
    sample_.write_all();
    const std::filesystem::path file = sample_.folder / "evaluation" / "pvq-power.json";
    auto pvq = nlohmann::json::parse(read_file(file));
    const auto certain = nlohmann::json::parse(R"({"estimate": [0.5, 0.4, 0.6], "n": 4})");
    for (const char * name : {"likeness", "option_mass"}) { // the raw score stands centred, too
        auto measure = pvq["measures"][0];
        measure["name"] = name;
        measure["centred"] = false;
        measure["quantity"] = std::string(name) == "likeness" ? "likeness" : name;
        pvq["measures"].push_back(measure);
        for (const char * group : {"", "power"}) {
            auto row = pvq["results"][0];
            row["measure"] = name;
            row["group"] = *group == '\0' ? nlohmann::json() : nlohmann::json(group);
            row["differences"][1] = certain;
            pvq["results"].push_back(row);
        }
    }
    write_file(file, pvq.dump());
    EXPECT_THAT(finding(model(), "evaluations")["answer"].get<std::string>(), HasSubstr("22 of 220 differences"));
    EXPECT_THAT(finding(model(), "evaluations")["answer"].get<std::string>(),
                HasSubstr("(leakage 20 of 200, pvq 1 of 10, pvq 1 of 10)"));
    EXPECT_THAT(finding(model(), "evaluations")["rule"].get<std::string>(), HasSubstr("option_mass"));
}

TEST_F(Report, CommandsNameTheOptionsThatWereUsed) {
    sample_.write_all();
    const std::string run = sample_.folder.string();
    Json model = this->model();
    // The sample's circles rest on 19 permutations and 10 draws; its layer range is the middle half.
    EXPECT_EQ(model["commands"]["decompose"],
              "valuelens decompose --run " + run + " --permutations 19 --null-draws 10");
    EXPECT_EQ(model["commands"]["neurons"], "valuelens neurons --run " + run);
    EXPECT_EQ(model["tunes"][0]["command"], "valuelens tune -m smollm2-135m --steer axes.safetensors:power/shared "
                                            "--grid=1,2,4 --layers 2-4 --output tune.json");
    EXPECT_EQ(model["samples"][0]["command"],
              "valuelens sample -m smollm2-135m --input prompts.jsonl --steer axes.safetensors:power/shared,alpha=2 "
              "--output power.jsonl");
    EXPECT_EQ(model["evaluations"][0]["command"], "valuelens eval --run " + run) << "VALUE/DIRECTION@STRENGTH";
    EXPECT_EQ(model["evaluations"][1]["command"],
              "valuelens eval pvq -m smollm2-135m --steer axes.safetensors:benevolence/shared,alpha=2 --bootstraps 100 "
              "--output pvq-benevolence.json");
    model["run"] = "it's mine";
    model["axes"]["options"]["normalize"] = true;
    model["axes"]["options"]["first_layer"] = 0;
    model["neurons"]["options"]["scope"] = "layer";
    EXPECT_EQ(stage_commands(model)["decompose"], "valuelens decompose --run 'it'\\''s mine' --normalize --layers 0-4 "
                                                  "--permutations 19 --null-draws 10");
    EXPECT_EQ(stage_commands(model)["neurons"], "valuelens neurons --run 'it'\\''s mine' --scope layer");
}

TEST_F(Report, CommandsOfValueSlotsAndSettings) {
    const Json model = {{"run", "r"}, {"model", {{"path", "m.gguf"}}}};
    const Json evaluation = Json::parse(R"({"evaluation": "leakage", "file": "x.json", "seed": 3, "bootstraps": 1000,
        "confidence": 0.95, "settings": {"language": "fr", "parse": "greedy", "limit": "12", "kv_type": "auto"},
        "variants": [{"name": "base"}, {"name": "power", "steer": ["a:power/shared"]},
                     {"name": "security", "steer": ["a:security/shared"]}]})");
    EXPECT_EQ(evaluation_command(model, evaluation),
              "valuelens eval leakage -m m.gguf --steer 'a:{value}/shared' --values power,security --language fr "
              "--limit 12 --parse greedy --seed 3 --output x.json");
}

TEST_F(Report, CommandsNameTheModelThatEmbeds) {
    const Json model = {{"run", "r"}, {"model", {{"path", "m.gguf"}}}};
    const Json evaluation = Json::parse(R"json({"evaluation": "diversity", "file": "x.json", "seed": 0,
        "bootstraps": 1000, "confidence": 0.95, "variants": [{"name": "base"}], "settings": {"block": "20 prompts",
        "vocabulary": "50000 (V of EAD)", "embedding": "tiny bert, pooling: mean",
        "embedding_model": "my models/e.gguf", "input": "my queries.txt",
        "chat_template_kwargs": "{\"thinking\": false}"}})json");
    EXPECT_EQ(evaluation_command(model, evaluation),
              "valuelens eval diversity -m m.gguf --input 'my queries.txt' --embedding-model 'my models/e.gguf' "
              "--chat-template-kwargs '{\"thinking\": false}' --output x.json");
}

TEST_F(Report, CommandsAreQuoted) {
    const Json model = {{"run", "r"}, {"model", {{"path", "m.gguf"}}}};
    const Json evaluation = Json::parse(R"({"evaluation": "x; y", "file": "x.json", "variants": [{"name": "base"}]})");
    EXPECT_EQ(evaluation_command(model, evaluation), "valuelens eval 'x; y' -m m.gguf --output x.json");
    test::SampleRun spaced(temp_ / "it's mine");
    spaced.write_responses(2);
    EXPECT_THAT(report_model({spaced.folder, {}, {}})["missing"][0]["command"].get<std::string>(),
                testing::EndsWith("it'\\''s mine'"));
}

TEST_F(Report, OnePromptIsShownAsItWasGiven) {
    sample_.write_all();
    write_file(sample_.folder / "samples" / "one.jsonl",
               R"({"id": "prompt", "intervention": "base", "system": "", "user": "What's up?", "text": "So."})"
               "\n");
    const Json sample = model()["samples"][0];
    ASSERT_EQ(sample["file"], "one.jsonl");
    EXPECT_EQ(sample["command"],
              "valuelens sample -m smollm2-135m --prompt 'What'\\''s up?' --system '' --output one.jsonl");
    EXPECT_EQ(sample["command_note"], "some options are not kept in the file");
    EXPECT_FALSE(model()["tunes"][0].contains("command_note")) << "its layers were stated";
}

TEST_F(Report, ListsSettingsThatAreNotTheDefaults) {
    sample_.write_responses();
    EXPECT_TRUE(model()["settings"].empty());
    RunConfig config;
    config.normalize = true;
    config.seed = 4;
    RunDb(sample_.folder / "run.sqlite", RunDbMode::existing).set_meta("config", to_toml(config));
    EXPECT_EQ(model()["settings"], Json::parse(R"(["seed = 4", "decompose.normalize = true"])"));
}

TEST_F(Report, RefusesWhatIsNoRunAndWhatIsNoResult) {
    expect_error(ErrorKind::bad_input, {"is not a run"}, [&] {
        render_report({temp_ / "nowhere", {}, {}}, ReportFormat::json);
    });
    sample_.write_responses();
    const std::filesystem::path other = temp_ / "other.json";
    write_file(other, R"({"a": 1})");
    expect_error(ErrorKind::bad_input, {"other.json", "is none of the results"}, [&] {
        render_report({sample_.folder, {}, {other}}, ReportFormat::json);
    });
}

TEST_F(Report, IncludesResultsFromElsewhere) {
    sample_.write_all();
    const std::filesystem::path elsewhere = temp_ / "tune.json";
    std::filesystem::rename(sample_.folder / "evaluation" / "tune.json", elsewhere);
    EXPECT_TRUE(model()["tunes"].empty());
    EXPECT_EQ(report_model({sample_.folder, {}, {elsewhere}})["tunes"].size(), 1u);
}

TEST_F(Report, SetsRunsSideBySide) {
    sample_.write_all();
    test::SampleRun other(temp_ / "other");
    other.write_responses(10);
    const Json model = report_model({sample_.folder, {other.folder}, {}});
    ASSERT_EQ(model["compare"].size(), 1u);
    EXPECT_EQ(model["compare"][0]["data"]["queries"], 10);
    EXPECT_EQ(model["compare"][0]["findings"].size(), model["findings"].size());
    EXPECT_THAT(to_markdown(report_document(model)), HasSubstr("Runs side by side"));
}

TEST_F(Report, IsTheSameForTheSameRun) {
    sample_.write_all();
    for (const ReportFormat format : {ReportFormat::html, ReportFormat::markdown, ReportFormat::json}) {
        EXPECT_EQ(text(format), text(format));
    }
}

TEST_F(Report, NothingOfTheDataBecomesMarkup) {
    sample_.write_all();
    const std::string html = text(ReportFormat::html);
    EXPECT_THAT(html, Not(HasSubstr("<img src=x")));
    EXPECT_THAT(html, Not(HasSubstr("<script>document.title")));
    EXPECT_THAT(html, HasSubstr("&lt;img src=x onerror=&quot;")) << "the text without scripts holds it escaped";
    const Json model = this->model();
    const std::string embedded = embedded_json(model);
    EXPECT_EQ(embedded.find('<'), std::string::npos);
    EXPECT_EQ(Json::parse(embedded), model) << "and yet it is the same model";
    EXPECT_EQ(model["examples"][0]["text"], hostile);
}

TEST_F(Report, NothingOfTheDataBecomesMarkdown) {
    sample_.write_all();
    const std::string markdown = text(ReportFormat::markdown);
    for (std::size_t at = markdown.find('<'); at != std::string::npos; at = markdown.find('<', at + 1)) {
        ASSERT_GT(at, 0u);
        EXPECT_EQ(markdown[at - 1], '\\') << markdown.substr(at, 20);
    }
    EXPECT_THAT(markdown, Not(HasSubstr("[click](")));
    EXPECT_THAT(markdown, HasSubstr("\\[click\\]"));
    std::size_t begin = 0;
    while ((begin = markdown.find("\n| ", begin)) != std::string::npos) {
        const std::string line = markdown.substr(begin + 1, markdown.find('\n', begin + 1) - begin - 1);
        EXPECT_TRUE(line.ends_with(" |")) << line;
        begin += 3;
    }
}

TEST_F(Report, ThePageForbidsItselfTheNetwork) {
    sample_.write_all();
    const std::string html = text(ReportFormat::html);
    EXPECT_THAT(html, HasSubstr("default-src 'none'"));
    EXPECT_THAT(html, HasSubstr("connect-src 'none'"));
    EXPECT_THAT(html, Not(HasSubstr("src=\"http")));
    EXPECT_THAT(report_page(model(), true), HasSubstr("connect-src 'self'"));
    EXPECT_LT(html.size(), 10000000u);
}

/// The shape of a 7B model (28 blocks of 3584, of 18,944 neurons each): more of everything than the report takes in.
TEST_F(Report, ThePageOfALargeRunStaysBelowTenMegabytes) {
    sample_.n_layer = 28;
    sample_.n_embd = 3584;
    sample_.write_responses(100);
    sample_.write_axes();
    sample_.write_many_neurons(28, 18944);
    sample_.write_results();
    sample_.write_long_texts();
    const std::string html = text(ReportFormat::html);
    EXPECT_LT(html.size(), 10000000u);
    EXPECT_GT(html.size(), 4u << 20) << "all of it is there";
    const Json model = this->model();
    EXPECT_EQ(model["neurons"]["table"]["columns"]["norm"].size(), 50000u) << "the 5000 longest of each value";
    EXPECT_LT(model["samples"][0]["prompts"].size(), 40u) << "answers are kept within bounds, too";
    EXPECT_EQ(model["samples"][0]["n_prompts"], 100);
}

TEST_F(Report, ARevisionChangesWithTheRun) {
    sample_.write_responses();
    const std::string before = report_revision(sample_.folder);
    EXPECT_EQ(report_revision(sample_.folder), before);
    write_file(sample_.folder / "report.html", "a report of its own is no news");
    EXPECT_EQ(report_revision(sample_.folder), before);
    sample_.write_axes();
    EXPECT_NE(report_revision(sample_.folder), before);
}

} // namespace
} // namespace valuelens
