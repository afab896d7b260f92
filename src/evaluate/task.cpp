#include "evaluate/task.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/fail.h"
#include "base/hash.h"
#include "evaluate/summarize.h"

namespace valuelens {
namespace {

std::string list_drops(const Evaluation & evaluation) {
    std::string text;
    for (const EvaluationDrop & drop : evaluation.dropped) {
        text += fmt::format("{}{} {} {}{}", text.empty() ? "" : ", ", drop.count, drop.unit, drop.reason,
                            drop.variant.empty() ? "" : fmt::format(" ({})", drop.variant));
    }
    return text;
}

void check_variants(const std::vector<EvaluationVariant> & variants) {
    if (variants.empty()) {
        fail(ErrorKind::usage, "an evaluation needs at least the model as it is");
    }
    std::set<std::string> names;
    for (const EvaluationVariant & variant : variants) {
        if (variant.name.empty() || !names.insert(variant.name).second) {
            fail(ErrorKind::usage,
                 "the variants of an evaluation need names of their own; \"{}\" is empty or comes twice", variant.name);
        }
    }
}

/// Notes measures of the options' probability that are low for the model as it is.
void note_low_mass(Evaluation & evaluation) {
    for (const EvaluationRow & row : evaluation.rows) {
        const double mass = row.scores.front().estimate.value;
        if (row.measure.starts_with("option_mass") && row.group.empty() && mass < low_mass) {
            evaluation.notes.push_back(fmt::format(
                "{}: the model as it is answers with one of the options in {:.2g} % of its probability alone, "
                "so its ranking of them says little",
                row.measure, 100 * mass));
        }
    }
}

std::string sha256_folder(const std::filesystem::path & folder) {
    std::set<std::filesystem::path> files;
    for (const auto & entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (entry.is_regular_file()) {
            files.insert(entry.path());
        }
    }
    Sha256 hash;
    for (const std::filesystem::path & file : files) {
        hash.update(file.lexically_relative(folder).generic_string() + "\n" + sha256_file(file) + "\n");
    }
    return hash.hex();
}

} // namespace

std::vector<EvaluationVariant> evaluation_variants(std::vector<std::string> steer,
                                                   std::vector<std::string> scale_neurons,
                                                   std::shared_ptr<const Intervention> steered) {
    std::vector<EvaluationVariant> variants(1);
    variants.front().name = "base";
    if (steered != nullptr) {
        variants.push_back({"steered", std::move(steer), std::move(scale_neurons), std::move(steered)});
    }
    return variants;
}

void check_evaluation_options(const EvaluationOptions & options) {
    if (!(options.confidence > 0 && options.confidence < 1)) {
        fail(ErrorKind::usage, "--confidence {}: expected a share between 0 and 1", options.confidence);
    }
}

const EvaluationRow * Evaluation::find(const std::string & measure, const std::string & group) const {
    const auto found = std::find_if(rows.begin(), rows.end(), [&](const EvaluationRow & row) {
        return row.measure == measure && row.group == group;
    });
    return found == rows.end() ? nullptr : &*found;
}

Estimate paired_drop(const EvaluationRow & row, std::size_t variant) {
    const Estimate & gain = row.differences.at(variant).estimate;
    return {0 - gain.value, 0 - gain.high, 0 - gain.low}; // and never -0
}

Evaluation evaluate(const EvaluationTask & task, std::shared_ptr<Model> model, const SchedulerOptions & scheduler,
                    std::vector<EvaluationVariant> variants, const EvaluationOptions & options, ProgressSink & progress,
                    std::stop_token stop) {
    check_evaluation_options(options);
    check_variants(variants);
    const std::unique_ptr<Respondent> respondent =
        make_model_respondent(std::move(model), scheduler, std::move(variants), progress, std::move(stop));
    return task.run(*respondent, options);
}

Evaluation start_evaluation(const std::string & name, const std::string & group_kind, const Respondent & respondent,
                            const EvaluationOptions & options) {
    Evaluation evaluation;
    evaluation.name = name;
    evaluation.tool_version = VALUELENS_VERSION;
    evaluation.seed = options.seed;
    evaluation.bootstraps = options.bootstraps;
    evaluation.confidence = options.confidence;
    evaluation.variants = respondent.variants();
    evaluation.group_kind = group_kind;
    if (options.limit > 0) {
        evaluation.settings.emplace_back("limit", fmt::format("{}", options.limit));
    }
    return evaluation;
}

void note_input(Evaluation & evaluation, const std::filesystem::path & input) {
    if (input.empty()) {
        return;
    }
    evaluation.settings.emplace_back("input", input.has_filename() ? input.filename().string() : input.string());
    if (std::filesystem::is_regular_file(input)) {
        evaluation.settings.emplace_back("input_sha256", sha256_file(input));
    } else if (std::filesystem::is_directory(input)) {
        evaluation.settings.emplace_back("input_sha256", sha256_folder(input));
    }
}

void note_concepts(Evaluation & evaluation, const ConceptSet & concepts) {
    Sha256 hash;
    for (const Concept & each : concepts.concepts) {
        hash.update(fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}\n\n", each.id, each.name, each.definition, each.short_name,
                                each.domain, each.angle.value_or(-1), each.wedge.value_or(-1)));
    }
    evaluation.settings.emplace_back("concepts", concepts.name);
    evaluation.settings.emplace_back("concepts_sha256", hash.hex());
}

void note_key(Evaluation & evaluation, const std::string & key) {
    if (key.empty()) {
        return;
    }
    const std::filesystem::path file = key;
    const bool users = std::filesystem::exists(file);
    evaluation.settings.emplace_back("key", users ? file.filename().string() : key);
    if (users) {
        evaluation.settings.emplace_back("key_sha256", sha256_file(file));
    }
}

void finish_evaluation(Evaluation & evaluation, const Respondent & respondent,
                       const std::vector<std::string> & groups) {
    const bool scored = std::any_of(evaluation.items.begin(), evaluation.items.end(), [](const EvaluationItem & item) {
        return std::any_of(item.scores.begin(), item.scores.end(),
                           [](const std::vector<double> & quantity) { return !std::isnan(quantity.front()); });
    });
    if (!scored) {
        fail(ErrorKind::bad_input, "{}: no item is left to score; dropped: {}", evaluation.name,
             evaluation.dropped.empty() ? "none" : list_drops(evaluation));
    }
    respondent.describe(evaluation);
    summarize(evaluation, groups);
    note_low_mass(evaluation);
}

EvaluationMeasure option_mass_measure() {
    return {"option_mass",
            "option_mass",
            "mean probability (0 to 1) that the next words are one of the options' letters; where it is low, the "
            "model's ranking of the letters says little",
            Aggregate::mean,
            false,
            false};
}

std::vector<std::string> concept_ids(const ConceptSet & concepts) {
    std::vector<std::string> ids;
    for (const Concept & each : concepts.concepts) {
        ids.push_back(each.id);
    }
    return ids;
}

} // namespace valuelens
