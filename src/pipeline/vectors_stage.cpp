#include <set>

#include "base/fail.h"
#include "base/hash.h"
#include "contrast/stored_activations.h"
#include "generate/generate.h"
#include "judge/stage.h"
#include "pipeline/run_context.h"
#include "pipeline/run_setup.h"
#include "vectors/compute.h"
#include "vectors/from_slice_sums.h"

namespace valuelens {

namespace fs = std::filesystem;

namespace {

VectorOptions vector_options(const RunConfig & config) {
    VectorOptions options;
    options.min_count = static_cast<std::size_t>(config.min_count);
    options.held_out = config.held_out;
    options.bootstraps = static_cast<std::size_t>(config.bootstraps);
    options.confidence = config.confidence;
    options.seed = static_cast<std::uint64_t>(config.seed);
    options.threads = static_cast<unsigned>(config.threads);
    return options;
}

// Everything the vectors rest on.
std::string fingerprint(const RunDb & db, const std::vector<Label> & labels, const VectorOptions & options) {
    Sha256 hash;
    for (const Label & label : labels) {
        hash.update(fmt::format("{}\n{}\n{}\n", label.id, label.value, label.expresses));
    }
    for (const SliceRow & slice : db.slices()) {
        hash.update(slice.shard_sha256.value_or("") + "\n");
    }
    hash.update(fmt::format("{} {} {} {} {} {}", VALUELENS_VERSION, options.min_count, options.held_out,
                            options.bootstraps, options.confidence, options.seed));
    return hash.hex();
}

} // namespace

void vectors_stage(RunContext & run) {
    const std::string folder = run.folder.string();
    const std::vector<fs::path> shards = shard_paths(run.db, run.folder);
    if (!shards.empty() && !judge_stage_done(run.db)) {
        fail(ErrorKind::usage, "{}: judging is not finished; run `valuelens judge --run {}` first", folder, folder);
    }
    const std::size_t n_labels = run.db.counts().labels;
    if (shards.empty() || n_labels == 0) {
        fail(ErrorKind::usage, "{}: has no {} yet; run `valuelens {} --run {}` first", folder,
             shards.empty() ? "activations" : "labels", shards.empty() ? "generate" : "judge", folder);
    }
    const std::vector<Label> labels = decided_labels(run.db);
    const VectorOptions options = vector_options(run.config);
    DerivedFile output(run, "vectors.safetensors", fingerprint(run.db, labels, options));
    if (output.is_current()) {
        run.progress.message(LogLevel::info, "vectors: done before");
        return;
    }
    if (labels.empty()) {
        fail(ErrorKind::bad_input, "{}: all {} labels are undecided; narrow the undecided band, or use another judge",
             folder, n_labels);
    }
    if (run.config.activations == "none") {
        ValueVectorSet set = vectors_from_slice_sums(shards, run.inputs.value_ids(), options, run.progress, run.stop);
        std::set<std::string> queries;
        for (const Label & label : labels) {
            queries.insert(label.query);
        }
        set.n_queries = queries.size();
        write_value_vectors(output.path(), set);
    } else {
        const ActivationReader reader(shards);
        const JoinedLabels joined =
            join_labels(reader, labels, run.inputs.value_ids(), (run.folder / database_file).string(),
                        (run.folder / "activations").string());
        ValueVectorSet set = compute_value_vectors(StoredActivationSource(reader), joined.responses, joined.values,
                                                   options, run.progress, run.stop);
        set.notes.insert(set.notes.end(), joined.notes.begin(), joined.notes.end());
        write_value_vectors(output.path(), set);
    }
    output.record();
}

} // namespace valuelens
