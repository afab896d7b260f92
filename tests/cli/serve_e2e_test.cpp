// The program as a server, driven by clients that are not ours.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "serve/steering_files.h"
#include "support/golden.h"

namespace valuelens::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr const char * client_version = "openai==3.57.0";

class ServeProgram : public testing::Test {
protected:
    void SetUp() override {
        model = cached_model("smollm2-135m", "f32");
        ASSERT_FALSE(model.empty()) << "smollm2-135m-f32 is not in the cache: `make test` fetches it";
        std::filesystem::create_directory(folder / "sources");
        write_axes(folder / "sources" / "axes.safetensors", read_model_info(model));
    }
    void TearDown() override {
        if (server) {
            server->signal(SIGKILL);
            server->wait();
        }
    }

    void start(const std::vector<std::string> & more) {
        std::vector<std::string> arguments = {
            "serve", "-m", model, "--port", "0", "--sources", (folder / "sources").string()};
        arguments.insert(arguments.end(), more.begin(), more.end());
        server = std::make_unique<Program>(arguments);
        ASSERT_TRUE(server->wait_for_error_output("Ctrl-C ends it")) << server->error_output();
        const std::string said = server->error_output();
        const std::string before = "at http://127.0.0.1:";
        port = said.substr(said.find(before) + before.size());
        port = port.substr(0, port.find(' '));
    }

    ProgramResult end() {
        server->signal(SIGTERM);
        const ProgramResult result = server->wait();
        server.reset();
        return result;
    }

    /// Runs a script with Python; its output, or nothing where it failed.
    std::string python(const std::string & script, const std::vector<std::string> & arguments,
                       const std::string & environment = "") {
        std::string command =
            environment + " python3 '" + std::string(VALUELENS_SOURCE_DIR) + "/tests/cli/clients/" + script + "'";
        for (const std::string & argument : arguments) {
            command += " '" + argument + "'";
        }
        command += " > '" + (folder / "out").string() + "' 2> '" + (folder / "err").string() + "'";
        const int status = std::system(command.c_str());
        EXPECT_EQ(status, 0) << read_file(folder / "out") << read_file(folder / "err");
        return read_file(folder / "out");
    }

    TempFolder folder;
    std::string model;
    std::string port;
    std::unique_ptr<Program> server;
};

/// Where OpenAI's client lies, installed beside the models where it is not yet; empty where pip cannot get it.
std::string openai_client() {
    const std::filesystem::path home = cache_home() / "python" / client_version;
    if (!std::filesystem::exists(home / "complete")) {
        std::printf("installing %s into %s\n", client_version, home.c_str());
        std::fflush(stdout);
        const std::string install = "python3 -m pip install --quiet --disable-pip-version-check --no-warn-conflicts "
                                    "--target '" +
                                    home.string() + "' '" + client_version + "' && touch '" +
                                    (home / "complete").string() + "'";
        if (std::system(install.c_str()) != 0) {
            return {};
        }
    }
    return home.string();
}

TEST_F(ServeProgram, OpenAisOwnClientDrivesIt) {
    const std::string home = openai_client();
    if (home.empty()) {
        GTEST_SKIP() << "*** NOT TESTED: pip cannot install " << client_version
                     << ", so the official client did not drive the server ***";
    }
    ::setenv("VALUELENS_API_KEY", "an-e2e-secret", 1);
    start({"--parallel", "4", "--ctx-size", "512", "-v"});
    ::unsetenv("VALUELENS_API_KEY");
    const std::string out =
        python("openai_client.py", {"http://127.0.0.1:" + port + "/v1", "an-e2e-secret"}, "PYTHONPATH='" + home + "'");
    EXPECT_THAT(out, HasSubstr("ok an_async_client"));
    const ProgramResult result = end();
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err.find("an-e2e-secret"), std::string::npos) << "the key is in the log";
}

// Bounded in count: 64 clients, three requests each.
TEST_F(ServeProgram, SixtyFourClientsLoseNothingAndMemoryStaysFlat) {
    start({"--parallel", "8", "--ctx-size", "256", "--queue", "40"});
    const json result = json::parse(python("load.py", {port, "64", "3"}));
    EXPECT_EQ(result["right"], 64 * 3) << result.dump();
    EXPECT_TRUE(result["wrong"].empty()) << result.dump();
    EXPECT_GT(result["told_to_wait"], 0) << "64 clients do not fit 8 slots and a queue of 40";
    EXPECT_LT(result["memory_last"].get<double>(), 1.05 * result["memory_first"].get<double>()) << result.dump();
    server->signal(SIGINT);
    const ProgramResult ended = server->wait();
    server.reset();
    EXPECT_EQ(ended.exit_code, 0);
    EXPECT_THAT(ended.out, HasSubstr("0 failed"));
}

TEST_F(ServeProgram, TheRequestsAreCountedWhenItEnds) {
    start({"--parallel", "2", "--ctx-size", "256", "--json"});
    const ProgramResult result = end();
    EXPECT_EQ(result.exit_code, 0) << result.err;
    const json counts = json::parse(result.out);
    EXPECT_EQ(counts["port"], std::stoi(port));
    EXPECT_EQ(counts["finished"], 0);
    EXPECT_THAT(result.err, HasSubstr("127.0.0.1")) << "bound to the loopback unless told otherwise";
}

TEST_F(ServeProgram, WrongOptionsAreSaidBeforeTheModelIsLoaded) {
    const auto refused = [&](int code, const std::string & words, std::vector<std::string> more) {
        std::vector<std::string> arguments = {"serve", "-m", model};
        if (more.front() != "--port") {
            arguments.insert(arguments.end(), {"--port", "0"});
        }
        arguments.insert(arguments.end(), more.begin(), more.end());
        const ProgramResult result = run_program(arguments);
        EXPECT_EQ(result.exit_code, code) << result.err;
        EXPECT_THAT(result.last_error_line(), HasSubstr(words));
    };
    refused(3, "is no folder to take directions", {"--sources", (folder / "nothing").string()});
    refused(2, "need --monitor FILE", {"--defend", "all"});
    refused(2, "needs --thresholds FILE",
            {"--monitor", (folder / "sources/axes.safetensors").string(), "--defend", "flagged"});
    refused(2, "--api-key) is empty", {"--api-key", ""});
    refused(2, "--watch-layers x",
            {"--monitor", (folder / "sources/axes.safetensors").string(), "--watch-layers", "x"});
    start({"--parallel", "1", "--ctx-size", "256"});
    refused(5, "cannot be bound", {"--port", port});
}

} // namespace
} // namespace valuelens::test
