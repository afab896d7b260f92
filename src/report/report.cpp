#include "valuelens/report.h"

#include "report/document.h"
#include "report/model.h"
#include "report/page.h"

namespace valuelens {

std::string render_report(const ReportRequest & request, ReportFormat format) {
    const Json model = report_model(request);
    switch (format) {
    case ReportFormat::html:
        return report_page(model);
    case ReportFormat::markdown:
        return to_markdown(report_document(model));
    case ReportFormat::json:
        return dump(model, 2) + "\n";
    }
    return {};
}

} // namespace valuelens
