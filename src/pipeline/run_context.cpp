#include "pipeline/run_context.h"

#include <algorithm>
#include <iterator>

#include "base/fail.h"
#include "base/hash.h"
#include "pipeline/run_setup.h"

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

} // namespace

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
}

void forget_derived_files(RunDb & db) {
    for (const char * name : derived_names) {
        db.set_meta(inputs_key(name), "");
    }
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
