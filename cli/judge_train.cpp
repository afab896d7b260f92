#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/engine_options.h"
#include "cli/judge_output.h"
#include "pipeline/judge_tools.h"

namespace valuelens {

namespace {

struct JudgeTrainOptions {
    std::vector<std::string> labelled;
    std::vector<std::string> check;
    std::string concepts;
    std::string output;
    JudgeTrainRequest request;
    EngineOptions engine;
};

Outcome run_judge_train(JudgeTrainOptions options, Context & context) {
    JudgeTrainRequest & request = options.request;
    request.labelled.assign(options.labelled.begin(), options.labelled.end());
    request.check.assign(options.check.begin(), options.check.end());
    request.concepts = options.concepts;
    request.output = options.output;
    request.model_spec = options.engine.model.value_or("");
    request.seed = options.engine.seed.value_or(0);
    request.threads = static_cast<unsigned>(options.engine.threads.value_or(0));
    apply_and_resolve(options.engine, request.model, request.scheduler, context);
    const JudgeTrainReport report = train_probe_file(request, context.console, context.stop);

    nlohmann::ordered_json trials = nlohmann::ordered_json::array();
    nlohmann::ordered_json values = nlohmann::ordered_json::object();
    std::string text = fmt::format("{}: trained on {} texts ({} unread), blocks {}\n", report.probe, report.n_texts,
                                   report.n_unread, fmt::join(report.blocks, ", "));
    for (const auto & [strength, area] : report.trials) {
        trials.push_back({{"strength", strength}, {"cv_auroc", area}});
        text += fmt::format("  strength {:<5} cross-validated mean AUROC {:.4f}{}\n", strength, area,
                            strength == report.strength ? "  <- kept" : "");
    }
    for (const auto & [value, area] : report.cv_values) {
        values[value] = area;
        text += fmt::format("  {:<16} {:.3f}\n", value, area);
    }
    nlohmann::ordered_json json = {{"probe", report.probe},       {"n_texts", report.n_texts},
                                   {"n_unread", report.n_unread}, {"blocks", report.blocks},
                                   {"trials", std::move(trials)}, {"strength", report.strength},
                                   {"cv_auroc", report.cv_auroc}, {"cv_values", std::move(values)}};
    if (report.checked) {
        Outcome check = judge_outcome(report.check);
        json["check"] = std::move(check.json);
        text += "\n" + check.text;
    }
    while (text.ends_with('\n')) {
        text.pop_back();
    }
    return {std::move(json), std::move(text)};
}

} // namespace

void setup_judge_train(CLI::App & app, Context & context) {
    auto options = std::make_shared<JudgeTrainOptions>();
    CLI::App * command = add_command(
        app, context, "judge-train", "Make a judge: a probe, from texts that people labelled",
        "valuelens judge-train -m smollm2-135m --labelled touche23/arguments-training.tsv --output probe.safetensors",
        [options, &context] { return run_judge_train(*options, context); });
    add_engine_options(*command, options->engine)->required();
    JudgeTrainRequest & request = options->request;
    command->add_option("--labelled", options->labelled, "Labelled texts: JSONL, or Touché23-ValueEval (folder or TSV)")
        ->required()
        ->type_name("FILE...");
    command->add_option("--check", options->check, "Labelled texts to measure the finished probe on")
        ->type_name("FILE...");
    command->add_option("--concepts", options->concepts, "Concept set (TOML) instead of Schwartz's ten values")
        ->type_name("FILE");
    command->add_option("--output", options->output, "The probe (safetensors)")->required()->type_name("FILE");
    command->add_option("--blocks", request.blocks, "Blocks to read (four spread over the model)")
        ->delimiter(',')
        ->type_name("LIST");
    command
        ->add_option("--suffix", request.suffix, "Fixed text after the response, read at its last token; empty: none")
        ->type_name("TEXT");
    command->add_flag("--skip-first-token", request.skip_first_token,
                      "Leave the first token out of the mean (models without BOS)");
    command->add_option("--strengths", request.strengths, "Strengths to try; C = strength / number of features")
        ->delimiter(',')
        ->type_name("LIST");
    command->add_option("--attribution", request.attribution, "Source and licence of the data, stored with the probe")
        ->type_name("TEXT");
}

} // namespace valuelens
