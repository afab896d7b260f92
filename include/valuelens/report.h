#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace valuelens {

enum class ReportFormat { html, markdown, json };

/// What a report is made of. Nothing in these folders and files is changed.
struct ReportRequest {
    std::filesystem::path run;                  ///< folder of a run, finished or not
    std::vector<std::filesystem::path> compare; ///< folders of other runs, set beside it
    std::vector<std::filesystem::path> include; ///< results outside the run: evaluation or tune JSON, sample JSON
                                                ///< lines and their prompts, explanations; told
                                                ///< apart by their contents
};

/// The report as a text in one of its formats (docs/report.md): one HTML page that needs no other file, Markdown, or
/// the JSON model that the others are made from. A run that lacks some of its results gives a report that says what is
/// missing and which command makes it. Equal runs give equal texts.
///
/// Throws Error(bad_input) where there is no run, or an included file is none that is known. A damaged result inside
/// the run is named among the warnings of the report instead, so that the rest can be seen.
std::string render_report(const ReportRequest & request, ReportFormat format);

/// Whether this build holds the charts of the HTML page; without them it shows the same numbers as tables.
bool report_has_charts();

} // namespace valuelens
