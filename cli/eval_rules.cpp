#include "cli/eval_rules.h"

#include <memory>

#include "base/fail.h"
#include "cli/eval_options.h"
#include "pipeline/open_rater.h"
#include "pipeline/run_setup.h"
#include "valuelens/rule_evaluations.h"

namespace valuelens {

namespace {

struct InstructionsCommandOptions : EvalOptions {
    int max_tokens = InstructionsOptions{}.max_tokens;
};

struct DiversityCommandOptions : EvalOptions {
    DiversityOptions diversity;
};

struct QuestionnaireCommandOptions : EvalOptions {
    std::string language = PvqOptions{}.language;
    std::vector<std::string> languages = CrossLingualOptions{}.languages;
};

void setup_instructions(CLI::App & parent, Context & context) {
    auto options = std::make_shared<InstructionsCommandOptions>();
    CLI::App * command = add_command(
        parent, context, "instructions", "Instructions whose following can be checked: IFEval, JSON, neutral wording",
        "valuelens eval instructions -m smollm2-135m --input input_data.jsonl --output instructions.json",
        [options, &context] {
            const auto task = instructions_task({.input = options->input, .max_tokens = options->max_tokens});
            return run_eval(*task, *options, context);
        });
    add_eval_options(*command, *options, "IFEval's input_data.jsonl or one like it (the 52 shipped tasks)");
    command->add_option("--max-tokens", options->max_tokens, fmt::format("Longest answer ({})", options->max_tokens))
        ->check(positive_number())
        ->type_name("N");
}

void setup_diversity(CLI::App & parent, Context & context) {
    auto options = std::make_shared<DiversityCommandOptions>();
    CLI::App * command = add_command(
        parent, context, "diversity", "How varied answers are: n-grams, entropy, embeddings, at equal length",
        "valuelens eval diversity -m smollm2-135m --limit 60 --output diversity.json", [options, &context] {
            DiversityOptions & diversity = options->diversity;
            diversity.input = options->input;
            if (!diversity.embedding_model.empty()) {
                ModelOptions subject;
                SchedulerOptions scheduler;
                apply_engine_options(options->engine, subject, scheduler);
                require_known_model(diversity.embedding_model, "--embedding-model");
                diversity.open_embedding =
                    embedding_opener(diversity.embedding_model, subject, context.console, context.stop);
            }
            return run_eval(*diversity_task(diversity), *options, context);
        });
    add_eval_options(*command, *options, "Queries: JSONL, ShareGPT, LMSYS, text or Value Portrait (the 450 shipped)");
    DiversityOptions & diversity = options->diversity;
    const auto add = [&](const char * name, auto & field, const char * meaning, const char * type) {
        return command->add_option(name, field, fmt::format("{} ({})", meaning, field))->type_name(type);
    };
    add("--max-tokens", diversity.max_tokens, "Longest answer", "N")->check(positive_number());
    add("--temperature", diversity.temperature, "Of the answers; 0: greedy, one answer to each prompt", "T")
        ->check(non_negative_number());
    add("--samples", diversity.samples, "Answers to each prompt", "N")->check(positive_number());
    add("--block", diversity.block, "Prompts whose answers are one corpus", "N")->check(positive_number());
    add("--vocabulary", diversity.vocabulary, "Words that there are, V of expectation-adjusted distinct", "V")
        ->check(positive_number());
    command
        ->add_option("--embedding-model", diversity.embedding_model,
                     "An embedding model, by whose vectors texts are compared (the evaluated model's own states)")
        ->type_name("MODEL");
    add("--min-words", diversity.min_words, "A corpus with fewer words is left out", "N")->check(non_negative_number());
}

PvqOptions questionnaire_of(const QuestionnaireCommandOptions & options) {
    return {.input = options.input, .key = {}, .language = options.language, .reading = reading_of(options)};
}

void setup_leakage(CLI::App & parent, Context & context) {
    auto options = std::make_shared<QuestionnaireCommandOptions>();
    CLI::App * command = add_command(
        parent, context, "leakage", "What steering toward each value does to all others, and the circle",
        "valuelens eval leakage -m smollm2-135m --steer axes.safetensors:{value}/shared,alpha=4 --output leakage.json",
        [options, &context] {
            // Only steering toward each value in turn can leak from one into the others.
            if (!has_value_slot(options->intervention.steer) && !has_value_slot(options->intervention.scale_neurons)) {
                fail(ErrorKind::usage, "leakage steers toward one value after the other; write {{value}} where --steer "
                                       "or --scale-neurons name it: --steer axes.safetensors:{{value}}/shared");
            }
            const auto task = leakage_task(questionnaire_of(*options), concepts_or_default(options->concepts));
            return run_eval(*task, *options, context);
        });
    add_eval_options(*command, *options, "Statements of your own (JSONL of id, value, text) (the 40 shipped)");
    add_parse_option(*command, *options);
    add_language_option(*command, options->language);
}

void setup_cross_lingual(CLI::App & parent, Context & context) {
    auto options = std::make_shared<QuestionnaireCommandOptions>();
    CLI::App * command = add_command(
        parent, context, "cross-lingual", "The value questionnaire in several languages under the same intervention",
        "valuelens eval cross-lingual -m smollm2-135m --steer axes.safetensors:{value}/shared,alpha=4 --output x.json",
        [options, &context] {
            const auto task = cross_lingual_task({.pvq = questionnaire_of(*options), .languages = options->languages},
                                                 concepts_or_default(options->concepts));
            return run_eval(*task, *options, context);
        });
    add_eval_options(*command, *options, "Statements of your own in all languages (JSONL) (the 40 shipped)");
    add_parse_option(*command, *options);
    command->add_option("--languages", options->languages, "The first is what the others are compared with (all five)")
        ->delimiter(',')
        ->type_name("LIST");
}

} // namespace

void setup_rule_evaluations(CLI::App & eval, Context & context) {
    setup_instructions(eval, context);
    setup_diversity(eval, context);
    setup_leakage(eval, context);
    setup_cross_lingual(eval, context);
}

} // namespace valuelens
