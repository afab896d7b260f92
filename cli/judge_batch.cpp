#include "cli/judge_batch.h"

#include <fmt/format.h>

#include <memory>

#include "cli/run_folder.h"
#include "pipeline/judge_batch.h"

namespace valuelens {

namespace {

Outcome run_judge_export(const JudgeExportRequest & request, Context & context) {
    const JudgeExportReport report = export_judge_batch(request, context.console);
    nlohmann::ordered_json files = nlohmann::ordered_json::array();
    std::string names;
    for (const std::filesystem::path & file : report.batch.files) {
        files.push_back(file.string());
        names += fmt::format("{}{}", names.empty() ? "" : ", ", file.string());
    }
    std::string text =
        fmt::format("{}: {} responses for {}, {}", names, report.batch.responses, report.model, report.cost);
    if (report.batch.answered > 0) {
        text += fmt::format("\n{} questions were answered before and are not asked again", report.batch.answered);
    }
    return {{{"files", std::move(files)},
             {"model", report.model},
             {"responses", report.batch.responses},
             {"requests", report.batch.cost.requests},
             {"answered_before", report.batch.answered},
             {"estimate",
              {{"prompt_tokens", report.batch.cost.prompt_tokens},
               {"completion_tokens", report.batch.cost.completion_tokens}}}},
            std::move(text)};
}

std::string import_text(const BatchImport & report, const std::string & run) {
    std::string text = fmt::format("{} labels for {} slices", report.stage.labels, report.stage.slices_done);
    const auto add = [&](std::size_t n, const std::string & what) {
        if (n > 0) {
            text += fmt::format("\n{} {}", n, what);
        }
    };
    add(report.unreadable, "answers state nothing: no opinion");
    add(report.failed, fmt::format("requests failed: {}", fmt::join(report.failures, "; ")));
    add(report.doubled, "answers came twice; the first counts");
    add(report.unexpected, "answers are about responses that are not there or have labels");
    add(report.missing, fmt::format("questions have no answer: {}{}", fmt::join(report.missing_ids, ", "),
                                    report.missing > report.missing_ids.size() ? ", ..." : ""));
    if (report.slices_left > 0) {
        text += fmt::format("\n{} slices are left without labels; ask the rest with `valuelens judge export --run {} "
                            "--answered RESULTS --output REST`, or give --accept-missing",
                            report.slices_left, run);
    }
    return text;
}

Outcome run_judge_import(const JudgeImportRequest & request, Context & context) {
    const BatchImport report = import_judge_batch(request, context.console, context.stop);
    return {{{"run", request.run.string()},
             {"labels", report.stage.labels},
             {"slices", report.stage.slices_done},
             {"slices_left", report.slices_left},
             {"missing", report.missing},
             {"missing_ids", report.missing_ids},
             {"failed", report.failed},
             {"failures", report.failures},
             {"unreadable", report.unreadable},
             {"doubled", report.doubled},
             {"unexpected", report.unexpected}},
            import_text(report, request.run.string())};
}

struct BatchCommandOptions {
    std::string run;
    std::string output;
    std::vector<std::string> files; ///< results
    std::size_t max_lines = JudgeExportRequest{}.max_lines;
    bool accept_missing = false;
    bool rejudge = false;
};

} // namespace

void setup_judge_batch(CLI::App & judge, Context & context) {
    auto asked = std::make_shared<BatchCommandOptions>();
    CLI::App * export_command = add_command(
        judge, context, "export", "Write the judge's questions for a batch API (JSONL)",
        "valuelens judge export --run my-run --output requests.jsonl", [asked, &context] {
            return run_judge_export(
                {asked->run, asked->output, {asked->files.begin(), asked->files.end()}, asked->max_lines}, context);
        });
    add_run_option(*export_command, asked->run)->required();
    export_command->add_option("--output", asked->output, "Where to write them")->required()->type_name("FILE.jsonl");
    export_command->add_option("--answered", asked->files, "Results that are there; their questions are left out")
        ->type_name("FILE...");
    export_command
        ->add_option("--max-lines", asked->max_lines,
                     fmt::format("Of one file; more go on in FILE-2.jsonl ... ({})", asked->max_lines))
        ->check(positive_number())
        ->type_name("N");

    auto given = std::make_shared<BatchCommandOptions>();
    CLI::App * import_command = add_command(
        judge, context, "import", "Take the labels from a batch API's results (JSONL)",
        "valuelens judge import --run my-run --input results.jsonl", [given, &context] {
            return run_judge_import(
                {given->run, {given->files.begin(), given->files.end()}, given->accept_missing, given->rejudge},
                context);
        });
    add_run_option(*import_command, given->run)->required();
    import_command->add_option("--input", given->files, "The results, of one batch or several")
        ->required()
        ->type_name("FILE...");
    import_command->add_flag("--accept-missing", given->accept_missing,
                             "No opinion where an answer is missing (else such slices are left for later)");
    import_command->add_flag("--rejudge", given->rejudge, "Forget the labels that are there");
}

} // namespace valuelens
