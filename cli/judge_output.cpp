#include "cli/judge_output.h"

#include <fmt/format.h>

#include <cmath>

namespace valuelens {
namespace {

nlohmann::ordered_json triple(double value, double low, double high) {
    const auto number = [](double x) {
        return std::isnan(x) ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(x);
    };
    return {{"value", number(value)}, {"low", number(low)}, {"high", number(high)}};
}

std::string cell(double value, double low, double high) {
    if (std::isnan(value)) {
        return "-";
    }
    return std::isnan(low) ? fmt::format("{:.3f}", value) : fmt::format("{:.3f} [{:.2f}, {:.2f}]", value, low, high);
}

} // namespace

Outcome judge_outcome(const JudgeCheck & check) {
    nlohmann::ordered_json values = nlohmann::ordered_json::array();
    std::string text = fmt::format("{}\non {} texts of {}\n\n{:<16} {:>8} {:>8} {:>9}  {:<20} {:<20} {:<20} {}\n",
                                   check.judge, check.n_texts, check.data, "value", "positive", "negative", "undecided",
                                   "AUROC", "precision", "recall", "F1");
    for (const JudgeQuality & q : check.values) {
        values.push_back({{"value", q.value},
                          {"n_positive", q.n_positive},
                          {"n_negative", q.n_negative},
                          {"n_undecided", q.n_undecided},
                          {"n_no_opinion", q.n_no_opinion},
                          {"auroc", triple(q.auroc, q.auroc_low, q.auroc_high)},
                          {"precision", triple(q.precision, q.precision_low, q.precision_high)},
                          {"recall", triple(q.recall, q.recall_low, q.recall_high)},
                          {"f1", triple(q.f1, q.f1_low, q.f1_high)}});
        text += fmt::format("{:<16} {:>8} {:>8} {:>9}  {:<20} {:<20} {:<20} {}\n", q.value, q.n_positive, q.n_negative,
                            q.n_undecided, cell(q.auroc, q.auroc_low, q.auroc_high),
                            cell(q.precision, q.precision_low, q.precision_high),
                            cell(q.recall, q.recall_low, q.recall_high), cell(q.f1, q.f1_low, q.f1_high));
    }
    std::size_t no_opinion = 0;
    for (const JudgeQuality & q : check.values) {
        no_opinion += q.n_no_opinion;
    }
    if (no_opinion > 0) {
        text += fmt::format("\n{} pairs of text and value without an opinion were left out", no_opinion);
    }
    text += fmt::format("\nmean AUROC {}; precision, recall and F1 leave the undecided out; [95 % intervals]",
                        cell(check.mean_auroc, check.mean_auroc_low, check.mean_auroc_high));
    return {{{"judge", check.judge},
             {"data", check.data},
             {"n_texts", check.n_texts},
             {"mean_auroc", triple(check.mean_auroc, check.mean_auroc_low, check.mean_auroc_high)},
             {"values", std::move(values)}},
            std::move(text)};
}

} // namespace valuelens
