#include "base/fail.h"
#include "base/file.h"
#include "base/hash.h"
#include "pipeline/run_context.h"
#include "valuelens/models.h"
#include "valuelens/neurons.h"

namespace valuelens {

void neurons_stage(RunContext & run) {
    const std::string folder = run.folder.string();
    const std::filesystem::path axes_file = run.folder / "axes.safetensors";
    if (!has_derived_file(run.db, run.folder, "axes.safetensors")) {
        fail(ErrorKind::usage, "{}: has no axes yet; run `valuelens decompose --run {}` first", folder, folder);
    }
    NeuronOptions options;
    options.top_percent = run.config.top_percent;
    options.max_angle = run.config.max_angle;
    options.scope = run.config.neuron_scope == "layer" ? NeuronScope::layer : NeuronScope::model;
    options.anti_shared = run.config.anti_shared;
    options.null_draws = static_cast<std::size_t>(run.config.neuron_null_draws);
    options.confidence = run.config.confidence;
    options.seed = static_cast<std::uint64_t>(run.config.seed);
    options.threads = static_cast<unsigned>(run.config.threads);
    Sha256 hash;
    hash.update(sha256_file(axes_file));
    hash.update(fmt::format("{} {} {} {} {} {} {} {}", VALUELENS_VERSION, options.top_percent, options.max_angle,
                            to_string(options.scope), options.anti_shared, options.null_draws, options.confidence,
                            options.seed));
    DerivedFile output(run, "neurons.csv", hash.hex());
    if (output.is_current() && std::filesystem::exists(run.folder / "neurons.json")) {
        run.progress.message(LogLevel::info, "neurons: done before");
        return;
    }
    const std::string model =
        resolve_model(run.config.model, {static_cast<int>(run.config.threads)}, run.progress, run.stop).string();
    const ModelInfo info = read_model_info(model);
    if (info.identity != run.db.meta("model_identity")) {
        fail_other_model(run, info);
    }
    const NeuronTable table = find_neurons(model, read_axes(axes_file), options, run.progress, run.stop);
    write_file(run.folder / "neurons.json", neurons_json(table) + "\n");
    write_neurons_csv(output.path(), table);
    output.record();
}

} // namespace valuelens
