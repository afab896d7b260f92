#include "cli/explain_output.h"

#include <fmt/format.h>

#include <cmath>

#include "base/utf8.h"
#include "explain/output.h"

namespace valuelens {

namespace {

std::string cell(const Estimate & estimate) {
    if (std::isnan(estimate.value)) {
        return "-";
    }
    return std::isnan(estimate.low)
               ? fmt::format("{:.2f}", estimate.value)
               : fmt::format("{:.2f} [{:.2f}, {:.2f}]", estimate.value, estimate.low, estimate.high);
}

std::string table(const ExplainSummary & summary) {
    std::string text = fmt::format("\n{:<14} {:>6} {:>9}  {:<20} {:<20}", "category", "poles", "explained",
                                   "abstractness", "value relevance");
    for (const CategorySummary & category : summary.categories) {
        text += fmt::format("\n{:<14} {:>6} {:>9}  {:<20} {:<20}", category.category, category.n_poles,
                            category.n_explained, cell(category.abstractness), cell(category.value_relevance));
    }
    for (const CategorySummary & category : summary.categories) {
        for (const auto & [kind, estimate] : category.scores) {
            const auto baseline = category.baselines.find(kind);
            text += fmt::format("\n{:<14} {:<10} {}, shuffled {}", category.category, kind, cell(estimate),
                                baseline == category.baselines.end() ? "-" : cell(baseline->second));
        }
    }
    for (const CategorySummary & category : summary.categories) {
        std::string tokens;
        for (const auto & [token, z] : category.tokens) {
            tokens += fmt::format("{}\"{}\"", tokens.empty() ? "" : " ", to_valid_utf8(token));
        }
        if (!tokens.empty()) {
            text += fmt::format("\n{:<14} more often than elsewhere: {}", category.category, tokens);
        }
    }
    return summary.categories.empty() ? std::string() : text;
}

} // namespace

Outcome explain_outcome(const ExplainSummary & summary, const std::string & output) {
    Outcome outcome;
    outcome.json = {{"output", output},
                    {"explainer", summary.explainer},
                    {"neurons", summary.n_neurons},
                    {"poles", summary.n_poles},
                    {"explained", summary.n_explained},
                    {"inactive", summary.n_inactive},
                    {"failed", summary.n_failed},
                    {"unscored", summary.n_unscored},
                    {"failures", summary.failures},
                    {"documents", summary.documents},
                    {"short_documents", summary.short_documents},
                    {"windows", summary.windows},
                    {"tokens", summary.tokens},
                    {"notes", summary.notes}};
    outcome.json["categories"] = nlohmann::ordered_json::array();
    for (const CategorySummary & category : summary.categories) {
        outcome.json["categories"].push_back(category_json(category));
    }
    outcome.text = fmt::format(
        "{}: {} of {} poles of {} neurons explained by {} ({} inactive, {} failed, {} not scored), from {} "
        "tokens in {} excerpts of {} documents",
        output, summary.n_explained, summary.n_poles, summary.n_neurons, summary.explainer, summary.n_inactive,
        summary.n_failed, summary.n_unscored, summary.tokens, summary.windows, summary.documents);
    for (const auto & [reason, n] : summary.failures) {
        outcome.text += fmt::format("\n{} × {}", n, reason);
    }
    outcome.text += table(summary);
    return outcome;
}

} // namespace valuelens
