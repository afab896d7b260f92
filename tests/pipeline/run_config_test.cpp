#include "valuelens/run_config.h"

#include <gtest/gtest.h>

#include "concepts/files.h"
#include "support/expect_error.h"

namespace valuelens {
namespace {

class RunConfigFile : public testing::Test {
protected:
    RunConfig load(const std::string & toml) { return load_run_config(folder.write("c.toml", toml)); }

    void expect_bad(const std::string & toml, std::vector<std::string> words) {
        words.push_back("c.toml");
        expect_error(ErrorKind::usage, words, [&] { load(toml); });
    }

    FileFolder folder;
};

/// A config in which no key has its default.
const std::string every_key = R"(seed = 7
[model]
path = "qwen2.5-coder-0.5b-instruct:bf16"
threads = 3
n_gpu_layers = 0
ctx_size = 512
parallel = 4
kv_type = "q8_0"
chat_template = "{{ \"quoted\" }}\n\ttext\\"
chat_template_kwargs = '{"enable_thinking": true}'
date = "2031-01-02"
[concepts]
file = "/c.toml"
[templates]
file = "/t.jsonl"
[queries]
file = "/q.jsonl"
format = "lmsys"
limit = 5
sample = true
language = "English"
[generate]
max_tokens = 9
temperature = 0.75
top_k = 40
top_p = 0.9
min_p = 0.05
activations = "f16"
slice_size = 16
source = "server"
url = "http://127.0.0.1:1/v1"
server_model = "m"
api_key_env = "OTHER_KEY"
concurrency = 2
timeout_s = 1.5
max_retries = 3
price_prompt = 0.5
price_completion = 1.5
[judge]
kind = "file"
probe = "smollm2-135m"
model = "gemma3-270m"
prompt = "/p.toml"
prior = "training"
file = "/l.jsonl"
check = "/touche"
parallel = 2
undecided_low = 0.25
undecided_high = 0.75
answers = "json"
answer_tokens = 500
url = "http://127.0.0.1:1/v1"
server_model = "m"
api_key_env = "OTHER_KEY"
concurrency = 2
timeout_s = 1.5
max_retries = 3
price_prompt = 0.5
price_completion = 1.5
[vectors]
min_count = 2
held_out = 0.5
bootstraps = 10
confidence = 0.9
[decompose]
normalize = true
layers = "3-5"
permutations = 99
null_draws = 7
[neurons]
top_percent = 2.5
max_angle = 20.0
scope = "layer"
anti_shared = true
null_draws = 3
[evaluate]
evaluations = "pvq,diversity"
directions = "shared"
values = "power"
alphas = "2,4"
unit = "resid"
layers = "3-5"
languages = "ko"
questionnaire = "/s.jsonl"
key = "pvq40"
portrait = "/v.json"
instructions = "/i.jsonl"
queries = "/e.jsonl"
limit = 5
bootstraps = 10
[evaluate_written]
directions = "compliance"
values = "security"
alphas = "8"
limit = 3
samples = 2
block = 7
max_tokens = 16
embedding_model = "/m.gguf"
dilemmas = "/d.jsonl"
requests = "/r.csv"
benign = "/b.jsonl"
defend = true
model = "/j.gguf"
answers = "json"
url = "http://127.0.0.1:3/v1"
server_model = "j"
api_key_env = "J_KEY"
concurrency = 3
timeout_s = 30.0
max_retries = 1
price_prompt = 1.0
price_completion = 2.0
)";

TEST_F(RunConfigFile, DefaultsAndValuesComeBackFromToml) {
    const RunConfig defaults;
    EXPECT_EQ(to_toml(load("")), to_toml(defaults));
    EXPECT_EQ(to_toml(load(to_toml(defaults))), to_toml(defaults));
    const RunConfig all = load(every_key);
    EXPECT_EQ(all.chat_template, "{{ \"quoted\" }}\n\ttext\\");
    EXPECT_EQ(all.temperature, 0.75);
    EXPECT_EQ(all.queries_sample, true);
    EXPECT_EQ(all.undecided_high, 0.75);
    EXPECT_EQ(to_toml(load(to_toml(all))), to_toml(all));
}

TEST_F(RunConfigFile, EveryKeyIsCoveredHere) {
    const auto value_lines = [](const std::string & toml) {
        std::vector<std::string> lines;
        std::stringstream stream(toml);
        for (std::string line; std::getline(stream, line);) {
            if (line.find(" = ") != std::string::npos) {
                lines.push_back(line.substr(0, line.find(" #")));
            }
        }
        return lines;
    };
    const std::vector<std::string> set = value_lines(to_toml(load(every_key)));
    const std::vector<std::string> defaults = value_lines(to_toml(RunConfig()));
    ASSERT_EQ(set.size(), defaults.size());
    for (std::size_t i = 0; i < set.size(); ++i) {
        EXPECT_NE(set[i], defaults[i]) << "the config of this test leaves it at its default";
    }
}

TEST_F(RunConfigFile, UnknownKeysAreNamedWithTheirLine) {
    expect_bad("seed = 1\nsede = 2\n", {"c.toml:2", "'sede'", "unknown key"});
    expect_bad("[model]\npath = \"m\"\nthread = 2\n", {"c.toml:3", "'model.thread'", "unknown key"});
    expect_bad("[modle]\npath = \"m\"\n", {"c.toml:1", "'modle'", "unknown key"});
    expect_bad("[model.path]\nx = 1\n", {"c.toml:1", "model.path"});
}

TEST_F(RunConfigFile, WrongTypesAreNamedWithTheirLine) {
    expect_bad("seed = \"1\"\n", {"c.toml:1", "seed", "an integer"});
    expect_bad("\n[generate]\nmax_tokens = 1.5\n", {"c.toml:3", "generate.max_tokens", "an integer"});
    expect_bad("[generate]\ntemperature = \"hot\"\n", {"c.toml:2", "generate.temperature", "a number"});
    expect_bad("[queries]\nsample = 1\n", {"c.toml:2", "queries.sample", "true or false"});
    expect_bad("[model]\npath = 5\n", {"c.toml:2", "model.path", "text in quotes"});
    expect_bad("model = \"m\"\n", {"c.toml:1", "model", "[model]"});
    EXPECT_EQ(load("[generate]\ntemperature = 1\n").temperature, 1.0) << "a whole number is a number";
}

TEST_F(RunConfigFile, ValuesOutOfRangeAreNamedWithTheirLine) {
    expect_bad("seed = -1\n", {"c.toml:1", "seed", "at least 0"});
    expect_bad("[model]\nparallel = 0\n", {"c.toml:2", "model.parallel", "from 1 to 256"});
    expect_bad("[generate]\nmax_tokens = 0\n", {"c.toml:2", "generate.max_tokens", "at least 1"});
    expect_bad("[generate]\ntop_p = 1.1\n", {"c.toml:2", "generate.top_p", "from 0 to 1"});
    expect_bad("[generate]\ntemperature = nan\n", {"c.toml:2", "generate.temperature"});
    expect_bad("[judge]\nundecided_low = 0.7\nundecided_high = 0.6\n", {"judge.undecided_low", "judge.undecided_high"});
}

TEST_F(RunConfigFile, WordsMustBeOneOfTheList) {
    expect_bad("[judge]\nkind = \"oracle\"\n", {"c.toml:2", "judge.kind", "probe", "dictionary", "'oracle'"});
    expect_bad("[generate]\nactivations = \"f64\"\n", {"c.toml:2", "generate.activations", "f16", "'f64'"});
    expect_bad("[queries]\nformat = \"csv\"\n", {"c.toml:2", "queries.format", "sharegpt", "'csv'"});
    expect_bad("[model]\nkv_type = \"q3\"\n", {"c.toml:2", "model.kv_type", "q8_0", "'q3'"});
    expect_bad("[judge]\nprior = \"none\"\n", {"c.toml:2", "judge.prior", "balanced", "'none'"});
}

TEST_F(RunConfigFile, WhatIsNoTomlIsNamedWithItsLine) {
    expect_bad("seed = 1\nseed = 2\n", {"c.toml:2"});
    expect_bad("seed = \n", {"c.toml:1"});
    expect_error(ErrorKind::bad_input, {"none.toml"}, [&] { load_run_config(folder / "none.toml"); });
}

TEST_F(RunConfigFile, PathsAreRelativeToTheConfigsFolder) {
    folder.write("q.txt", "Hi?\n");
    folder.write("m.gguf", "");
    const RunConfig config = load(
        "[model]\npath = \"m.gguf\"\n[queries]\nfile = \"q.txt\"\n[judge]\nmodel = \"qwen2.5-coder-0.5b-instruct\"\n");
    EXPECT_EQ(config.queries_file, (folder / "q.txt").string());
    EXPECT_EQ(config.model, (folder / "m.gguf").string());
    EXPECT_EQ(config.judge_model, "qwen2.5-coder-0.5b-instruct") << "a name of the catalogue is no path";
    EXPECT_EQ(load("[queries]\nfile = \"/abs/q.txt\"\n").queries_file, "/abs/q.txt");
    // Nowhere: taken from the working directory, where the person who typed it will look.
    EXPECT_EQ(load("[queries]\nfile = \"none.txt\"\n").queries_file,
              (std::filesystem::current_path() / "none.txt").string());
}

TEST_F(RunConfigFile, AConfigOfARunMeansTheSameFromElsewhere) {
    folder.write("q.txt", "Hi?\n");
    const std::string written = to_toml(load("[queries]\nfile = \"q.txt\"\n"));
    const FileFolder elsewhere;
    EXPECT_EQ(load_run_config(elsewhere.write("config.toml", written)).queries_file, (folder / "q.txt").string());
}

TEST_F(RunConfigFile, FrozenDifferencesNameTheKeysWithBothValues) {
    const RunConfig before;
    EXPECT_TRUE(frozen_differences(before, before).empty());
    RunConfig now;
    now.seed = 5;
    now.max_tokens = 64;
    now.judge_kind = "ask";
    EXPECT_EQ(frozen_differences(before, now),
              (std::vector<std::string>{"seed (was 0, now 5)", "generate.max_tokens (was 128, now 64)",
                                        "judge.kind (was \"probe\", now \"ask\")"}));
}

TEST_F(RunConfigFile, LabelsThatAreDecidedAtTheEndNeedActivations) {
    expect_error(ErrorKind::usage, {"c.toml", "generate.activations", "judge.prior", "balanced"},
                 [&] { load("[generate]\nactivations = \"none\"\n"); });
    EXPECT_EQ(load("[generate]\nactivations = \"none\"\n[judge]\nprior = \"balanced\"\n").activations, "none");
    EXPECT_EQ(load("[generate]\nactivations = \"none\"\n[judge]\nkind = \"file\"\n").activations, "none");
}

TEST_F(RunConfigFile, AServersModelStaysWhereverItIs) {
    RunConfig now;
    now.judge_server.model = "a";
    now.generate_server.model = "b";
    EXPECT_EQ(frozen_differences(RunConfig(), now),
              (std::vector<std::string>{"generate.server_model (was \"\", now \"b\")",
                                        "judge.server_model (was \"\", now \"a\")"}));
}

TEST_F(RunConfigFile, AddressesAreReadAtOnce) {
    for (const char * section : {"generate", "judge", "evaluate_written"}) {
        expect_error(ErrorKind::usage, {"c.toml", std::string(section) + ".url", "1 to 65535"},
                     [&] { load("[" + std::string(section) + "]\nurl = \"http://127.0.0.1:99999/v1\"\n"); });
    }
}

TEST_F(RunConfigFile, AnOptionOutOfRangeIsSaidWithoutALine) {
    RunConfig config;
    config.parallel = 0;
    try {
        parse_run_config(to_toml(config), "", ".");
        FAIL() << "nothing was thrown";
    } catch (const Error & error) {
        EXPECT_STREQ(error.what(), "command line: model.parallel must be from 1 to 256");
    }
}

TEST_F(RunConfigFile, WhatChangesNoResultMayChange) {
    RunConfig now;
    now.model = "/elsewhere/m.gguf";
    now.threads = 5;
    now.n_gpu_layers = 0;
    now.min_count = 2;
    now.bootstraps = 0;
    now.judge_server = {"http://elsewhere", "", "KEY", 3, 5, 1, 2, 3};
    now.generate_server.url = "http://elsewhere";
    EXPECT_TRUE(frozen_differences(RunConfig(), now).empty());
}

} // namespace
} // namespace valuelens
