#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/program.h"
#include "explain/planted_model.h"

namespace valuelens {
namespace {

using nlohmann::json;
using test::ProgramResult;
using test::run_program;
using testing::HasSubstr;

class ExplainCommand : public testing::Test {
protected:
    void SetUp() override {
        model_ = test::write_planted_model(folder_ / "m.gguf");
        write_file(folder_ / "corpus.txt", "a line with 12 in it\n\nanother one, without\n\nand 3 more\n\nx\n");
        write_file(folder_ / "neurons.csv", fmt::format("layer,neuron\n0,{}\n1,5\n", test::digit_neuron));
    }

    ProgramResult explain(std::vector<std::string> more = {}) const {
        std::vector<std::string> arguments = {"explain",
                                              "-m",
                                              model_,
                                              "--neurons",
                                              file("neurons.csv"),
                                              "--corpus",
                                              file("corpus.txt"),
                                              "--output",
                                              file("out.jsonl"),
                                              "-t",
                                              "1",
                                              "--scores",
                                              "none",
                                              "--no-rating"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run_program(arguments);
    }
    std::string file(const char * name) const { return (folder_ / name).string(); }

    void expect_refused(const ProgramResult & result, int exit_code, const std::vector<std::string> & words) const {
        EXPECT_EQ(result.exit_code, exit_code) << result.err;
        for (const std::string & word : words) {
            EXPECT_THAT(result.last_error_line(), HasSubstr(word));
        }
        EXPECT_FALSE(std::filesystem::exists(folder_ / "out.jsonl"));
    }

    TempFolder folder_;
    std::string model_;
};

// A model of random weights explains itself: what it says is nonsense, what is harvested is not.
TEST_F(ExplainCommand, HarvestsAndWritesALinePerPole) {
    const ProgramResult result = explain({"--json"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const json summary = json::parse(result.out);
    EXPECT_EQ(summary["neurons"], 2);
    EXPECT_EQ(summary["poles"], 4);
    EXPECT_EQ(summary["documents"], 4);
    EXPECT_EQ(summary["short_documents"], 1) << "x";
    std::vector<json> lines;
    for_each_line(folder_ / "out.jsonl",
                  [&](std::string_view line, std::size_t) { lines.push_back(json::parse(line)); });
    ASSERT_EQ(lines.size(), 4u);
    EXPECT_EQ(lines[0]["key"], fmt::format("0//{}/positive", test::digit_neuron));
    const json & excerpt = lines[0]["excerpts"][0];
    EXPECT_GT(excerpt["peak"].get<double>(), 0);
    for (std::size_t t = 0; t < excerpt["tokens"].size(); ++t) {
        const std::string token = excerpt["tokens"][t];
        const bool is_digit = token.size() == 1 && token[0] >= '0' && token[0] <= '9';
        EXPECT_EQ(excerpt["activations"][t].get<double>() > 0, is_digit) << token;
    }
    EXPECT_EQ(lines[1]["problem"], "nothing in the corpus activates the neuron in this direction");
    EXPECT_EQ(json::parse(read_file(folder_ / "out.json"))["short_documents"], 1);
}

TEST_F(ExplainCommand, TheLongestProjectionsOfEachValueAndCategoryAreTaken) {
    write_file(folder_ / "neurons.csv", "value,layer,expert,neuron,norm,category\n"
                                        "care,0,,7,1,shared\ncare,0,,8,3,shared\ncare,1,,2,2,none\n"
                                        "power,0,,8,5,prompted\npower,1,,9,4,shared\n");
    const ProgramResult result = explain({"--json", "--per-category", "1", "--poles", "positive"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const json summary = json::parse(result.out);
    EXPECT_EQ(summary["neurons"], 2);
    EXPECT_EQ(summary["categories"].size(), 2u);
    EXPECT_THAT(summary["notes"].dump(), HasSubstr("1 of 4 entries"));
    EXPECT_THAT(summary["notes"].dump(), HasSubstr("1 entries of the table are of other categories"));
    EXPECT_THAT(summary["notes"].dump(), HasSubstr("the subject explains and scores its own neurons"));
    EXPECT_EQ(json::parse(read_file(folder_ / "out.json"))["notes"], summary["notes"]) << "kept beside the results";
    std::vector<json> lines;
    for_each_line(folder_ / "out.jsonl",
                  [&](std::string_view line, std::size_t) { lines.push_back(json::parse(line)); });
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[0]["neuron"], 8);
    ASSERT_EQ(lines[0]["roles"].size(), 2u);
    EXPECT_EQ(lines[0]["roles"][0]["value"], "power") << "the longest first";
    EXPECT_EQ(lines[0]["roles"][1]["category"], "shared");
    EXPECT_EQ(lines[1]["key"], "1//9/positive");
}

// What it answers depends on how it is asked: other answers must not be taken for its own.
TEST_F(ExplainCommand, AnotherChatTemplateOrDateBeginsAnew) {
    const auto settings = [&](const std::vector<std::string> & more) {
        const ProgramResult result = explain(more);
        EXPECT_EQ(result.exit_code, 0) << result.err;
        return json::parse(read_file(folder_ / "out.json"))["settings_sha256"].get<std::string>();
    };
    write_file(folder_ / "template.jinja", "{% for message in messages %}{{ message['content'] }}{% endfor %}");
    const std::string own = settings({});
    EXPECT_EQ(settings({}), own);
    EXPECT_NE(settings({"--chat-template", file("template.jinja")}), own);
    EXPECT_NE(settings({"--chat-template-kwargs", "{\"thinking\": false}"}), own);
    EXPECT_NE(settings({"--date", "2025-01-01"}), own);
}

TEST_F(ExplainCommand, WindowsAreOf64TokensUnlessSaidOtherwise) {
    write_file(folder_ / "corpus.txt", std::string(150, 'a') + "\n"); // a token is a byte
    const auto longest = [&](const std::vector<std::string> & more) {
        const ProgramResult result = explain(more);
        EXPECT_EQ(result.exit_code, 0) << result.err;
        std::size_t most = 0;
        for_each_line(folder_ / "out.jsonl", [&](std::string_view text, std::size_t) {
            const json line = json::parse(text);
            for (const json & excerpt : line["excerpts"]) {
                most = std::max(most, excerpt["tokens"].size());
            }
        });
        return most;
    };
    EXPECT_EQ(longest({}), 63u) << "and the BOS before them";
    EXPECT_EQ(longest({"--window", "20"}), 19u);
}

TEST_F(ExplainCommand, AServerThatIsNotThereIsTriedAsOftenAsAskedFor) {
    const ProgramResult result =
        explain({"--url", "http://127.0.0.1:1/v1", "--max-retries", "0", "--timeout", "5", "--concurrency", "2"});
    expect_refused(result, 5, {"http://127.0.0.1:1"});
    expect_refused(explain({"--url", "http://127.0.0.1:1/v1", "--api-key-env", "NO_SUCH_KEY"}), 2,
                   {"NO_SUCH_KEY", "is not set"});
    expect_refused(explain({"--max-retries", "-1"}), 2, {"--max-retries"});
    expect_refused(explain({"--timeout", "0"}), 2, {"--timeout"});
}

TEST_F(ExplainCommand, AServerCannotSimulate) {
    expect_refused(explain({"--scores", "simulation", "--url", "http://127.0.0.1:1/v1"}), 2,
                   {"simulation", "servers do not give", "local model"});
}

TEST_F(ExplainCommand, WhatIsReadIsNotReplaced) {
    const std::string corpus = read_file(folder_ / "corpus.txt");
    const auto with_output = [&](const char * output) {
        return run_program({"explain", "-m", model_, "--neurons", file("neurons.csv"), "--corpus", file("corpus.txt"),
                            "--output", file(output)});
    };
    expect_refused(with_output("corpus.txt"), 2, {"would replace", "corpus.txt"});
    write_file(folder_ / "neurons.json", "{}");
    expect_refused(with_output("neurons.jsonl"), 2, {"would replace", "neurons.json"});
    expect_refused(with_output("a.json"), 2, {"a.json", ".jsonl"});
    expect_refused(with_output("a.harvest"), 2, {"a.harvest", ".jsonl"});
    EXPECT_EQ(read_file(folder_ / "corpus.txt"), corpus);
}

TEST_F(ExplainCommand, AWrongCorpusIsSaidByItsLine) {
    const auto with_corpus = [&](const char * name, const char * contents) {
        write_file(folder_ / name, contents);
        return run_program({"explain", "-m", model_, "--neurons", file("neurons.csv"), "--corpus", file(name),
                            "--output", file("out.jsonl"), "-t", "1"});
    };
    expect_refused(with_corpus("b.jsonl", "{\"text\": \"fine\"}\n{\"text\": \"cut o"), 3, {"b.jsonl:2", "JSON"});
    expect_refused(with_corpus("c.jsonl", "{\"content\": \"fine\"}\n"), 3, {"c.jsonl:1", "\"text\""});
    expect_refused(with_corpus("d.txt", ""), 3, {"d.txt", "holds no text"});
    expect_refused(with_corpus("e.txt", "x\n"), 3, {"no document of two tokens"});
    EXPECT_FALSE(std::filesystem::exists(folder_ / "out.harvest"));
    expect_refused(explain({"--corpus", file("nowhere.txt")}), 3, {"nowhere.txt", "no such file"});
}

TEST_F(ExplainCommand, WhatIsMissingOrWrongIsSaidBeforeTheWork) {
    expect_refused(run_program({"explain", "-m", model_}), 2, {"--run", "--neurons", "--corpus", "--output"});
    expect_refused(explain({"--scores", "guessing"}), 2, {"guessing"});
    expect_refused(explain({"--explainer", model_, "--url", "http://127.0.0.1:1/v1"}), 2, {"--explainer", "--url"});
    expect_refused(explain({"--window", "2"}), 2, {"--window 2", "4 to 4096"});
    expect_refused(explain({"--run", file("nowhere")}), 2, {"nowhere", "no run folder"});
    expect_refused(explain({"--axes", file("nowhere.safetensors")}), 3, {"nowhere.safetensors"});
    expect_refused(run_program({"explain", "-m", model_, "--neurons", file("absent.csv"), "--corpus",
                                file("corpus.txt"), "--output", file("out.jsonl")}),
                   3, {"absent.csv"});
    expect_refused(run_program({"explain", "-m", file("corpus.txt"), "--neurons", file("neurons.csv"), "--corpus",
                                file("corpus.txt"), "--output", file("out.jsonl")}),
                   4, {"corpus.txt"});
    write_file(folder_ / "neurons.csv", "value,layer,neuron,category\ncare,0,7,shared\n");
    expect_refused(explain({"--values", "care,courage"}), 2, {"--values courage", "neurons.csv has only care"});
    expect_refused(explain({"--categories", "sharde"}), 2, {"--categories sharde", "neurons.csv has only shared"});
    write_file(folder_ / "neurons.csv", "value,layer,neuron,category\ncare,0,7,none\n");
    expect_refused(explain(), 3, {"neurons.csv", "holds no neuron"});
    write_file(folder_ / "neurons.csv", "");
    expect_refused(explain(), 3, {"neurons.csv"});
    write_file(folder_ / "neurons.csv", "layer,neuron\n0,7\n0,700\n");
    expect_refused(explain(), 3, {"neurons.csv:3", "700", "0-47"});
    write_file(folder_ / "neurons.csv", "layer,neuron\n0,7\n0,7\n");
    expect_refused(explain(), 3, {"neurons.csv:3", "twice"});
    write_file(folder_ / "neurons.csv", "layer\n0\n");
    expect_refused(explain(), 3, {"neurons.csv:1", "neuron"});
    write_file(folder_ / "neurons.csv", "layer,neuron\n0,7\n");
    write_file(folder_ / "neurons.json", "{\"model_hash\": \"other\", \"model_name\": \"another\"}");
    expect_refused(explain(), 3, {"another"});
    std::filesystem::remove(folder_ / "neurons.json");
    write_file(folder_ / "corpus.txt", "fine\n\nbad \xff\n");
    expect_refused(explain(), 3, {"corpus.txt:3", "UTF-8"});
}

} // namespace
} // namespace valuelens
