#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/fail.h"
#include "base/file.h"
#include "base/json_number.h"
#include "valuelens/evaluation.h"

namespace valuelens {
namespace {

using json = nlohmann::ordered_json;

constexpr const char * format_name = "valuelens.evaluation/1";

json score_json(const EvaluationScore & score) {
    return {{"estimate", {score.estimate.value, score.estimate.low, score.estimate.high}}, {"n", score.n}};
}

EvaluationScore read_score(const json & stored) {
    const json & estimate = stored.at("estimate");
    return {{number_or_nan(estimate.at(0)), number_or_nan(estimate.at(1)), number_or_nan(estimate.at(2))},
            stored.at("n")};
}

json scores_json(const std::vector<EvaluationScore> & scores) {
    json list = json::array();
    for (const EvaluationScore & score : scores) {
        list.push_back(score_json(score));
    }
    return list;
}

std::vector<EvaluationScore> read_scores(const json & list) {
    std::vector<EvaluationScore> scores;
    for (const json & stored : list) {
        scores.push_back(read_score(stored));
    }
    return scores;
}

json variants_json(const Evaluation & evaluation) {
    json list = json::array();
    for (const EvaluationVariant & variant : evaluation.variants) {
        json files = json::array();
        for (const auto & [file, sha256] : variant.files) {
            files.push_back({{"file", file}, {"sha256", sha256}});
        }
        list.push_back({{"name", variant.name},
                        {"steer", variant.steer},
                        {"scale_neurons", variant.scale_neurons},
                        {"files", std::move(files)}});
    }
    return list;
}

json measures_json(const Evaluation & evaluation) {
    json list = json::array();
    for (const EvaluationMeasure & measure : evaluation.measures) {
        list.push_back({{"name", measure.name},
                        {"quantity", measure.quantity},
                        {"description", measure.description},
                        {"aggregate", measure.aggregate == Aggregate::sum ? "sum" : "mean"},
                        {"centred", measure.centred},
                        {"grouped", measure.grouped}});
    }
    return list;
}

json rows_json(const Evaluation & evaluation) {
    json list = json::array();
    for (const EvaluationRow & row : evaluation.rows) {
        list.push_back({{"measure", row.measure},
                        {"group", row.group.empty() ? json(nullptr) : json(row.group)},
                        {"scores", scores_json(row.scores)},
                        {"differences", scores_json(row.differences)}});
    }
    return list;
}

json statistics_json(const Evaluation & evaluation) {
    json list = json::array();
    for (const EvaluationStatistic & statistic : evaluation.statistics) {
        const Estimate & estimate = statistic.estimate;
        list.push_back({{"name", statistic.name},
                        {"subject", statistic.subject},
                        {"description", statistic.description},
                        {"estimate", {estimate.value, estimate.low, estimate.high}},
                        {"p", statistic.p},
                        {"n", statistic.n}});
    }
    return list;
}

json dropped_json(const Evaluation & evaluation) {
    json list = json::array();
    for (const EvaluationDrop & drop : evaluation.dropped) {
        list.push_back({{"reason", drop.reason},
                        {"unit", drop.unit},
                        {"variant", drop.variant.empty() ? json(nullptr) : json(drop.variant)},
                        {"count", drop.count}});
    }
    return list;
}

json shared_json(const EvaluationItem & item) {
    json list = json::array();
    for (const std::vector<SharedScore> & quantity : item.shared) {
        json pairs = json::array();
        for (const SharedScore & score : quantity) {
            pairs.push_back({score.variant, score.base});
        }
        list.push_back(std::move(pairs));
    }
    return list;
}

json items_json(const Evaluation & evaluation) {
    json list = json::array();
    for (const EvaluationItem & item : evaluation.items) {
        list.push_back({{"id", item.id}, {"cluster", item.cluster}, {"groups", item.groups}, {"scores", item.scores}});
        if (!item.shared.empty()) {
            list.back()["shared"] = shared_json(item);
        }
    }
    return list;
}

std::string text_or_empty(const json & stored) {
    return stored.is_null() ? "" : stored.get<std::string>();
}

void read_items(const json & list, Evaluation & evaluation) {
    for (const json & stored : list) {
        EvaluationItem & item = evaluation.items.emplace_back();
        item.id = stored.at("id");
        item.cluster = stored.at("cluster");
        item.groups = stored.at("groups").get<std::vector<std::string>>();
        for (const json & quantity : stored.at("scores")) {
            std::vector<double> & scores = item.scores.emplace_back();
            for (const json & score : quantity) {
                scores.push_back(number_or_nan(score));
            }
        }
        for (const json & quantity : stored.value("shared", json::array())) {
            std::vector<SharedScore> & pairs = item.shared.emplace_back();
            for (const json & pair : quantity) {
                pairs.push_back({number_or_nan(pair.at(0)), number_or_nan(pair.at(1))});
            }
        }
    }
}

Aggregate read_aggregate(const std::string & name) {
    if (name != "mean" && name != "sum") {
        fail(ErrorKind::bad_input, "\"aggregate\" is \"{}\", expected mean or sum", name);
    }
    return name == "sum" ? Aggregate::sum : Aggregate::mean;
}

Evaluation read(const json & stored) {
    Evaluation evaluation;
    evaluation.name = stored.at("evaluation");
    evaluation.model_name = stored.at("model").at("name");
    evaluation.model_identity = stored.at("model").at("identity");
    evaluation.tool_version = stored.at("tool_version");
    evaluation.seed = stored.at("seed");
    evaluation.bootstraps = stored.at("bootstraps");
    evaluation.confidence = stored.at("confidence");
    for (const auto & [name, value] : stored.at("settings").items()) {
        evaluation.settings.emplace_back(name, value.get<std::string>());
    }
    for (const json & variant : stored.at("variants")) {
        evaluation.variants.push_back({variant.at("name"), variant.at("steer").get<std::vector<std::string>>(),
                                       variant.at("scale_neurons").get<std::vector<std::string>>(), nullptr});
        for (const json & file : variant.at("files")) {
            evaluation.variants.back().files.emplace_back(file.at("file"), file.at("sha256"));
        }
    }
    evaluation.group_kind = stored.at("group_kind");
    evaluation.quantities = stored.at("quantities").get<std::vector<std::string>>();
    for (const json & measure : stored.at("measures")) {
        evaluation.measures.push_back({measure.at("name"), measure.at("quantity"), measure.at("description"),
                                       read_aggregate(measure.at("aggregate")), measure.at("centred"),
                                       measure.at("grouped")});
    }
    for (const json & row : stored.at("results")) {
        evaluation.rows.push_back({row.at("measure"), text_or_empty(row.at("group")), read_scores(row.at("scores")),
                                   read_scores(row.at("differences"))});
    }
    for (const json & statistic : stored.value("statistics", json::array())) {
        const json & estimate = statistic.at("estimate");
        evaluation.statistics.push_back(
            {statistic.at("name"),
             statistic.at("subject"),
             statistic.at("description"),
             {number_or_nan(estimate.at(0)), number_or_nan(estimate.at(1)), number_or_nan(estimate.at(2))},
             number_or_nan(statistic.at("p")),
             statistic.at("n")});
    }
    for (const json & drop : stored.at("dropped")) {
        evaluation.dropped.push_back(
            {drop.at("reason"), drop.at("unit"), text_or_empty(drop.at("variant")), drop.at("count")});
    }
    evaluation.notes = stored.at("notes").get<std::vector<std::string>>();
    read_items(stored.at("items"), evaluation);
    return evaluation;
}

/// Lists that belong together have one length.
void check_lengths(const Evaluation & evaluation) {
    const std::size_t n_variants = evaluation.variants.size();
    if (n_variants == 0) {
        fail(ErrorKind::bad_input, "\"variants\" is empty");
    }
    for (const EvaluationRow & row : evaluation.rows) {
        if (row.scores.size() != n_variants || row.differences.size() != n_variants) {
            fail(ErrorKind::bad_input, "a result of \"{}\" has {} scores and {} differences for {} variants",
                 row.measure, row.scores.size(), row.differences.size(), n_variants);
        }
    }
    for (const EvaluationItem & item : evaluation.items) {
        const bool fits = item.scores.size() == evaluation.quantities.size() &&
                          std::all_of(item.scores.begin(), item.scores.end(),
                                      [&](const std::vector<double> & scores) { return scores.size() == n_variants; });
        if (!fits) {
            fail(ErrorKind::bad_input, "item \"{}\" has not {} x {} scores (quantities x variants)", item.id,
                 evaluation.quantities.size(), n_variants);
        }
        const bool pairs_fit =
            item.shared.size() <= evaluation.quantities.size() &&
            std::all_of(item.shared.begin(), item.shared.end(), [&](const std::vector<SharedScore> & pairs) {
                return pairs.empty() || pairs.size() == n_variants;
            });
        if (!pairs_fit) {
            fail(ErrorKind::bad_input, "item \"{}\": \"shared\" has more quantities than {}, or not {} variants",
                 item.id, evaluation.quantities.size(), n_variants);
        }
    }
}

json to_json(const Evaluation & evaluation, bool with_items) {
    json settings = json::object();
    for (const auto & [name, value] : evaluation.settings) {
        settings[name] = value;
    }
    json object = {{"format", format_name},
                   {"tool_version", evaluation.tool_version},
                   {"evaluation", evaluation.name},
                   {"model", {{"name", evaluation.model_name}, {"identity", evaluation.model_identity}}},
                   {"seed", evaluation.seed},
                   {"bootstraps", evaluation.bootstraps},
                   {"confidence", evaluation.confidence},
                   {"settings", settings},
                   {"variants", variants_json(evaluation)},
                   {"group_kind", evaluation.group_kind},
                   {"measures", measures_json(evaluation)},
                   {"results", rows_json(evaluation)},
                   {"statistics", statistics_json(evaluation)},
                   {"dropped", dropped_json(evaluation)},
                   {"notes", evaluation.notes},
                   {"quantities", evaluation.quantities}};
    if (with_items) {
        object["items"] = items_json(evaluation);
    }
    return object;
}

} // namespace

std::string evaluation_json(const Evaluation & evaluation, bool with_items) {
    return to_json(evaluation, with_items).dump(1, ' ', false, json::error_handler_t::replace);
}

void write_evaluation(const std::filesystem::path & path, const Evaluation & evaluation) {
    write_file(path, evaluation_json(evaluation) + "\n");
}

Evaluation read_evaluation(const std::filesystem::path & path) {
    const json stored = json::parse(read_file(path), nullptr, false);
    const std::string format = stored.is_object() && stored.contains("format") && stored["format"].is_string()
                                   ? stored["format"].get<std::string>()
                                   : "";
    if (format != format_name) {
        fail(ErrorKind::bad_input,
             "{}: is no evaluation that this version reads; expected a JSON object with "
             "\"format\": \"{}\", found {}",
             path.string(), format_name, format.empty() ? "none" : "\"" + format + "\"");
    }
    try {
        Evaluation evaluation = read(stored);
        check_lengths(evaluation);
        return evaluation;
    } catch (const json::exception & error) {
        fail(ErrorKind::bad_input, "{}: is not what valuelens eval writes ({}); run the evaluation again",
             path.string(), error.what());
    } catch (const Error & error) {
        fail(ErrorKind::bad_input, "{}: {}; run the evaluation again", path.string(), error.what());
    }
}

} // namespace valuelens
