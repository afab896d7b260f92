#include "valuelens/decompose.h"

#include <charconv>
#include <filesystem>
#include <memory>
#include <type_traits>

#include "base/fail.h"
#include "base/file.h"
#include "cli/command.h"
#include "cli/decompose_output.h"
#include "cli/run_folder.h"

namespace valuelens {

namespace {

struct DecomposeCommandOptions {
    std::string run;
    std::string vectors;
    std::string output;
    std::vector<std::string> activations;
    std::string labels;
    std::string concepts;
    std::string layers;
    std::string geometry;
    std::string compare;
    std::optional<int> threads;
    std::optional<std::uint64_t> seed;
    DecomposeOptions decompose;
};

/// "A-B" or "A".
void parse_layers(const std::string & text, DecomposeOptions & options) {
    const auto bad = [&] {
        fail(ErrorKind::usage, "--layers {}: expected A-B, two 0-based layers, the first not beyond the last", text);
    };
    const auto number = [&](const char * begin, const char * end) {
        std::size_t value = 0;
        const auto [stop, error] = std::from_chars(begin, end, value);
        if (begin == end || stop != end || error != std::errc()) {
            bad();
        }
        return value;
    };
    const std::size_t dash = text.find('-');
    const char * begin = text.data();
    const char * end = begin + text.size();
    options.first_layer = number(begin, dash == std::string::npos ? end : begin + dash);
    options.last_layer = dash == std::string::npos ? options.first_layer : number(begin + dash + 1, end);
    if (options.last_layer < options.first_layer) {
        bad();
    }
}

/// The stage of a run; options that were given beat its config.
Outcome run_stage(const DecomposeCommandOptions & given, const CLI::App & command, Context & context) {
    RunRequest request;
    request.folder = given.run;
    request.override_config = [&](RunConfig & config) {
        const auto put = [&](const char * option, auto value, auto & field) {
            if (command.count(option) > 0) {
                field = static_cast<std::remove_reference_t<decltype(field)>>(value);
            }
        };
        put("--normalize", given.decompose.normalize, config.normalize);
        put("--bootstraps", given.decompose.bootstraps, config.bootstraps);
        put("--confidence", given.decompose.confidence, config.confidence);
        put("--null-draws", given.decompose.null_draws, config.null_draws);
        put("--permutations", given.decompose.permutations, config.permutations);
        put("--layers", given.layers, config.decompose_layers);
        put("--threads", given.threads.value_or(0), config.threads);
        put("--seed", given.seed.value_or(0), config.seed);
    };
    request.stages = {Stage::decompose};
    request.command = "valuelens decompose";
    execute_run(request, context.console, context.stop);
    const std::string output = (std::filesystem::path(given.run) / "axes.safetensors").string();
    return axes_outcome(read_axes(output), output);
}

Outcome run_decompose(const DecomposeCommandOptions & given, const CLI::App & command, Context & context) {
    if (!given.run.empty()) {
        return run_stage(given, command, context);
    }
    if (given.vectors.empty() || given.output.empty()) {
        fail(ErrorKind::usage, "decompose needs either --run, or --vectors and --output");
    }
    DecomposeOptions options = given.decompose;
    options.threads = static_cast<unsigned>(given.threads.value_or(0));
    options.seed = given.seed.value_or(options.seed);
    if (!given.layers.empty()) {
        parse_layers(given.layers, options);
    }
    AtomicFile{given.output}; // said before the work, not after it
    if (!given.geometry.empty()) {
        AtomicFile{given.geometry};
    }

    const ValueVectorSet vectors = read_value_vectors(given.vectors);
    const ConceptSet concepts = given.concepts.empty() ? schwartz10() : load_concept_set(given.concepts);
    if (!given.geometry.empty()) {
        std::optional<ValueVectorSet> other;
        if (!given.compare.empty()) {
            other = read_value_vectors(given.compare);
        }
        write_file(given.geometry, geometry_json(vectors, other ? &*other : nullptr) + "\n");
    }
    const DecomposeSource source{{given.activations.begin(), given.activations.end()}, given.labels};
    const AxisSet set = decompose_vectors(vectors, concepts, options, source, context.console, context.stop);
    write_axes(given.output, set);
    return axes_outcome(set, given.output);
}

} // namespace

void setup_decompose(CLI::App & app, Context & context) {
    auto options = std::make_shared<DecomposeCommandOptions>();
    CLI::App * command = add_command(
        app, context, "decompose", "Split value vectors into shared and unique axes",
        "valuelens decompose --vectors vectors.safetensors --output axes.safetensors\n"
        "  valuelens decompose --vectors vectors.safetensors --activations acts.safetensors --labels labels.jsonl \\\n"
        "      --output axes.safetensors     with intervals, by resampling queries\n"
        "  valuelens decompose --run my-run",
        [options, &app, &context] { return run_decompose(*options, *app.get_subcommand("decompose"), context); });
    DecomposeOptions & decompose = options->decompose;
    CLI::Option * run = add_run_option(*command, options->run);
    command->add_option("--vectors", options->vectors, "Value vectors (safetensors)")->excludes(run)->type_name("FILE");
    command->add_option("--output", options->output, "Axes (safetensors)")->excludes(run)->type_name("FILE");
    command->add_flag("--normalize", decompose.normalize,
                      "SVD of unit vectors: the longer one no longer counts for more");
    CLI::Option * activations =
        command
            ->add_option("--activations", options->activations,
                         "The activations behind the vectors, one file or several: gives intervals")
            ->excludes(run)
            ->type_name("FILE...");
    command->add_option("--labels", options->labels, "The labels behind the vectors")
        ->needs(activations)
        ->type_name("FILE");
    command
        ->add_option("--concepts", options->concepts,
                     "Concept set (TOML), which states the angles of the circle, instead of Schwartz's ten values")
        ->excludes(run)
        ->type_name("FILE");
    command->add_option("--layers", options->layers, "Layers of the headline numbers (the middle half of the model)")
        ->type_name("A-B");
    command
        ->add_option("--bootstraps", decompose.bootstraps,
                     fmt::format("Resamples of queries behind each interval ({})", decompose.bootstraps))
        ->check(non_negative_number())
        ->type_name("N");
    command
        ->add_option("--confidence", decompose.confidence, fmt::format("Of the intervals ({})", decompose.confidence))
        ->type_name("SHARE");
    command
        ->add_option("--null-draws", decompose.null_draws,
                     fmt::format("Sets of random directions behind each chance level ({})", decompose.null_draws))
        ->check(non_negative_number())
        ->type_name("N");
    command
        ->add_option("--permutations", decompose.permutations,
                     fmt::format("Behind the p of each circle ({})", decompose.permutations))
        ->check(non_negative_number())
        ->type_name("N");
    CLI::Option * geometry = command
                                 ->add_option("--geometry", options->geometry,
                                              "Also write the cosines between values, conditions and layers (JSON)")
                                 ->excludes(run)
                                 ->type_name("FILE");
    command->add_option("--compare", options->compare, "Value vectors of another model, into --geometry")
        ->needs(geometry)
        ->type_name("FILE");
    command
        ->add_option("--memory-mb", decompose.memory_mb,
                     fmt::format("Working memory aimed at ({})", decompose.memory_mb))
        ->check(non_negative_number())
        ->excludes(run)
        ->type_name("N");
    add_threads_option(*command, options->threads);
    add_seed_option(*command, options->seed);
}

} // namespace valuelens
