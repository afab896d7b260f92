// What a person at a terminal sees: bars, which are no lines in a log.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pty.h>

#include "cli/program.h"
#include "pipeline/small_run.h"

namespace valuelens {
namespace {

using testing::HasSubstr;

/// The program's output with a terminal for stderr and stdout.
std::string run_on_terminal(std::vector<std::string> words) {
    words.insert(words.begin(), VALUELENS_BINARY);
    std::vector<char *> raw;
    for (std::string & word : words) {
        raw.push_back(word.data());
    }
    raw.push_back(nullptr);
    int terminal = -1;
    const pid_t child = ::forkpty(&terminal, nullptr, nullptr, nullptr);
    if (child == 0) {
        ::execv(VALUELENS_BINARY, raw.data());
        ::_exit(127);
    }
    std::string seen;
    char buffer[4096];
    for (ssize_t n = 0; (n = ::read(terminal, buffer, sizeof buffer)) > 0;) {
        seen.append(buffer, static_cast<std::size_t>(n));
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ::close(terminal);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << seen;
    return seen;
}

class Terminal : public testing::Test {
protected:
    void SetUp() override {
        std::string texts;
        for (int i = 0; i < 400; ++i) {
            texts += fmt::format("{{\"text\": \"Text number {} about help.\", \"labels\": {{\"benevolence\": {}}}}}\n",
                                 i, i % 2 == 0 ? "true" : "false");
        }
        write_file(folder / "texts.jsonl", texts);
        write_file(folder / "words.json", R"({"benevolence": ["help"]})");
    }

    std::vector<std::string> command() const {
        return {"judge-check", "--labelled", (folder / "texts.jsonl").string(), "--judge",
                "dictionary",  "--file",     (folder / "words.json").string()};
    }

    TempFolder folder;
};

TEST_F(Terminal, SeesABarThatIsDrawnOverItself) {
    const std::string seen = run_on_terminal(command());
    EXPECT_THAT(seen, HasSubstr("\r")) << "one line, drawn anew";
    EXPECT_THAT(seen, HasSubstr("judge-check"));
    EXPECT_THAT(seen, HasSubstr("400")) << "how many there are";
}

TEST_F(Terminal, SeesTheRateOfWhatTakesLonger) {
    if (!test::SmallRun::has_model()) {
        FAIL() << "smollm2-135m-bf16 is not in the cache: valuelens models fetch smollm2-135m";
    }
    const test::SmallRun files;
    files.write_config("", 24, 18); // one slice that takes more than a second
    const std::string seen = run_on_terminal({"run", files.config().string(), "--run", files.run().string()});
    EXPECT_THAT(seen, testing::ContainsRegex("generate: [0-9]+/18 responses .*[0-9]/s"));
    EXPECT_THAT(seen, HasSubstr("tokens/s"));
}

TEST_F(Terminal, ALogSeesLines) {
    const test::ProgramResult result = test::run_program(command());
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.err, testing::Not(HasSubstr("\r")));
    EXPECT_THAT(result.err, HasSubstr("judge-check: 400/400 texts (100 %)"));
}

TEST_F(Terminal, QuietSeesTheResultAlone) {
    std::vector<std::string> words = command();
    words.push_back("--quiet");
    const test::ProgramResult result = test::run_program(words);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err, "");
    EXPECT_THAT(result.out, HasSubstr("benevolence"));
}

} // namespace
} // namespace valuelens
