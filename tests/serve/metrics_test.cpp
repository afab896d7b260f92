#include "serve/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "serve/gate.h"

namespace valuelens {
namespace {

using testing::HasSubstr;

TEST(Metrics, AreInPrometheusTextFormat) {
    Metrics metrics;
    metrics.count_request("/v1/models", 200);
    metrics.count_request("/v1/models", 200);
    metrics.count_request("other", 404);
    metrics.count_tokens(7, 5);
    metrics.count_response(true, false);
    metrics.observe_request(0.3);
    metrics.observe_request(40);
    LiveStats live;
    live.running = 2;
    live.finished = 9;
    const std::string text = metrics.text(live, 16, "a \"model\"\\");
    EXPECT_THAT(text, HasSubstr("valuelens_http_requests_total{path=\"/v1/models\",status=\"200\"} 2\n"));
    EXPECT_THAT(text, HasSubstr("model=\"a \\\"model\\\"\\\\\"} 1\n"));
    EXPECT_THAT(text, HasSubstr("valuelens_responses_running 2\n"));
    EXPECT_THAT(text, HasSubstr("valuelens_responses_flagged_total 1\n"));
    EXPECT_THAT(text, HasSubstr("valuelens_completion_tokens_total 5\n"));
    EXPECT_THAT(text, HasSubstr("valuelens_request_seconds_bucket{le=\"0.25\"} 0\n"));
    EXPECT_THAT(text, HasSubstr("valuelens_request_seconds_bucket{le=\"0.5\"} 1\n"));
    EXPECT_THAT(text, HasSubstr("valuelens_request_seconds_bucket{le=\"+Inf\"} 2\n"));
    EXPECT_THAT(text, HasSubstr("valuelens_request_seconds_count 2\n"));
    EXPECT_DOUBLE_EQ(metrics.mean_request_seconds(), 20.15);
    // Every sample stands below the HELP and TYPE of its family.
    std::istringstream lines(text);
    std::string family;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("# TYPE ")) {
            family = line.substr(7, line.find(' ', 7) - 7);
        } else if (!line.starts_with("# HELP ")) {
            EXPECT_TRUE(line.starts_with(family)) << line;
            EXPECT_NE(line.find(' '), std::string::npos) << line;
        }
    }
    EXPECT_GT(resident_bytes(), 1'000'000u);
}

TEST(Gate, LetsInWhatThereIsRoomFor) {
    Gate gate(5);
    {
        const auto three = gate.enter(3);
        ASSERT_TRUE(three);
        EXPECT_FALSE(gate.enter(3));
        auto two = gate.enter(2);
        ASSERT_TRUE(two);
        const Gate::Pass moved = std::move(*two);
        EXPECT_EQ(gate.inside(), 5u);
        EXPECT_FALSE(gate.enter(1));
    }
    EXPECT_EQ(gate.inside(), 0u);
    EXPECT_FALSE(gate.enter(6));
}

} // namespace
} // namespace valuelens
