// The live report over HTTP.

#include <cpp-httplib/httplib.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "report/live.h"
#include "report/sample_run.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

using testing::HasSubstr;

class Live : public testing::Test {
protected:
    Live() {
        sample_.write_responses();
        report_ = std::make_unique<LiveReport>(ReportRequest{sample_.folder, {}, {}}, 0);
        thread_ = std::thread([this] { answered_ = report_->run(stop_.get_token()); });
    }
    ~Live() override { stop(); }

    void stop() {
        stop_.request_stop();
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    httplib::Result get(const std::string & path, const httplib::Headers & headers = {}) const {
        return httplib::Client("127.0.0.1", report_->port()).Get(path, headers);
    }

    TempFolder temp_;
    test::SampleRun sample_{temp_ / "run"};
    std::unique_ptr<LiveReport> report_;
    std::stop_source stop_;
    std::uint64_t answered_ = 0;
    std::thread thread_;
};

TEST_F(Live, ShowsTheRunAsItIsNow) {
    const auto page = get("/");
    ASSERT_TRUE(page);
    EXPECT_THAT(page->body, HasSubstr("<body data-live="));
    const auto before = nlohmann::json::parse(get("/state.json")->body);
    EXPECT_EQ(before["responses"], 220);
    EXPECT_TRUE(nlohmann::json::parse(get("/model.json")->body)["vectors"].is_null());
    sample_.write_axes();
    EXPECT_NE(nlohmann::json::parse(get("/state.json")->body)["revision"], before["revision"]);
    EXPECT_FALSE(nlohmann::json::parse(get("/model.json")->body)["vectors"].is_null());
}

TEST_F(Live, AnswersItsOwnMachineAlone) {
    EXPECT_EQ(get("/model.json", {{"Host", "example.org"}})->status, 403);
    EXPECT_EQ(get("/run.sqlite")->status, 404);
}

TEST_F(Live, EndsWhenAskedTo) {
    get("/state.json");
    stop();
    EXPECT_EQ(answered_, 1u);
}

TEST_F(Live, SaysThatAPortIsTaken) {
    expect_error(ErrorKind::judge, {"cannot be bound"}, [&] { LiveReport({sample_.folder, {}, {}}, report_->port()); });
}

TEST(LiveReport, EndsAtOnceWhenTheStopCameFirst) {
    TempFolder temp;
    test::SampleRun sample(temp / "run");
    sample.write_responses(2);
    LiveReport report({sample.folder, {}, {}}, 0);
    std::stop_source stop;
    stop.request_stop();
    EXPECT_EQ(report.run(stop.get_token()), 0u);
}

} // namespace
} // namespace valuelens
