// Estimates and intervals of fixed items against numpy on the same resamples, made by make_summary_reference.py.

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json_number.h"
#include "evaluate/summarize.h"

namespace valuelens {
namespace {

using nlohmann::json;

std::vector<double> numbers(const json & list) {
    std::vector<double> read;
    for (const json & each : list) {
        read.push_back(number_or_nan(each));
    }
    return read;
}

EvaluationItem read_item(const json & from) {
    EvaluationItem item{from.at("id"), from.at("cluster"), from.at("groups"), {}};
    for (const json & quantity : from.at("scores")) {
        item.scores.push_back(numbers(quantity));
    }
    if (from.contains("shared")) { // of the second quantity alone
        item.shared.resize(2);
        for (const json & pair : from.at("shared")) {
            item.shared[1].push_back({number_or_nan(pair.at(0)), number_or_nan(pair.at(1))});
        }
    }
    return item;
}

/// The measures of make_summary_reference.py.
Evaluation read_case(const json & from) {
    Evaluation evaluation;
    evaluation.seed = from.at("seed");
    evaluation.bootstraps = from.at("bootstraps");
    evaluation.confidence = from.at("confidence");
    evaluation.variants = {{"base", {}, {}, nullptr}, {"one", {}, {}, nullptr}, {"two", {}, {}, nullptr}};
    evaluation.quantities = {"x", "y"};
    evaluation.measures = {{"mean", "x", "", Aggregate::mean, false, true},
                           {"centred", "x", "", Aggregate::mean, true, true},
                           {"sum", "x", "", Aggregate::sum, false, false},
                           {"other mean", "y", "", Aggregate::mean, false, true},
                           {"other sum", "y", "", Aggregate::sum, false, true}};
    for (const json & item : from.at("items")) {
        evaluation.items.push_back(read_item(item));
    }
    return evaluation;
}

void expect_same(double ours, const json & theirs, const std::string & what) {
    if (theirs.is_null()) {
        EXPECT_TRUE(std::isnan(ours)) << what << " is " << ours;
    } else {
        EXPECT_NEAR(ours, theirs.get<double>(), 1e-9) << what;
    }
}

/// Theirs: estimate, low, high and number of items of each variant.
void expect_same(const std::vector<EvaluationScore> & ours, const json & theirs, const std::string & what) {
    ASSERT_EQ(ours.size(), theirs.size()) << what;
    for (std::size_t i = 0; i < ours.size(); ++i) {
        const std::string each = what + " of variant " + std::to_string(i);
        expect_same(ours[i].estimate.value, theirs[i].at(0), each + ", value");
        expect_same(ours[i].estimate.low, theirs[i].at(1), each + ", low");
        expect_same(ours[i].estimate.high, theirs[i].at(2), each + ", high");
        EXPECT_EQ(ours[i].n, theirs[i].at(3).get<std::size_t>()) << each;
    }
}

TEST(SummaryReference, EstimatesAndIntervalsAreThoseOfNumpy) {
    const json reference =
        json::parse(read_file(std::string(VALUELENS_SOURCE_DIR) + "/tests/evaluate/summary_reference.json"));
    ASSERT_EQ(reference.at("cases").size(), 2u) << "items apart and in clusters";
    for (const json & example : reference.at("cases")) {
        Evaluation evaluation = read_case(example);
        summarize(evaluation, reference.at("groups"));
        const json & rows = example.at("rows");
        ASSERT_EQ(evaluation.rows.size(), rows.size());
        for (std::size_t i = 0; i < rows.size(); ++i) {
            const EvaluationRow & row = evaluation.rows[i];
            EXPECT_EQ(row.measure, rows[i].at("measure").get<std::string>());
            EXPECT_EQ(row.group, rows[i].at("group").get<std::string>());
            const std::string what =
                std::to_string(evaluation.bootstraps) + " resamples, " + row.measure + " of '" + row.group + "'";
            expect_same(row.scores, rows[i].at("scores"), what);
            expect_same(row.differences, rows[i].at("differences"), what + ", difference");
        }
    }
}

} // namespace
} // namespace valuelens
