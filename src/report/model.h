#pragma once

#include "report/json.h"
#include "valuelens/report.h"

namespace valuelens {

/// Everything that a report says, as one JSON object (docs/report.md): what all formats and the page are made from.
/// Equal runs give equal models. Throws as render_report().
Json report_model(const ReportRequest & request);

/// Of a run that is still being written: a text that changes whenever report_model() may.
std::string report_revision(const std::filesystem::path & run);

} // namespace valuelens
