#include "valuelens/report.h"

#include <filesystem>
#include <memory>

#include "base/fail.h"
#include "base/file.h"
#include "cli/run_folder.h"
#include "report/live.h"

namespace valuelens {

namespace fs = std::filesystem;

namespace {

struct ReportOptions {
    std::string run;
    std::string format = "html";
    std::string output;
    std::vector<std::string> compare;
    std::vector<std::string> include;
    bool serve = false;
    int port = 8090;
};

Outcome serve_report(const ReportRequest & request, const ReportOptions & options, Context & context) {
    LiveReport report(request, options.port);
    context.console.message(LogLevel::info,
                            fmt::format("the report is at http://127.0.0.1:{}/ (Ctrl-C ends it)", report.port()));
    const int port = report.port();
    const std::uint64_t requests = report.run(context.stop);
    return {{{"port", port}, {"requests", requests}}, fmt::format("{} requests answered", requests)};
}

Outcome run_report(const ReportOptions & options, Context & context) {
    const ReportRequest request{options.run,
                                {options.compare.begin(), options.compare.end()},
                                {options.include.begin(), options.include.end()}};
    if (options.serve) {
        return serve_report(request, options, context);
    }
    const ReportFormat format = options.format == "md"     ? ReportFormat::markdown
                                : options.format == "json" ? ReportFormat::json
                                                           : ReportFormat::html;
    const fs::path output =
        options.output.empty() ? fs::path(options.run) / ("report." + options.format) : fs::path(options.output);
    const std::string text = render_report(request, format);
    write_file(output, text);
    if (format == ReportFormat::html && !report_has_charts()) {
        context.console.message(LogLevel::warning,
                                "this build of valuelens has no charts (it was built without node and npm), so the "
                                "report has tables alone");
    }
    return {{{"run", options.run}, {"format", options.format}, {"output", output.string()}, {"bytes", text.size()}},
            fmt::format("report: {}", output.string())};
}

} // namespace

void setup_report(CLI::App & app, Context & context) {
    auto options = std::make_shared<ReportOptions>();
    CLI::App * command =
        add_command(app, context, "report", "A report of a run to look at: one HTML file, Markdown or JSON",
                    "valuelens report --run my-run                            my-run/report.html\n"
                    "  valuelens report --run my-run --compare other-run       several models side by side\n"
                    "  valuelens report --run my-run --serve                   live, while the run goes on",
                    [options, &context] { return run_report(*options, context); });
    add_run_option(*command, options->run)->required();
    CLI::Option * format = command->add_option("--format", options->format, "html, md or json (html)")
                               ->check(unnamed(CLI::IsMember({"html", "md", "json"})))
                               ->type_name("FORMAT");
    CLI::Option * output =
        command->add_option("--output", options->output, "Where to write it (report.FORMAT in the run's folder)")
            ->type_name("FILE");
    command->add_option("--compare", options->compare, "Other runs, set beside this one")->type_name("RUN...");
    command
        ->add_option(
            "--include", options->include,
            "Results that lie outside the run: what eval, tune, sample or explain wrote, the prompts of sample")
        ->type_name("FILE...");
    CLI::Option * serve = command->add_flag("--serve", options->serve, "Show it over HTTP on this machine, live")
                              ->excludes(format)
                              ->excludes(output);
    command
        ->add_option("--port", options->port, fmt::format("Port of --serve; 0: any that is free ({})", options->port))
        ->check(unnamed(CLI::Range(0, 65535)))
        ->needs(serve)
        ->type_name("N");
}

} // namespace valuelens
