// Judging through a server, through the program: a server that fails on the way, and batches.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "pipeline/small_run.h"
#include "store/run_db.h"
#include "support/scripted_server.h"

namespace valuelens {
namespace {

using nlohmann::json;
using test::completion;
using test::ProgramResult;
using test::run_program;
using test::ScriptedServer;
using test::SmallRun;
using testing::HasSubstr;

/// Undecided about an empty text; sure of any other. Of the texts that it meets for a value, two express it, the next
/// two do not, and so on, whatever the model wrote: an intrinsic and a prompted response take turns.
json opinion(const json & body) {
    static std::map<std::string, std::map<std::string, bool>> known; // by what follows the text, then by text
    const std::string asked = body["messages"][0]["content"];
    double p = 0.5;
    if (asked.find("<>") == std::string::npos) {
        std::map<std::string, bool> & texts = known[asked.substr(asked.rfind('>'))];
        p = texts.emplace(asked, texts.size() / 2 % 2 == 0).first->second ? 0.9 : 0.1;
    }
    return completion("Yes", "big",
                      {{{"token", "Yes"}, {"logprob", std::log(p)}}, {{"token", "No"}, {"logprob", std::log(1 - p)}}});
}

class ServersTest : public testing::Test {
protected:
    void SetUp() override {
        if (!SmallRun::has_model()) {
            FAIL() << "smollm2-135m:bf16 is not in the cache; make test fetches it";
        }
        ::setenv("VALUELENS_API_KEY", "secret-0123456789", 1);
        files.write("prompt.toml", "user = \"<{text}> {value}?\"\n");
    }
    void TearDown() override { ::unsetenv("VALUELENS_API_KEY"); }

    void write_config(const std::string & url) const {
        files.write("served.toml",
                    fmt::format("seed = 3\n[model]\npath = \"smollm2-135m:bf16\"\nthreads = 1\nparallel = 8\n"
                                "[concepts]\nfile = \"personas.toml\"\n[templates]\nfile = \"templates.jsonl\"\n"
                                "[queries]\nfile = \"queries.jsonl\"\n[generate]\nmax_tokens = 6\nslice_size = 6\n"
                                "[judge]\nkind = \"server\"\nurl = \"{}\"\nserver_model = \"big\"\n"
                                "prompt = \"prompt.toml\"\nprior = \"balanced\"\nmax_retries = 0\nconcurrency = 1\n"
                                "[vectors]\nmin_count = 1\nbootstraps = 20\n",
                                url));
    }
    ProgramResult run() const {
        return run_program({"run", (files.folder / "served.toml").string(), "--run", files.run().string()});
    }
    RunCounts counts() const { return RunDb(files.run() / "run.sqlite", RunDbMode::read_only).counts(); }

    SmallRun files;
};

// Three slices of two queries: 8 pairs each. Each opening of the judge puts one question, the first slice two more
// about the empty text.
TEST_F(ServersTest, AFailingServerLosesNoAnswerAndTheSameCommandGoesOn) {
    ScriptedServer ill(
        [](const json & body, httplib::Response & response, int call) {
            call < 2 + 2 + 8 + 3 ? ScriptedServer::answer(response, opinion(body))
                                 : ScriptedServer::fail(response, 500, "no more, secret-0123456789");
        },
        {"big", "small"});
    write_config(ill.url());
    const ProgramResult failed = run();
    EXPECT_EQ(failed.exit_code, 5) << failed.err;
    EXPECT_THAT(failed.last_error_line(), HasSubstr("HTTP 500"));
    EXPECT_THAT(failed.err, testing::Not(HasSubstr("secret")));
    EXPECT_EQ(ill.authorization(), "Bearer secret-0123456789");
    EXPECT_EQ(counts().slices, 3u);
    EXPECT_EQ(counts().judge_slices, 1u);
    EXPECT_EQ(counts().labels, 8u);

    // One that says nothing is not waited for when the user has enough.
    {
        ScriptedServer * self = nullptr;
        ScriptedServer silent(
            [&](const json & body, httplib::Response & response, int call) {
                if (call >= 2) {
                    self->hang();
                }
                ScriptedServer::answer(response, opinion(body));
            },
            {"big"});
        self = &silent;
        write_config(silent.url());
        const test::Program program({"run", (files.folder / "served.toml").string(), "--run", files.run().string()});
        while (silent.calls() < 3) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        program.signal(SIGINT);
        EXPECT_EQ(program.wait().exit_code, 6);
        EXPECT_EQ(counts().judge_slices, 1u);
    }

    // Another address is not another judge.
    ScriptedServer well(
        [](const json & body, httplib::Response & response, int) { ScriptedServer::answer(response, opinion(body)); },
        {"big"});
    write_config(well.url());
    const ProgramResult done = run();
    EXPECT_EQ(done.exit_code, 0) << done.err;
    EXPECT_EQ(well.calls(), 2 + 2 + 16 - 3); // three of the second slice were answered before
    EXPECT_THAT(done.err, HasSubstr("3 answers of the server were kept"));
    EXPECT_FALSE(std::filesystem::exists(files.run() / "judge-answers.jsonl"));
    EXPECT_EQ(counts().labels, 24u);
    EXPECT_EQ(counts().expressing + counts().not_expressing, 24u);
    EXPECT_EQ(counts().no_opinion, 0u);
    EXPECT_TRUE(std::filesystem::exists(files.run() / "vectors.safetensors"));
    for (const char * file : {"config.toml", "run.sqlite"}) {
        EXPECT_EQ(read_file(files.run() / file).find("secret"), std::string::npos) << file;
    }
}

TEST_F(ServersTest, AServerThatIsNotThereIsNoticedBeforeAnythingIsGenerated) {
    std::string url;
    {
        ScriptedServer gone([](const json &, httplib::Response &, int) {});
        url = gone.url();
    }
    write_config(url);
    const ProgramResult result = run();
    EXPECT_EQ(result.exit_code, 5);
    EXPECT_THAT(result.last_error_line(), HasSubstr("cannot be reached"));
    EXPECT_EQ(counts().slices, 0u);
}

TEST_F(ServersTest, ABatchIsExportedAnsweredAndImported) {
    ScriptedServer server(
        [](const json & body, httplib::Response & response, int call) {
            call < 1 ? ScriptedServer::answer(response, opinion(body)) : ScriptedServer::fail(response, 401, "expired");
        },
        {"big"});
    write_config(server.url());
    ASSERT_EQ(run().exit_code, 5); // all is generated, nothing judged
    ASSERT_EQ(counts().slices, 3u);
    ASSERT_EQ(counts().labels, 0u);

    const std::string requests = (files.folder / "requests.jsonl").string();
    const ProgramResult exported =
        run_program({"judge", "export", "--run", files.run().string(), "--output", requests, "--json"});
    ASSERT_EQ(exported.exit_code, 0) << exported.err;
    EXPECT_EQ(json::parse(exported.out)["requests"], 2 + 24);

    std::string whole;
    std::string part;
    for_each_line(requests, [&](std::string_view line, std::size_t number) {
        const json request = json::parse(line);
        EXPECT_EQ(request["body"]["model"], "big");
        const json result = {{"custom_id", request["custom_id"]},
                             {"response", {{"status_code", 200}, {"body", opinion(request["body"])}}},
                             {"error", nullptr}};
        whole += result.dump() + "\n";
        part += number == 20 ? "" : result.dump() + "\n";
    });
    files.write("whole.jsonl", whole);
    files.write("part.jsonl", part);
    const auto import = [&](const char * file, const std::vector<std::string> & more = {}) {
        std::vector<std::string> words = {
            "judge", "import", "--run", files.run().string(), "--json", "--input", (files.folder / file).string()};
        words.insert(words.end(), more.begin(), more.end());
        return run_program(words);
    };
    const ProgramResult partly = import("part.jsonl");
    ASSERT_EQ(partly.exit_code, 0) << partly.err;
    EXPECT_EQ(json::parse(partly.out)["missing"], 1);
    EXPECT_EQ(json::parse(partly.out)["slices_left"], 1);
    EXPECT_EQ(counts().labels, 16u);

    const ProgramResult imported = import("whole.jsonl");
    ASSERT_EQ(imported.exit_code, 0) << imported.err;
    EXPECT_EQ(json::parse(imported.out)["labels"], 8);
    EXPECT_EQ(json::parse(imported.out)["unexpected"], 16);
    EXPECT_EQ(counts().labels, 24u);
    EXPECT_EQ(counts().expressing + counts().not_expressing, 24u);

    EXPECT_EQ(import("whole.jsonl").exit_code, 3); // nothing is left to label
    EXPECT_EQ(import("whole.jsonl", {"--rejudge"}).exit_code, 0);
    EXPECT_EQ(counts().labels, 24u);

    // The run goes on with what was imported, and asks nobody.
    const ProgramResult done = run();
    EXPECT_EQ(done.exit_code, 0) << done.err;
    EXPECT_TRUE(std::filesystem::exists(files.run() / "vectors.safetensors"));
}

TEST_F(ServersTest, WrongUseIsSaid) {
    const auto expect_usage = [](const std::vector<std::string> & arguments, const char * words) {
        const ProgramResult result = run_program(arguments);
        EXPECT_EQ(result.exit_code, 2) << result.err;
        EXPECT_THAT(result.last_error_line(), HasSubstr(words));
    };
    expect_usage({"judge"}, "--run is required");
    expect_usage({"judge", "export", "--run", "x"}, "--output is required");
    write_config("not an address");
    const std::string config = (files.folder / "served.toml").string();
    expect_usage({"run", config, "--run", files.run().string()}, "judge.url");
    write_config("http://127.0.0.1:1/v1\"\napi_key_env = \"sk-my-key");
    expect_usage({"run", config, "--run", files.run().string()}, "api_key_env must be the name");
}

} // namespace
} // namespace valuelens
