#include "pipeline/run_context.h"
#include "pipeline/run_evaluations.h"

#include <algorithm>
#include <iterator>

#include "base/fail.h"
#include "base/hash.h"
#include "pipeline/run_setup.h"
#include "valuelens/models.h"

namespace valuelens {

namespace {

/// In the order in which they rest on each other.
constexpr const char * derived_names[] = {"vectors.safetensors", "axes.safetensors", "neurons.csv"};

std::string inputs_key(const std::string & name) {
    return name + ".inputs";
}

std::string hash_key(const std::string & name) {
    return name + ".sha256";
}

/// Evaluations rest on vectors and axes, and on no neurons.
void forget_evaluations(RunDb & db) {
    for (const std::string & name : evaluation_names()) {
        db.set_meta(inputs_key(evaluation_file(name)), "");
    }
}

} // namespace

ModelOptions run_model_options(const RunContext & run) {
    const RunConfig & config = run.config;
    ModelOptions options;
    options.path = resolve_model(config.model, {static_cast<int>(config.threads)}, run.progress, run.stop).string();
    options.threads = static_cast<int>(config.threads);
    options.n_gpu_layers = static_cast<int>(config.n_gpu_layers);
    options.chat_template = config.chat_template;
    options.chat_template_kwargs = config.chat_template_kwargs;
    options.date = config.date;
    return options;
}

SchedulerOptions run_scheduler_options(const RunConfig & config) {
    SchedulerOptions scheduler;
    scheduler.parallel = static_cast<int>(config.parallel);
    scheduler.ctx_size = static_cast<int>(config.ctx_size);
    scheduler.kv_type = config.kv_type;
    return scheduler;
}

void fail_other_model(const RunContext & run, const ModelInfo & now) {
    fail(ErrorKind::usage,
         "{}: was begun with the model {} ({}), now it is {} ({}); give another --run, or the old model",
         run.folder.string(), run.db.meta("model_name").value_or("?"), run.db.meta("model_description").value_or("?"),
         now.name, now.description);
}

DerivedFile::DerivedFile(RunContext & run, std::string name, std::string fingerprint)
    : run_(run), name_(std::move(name)), fingerprint_(std::move(fingerprint)) {}

bool DerivedFile::is_current() const {
    return run_.db.meta(inputs_key(name_)) == fingerprint_ && std::filesystem::exists(path()) &&
           run_.db.meta(hash_key(name_)) == sha256_file(path());
}

void DerivedFile::record() {
    run_.db.set_meta(hash_key(name_), sha256_file(path()));
    run_.db.set_meta(inputs_key(name_), fingerprint_);
    // What rests on it is to be looked at again.
    for (auto later = std::find(std::begin(derived_names), std::end(derived_names), name_);
         later != std::end(derived_names); ++later) {
        if (*later != name_) {
            run_.db.set_meta(inputs_key(*later), "");
        }
    }
    if (name_ == derived_names[0] || name_ == derived_names[1]) {
        forget_evaluations(run_.db);
    }
}

void forget_derived_files(RunDb & db) {
    for (const char * name : derived_names) {
        db.set_meta(inputs_key(name), "");
    }
    forget_evaluations(db);
}

bool has_derived_file(const RunDb & db, const std::filesystem::path & folder, const std::string & name) {
    return std::filesystem::exists(folder / name) && !db.meta(inputs_key(name)).value_or("").empty();
}

void for_each_decided_label(const RunDb & db, const std::function<void(const Label &)> & label) {
    db.for_each_label([&](const StoredLabel & stored) {
        if (stored.label.expresses) {
            label({stored.label.response_id, stored.label.value_id, stored.condition, *stored.label.expresses,
                   stored.query_id});
        }
    });
}

JoinedLabels join_decided_labels(const RunContext & run, const ActivationReader & activations,
                                 const std::vector<std::string> & values) {
    LabelJoin join(activations, values, (run.folder / database_file).string(), (run.folder / "activations").string());
    for_each_decided_label(run.db, [&](const Label & label) { join.add(label); });
    return join.finish();
}

} // namespace valuelens
