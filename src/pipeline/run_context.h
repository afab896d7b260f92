#pragma once

#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "contrast/stored_activations.h"
#include "generate/plan.h"
#include "pipeline/run_inputs.h"
#include "store/run_db.h"
#include "valuelens/model.h"
#include "valuelens/progress.h"
#include "valuelens/request.h"
#include "valuelens/run.h"
#include "valuelens/run_config.h"

namespace valuelens {

/// A run that is being worked on, as its stages see it. The caller holds its lock.
struct RunContext {
    const RunRequest & request;
    const std::filesystem::path & folder;
    RunConfig & config;
    RunDb & db;
    const RunInputs & inputs;
    std::pair<int, int> shard; ///< index, count
    ProgressSink & progress;
    std::stop_token stop;
};

/// The stages. Each leaves alone what is done, goes on where it stood, and throws as run.h says.
void generate_stage(RunContext & run);
void judge_stage(RunContext & run);
void vectors_stage(RunContext & run);
void decompose_stage(RunContext & run);
void neurons_stage(RunContext & run);
void evaluate_stage(RunContext & run);

/// Throws Error(usage) or Error(bad_input) for what [evaluate] asks and cannot be done, whatever the model.
void check_evaluate_config(const RunConfig & config, const ConceptSet & concepts);

/// How a run's config says that its model is loaded and scheduled. The model is fetched where it is not here.
ModelOptions run_model_options(const RunContext & run);
SchedulerOptions run_scheduler_options(const RunConfig & config);

/// Throws Error(usage) that names the run's model and the one that is there now.
[[noreturn]] void fail_other_model(const RunContext & run, const ModelInfo & now);

/// A file that a stage derives from others: computed again when what it rests on has changed, or when it is not as the
/// stage left it.
class DerivedFile {
public:
    /// `fingerprint`: of everything the file depends on, the program's version included.
    DerivedFile(RunContext & run, std::string name, std::string fingerprint);

    std::filesystem::path path() const { return run_.folder / name_; }
    bool is_current() const;
    /// Says that the file lies there, made from what the fingerprint says.
    void record();

private:
    RunContext & run_;
    std::string name_;
    std::string fingerprint_;
};

/// Forgets what all derived files rest on: each is computed again by its stage. For when responses or labels change.
void forget_derived_files(RunDb & db);

/// Whether a derived file lies there and rests on what the run holds.
bool has_derived_file(const RunDb & db, const std::filesystem::path & folder, const std::string & name);

/// Calls `label` for each label that is decided, as the stages after judging take them.
void for_each_decided_label(const RunDb & db, const std::function<void(const Label &)> & label);

/// Joins the decided labels to the run's activations.
JoinedLabels join_decided_labels(const RunContext & run, const ActivationReader & activations,
                                 const std::vector<std::string> & values);

} // namespace valuelens
