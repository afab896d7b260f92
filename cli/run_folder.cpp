#include "cli/run_folder.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/fail.h"

namespace valuelens {

namespace {

nlohmann::ordered_json estimate_json(const Estimate & estimate) {
    return {estimate.value, estimate.low, estimate.high};
}

nlohmann::ordered_json counts_json(const std::vector<std::pair<std::string, std::size_t>> & counts) {
    nlohmann::ordered_json json = nlohmann::ordered_json::object();
    for (const auto & [reason, n] : counts) {
        json[reason] = n;
    }
    return json;
}

std::string estimate_text(const Estimate & estimate) {
    if (std::isnan(estimate.value)) {
        return "-";
    }
    return std::isnan(estimate.low)
               ? fmt::format("{:.2f}", estimate.value)
               : fmt::format("{:.2f} [{:.2f}, {:.2f}]", estimate.value, estimate.low, estimate.high);
}

constexpr const char * conditions[2] = {"intrinsic", "prompted"};

std::string value_lines(const ValueSummary & value) {
    std::string text;
    for (int c = 0; c < 2; ++c) {
        text += fmt::format("{:<16} {:<10} {:>6} {:>6}  ", value.value, conditions[c], value.expressing[c],
                            value.not_expressing[c]);
        text += value.problem[c].empty() ? fmt::format("{:<19} {:<19} {}", estimate_text(value.norm[c]),
                                                       estimate_text(value.auroc[c]), estimate_text(value.cosine))
                                         : "no vector: too few of one class";
        text += "\n";
    }
    return text;
}

std::string summary_text(const RunSummary & summary) {
    std::string text =
        fmt::format("{}: {} responses to {} queries\n", summary.folder, summary.responses, summary.queries);
    if (!summary.model.empty()) {
        text += fmt::format("model: {}\n", summary.model);
    }
    if (!summary.judge.empty()) {
        text += fmt::format("judge: {} ({})\n", summary.judge, summary.judge_quality);
    }
    if (summary.undecided > 0) {
        text += fmt::format("left out: {} undecided labels\n", summary.undecided);
    }
    for (const auto & [reason, n] : summary.dropped) {
        text += fmt::format("left out: {} ({})\n", n, reason);
    }
    if (!summary.values.empty()) {
        text += fmt::format("\nat layer {} of {}\n{:<16} {:<10} {:>6} {:>6}  {:<19} {:<19} {}\n", summary.layer,
                            summary.n_layer, "value", "condition", "expr.", "not", "norm", "held-out AUROC",
                            "cos(intr., prom.)");
        for (const ValueSummary & value : summary.values) {
            text += value_lines(value);
        }
        text += "\n";
    }
    for (const auto & [name, meaning] : summary.files) {
        text += fmt::format("{}: {}\n", name, meaning);
    }
    const auto evaluation = std::find_if(summary.files.begin(), summary.files.end(),
                                         [](const auto & file) { return file.first.starts_with("evaluation/"); });
    if (evaluation != summary.files.end()) {
        text += fmt::format("\nvaluelens inspect {}/{} shows an evaluation, valuelens report --run {} all of them\n",
                            summary.folder, evaluation->first, summary.folder);
    }
    text.pop_back();
    return text;
}

} // namespace

CLI::Option * add_run_option(CLI::App & command, std::string & run) {
    return command.add_option("--run", run, "Folder of the run")->type_name("DIR");
}

CLI::Option * add_shard_option(CLI::App & command, std::string & shard) {
    return command
        .add_option("--shard", shard,
                    "Do only part I of N (I from 0) of the run's slices; auto: the place of this process in its Slurm "
                    "array, mpirun, srun or Kubernetes job. {shard} in --run becomes I-of-N")
        ->type_name("I/N|auto");
}

void override_run_config(const EngineOptions & options, RunConfig & config) {
    const auto put = [](const auto & given, auto & field) {
        if (given) {
            field = *given;
        }
    };
    if (options.model) {
        // The run may be gone on with from another folder.
        const bool is_file = std::filesystem::exists(*options.model);
        config.model = is_file ? std::filesystem::absolute(*options.model).string() : *options.model;
    }
    put(options.threads, config.threads);
    put(options.n_gpu_layers, config.n_gpu_layers);
    put(options.ctx_size, config.ctx_size);
    put(options.parallel, config.parallel);
    put(options.kv_type, config.kv_type);
    put(options.chat_template_kwargs, config.chat_template_kwargs);
    put(options.date, config.date);
    put(options.seed, config.seed);
    if (options.chat_template) {
        config.chat_template = chat_template_text(*options.chat_template);
    }
}

Outcome summary_outcome(const RunSummary & summary) {
    nlohmann::ordered_json values = nlohmann::ordered_json::array();
    for (const ValueSummary & value : summary.values) {
        nlohmann::ordered_json entry = {{"value", value.value}};
        for (int c = 0; c < 2; ++c) {
            entry[conditions[c]] = {
                {"expressing", value.expressing[c]},
                {"not_expressing", value.not_expressing[c]},
                {"problem", value.problem[c]},
                {"norm", estimate_json(value.norm[c])},
                {"auroc", estimate_json(value.auroc[c])},
            };
        }
        entry["cosine"] = estimate_json(value.cosine);
        values.push_back(std::move(entry));
    }
    nlohmann::ordered_json files = nlohmann::ordered_json::array();
    for (const auto & [name, meaning] : summary.files) {
        files.push_back({{"name", name}, {"holds", meaning}});
    }
    return {
        {
            {"run", summary.folder},
            {"model", summary.model},
            {"judge", summary.judge},
            {"judge_quality", summary.judge_quality},
            {"queries", summary.queries},
            {"responses", summary.responses},
            {"undecided", summary.undecided},
            {"dropped", counts_json(summary.dropped)},
            {"layer", summary.layer},
            {"n_layer", summary.n_layer},
            {"values", std::move(values)},
            {"files", std::move(files)},
        },
        summary_text(summary),
    };
}

} // namespace valuelens
