#include "base/fail.h"
#include "base/hash.h"
#include "contrast/stored_activations.h"
#include "generate/generate.h"
#include "judge/stage.h"
#include "pipeline/run_context.h"
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

/// What is to know about the decided labels before they are joined.
struct LabelSurvey {
    std::size_t decided = 0;
    std::size_t queries = 0;
    std::string fingerprint; ///< of everything the vectors rest on
};

LabelSurvey survey(const RunDb & db, const VectorOptions & options) {
    LabelSurvey found;
    Sha256 hash;
    std::string query; // labels come by query
    for_each_decided_label(db, [&](const Label & label) {
        hash.update(fmt::format("{}\n{}\n{}\n", label.id, label.value, label.expresses));
        found.queries += found.decided++ == 0 || label.query != query ? 1 : 0;
        query = label.query;
    });
    for (const SliceRow & slice : db.slices()) {
        hash.update(slice.shard_sha256.value_or("") + "\n");
    }
    hash.update(fmt::format("{} {} {} {} {} {}", VALUELENS_VERSION, options.min_count, options.held_out,
                            options.bootstraps, options.confidence, options.seed));
    found.fingerprint = hash.hex();
    return found;
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
    const VectorOptions options = vector_options(run.config);
    const LabelSurvey labels = survey(run.db, options);
    DerivedFile output(run, "vectors.safetensors", labels.fingerprint);
    if (output.is_current()) {
        run.progress.message(LogLevel::info, "vectors: done before");
        return;
    }
    if (labels.decided == 0) {
        fail(ErrorKind::bad_input, "{}: all {} labels are undecided; narrow the undecided band, or use another judge",
             folder, n_labels);
    }
    if (run.config.activations == "none") {
        ValueVectorSet set = vectors_from_slice_sums(shards, run.inputs.value_ids(), options, run.progress, run.stop);
        set.n_queries = labels.queries;
        write_value_vectors(output.path(), set);
    } else {
        const ActivationReader reader(shards);
        const JoinedLabels joined = join_decided_labels(run, reader, run.inputs.value_ids());
        ValueVectorSet set = compute_value_vectors(StoredActivationSource(reader), joined.responses, joined.values,
                                                   options, run.progress, run.stop);
        set.notes.insert(set.notes.end(), joined.notes.begin(), joined.notes.end());
        write_value_vectors(output.path(), set);
    }
    output.record();
}

} // namespace valuelens
