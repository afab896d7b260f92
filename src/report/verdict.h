#pragma once

#include <cstddef>
#include <string>

#include "report/json.h"

namespace valuelens {

/// The verdicts of docs/report.md.
namespace verdict {
constexpr const char * clear = "clear";
constexpr const char * partly = "partly";
constexpr const char * not_shown = "not shown";
constexpr const char * not_measured = "not measured";
} // namespace verdict

/// "0.72 [0.57, 0.87]"; the value alone where there is no interval.
std::string interval_text(const Estimate & estimate);

/// One entry of findings().
Json finding(const char * id, const char * section, const char * question, const char * verdict, std::string answer,
             const char * rule);

/// The verdict of `n` of `of` things being as asked, of which only `measured` could be told: what was not measured
/// counts as not being so, since a few that were would speak for all otherwise.
const char * share_verdict(std::size_t n, std::size_t measured, std::size_t of);

/// The same verdict, but no better than partly where fewer than 80 % of the values took part in it.
const char * capped(const char * verdict, std::size_t measured, std::size_t of);

/// Findings about interventions: tuned strengths, evaluations (intervention_findings.cpp).
Json steering_finding(const Json & model);
Json evaluations_finding(const Json & model);

} // namespace valuelens
