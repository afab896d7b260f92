// Explaining through a server, through the program: answers by a rule, a server that is down, nonsense.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/random.h"
#include "cli/program.h"
#include "explain/planted_model.h"
#include "explain/rule_service.h"
#include "support/scripted_server.h"

namespace valuelens {
namespace {

using nlohmann::json;
using test::completion;
using test::ProgramResult;
using test::run_program;
using test::ScriptedServer;
using testing::HasSubstr;

/// What the rule says, as a server says it.
json by_rule(const json & body) {
    ChatRequest request;
    request.messages = {{"user", body["messages"][0]["content"]}};
    const ChatReply reply = test::answer_by_rule(request).reply;
    json first = json::array();
    for (const TokenTextLogprob & entry : reply.first_token) {
        first.push_back({{"token", entry.token}, {"logprob", entry.logprob}});
    }
    return completion(reply.content, "big", first.empty() ? json(nullptr) : first);
}

class ExplainServer : public testing::Test {
protected:
    void SetUp() override {
        Rng rng(4);
        std::string corpus;
        for (int i = 0; i < 120; ++i) {
            std::string text;
            for (int k = 0; k < 30; ++k) {
                text += static_cast<char>('a' + static_cast<char>(rng.below(26)));
            }
            if (i % 5 == 0) {
                text[rng.below(30)] = static_cast<char>('0' + static_cast<char>(rng.below(10)));
            }
            if (i % 5 == 2) {
                text[rng.below(30)] = '!';
            }
            corpus += text + "\n\n";
        }
        write_file(folder_ / "corpus.txt", corpus);
        write_file(folder_ / "neurons.csv",
                   fmt::format("value,layer,expert,neuron,norm,category\ncare,0,,{},2,shared\ncare,0,,{},1,intrinsic\n",
                               test::digit_neuron, test::mark_neuron));
        model_ = test::write_planted_model(folder_ / "m.gguf");
    }

    ProgramResult explain(const std::string & url) const {
        return run_program({"explain",
                            "-m",
                            model_,
                            "--neurons",
                            (folder_ / "neurons.csv").string(),
                            "--corpus",
                            (folder_ / "corpus.txt").string(),
                            "--output",
                            output().string(),
                            "--url",
                            url,
                            "--server-model",
                            "big",
                            "--poles",
                            "positive",
                            "--concurrency",
                            "2",
                            "-t",
                            "1",
                            "--json"});
    }
    std::filesystem::path output() const { return folder_ / "out.jsonl"; }
    std::vector<json> lines() const {
        std::vector<json> all;
        for_each_line(output(), [&](std::string_view line, std::size_t) { all.push_back(json::parse(line)); });
        return all;
    }

    TempFolder folder_;
    std::string model_;
};

TEST_F(ExplainServer, ItsAnswersBecomeExplanationsAndScores) {
    ScriptedServer server(
        [](const json & body, httplib::Response & response, int) { ScriptedServer::answer(response, by_rule(body)); },
        {"big"});
    const ProgramResult result = explain(server.url());
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const json summary = json::parse(result.out);
    EXPECT_EQ(summary["explained"], 2);
    EXPECT_EQ(summary["documents"], 120);
    EXPECT_THAT(summary["explainer"].get<std::string>(), HasSubstr("big on a server"));
    EXPECT_EQ(summary["categories"].size(), 2u);
    const std::vector<json> found = lines();
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0]["explanation"], "digits");
    EXPECT_GT(found[0]["scores"][0]["value"].get<double>(), 0.9);
    EXPECT_GT(found[0]["scores"][1]["value"].get<double>(), 0.9);
    EXPECT_LT(found[0]["scores"][1]["baseline"]["value"].get<double>(), 0.7);
    const json about = json::parse(read_file(folder_ / "out.json"));
    EXPECT_EQ(about["format"], "valuelens-explanations-1");
    const int calls = server.calls();
    EXPECT_EQ(explain(server.url()).exit_code, 0);
    EXPECT_EQ(server.calls(), calls) << "all is there already";
}

TEST_F(ExplainServer, OneWithoutTheModelIsSaidBeforeTheWork) {
    const ScriptedServer server([](const json &, httplib::Response &, int) {}, {"small"});
    const ProgramResult result = explain(server.url());
    EXPECT_EQ(result.exit_code, 5) << result.err;
    EXPECT_THAT(result.last_error_line(), HasSubstr("big"));
    EXPECT_FALSE(std::filesystem::exists(output()));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "out.harvest"));
}

TEST_F(ExplainServer, EmptyAndRejectedAnswersAreRecordedAndTheRestGoesOn) {
    ScriptedServer server(
        [](const json & body, httplib::Response & response, int) {
            const json answer = by_rule(body);
            const std::string said = answer["choices"][0]["message"]["content"];
            if (said == "digits") {
                ScriptedServer::answer(response, completion("", "big"));
            } else if (body["messages"][0]["content"].get<std::string>().find("marked with") != std::string::npos) {
                ScriptedServer::fail(response, 413, "the prompt is too long");
            } else {
                ScriptedServer::answer(response, answer);
            }
        },
        {"big"});
    const ProgramResult result = explain(server.url());
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const std::vector<json> found = lines();
    EXPECT_THAT(found[0]["problem"].get<std::string>(), HasSubstr("empty"));
    EXPECT_EQ(found[1]["scores"][0]["problem"], nullptr);
    EXPECT_THAT(found[1]["scores"][1]["problem"].get<std::string>(), HasSubstr("too long"));
    EXPECT_EQ(json::parse(result.out)["failed"], 1);
    EXPECT_EQ(json::parse(result.out)["unscored"], 1);

    ScriptedServer well(
        [](const json & body, httplib::Response & response, int) { ScriptedServer::answer(response, by_rule(body)); },
        {"big"});
    const ProgramResult again = explain(well.url());
    ASSERT_EQ(again.exit_code, 0) << again.err;
    EXPECT_EQ(json::parse(again.out)["explained"], 2);
    EXPECT_EQ(json::parse(again.out)["unscored"], 0);
}

} // namespace
} // namespace valuelens
