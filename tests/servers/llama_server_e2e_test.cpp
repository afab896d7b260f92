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
            GTEST_SKIP() << "smollm2-135m:f32 is not in the cache; make test fetches it";
        }
    }

    /// The small run's texts, with an F32 model and these sections.
    void write_config(const SmallRun & files, const std::string & name, const std::string & generate,
                      const std::string & judge, const std::string & more = "") const {
        files.write(name, fmt::format("seed = 3\n[model]\npath = \"{}\"\nthreads = 1\nparallel = 8\n{}"
                                      "[concepts]\nfile = \"personas.toml\"\n"
                                      "[templates]\nfile = \"templates.jsonl\"\n"
                                      "[queries]\nfile = \"queries.jsonl\"\n"
                                      "[generate]\nmax_tokens = 6\nslice_size = 9\n{}"
                                      "[judge]\n{}"
                                      "[vectors]\nmin_count = 1\nbootstraps = 20\n",
                                      model, more, generate, judge));
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
    write_config(files, "local.toml", "", "kind = \"file\"\nfile = \"labels.jsonl\"\n");
    write_config(files, "served.toml", "source = \"server\"\n" + there, "kind = \"server\"\n" + there);

    const ProgramResult local =
        run_program({"run", (files.folder / "local.toml").string(), "--run", (files.folder / "local").string()});
    ASSERT_EQ(local.exit_code, 0) << local.err;
    const ProgramResult served =
        run_program({"run", (files.folder / "served.toml").string(), "--run", files.run().string(), "--json"});
    ASSERT_EQ(served.exit_code, 0) << served.err;
    EXPECT_THAT(served.err, HasSubstr("judge: subject is asked: "));
    EXPECT_THAT(served.err, HasSubstr("generate: the server is asked: 18 requests"));
    EXPECT_THAT(served.err, testing::Not(HasSubstr("left out")));
    EXPECT_THAT(json::parse(served.out)["judge"].get<std::string>(), HasSubstr("asked subject on a server 'Yes'/'No'"));

    // Greedy and in F32, the server writes what the local engine writes, but for a token on the edge.
    const std::map<std::string, ResponseRow> here = responses(files.folder / "local");
    const std::map<std::string, ResponseRow> rows = responses(files.run());
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
    const ActivationReader written = activations(files.folder / "local");
    const ActivationReader read = activations(files.run());
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

    const RunDb db(files.run() / "run.sqlite", RunDbMode::read_only);
    EXPECT_EQ(db.counts().no_opinion, 0u);
    EXPECT_EQ(db.labels().size(), 6u * 4);
    EXPECT_TRUE(std::filesystem::exists(files.run() / "vectors.safetensors"));
}

TEST_F(LlamaServerTest, AnotherChatTemplateIsFoundByTheNumberOfTokens) {
    const LlamaServer server(model, "subject");
    const SmallRun files;
    write_config(files, "served.toml", fmt::format("source = \"server\"\nurl = \"{}\"\n", server.url()),
                 "kind = \"file\"\nfile = \"labels.jsonl\"\n",
                 "chat_template = \"{% for m in messages %}{{ m.role }}: {{ m.content }}\\n{% endfor %}assistant:\"\n");
    const ProgramResult result =
        run_program({"run", (files.folder / "served.toml").string(), "--run", files.run().string()});
    EXPECT_EQ(result.exit_code, 5) << result.err;
    EXPECT_THAT(result.last_error_line(), HasSubstr("there, "));
    EXPECT_THAT(result.last_error_line(), HasSubstr(" here"));
    EXPECT_TRUE(responses(files.run()).empty());
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
