#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

#include "base/fail.h"
#include "generate/plan.h"
#include "pipeline/run_context.h"
#include "pipeline/run_evaluations.h"
#include "pipeline/run_setup.h"
#include "store/run_db.h"
#include "store/safetensors.h"
#include "valuelens/run.h"

namespace valuelens {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

RunDb open_read_only(const fs::path & folder) {
    if (!fs::exists(folder / database_file)) {
        fail(ErrorKind::bad_input,
             "{}: is not a run (it has no run.sqlite); begin one with `valuelens run CONFIG.toml --run {}`",
             folder.string(), folder.string());
    }
    return RunDb(folder / database_file, RunDbMode::read_only);
}

std::vector<std::pair<std::string, std::size_t>> dropped_list(const RunCounts & counts) {
    std::vector<std::pair<std::string, std::size_t>> list;
    for (const DroppedCount & dropped : counts.dropped) {
        list.emplace_back(dropped.stage + ": " + dropped.reason, dropped.n);
    }
    return list;
}

std::string quality_sentence(const std::optional<std::string> & check) {
    if (check.value_or("").empty()) {
        return "not measured";
    }
    const json quality = json::parse(*check, nullptr, false);
    if (!quality.is_object() || !quality.contains("mean_auroc") || !quality["mean_auroc"].is_number()) {
        return "not measured";
    }
    std::string text = fmt::format("mean AUROC {:.3f}", quality["mean_auroc"].get<double>());
    if (quality.contains("mean_auroc_interval") && quality["mean_auroc_interval"].is_array() &&
        quality["mean_auroc_interval"].size() == 2) {
        text += fmt::format(" [{:.3f}, {:.3f}]", quality["mean_auroc_interval"][0].get<double>(),
                            quality["mean_auroc_interval"][1].get<double>());
    }
    return text + " against human labels of " + quality.value("data", "unknown data");
}

} // namespace

RunStatus run_status(const fs::path & folder) {
    const RunDb db = open_read_only(folder);
    const RunCounts counts = db.counts();
    RunStatus status;
    status.folder = folder.string();
    status.model = db.meta("model_name").value_or("");
    const Shard shard = stored_shard(db);
    status.shard = shard.second > 1 ? to_string(shard) : "";
    const std::size_t all_slices = planned_slices(db);
    status.slices_planned = shard_size(all_slices, shard.first, shard.second);
    status.slices_generated = counts.slices;
    status.slices_judged = counts.judge_slices;
    status.intrinsic = counts.intrinsic;
    status.prompted = counts.prompted;
    status.expressing = counts.expressing;
    status.not_expressing = counts.not_expressing;
    status.undecided = counts.undecided;
    status.no_opinion = counts.no_opinion;
    status.dropped = dropped_list(counts);
    status.judge = db.meta("judge").value_or("");
    status.has_vectors = has_derived_file(db, folder, "vectors.safetensors");
    status.has_axes = has_derived_file(db, folder, "axes.safetensors");
    status.has_neurons = has_derived_file(db, folder, "neurons.csv");
    if (const std::optional<std::string> config = db.meta("config")) {
        for (const std::string & name : wanted_evaluations(parse_run_config(*config, folder.string(), folder))) {
            status.evaluations.emplace_back(name, has_derived_file(db, folder, evaluation_file(name)));
        }
    }
    const bool all_evaluated = std::all_of(status.evaluations.begin(), status.evaluations.end(),
                                           [](const auto & evaluation) { return evaluation.second; });
    if (all_slices == 0 || counts.slices < status.slices_planned) {
        status.next = "generate";
    } else if (counts.judge_slices < counts.slices) {
        status.next = "judge";
    } else if (shard.second > 1) {
        status.next = "merge";
    } else if (!status.has_vectors) {
        status.next = "vectors";
    } else if (!status.has_axes) {
        status.next = "decompose";
    } else if (!status.has_neurons) {
        status.next = "neurons";
    } else if (!all_evaluated) {
        status.next = "evaluate";
    } else {
        status.next = "nothing";
    }
    const std::vector<StageEvent> events = db.stage_log();
    constexpr std::size_t shown = 8;
    for (std::size_t i = events.size() > shown ? events.size() - shown : 0; i < events.size(); ++i) {
        status.events.push_back(fmt::format("{} {} {}{}{}", events[i].at, events[i].stage, events[i].event,
                                            events[i].detail.empty() ? "" : ": ", events[i].detail));
    }
    return status;
}

RunSummary summarize_run(const fs::path & folder) {
    const RunDb db = open_read_only(folder);
    const RunCounts counts = db.counts();
    RunSummary summary;
    summary.folder = folder.string();
    summary.responses = counts.intrinsic + counts.prompted;
    summary.queries = counts.queries;
    summary.undecided = counts.undecided;
    summary.dropped = dropped_list(counts);
    summary.model = db.meta("model_name").value_or("");
    if (const auto description = db.meta("model_description")) {
        summary.model += " (" + *description + ")";
    }
    summary.judge = db.meta("judge").value_or("");
    summary.judge_quality = quality_sentence(db.meta("judge_check"));
    const std::pair<const char *, const char *> files[] = {
        {"config.toml", "the configuration, every default written out"},
        {"run.sqlite", "queries, responses with tokens, labels, stage log"},
        {"activations", "response means of every block's output"},
        {"vectors.safetensors", "value vectors with their statistics"},
        {"axes.safetensors", "shared and unique axes, compliance direction, circles"},
        {"geometry.json", "cosines between values, conditions and layers"},
        {"neurons.csv", "the neurons behind each axis"},
        {"neurons.json", "counts against chance, overlaps between values"}};
    for (const auto & [name, meaning] : files) {
        if (fs::exists(folder / name)) {
            summary.files.emplace_back((folder / name).string(), meaning);
        }
    }
    for (const std::string & name : evaluation_names()) {
        if (const fs::path file = folder / evaluation_file(name); fs::exists(file)) {
            summary.files.emplace_back(file.string(), "the evaluation " + name + " under each direction");
        }
    }
    if (!has_derived_file(db, folder, "vectors.safetensors")) {
        return summary;
    }
    const ValueVectorSet set = read_value_vectors(folder / "vectors.safetensors");
    summary.n_layer = static_cast<int>(set.n_layer);
    summary.layer = summary.n_layer / 2;
    const auto layer = static_cast<std::size_t>(summary.layer);
    for (std::size_t v = 0; v < set.values.size(); ++v) {
        ValueSummary row;
        row.value = set.values[v];
        for (std::size_t e = 0; e < 2; ++e) {
            const ValueVector & vector = set.vectors[2 * v + e];
            row.expressing[e] = vector.n_expressing;
            row.not_expressing[e] = vector.n_not_expressing;
            row.problem[e] = vector.problem;
            if (vector.problem.empty()) {
                row.norm[e] = vector.norm[layer];
                row.auroc[e] = vector.auroc[layer];
            }
        }
        if (!set.condition_cosine.empty()) {
            row.cosine = set.condition_cosine[v * set.n_layer + layer];
        }
        summary.values.push_back(std::move(row));
    }
    return summary;
}

} // namespace valuelens
