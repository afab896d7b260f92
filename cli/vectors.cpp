#include "valuelens/vectors.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <type_traits>

#include "base/fail.h"
#include "base/file.h"
#include "cli/command.h"
#include "cli/engine_options.h"
#include "cli/run_folder.h"
#include "cli/vectors_output.h"

namespace valuelens {

namespace {

struct VectorsCommandOptions {
    std::string run;
    std::vector<std::string> activations;
    std::string labels;
    std::string output;
    std::vector<std::string> values;
    std::optional<int> threads;
    std::optional<std::uint64_t> seed;
    std::optional<std::size_t> min_count;
    std::optional<double> held_out;
    std::optional<std::size_t> bootstraps;
    std::optional<double> confidence;
    std::optional<std::size_t> memory_mb;
};

/// Puts what was given over the fields of the same name: of VectorOptions, or of a run's config.
template <typename Target>
void override_options(const VectorsCommandOptions & options, Target & target) {
    const auto put = [](const auto & given, auto & field) {
        if (given) {
            field = static_cast<std::remove_reference_t<decltype(field)>>(*given);
        }
    };
    put(options.threads, target.threads);
    put(options.seed, target.seed);
    put(options.min_count, target.min_count);
    put(options.held_out, target.held_out);
    put(options.bootstraps, target.bootstraps);
    put(options.confidence, target.confidence);
}

Outcome run_stage(const VectorsCommandOptions & options, Context & context) {
    RunRequest request;
    request.folder = options.run;
    request.override_config = [&](RunConfig & config) {
        override_options(options, config);
    };
    request.stages = {Stage::vectors};
    request.command = "valuelens vectors";
    return summary_outcome(execute_run(request, context.console, context.stop));
}

Outcome run_vectors(const VectorsCommandOptions & options, Context & context) {
    if (!options.run.empty()) {
        return run_stage(options, context);
    }
    if (options.activations.empty() || options.labels.empty() || options.output.empty()) {
        fail(ErrorKind::usage, "vectors needs either --run, or all of --activations, --labels and --output");
    }
    AtomicFile{options.output}; // said before the work, not after it
    VectorOptions vectors;
    override_options(options, vectors);
    vectors.memory_mb = options.memory_mb.value_or(vectors.memory_mb);
    const std::vector<std::filesystem::path> activations(options.activations.begin(), options.activations.end());
    const ValueVectorSet set =
        vectors_from_files(activations, options.labels, options.values, vectors, context.console, context.stop);
    write_value_vectors(options.output, set);
    return vectors_outcome(set, options.output);
}

} // namespace

void setup_vectors(CLI::App & app, Context & context) {
    auto options = std::make_shared<VectorsCommandOptions>();
    CLI::App * command = add_command(
        app, context, "vectors", "Compute value vectors from activations and labels",
        "valuelens vectors --activations acts.safetensors --labels labels.jsonl --output vectors.safetensors",
        [options, &context] { return run_vectors(*options, context); });
    const VectorOptions defaults;
    CLI::Option * run = add_run_option(*command, options->run);
    command->add_option("--activations", options->activations, "Activations, one file or several")
        ->excludes(run)
        ->type_name("FILE...");
    command->add_option("--labels", options->labels, "Labels: JSONL of id, value, condition, expresses")
        ->excludes(run)
        ->type_name("FILE");
    command->add_option("--output", options->output, "Value vectors (safetensors)")->excludes(run)->type_name("FILE");
    command->add_option("--values", options->values, "Only these values, in this order (those of the labels, sorted)")
        ->excludes(run)
        ->delimiter(',')
        ->type_name("LIST");
    command
        ->add_option("--min-count", options->min_count,
                     fmt::format("Fewest responses of each class ({})", defaults.min_count))
        ->check(positive_number())
        ->type_name("N");
    command
        ->add_option("--held-out", options->held_out,
                     fmt::format("Share of queries kept out of the fit for the AUROC ({})", defaults.held_out))
        ->type_name("SHARE");
    command
        ->add_option("--bootstraps", options->bootstraps,
                     fmt::format("Resamples of queries behind each interval ({})", defaults.bootstraps))
        ->check(non_negative_number())
        ->type_name("N");
    command->add_option("--confidence", options->confidence, fmt::format("Of the intervals ({})", defaults.confidence))
        ->type_name("SHARE");
    command
        ->add_option("--memory-mb", options->memory_mb, fmt::format("Working memory aimed at ({})", defaults.memory_mb))
        ->check(non_negative_number())
        ->excludes(run)
        ->type_name("N");
    add_threads_option(*command, options->threads);
    add_seed_option(*command, options->seed);
}

} // namespace valuelens
