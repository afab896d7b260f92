// What is wrong with the command line of an evaluation is said before a model is loaded, and costs no file.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "cli/program.h"
#include "store/safetensors.h"
#include "support/tiny_language_model.h"

namespace valuelens {
namespace {

using test::ProgramResult;
using test::run_program;
using test::TinyLanguageModel;
using testing::HasSubstr;

constexpr const char * unasked = "http://127.0.0.1:1/v1"; // nobody is there, and nobody is asked

class EvalUsage : public testing::Test {
protected:
    EvalUsage() {
        model_ = TinyLanguageModel::dense().write(folder_ / "m.gguf");
        write_file(folder_ / "q.jsonl", "{\"id\": \"1\", \"value\": \"power\", \"text\": \"They like to lead.\"}\n");
        const std::vector<float> rows(3 * TinyLanguageModel::n_embd, 0.5f);
        const std::vector<FloatTensor> tensors = {{"power/shared", {3, TinyLanguageModel::n_embd}, rows},
                                                  {"compliance", {3, TinyLanguageModel::n_embd}, rows}};
        write_safetensors(folder_ / "axes.safetensors", tensors, {});
        write_safetensors(folder_ / "power.safetensors", tensors, {});
    }

    std::string file(const std::string & name) const { return (folder_ / name).string(); }

    static void expect_failure(const ProgramResult & result, int exit_code, const std::vector<std::string> & words) {
        EXPECT_EQ(result.exit_code, exit_code) << result.err;
        EXPECT_EQ(result.out, "");
        EXPECT_THAT(result.last_error_line(), testing::StartsWith("error: "));
        for (const std::string & word : words) {
            EXPECT_THAT(result.last_error_line(), HasSubstr(word));
        }
    }

    ProgramResult eval(const std::string & name, const std::vector<std::string> & more,
                       const std::string & output = "result.json") const {
        std::vector<std::string> all = {"eval", name, "-m", model_, "--output", file(output), "-t", "1"};
        all.insert(all.end(), more.begin(), more.end());
        return run_program(all);
    }

    /// A usage error that leaves no result.
    void refused(const std::string & name, const std::vector<std::string> & more,
                 const std::vector<std::string> & words, int exit_code = 2) const {
        expect_failure(eval(name, more), exit_code, words);
        EXPECT_FALSE(std::filesystem::exists(folder_ / "result.json"));
    }

    TempFolder folder_;
    std::string model_;
};

TEST_F(EvalUsage, NoResultTakesThePlaceOfWhatItIsMadeFrom) {
    const std::string before = read_file(model_);
    const auto would_replace = [&](const std::string & name, const std::string & output,
                                   const std::vector<std::string> & more) {
        const std::string contents = read_file(folder_ / output);
        expect_failure(eval(name, more, output), 2, {"--output", output, "would replace"});
        EXPECT_EQ(read_file(folder_ / output), contents);
    };
    would_replace("pvq", "m.gguf", {});
    would_replace("pvq", "q.jsonl", {"--input", file("q.jsonl")});
    would_replace("pvq", "q.jsonl", {"--input", file("./") + "q.jsonl"});
    would_replace("pvq", "q.jsonl", {"--concepts", file("q.jsonl")});
    would_replace("pvq", "q.jsonl", {"--input", file("no.txt"), "--key", file("q.jsonl")});
    would_replace("pvq", "axes.safetensors", {"--steer", file("axes.safetensors") + ":power/shared,alpha=2"});
    would_replace("pvq", "power.safetensors",
                  {"--steer", file("{value}.safetensors") + ":power/shared", "--values", "power"});
    would_replace("freeform", "q.jsonl", {"--judge", file("q.jsonl")});
    would_replace("freeform", "q.jsonl", {"--judge", unasked, "--judge-prompt", file("q.jsonl")});
    would_replace("compliance", "q.jsonl", {"--benign", file("q.jsonl")});
    would_replace("compliance", "q.jsonl", {"--refusal-phrases", file("q.jsonl")});
    would_replace("compliance", "axes.safetensors", {"--defend", file("axes.safetensors")});
    write_file(folder_ / "n.csv", "layer,neuron\n");
    write_file(folder_ / "n.json", "{}");
    would_replace("pvq", "n.json", {"--scale-neurons", file("n.csv")});
    std::filesystem::create_symlink(folder_ / "q.jsonl", folder_ / "link.json");
    would_replace("pvq", "link.json", {"--input", file("q.jsonl")});
    EXPECT_EQ(read_file(model_), before);
}

TEST_F(EvalUsage, StoredCompletionsAreAFileOfTheirOwn) {
    const std::vector<std::string> judge = {"--judge", unasked};
    const auto with_completions = [&](const std::string & completions, std::vector<std::string> more = {}) {
        more.insert(more.end(), {"--judge", unasked, "--store-completions", file(completions)});
        refused("freeform", more, {"would replace"});
    };
    with_completions("result.json");
    with_completions("./result.json");
    with_completions("result.json.part");
    with_completions("q.jsonl", {"--input", file("q.jsonl")});
    with_completions("m.gguf");
    write_file(folder_ / "result.json.part", "{\"id\": \"1\", \"value\": \"power\", \"text\": \"x\"}\n");
    refused("freeform", {"--judge", unasked, "--concepts", file("result.json.part")}, {"would replace", ".part"});
    refused("compliance", {"--store-completions", ""}, {"--store-completions is empty"});
}

TEST_F(EvalUsage, OtherCommandsReplaceNothingEither) {
    const std::string queries = file("q.jsonl");
    const std::vector<std::vector<std::string>> commands = {
        {"capture", "-m", model_, "--input", queries},
        {"sample", "-m", model_, "--input", queries},
        {"tune", "-m", model_, "--grid", "1", "--steer", file("axes.safetensors") + ":power/shared", "--portraits",
         queries},
        {"export", "--from", queries, "--key", "power/shared", "--format", "npz"},
        {"monitor", "-m", model_, "--directions", file("axes.safetensors"), "--input", queries},
        {"vectors", "--activations", file("axes.safetensors"), "--labels", queries},
        {"judge-train", "-m", model_, "--labelled", queries},
    };
    const std::string before = read_file(queries);
    for (std::vector<std::string> command : commands) {
        command.insert(command.end(), {"--output", queries});
        expect_failure(run_program(command), 2, {"would replace", "q.jsonl"});
        command.back() = "";
        expect_failure(run_program(command), 2, {"--output is empty"});
    }
    EXPECT_EQ(read_file(queries), before);
}

TEST_F(EvalUsage, CountsAreNotNegative) {
    for (const char * option : {"--bootstraps", "--limit", "--seed"}) {
        refused("pvq", {option, "-1"}, {option, "\"-1\" is not a number of at least 0"});
    }
    for (const char * option :
         {"--samples", "--block", "--vocabulary", "--min-words", "--max-tokens", "--temperature"}) {
        refused("diversity", {option, "-3"}, {option, "\"-3\""});
    }
    for (const char * option : {"--samples", "--max-tokens", "--temperature"}) {
        refused("compliance", {option, "-1"}, {option, "\"-1\""});
    }
    refused("instructions", {"--max-tokens", "-1"}, {"--max-tokens", "\"-1\""});
    refused("freeform", {"--judge", unasked, "--max-tokens", "0"}, {"--max-tokens", "\"0\""});
    refused("portrait", {"--input", file("q.jsonl"), "--min-correlation", "-2"}, {"--min-correlation"});
    refused("pvq", {"--bootstraps", "inf"}, {"--bootstraps", "\"inf\""});
    expect_failure(run_program({"decompose", "--vectors", "v", "--output", "o", "--permutations", "-5"}), 2,
                   {"--permutations"});
    expect_failure(run_program({"judge-check", "--labelled", "l", "--limit", "-5"}), 2, {"--limit"});
    for (const char * option : {"--url", "--server-model", "--concurrency"}) {
        expect_failure(run_program({"judge-check", "--labelled", "l", option, "1"}), 2,
                       {option, "server", "--judge is probe"});
    }
    expect_failure(run_program({"judge-check", "--labelled", "l", "--answers", "json"}), 2, {"--answers", "server"});
    expect_failure(run_program({"judge-check", "--labelled", "l", "--file", "f"}), 2, {"--file", "dictionary"});
    expect_failure(run_program({"judge-check", "--labelled", "l", "--judge", "ask", "--prior", "training"}), 2,
                   {"--prior", "probe", "--judge is ask"});
}

TEST_F(EvalUsage, AServersPortIsANumber) {
    for (const char * port : {"99999", "-1", "abc", "0"}) {
        const std::string url = std::string("http://127.0.0.1:") + port + "/v1";
        refused("freeform", {"--judge", url}, {"--judge", url, "1 to 65535"});
        refused("compliance", {"--classifier", url}, {"--classifier", url, "1 to 65535"});
    }
    write_file(folder_ / "run.toml", "[evaluate_written]\nurl = \"http://127.0.0.1:99999/v1\"\n");
    expect_failure(run_program({"run", file("run.toml"), "--run", file("r")}), 2,
                   {"run.toml", "evaluate_written.url", "1 to 65535"});
}

TEST_F(EvalUsage, AJudgeHasAName) {
    refused("freeform", {"--judge", ""}, {"--judge", "is empty"});
    refused("dilemmas", {"--judge", "", "--steer", file("axes.safetensors") + ":power/shared"},
            {"--judge", "is empty"});
    refused("compliance", {"--judge", ""}, {"--judge", "is empty"});
    refused("compliance", {"--classifier", ""}, {"--classifier", "is empty"});
}

TEST_F(EvalUsage, WhatDoesNotApplyIsNotPassedOver) {
    refused("compliance", {"--judge-prompt", file("p.toml")}, {"--judge-prompt", "--judge"});
    refused("compliance", {"--classifier-prompt", file("p.toml")}, {"--classifier-prompt", "--classifier"});
    refused("compliance", {"--guard", "power/shared"}, {"--guard", "--defend"});
    for (const char * option : {"--server-model", "--api-key-env"}) {
        refused("compliance", {option, "NAME"}, {option, "--judge"});
        refused("compliance", {option, "NAME", "--classifier", unasked}, {option, "--judge"});
        refused("freeform", {option, "NAME", "--judge", model_}, {option, "--judge"});
    }
    for (const char * option : {"--classifier-model", "--classifier-key-env"}) {
        refused("compliance", {option, "NAME", "--judge", unasked}, {option, "--classifier"});
    }
    for (const char * option : {"--timeout", "--concurrency", "--max-retries"}) {
        refused("compliance", {option, "3"}, {option, "a server", "--judge"});
        refused("freeform", {option, "3", "--judge", model_}, {option, "a server", "--judge"});
    }
    refused("compliance", {"--answers", "json"}, {"--answers", "--judge"});
    refused("portrait", {"--input", file("q.jsonl"), "--parts", "generation", "--parse", "greedy"},
            {"--parse greedy", "--parts"});
    expect_failure(run_program({"eval", "--run", file("r"), "pvq", "-m", model_, "--output", file("result.json")}), 2,
                   {"--run", "without pvq"});
    expect_failure(run_program({"explain", "-m", model_, "--neurons", "n.csv", "--corpus", "c", "--output", "o.jsonl",
                                "--concurrency", "2"}),
                   2, {"--concurrency", "--url"});
}

TEST_F(EvalUsage, ANamedVariableHoldsAKey) {
    refused("freeform", {"--judge", unasked, "--api-key-env", "VALUELENS_NO_SUCH_KEY"},
            {"VALUELENS_NO_SUCH_KEY", "is not set"});
    refused("compliance", {"--classifier", unasked, "--classifier-key-env", "VALUELENS_NO_SUCH_KEY"},
            {"VALUELENS_NO_SUCH_KEY", "is not set"});
}

TEST_F(EvalUsage, ANamedConceptSetIsRead) {
    for (const char * name : {"instructions", "diversity", "multiple-choice", "compliance", "pvq"}) {
        refused(name, {"--concepts", file("none.toml")}, {"none.toml"}, 3);
    }
}

TEST_F(EvalUsage, ValuesAreThoseOfTheConceptSetOnceEach) {
    const std::vector<std::string> steer = {"--steer", file("axes.safetensors") + ":{value}/shared", "--values"};
    const auto with_values = [&](const char * values) {
        std::vector<std::string> all = steer;
        all.push_back(values);
        return all;
    };
    refused("pvq", with_values("powr"), {"--values powr", "power, security"}, 2);
    refused("pvq", with_values("power,power"), {"--values power", "twice"});
    refused("leakage", {}, {"leakage", "{value}"});
    refused("leakage", {"--steer", file("axes.safetensors") + ":power/shared"}, {"leakage", "{value}"});
}

TEST_F(EvalUsage, AnInputThatIsNoneIsSaid) {
    std::filesystem::create_directory(folder_ / "inputs");
    write_file(folder_ / "empty", "");
    write_file(folder_ / "empty.jsonl", "");
    refused("pvq", {"--input", file("inputs")}, {"is a folder"}, 3);
    refused("pvq", {"--input", file("empty")}, {"is empty"}, 3);
    refused("pvq", {"--input", file("empty.jsonl")}, {"is empty"}, 3);
    refused("pvq", {"--input", file("q.jsonl") + "x"}, {"q.jsonlx", "cannot be read"}, 3);
}

TEST_F(EvalUsage, InstructionsThatNoAnswerCanFollow) {
    write_file(
        folder_ / "in.jsonl",
        R"({"key": 1, "prompt": "x", "instruction_id_list": ["language:response_language"], "kwargs": [{"language": "klingon"}]})");
    refused("instructions", {"--input", file("in.jsonl")}, {"in.jsonl:1", "klingon", "en, es"}, 3);
    write_file(
        folder_ / "in.jsonl",
        R"({"key": 1, "prompt": "x", "instruction_id_list": ["keywords:letter_frequency"], "kwargs": [{"letter": "ab", "let_relation": "at least", "let_frequency": 2}]})");
    refused("instructions", {"--input", file("in.jsonl")}, {"in.jsonl:1", "\"ab\"", "one character"}, 3);
}

} // namespace
} // namespace valuelens
