// `valuelens report` as a program, and its page in a real browser.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/program.h"
#include "report/sample_run.h"
#include "support/temp_folder.h"
#include "valuelens/report.h"

namespace valuelens::test {
namespace {

using testing::HasSubstr;

class ReportProgram : public testing::Test {
protected:
    ReportProgram() { sample_.write_all(); }

    std::string run() const { return sample_.folder.string(); }

    TempFolder temp_;
    SampleRun sample_{temp_ / "run"};
};

TEST_F(ReportProgram, WritesEachFormatIntoTheRun) {
    for (const std::string format : {"html", "md", "json"}) {
        const ProgramResult result = Program({"report", "--run", run(), "--format", format}).wait();
        ASSERT_EQ(result.exit_code, 0) << result.err;
        EXPECT_THAT(result.out, HasSubstr(run() + "/report." + format));
        EXPECT_FALSE(read_file(sample_.folder / ("report." + format)).empty());
    }
    const ProgramResult result = Program({"report", "--run", run(), "--output", temp_ / "mine.html", "--json"}).wait();
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(nlohmann::json::parse(result.out)["output"], (temp_ / "mine.html").string());
    EXPECT_EQ(read_file(temp_ / "mine.html"), read_file(sample_.folder / "report.html"));
}

TEST_F(ReportProgram, SaysWhatIsWrong) {
    const ProgramResult nowhere = Program({"report", "--run", temp_ / "nowhere"}).wait();
    EXPECT_EQ(nowhere.exit_code, 3);
    EXPECT_THAT(nowhere.last_error_line(), HasSubstr("is not a run"));
    EXPECT_EQ(Program({"report"}).wait().exit_code, 2);
    EXPECT_EQ(Program({"report", "--run", run(), "--format", "pdf"}).wait().exit_code, 2);
    EXPECT_EQ(Program({"report", "--run", run(), "--serve", "--format", "md"}).wait().exit_code, 2);
    EXPECT_EQ(Program({"report", "--run", run(), "--port", "1"}).wait().exit_code, 2) << "without --serve";
}

std::string find_program(const std::vector<std::string> & names) {
    for (const std::string & name : names) {
        for (const char * folder : {"/usr/bin/", "/usr/local/bin/", "/snap/bin/"}) {
            if (std::filesystem::exists(folder + name)) {
                return folder + name;
            }
        }
    }
    return {};
}

/// Runs report/test/browser.mjs, which prints what failed.
class ReportBrowser : public ReportProgram {
protected:
    void SetUp() override {
        if (!report_has_charts()) {
            GTEST_SKIP() << "this build has no charts: node and npm were not there when it was built";
        }
        if (node_.empty() || chromium_.empty() || !std::filesystem::exists(BROWSER_TEST_MODULES)) {
            GTEST_SKIP() << "no browser to try the page in; `make report-test` installs what it needs and runs this";
        }
    }

    /// Its exit code; what it printed goes to the test's output.
    int browse(const std::string & mode, const std::string & address) const {
        const char * shots = std::getenv("VALUELENS_SCREENSHOTS");
        const std::string command =
            "'" + node_ + "' '" VALUELENS_SOURCE_DIR "/report/test/browser.mjs' '" BROWSER_TEST_MODULES "' '" +
            chromium_ + "' " + mode + " '" + address + "' '" + run() + "' '" +
            (shots == nullptr ? temp_.path().string() : shots) + "'";
        return std::system(command.c_str());
    }

    std::string node_ = find_program({"node", "nodejs"});
    std::string chromium_ = find_program({"chromium", "chromium-browser", "google-chrome"});
};

TEST_F(ReportBrowser, ThePageWorksFromDisk) {
    ASSERT_EQ(Program({"report", "--run", run(), "--compare", run()}).wait().exit_code, 0);
    EXPECT_EQ(browse("disk", (sample_.folder / "report.html").string()), 0);
}

TEST_F(ReportBrowser, TheLiveReportFollowsTheRun) {
    const Program server({"report", "--run", run(), "--serve", "--port", "0"});
    ASSERT_TRUE(server.wait_for_error_output("the report is at "));
    const std::string said = server.error_output();
    const std::size_t begin = said.find("http://");
    const int result = browse("live", said.substr(begin, said.find(' ', begin) - begin));
    server.signal(SIGINT);
    EXPECT_EQ(server.wait().exit_code, 0) << "Ctrl-C is how it ends";
    EXPECT_EQ(result, 0);
}

} // namespace
} // namespace valuelens::test
