#include <algorithm>
#include <memory>

#include "base/fail.h"
#include "cli/eval_judged.h"
#include "cli/eval_options.h"
#include "cli/eval_rules.h"
#include "cli/run_folder.h"

namespace valuelens {

namespace {

struct PvqCommandOptions : EvalOptions {
    std::string key;
    std::string language = PvqOptions{}.language;
};

struct PortraitCommandOptions : EvalOptions {
    double min_correlation = PortraitOptions{}.min_correlation;
    std::vector<std::string> parts = {"similarity", "generation"};
};

struct MultipleChoiceCommandOptions : EvalOptions {
    int shots = 0;
};

Outcome run_pvq(const PvqCommandOptions & options, Context & context) {
    const auto task = pvq_task(
        {.input = options.input, .key = options.key, .language = options.language, .reading = reading_of(options)},
        concepts_or_default(options.concepts));
    return run_eval(*task, options, context);
}

Outcome run_portrait(const PortraitCommandOptions & options, Context & context) {
    const auto wants = [&](const std::string & part) {
        return std::find(options.parts.begin(), options.parts.end(), part) != options.parts.end();
    };
    if (options.parse == "greedy" && !wants("similarity")) {
        fail(ErrorKind::usage, "--parse greedy is how answers about similarity are read, and --parts leaves these out");
    }
    const auto task = portrait_task({.input = options.input,
                                     .min_correlation = options.min_correlation,
                                     .similarity = wants("similarity"),
                                     .generation = wants("generation"),
                                     .reading = reading_of(options)},
                                    concepts_or_default(options.concepts));
    return run_eval(*task, options, context);
}

Outcome run_multiple_choice(const MultipleChoiceCommandOptions & options, Context & context) {
    const auto task = multiple_choice_task({.input = options.input, .shots = options.shots});
    return run_eval(*task, options, context);
}

/// The stage of a run.
Outcome run_stage(const std::string & run, Context & context) {
    if (run.empty()) {
        fail(ErrorKind::usage,
             "eval needs the name of an evaluation (`valuelens eval --help` lists them), or --run DIR");
    }
    RunRequest request;
    request.folder = run;
    request.stages = {Stage::evaluate};
    request.command = "valuelens eval";
    return summary_outcome(execute_run(request, context.console, context.stop));
}

void setup_pvq(CLI::App & parent, Context & context) {
    auto options = std::make_shared<PvqCommandOptions>();
    CLI::App * command = add_command(
        parent, context, "pvq", "Likeness to portraits of people (value questionnaire)",
        "valuelens eval pvq -m smollm2-135m --steer axes.safetensors:power/shared,alpha=4 --output pvq.json",
        [options, &context] { return run_pvq(*options, context); });
    add_eval_options(
        *command, *options,
        "Statements of your own (JSONL of id, value, text), or a PVQ together with --key (the 40 shipped)");
    add_parse_option(*command, *options);
    add_key_option(*command, options->key);
    add_language_option(*command, options->language);
}

void setup_portrait(CLI::App & parent, Context & context) {
    auto options = std::make_shared<PortraitCommandOptions>();
    CLI::App * command =
        add_command(parent, context, "portrait", "Likeness to others' replies to real queries (Value Portrait)",
                    "valuelens eval portrait -m smollm2-135m --input query-response-tagged.json --output portrait.json",
                    [options, &context] { return run_portrait(*options, context); });
    add_eval_options(*command, *options, "Value Portrait's query-response-tagged.json")->required();
    add_parse_option(*command, *options);
    command
        ->add_option(
            "--min-correlation", options->min_correlation,
            fmt::format("A reply counts for a value that it correlates with by more ({})", options->min_correlation))
        ->check(unnamed(CLI::Range(-1.0, 1.0)))
        ->type_name("R");
    command
        ->add_option("--parts", options->parts,
                     "similarity: is the reply like its own thoughts? generation: how likely is the reply? (both)")
        ->delimiter(',')
        ->check(unnamed(CLI::IsMember({"similarity", "generation"})))
        ->type_name("LIST");
}

void setup_multiple_choice(CLI::App & parent, Context & context) {
    auto options = std::make_shared<MultipleChoiceCommandOptions>();
    CLI::App * command = add_command(parent, context, "multiple-choice",
                                     "Accuracy on questions with four options: what an intervention costs",
                                     "valuelens eval multiple-choice -m smollm2-135m --shots 5 --output mc.json",
                                     [options, &context] { return run_multiple_choice(*options, context); });
    add_eval_options(*command, *options, "Questions: JSONL, a CSV of MMLU or its folder (the 240 shipped)");
    command->add_option("--shots", options->shots, "Solved examples before each question (0)")
        ->check(non_negative_number())
        ->type_name("K");
}

} // namespace

void setup_eval(CLI::App & app, Context & context) {
    auto run = std::make_shared<std::string>();
    CLI::App * eval = add_command(app, context, "eval", "Evaluate a model, as it is and under an intervention",
                                  "valuelens eval pvq -m smollm2-135m --output pvq.json\n  valuelens eval --run my-run",
                                  [] { return Outcome{}; });
    eval->callback([eval, run, &context] {
        if (!eval->get_subcommands().empty() && !run->empty()) {
            throw CLI::ValidationError("--run", "does the evaluations that a run's config names; give it without " +
                                                    eval->get_subcommands().front()->get_name());
        }
        if (eval->get_subcommands().empty()) { // else the subcommand has set its own
            context.action = [run, &context] {
                return run_stage(*run, context);
            };
        }
    });
    add_run_option(*eval, *run)->description("Do the evaluations that [evaluate] of a run's config names");
    eval->require_subcommand(0, 1);
    setup_pvq(*eval, context);
    setup_portrait(*eval, context);
    setup_multiple_choice(*eval, context);
    setup_judged_evaluations(*eval, context);
    setup_rule_evaluations(*eval, context);
}

} // namespace valuelens
