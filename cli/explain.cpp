#include "valuelens/explain.h"

#include <algorithm>
#include <memory>

#include "base/fail.h"
#include "cli/command.h"
#include "cli/engine_options.h"
#include "cli/explain_output.h"
#include "cli/run_folder.h"
#include "cli/server_options.h"
#include "pipeline/explain_tools.h"
#include "valuelens/models.h"

namespace valuelens {

namespace {

struct ExplainCommandOptions {
    EngineOptions engine;
    std::string run;
    std::string neurons;
    std::string axes;
    std::vector<std::string> corpora;
    std::string output;
    std::string explainer;
    ServerConfig server; ///< the defaults of its options, too
    std::vector<std::string> scores = {"detection", "fuzzing"};
    std::string poles = "both";
    bool no_rating = false;
    ExplainOptions explain; ///< the defaults of the rest
};

std::vector<ScoreKind> score_kinds(const std::vector<std::string> & names) {
    std::vector<ScoreKind> kinds;
    for (const ScoreKind kind : {ScoreKind::detection, ScoreKind::fuzzing, ScoreKind::simulation}) {
        if (std::find(names.begin(), names.end(), to_string(kind)) != names.end()) {
            kinds.push_back(kind);
        }
    }
    return kinds;
}

Outcome run_explain_command(const CLI::App & command, const ExplainCommandOptions & given, Context & context) {
    require_server(command, {"--server-model", "--api-key-env", "--concurrency", "--max-retries", "--timeout"},
                   !given.server.url.empty(), "--url");
    ExplainRequest request;
    request.options = given.explain;
    request.options.scores = score_kinds(given.scores);
    request.options.negative = given.poles == "both";
    request.options.rate = !given.no_rating;
    request.neurons = given.neurons;
    request.axes = given.axes;
    request.corpora.assign(given.corpora.begin(), given.corpora.end());
    request.output = given.output;
    request.server = given.server;
    if (!given.explainer.empty() && !given.server.url.empty()) {
        fail(ErrorKind::usage, "--explainer names a model here and --url a server; give one of the two");
    }
    if (given.run.empty() &&
        (!given.engine.model || given.neurons.empty() || given.corpora.empty() || given.output.empty())) {
        fail(ErrorKind::usage, "explain needs either --run, or all of --model, --neurons, --corpus and --output");
    }
    apply_engine_options(given.engine, request.model, request.scheduler);
    const FetchOptions fetch{.threads = request.model.threads};
    if (given.engine.model) {
        request.model.path = resolve_model(*given.engine.model, fetch, context.console, context.stop).string();
    }
    if (!given.explainer.empty()) {
        request.explainer = resolve_model(given.explainer, fetch, context.console, context.stop).string();
    }
    if (!given.run.empty()) {
        fill_from_run(request, given.run, context.console, context.stop);
    }
    if (given.engine.seed) {
        request.options.harvest.seed = *given.engine.seed;
    }
    return explain_outcome(explain_neurons(request, context.console, context.stop), request.output.string());
}

void add_harvest_options(CLI::App & command, ExplainCommandOptions & options) {
    constexpr const char * group = "Harvest";
    HarvestOptions & harvest = options.explain.harvest;
    command.add_option("--window", harvest.window, fmt::format("Tokens of an excerpt ({})", harvest.window))
        ->check(positive_number())
        ->type_name("N")
        ->group(group);
    command.add_option("--top", harvest.top, fmt::format("Excerpts kept per neuron and pole ({})", harvest.top))
        ->check(unnamed(CLI::Range(2, 1000)))
        ->type_name("N")
        ->group(group);
    command
        .add_option("--random", harvest.random,
                    fmt::format("Excerpts drawn from the whole corpus, for all neurons ({})", harvest.random))
        ->check(unnamed(CLI::Range(1, 10000)))
        ->type_name("N")
        ->group(group);
    command.add_option("--limit", harvest.limit, "Only the first N documents (all)")
        ->check(non_negative_number())
        ->type_name("N")
        ->group(group);
}

void add_choice_options(CLI::App & command, ExplainCommandOptions & options) {
    constexpr const char * group = "Neurons";
    command.add_option("--values", options.explain.values, "Only neurons of these values (all)")
        ->delimiter(',')
        ->type_name("LIST")
        ->group(group);
    command.add_option("--categories", options.explain.categories, "Only neurons of these categories (all but none)")
        ->delimiter(',')
        ->type_name("LIST")
        ->group(group);
    command
        .add_option("--per-category", options.explain.per_category,
                    fmt::format("Neurons of each value and category, longest projection first; 0: all ({})",
                                options.explain.per_category))
        ->check(non_negative_number())
        ->type_name("N")
        ->group(group);
    command
        .add_option("--poles", options.poles,
                    "both, or positive activations alone: gated MLPs are active in two directions (both)")
        ->check(unnamed(CLI::IsMember({"both", "positive"})))
        ->type_name("both|positive")
        ->group(group);
}

void add_explainer_options(CLI::App & command, ExplainCommandOptions & options) {
    constexpr const char * group = "Explainer";
    command
        .add_option("--explainer", options.explainer,
                    "Model that explains and scores: GGUF file, or NAME[:TYPE] (the subject itself)")
        ->type_name("MODEL")
        ->group(group);
    command
        .add_option("--url", options.server.url,
                    "An OpenAI-compatible server explains and scores instead: http[s]://host[:port]/v1")
        ->check(not_empty())
        ->type_name("URL")
        ->group(group);
    add_server_options(command, options.server, group);
    command
        .add_option("--examples", options.explain.examples,
                    fmt::format("Top excerpts shown to the explainer, at most half; the rest is for the scores ({})",
                                options.explain.examples))
        ->check(positive_number())
        ->type_name("N")
        ->group(group);
    command
        .add_option("--scores", options.scores,
                    "detection, fuzzing, simulation (with a local model only), or none (detection,fuzzing)")
        ->delimiter(',')
        ->check(unnamed(CLI::IsMember({"detection", "fuzzing", "simulation", "none"})))
        ->type_name("LIST")
        ->group(group);
    command.add_flag("--no-rating", options.no_rating, "Do not rate abstractness and value relevance")->group(group);
    command
        .add_option("--lens", options.explain.lens_tokens,
                    fmt::format("Vocabulary tokens at each end of the logit lens; 0: no lens ({})",
                                options.explain.lens_tokens))
        ->check(non_negative_number())
        ->type_name("N")
        ->group(group);
}

} // namespace

void setup_explain(CLI::App & app, Context & context) {
    auto options = std::make_shared<ExplainCommandOptions>();
    CLI::App * command = add_command(
        app, context, "explain", "Say in words what neurons react to, and score what is said",
        "valuelens explain -m smollm2-135m --neurons neurons.csv --corpus texts.jsonl --output explanations.jsonl\n"
        "  valuelens explain --run runs/demo --url http://127.0.0.1:8000/v1",
        [options, &app, &context] { return run_explain_command(*app.get_subcommand("explain"), *options, context); });
    add_engine_options(*command, options->engine);
    add_run_option(*command, options->run);
    command->add_option("--neurons", options->neurons, "Neurons to explain: neurons.csv, or a CSV of layer, neuron")
        ->type_name("FILE");
    command->add_option("--axes", options->axes, "Axes whose logit lens is written too (safetensors)")
        ->type_name("FILE");
    command
        ->add_option("--corpus", options->corpora,
                     "Texts: JSONL with \"text\", or plain text with blank lines between documents; repeatable")
        ->type_name("FILE...");
    command
        ->add_option("--output", options->output,
                     "Explanations (JSONL); explanations.json and .harvest are written beside it")
        ->type_name("FILE");
    add_harvest_options(*command, *options);
    add_choice_options(*command, *options);
    add_explainer_options(*command, *options);
}

} // namespace valuelens
