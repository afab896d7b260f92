#include "base/fail.h"
#include "base/file.h"
#include "base/hash.h"
#include "contrast/stored_activations.h"
#include "decompose/decompose.h"
#include "generate/generate.h"
#include "pipeline/run_context.h"
#include "pipeline/spec_text.h"

namespace valuelens {

namespace {

DecomposeOptions decompose_options(const RunConfig & config) {
    DecomposeOptions options;
    options.normalize = config.normalize;
    options.bootstraps = static_cast<std::size_t>(config.bootstraps);
    options.confidence = config.confidence;
    options.permutations = static_cast<std::size_t>(config.permutations);
    options.null_draws = static_cast<std::size_t>(config.null_draws);
    options.seed = static_cast<std::uint64_t>(config.seed);
    options.threads = static_cast<unsigned>(config.threads);
    if (!config.decompose_layers.empty()) {
        const std::optional<LayerRange> range = parse_layer_range(config.decompose_layers);
        if (!range) {
            fail(ErrorKind::usage, "decompose.layers is '{}', expected A-B, two 0-based layers",
                 config.decompose_layers);
        }
        options.first_layer = static_cast<std::size_t>(range->first);
        options.last_layer = static_cast<std::size_t>(range->last);
    }
    return options;
}

} // namespace

void decompose_stage(RunContext & run) {
    const std::string folder = run.folder.string();
    const std::filesystem::path vectors = run.folder / "vectors.safetensors";
    if (!has_derived_file(run.db, run.folder, "vectors.safetensors")) {
        fail(ErrorKind::usage, "{}: has no vectors yet; run `valuelens vectors --run {}` first", folder, folder);
    }
    const DecomposeOptions options = decompose_options(run.config);
    Sha256 hash;
    hash.update(sha256_file(vectors));
    hash.update(fmt::format("{} {} {} {} {} {} {} {}-{}", VALUELENS_VERSION, options.normalize, options.bootstraps,
                            options.confidence, options.permutations, options.null_draws, options.seed,
                            options.first_layer, options.last_layer));
    DerivedFile output(run, "axes.safetensors", hash.hex());
    if (output.is_current() && std::filesystem::exists(run.folder / "geometry.json")) {
        run.progress.message(LogLevel::info, "decompose: done before");
        return;
    }
    const ValueVectorSet set = read_value_vectors(vectors);
    AxisSet axes;
    if (run.config.activations == "none") {
        axes = decompose_vectors(set, run.inputs.concepts, options, nullptr, run.progress, run.stop);
        axes.notes.emplace_back("no intervals: the run keeps no activations (generate.activations = \"none\")");
    } else {
        const ActivationReader reader(shard_paths(run.db, run.folder));
        const JoinedLabels joined = join_decided_labels(run, reader, set.values);
        const StoredActivationSource activations(reader);
        const ResponseSource source{activations, joined.responses, (run.folder / "activations").string()};
        axes = decompose_vectors(set, run.inputs.concepts, options, &source, run.progress, run.stop);
        axes.notes.insert(axes.notes.end(), joined.notes.begin(), joined.notes.end());
    }
    write_file(run.folder / "geometry.json", geometry_json(set) + "\n");
    write_axes(output.path(), axes);
    output.record();
}

} // namespace valuelens
