#pragma once

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "report/model.h"
#include "report/sample_run.h"
#include "support/temp_folder.h"
#include "valuelens/report.h"

namespace valuelens::test {

/// A report of a run made up by hand (sample_run.h).
class ReportTest : public testing::Test {
protected:
    Json model() const { return report_model({sample_.folder, {}, {}}); }
    std::string text(ReportFormat format) const { return render_report({sample_.folder, {}, {}}, format); }

    static const Json & finding(const Json & model, const std::string & id) {
        for (const Json & finding : model.at("findings")) {
            if (finding.at("id") == id) {
                return finding;
            }
        }
        throw std::runtime_error("no finding " + id);
    }

    static bool warns(const Json & model, const std::string & words) {
        for (const Json & warning : model.at("warnings")) {
            if (warning.at("text").get<std::string>().find(words) != std::string::npos) {
                return true;
            }
        }
        return false;
    }

    TempFolder temp_;
    SampleRun sample_{temp_ / "run"};
};

} // namespace valuelens::test
