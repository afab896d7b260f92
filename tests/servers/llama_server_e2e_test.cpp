// Generating and judging through llama-server, a server that is not ours: it loads its model while we wait for it, has
// a template engine, a tokenizer and token counts of its own.

#include "servers/llama_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/program.h"
#include "pipeline/small_run.h"
#include "store/activations.h"
#include "store/run_db.h"

namespace valuelens {
namespace {

using nlohmann::json;
using test::LlamaServer;
using test::ProgramResult;
using test::run_program;
using test::SmallRun;
using testing::HasSubstr;

class LlamaServerTest : public testing::Test {
protected:
    void SetUp() override {
        if (std::string(LLAMA_SERVER_BINARY).empty()) {
            GTEST_SKIP() << "llama-server is not built; configure with -DVALUELENS_TEST_LLAMA_SERVER=ON";
        }
        model = test::cached_model("smollm2-135m", "f32");
        if (model.empty()) {
            FAIL() << "smollm2-135m:f32 is not in the cache; make test fetches it";
        }
    }

    /// A run of the small run's texts in this folder, with an F32 model and these sections.
    std::string begin_run(const SmallRun & files, const std::string & name, const std::string & generate,
                          const std::string & judge, const std::string & more = "") const {
        std::filesystem::create_directories(files.folder / name);
        files.write(name + "/config.toml", fmt::format("seed = 3\n[model]\npath = \"{}\"\nthreads = 1\nparallel = 8\n{}"
                                                       "[concepts]\nfile = \"../personas.toml\"\n"
                                                       "[templates]\nfile = \"../templates.jsonl\"\n"
                                                       "[queries]\nfile = \"../queries.jsonl\"\n"
                                                       "[generate]\nmax_tokens = 6\nslice_size = 9\n{}[judge]\n{}",
                                                       model, more, generate, judge));
        return (files.folder / name).string();
    }
    static std::map<std::string, ResponseRow> responses(const std::filesystem::path & run) {
        const RunDb db(run / "run.sqlite", RunDbMode::read_only);
        std::map<std::string, ResponseRow> rows;
        db.for_each_response({}, [&](const ResponseRow & row) { rows[row.id] = row; });
        return rows;
    }

    std::string model;
};

TEST_F(LlamaServerTest, ARunGeneratesAndJudgesThere) {
    const LlamaServer server(model, "subject");
    const SmallRun files;
    const std::string there = fmt::format("url = \"{}\"\n", server.url());
    const std::string local = begin_run(files, "local", "", "");
    const std::string served =
        begin_run(files, "served", "source = \"server\"\n" + there, "kind = \"server\"\n" + there);

    const ProgramResult written_here = run_program({"generate", "--run", local});
    ASSERT_EQ(written_here.exit_code, 0) << written_here.err;
    const ProgramResult written_there = run_program({"generate", "--run", served});
    ASSERT_EQ(written_there.exit_code, 0) << written_there.err;
    EXPECT_THAT(written_there.err, HasSubstr("generate: the server is asked: 18 requests"));
    EXPECT_THAT(written_there.err, testing::Not(HasSubstr("left out")));
    const ProgramResult judged = run_program({"judge", "--run", served, "--json"});
    ASSERT_EQ(judged.exit_code, 0) << judged.err;
    EXPECT_THAT(judged.err, HasSubstr("judge: subject is asked: 26 requests")); // 24 pairs, 2 about an empty text
    EXPECT_THAT(json::parse(judged.out)["judge"].get<std::string>(), HasSubstr("asked subject on a server 'Yes'/'No'"));

    // Greedy and in F32, the server writes what the local engine writes, but for a token on the edge.
    const std::map<std::string, ResponseRow> here = responses(local);
    const std::map<std::string, ResponseRow> rows = responses(served);
    ASSERT_EQ(rows.size(), 18u);
    std::size_t same = 0;
    for (const auto & [id, row] : rows) {
        EXPECT_EQ(row.prompt, here.at(id).prompt);
        EXPECT_FALSE(row.tokens.empty());
        EXPECT_LE(row.tokens.size(), 7u); // tokenized anew, it may be one more than max_tokens
        EXPECT_LT(row.logprob_sum, 0);
        same += row.text == here.at(id).text ? 1 : 0;
    }
    EXPECT_GE(same, 15u);

    // Where the tokens are the same, what was captured by reading is what was captured by writing.
    const auto activations = [](const std::filesystem::path & run) {
        return ActivationReader(
            {run / "activations" / "shard-00000.safetensors", run / "activations" / "shard-00001.safetensors"});
    };
    const ActivationReader written = activations(local);
    const ActivationReader read = activations(served);
    std::vector<float> row(read.shape().n_layer * read.shape().n_embd);
    std::vector<float> local_row(row.size());
    std::size_t compared = 0;
    for (const auto & [id, served_row] : rows) {
        if (served_row.tokens != here.at(id).tokens) {
            continue;
        }
        read.read(*read.find(id), row);
        written.read(*written.find(id), local_row);
        double error = 0;
        double size = 0;
        for (std::size_t i = 0; i < row.size(); ++i) {
            error += std::pow(row[i] - local_row[i], 2);
            size += std::pow(local_row[i], 2);
        }
        EXPECT_LT(std::sqrt(error / size), 1e-4) << id; // the noise between batches (docs/reproducibility.md)
        ++compared;
    }
    EXPECT_GE(compared, 12u);

    const RunDb db(std::filesystem::path(served) / "run.sqlite", RunDbMode::read_only);
    EXPECT_EQ(db.counts().no_opinion, 0u);
    EXPECT_EQ(db.labels().size(), 6u * 4);
}

TEST_F(LlamaServerTest, AnotherChatTemplateIsFoundByTheNumberOfTokens) {
    const LlamaServer server(model, "subject");
    const SmallRun files;
    const std::string run = begin_run(
        files, "served", fmt::format("source = \"server\"\nurl = \"{}\"\n", server.url()), "",
        "chat_template = \"{% for m in messages %}{{ m.role }}: {{ m.content }}\\n{% endfor %}assistant:\"\n");
    const ProgramResult result = run_program({"generate", "--run", run});
    EXPECT_EQ(result.exit_code, 5) << result.err;
    EXPECT_THAT(result.last_error_line(), HasSubstr("there, "));
    EXPECT_THAT(result.last_error_line(), HasSubstr(" here"));
    EXPECT_TRUE(responses(run).empty());
}

TEST_F(LlamaServerTest, AJudgeIsMeasuredInBothWaysOfAnswering) {
    const LlamaServer server(model, "judge");
    const SmallRun files;
    std::string texts;
    for (int i = 0; i < 8; ++i) {
        texts += json({{"text", i % 2 == 0 ? "Come in, have some tea." : "Hoist the sails, lads!"},
                       {"labels", {{"grandparent", i % 2 == 0}, {"pirate", i % 2 == 1}}}})
                     .dump() +
                 "\n";
    }
    files.write("texts.jsonl", texts);
    for (const char * answers : {"logprobs", "json"}) {
        const ProgramResult result =
            run_program({"judge-check", "--judge", "server", "--url", server.url(), "--answers", answers, "--labelled",
                         (files.folder / "texts.jsonl").string(), "--concepts",
                         (files.folder / "personas.toml").string(), "--json"});
        ASSERT_EQ(result.exit_code, 0) << result.err;
        const json check = json::parse(result.out);
        EXPECT_THAT(check["judge"].get<std::string>(), HasSubstr("asked judge on a server")) << answers;
        for (const json & value : check["values"]) {
            EXPECT_EQ(
                value["n_positive"].get<int>() + value["n_negative"].get<int>() + value["n_no_opinion"].get<int>(), 8)
                << answers;
            EXPECT_EQ(value["n_no_opinion"], 0) << answers; // the server makes it write the object
        }
    }
    const ProgramResult wrong = run_program(
        {"judge-check", "--judge", "server", "--url", server.url(), "--server-model", "another", "--labelled",
         (files.folder / "texts.jsonl").string(), "--concepts", (files.folder / "personas.toml").string()});
    EXPECT_EQ(wrong.exit_code, 5);
    EXPECT_THAT(wrong.last_error_line(), HasSubstr("does not have the model 'another' but judge"));
}

} // namespace
} // namespace valuelens
