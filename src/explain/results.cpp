#include "explain/results.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/fail.h"
#include "base/file.h"

namespace valuelens {

namespace {

constexpr const char * store_format = "valuelens-explain-results-1";

double take_number(const nlohmann::json & json) {
    return json.is_null() ? std::nan("") : json.get<double>();
}

Estimate take_estimate(const nlohmann::json & json) {
    return {take_number(json.at("value")), take_number(json.at("low")), take_number(json.at("high"))};
}

nlohmann::ordered_json text_or_null(const std::string & text) {
    return text.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(text);
}

nlohmann::ordered_json score_json(const ExplanationScore & score) {
    nlohmann::ordered_json json = {{"score", to_string(score.kind)}};
    json.update(estimate_json(score.value));
    json["n_positive"] = score.n_positive;
    json["n_negative"] = score.n_negative;
    json["n_missing"] = score.n_missing;
    json["missing_reason"] = text_or_null(score.missing_reason);
    json["baseline"] = nullptr;
    if (score.baseline) {
        nlohmann::ordered_json baseline = estimate_json(*score.baseline);
        baseline["explanation_of"] = score.baseline_of;
        json["baseline"] = std::move(baseline);
    }
    json["problem"] = text_or_null(score.problem);
    return json;
}

std::string take_text(const nlohmann::json & json, const char * key) {
    const nlohmann::json & text = json.at(key);
    return text.is_null() ? std::string() : text.get<std::string>();
}

ExplanationScore take_score(const nlohmann::json & json) {
    ExplanationScore score;
    const std::string kind = json.at("score").get<std::string>();
    for (const ScoreKind known : {ScoreKind::fuzzing, ScoreKind::simulation}) {
        score.kind = kind == to_string(known) ? known : score.kind;
    }
    score.value = take_estimate(json);
    score.n_positive = json.at("n_positive").get<std::size_t>();
    score.n_negative = json.at("n_negative").get<std::size_t>();
    score.n_missing = json.at("n_missing").get<std::size_t>();
    score.missing_reason = take_text(json, "missing_reason");
    if (const nlohmann::json & baseline = json.at("baseline"); !baseline.is_null()) {
        score.baseline = take_estimate(baseline);
        score.baseline_of = baseline.at("explanation_of").get<std::string>();
    }
    score.problem = take_text(json, "problem");
    return score;
}

} // namespace

std::string pole_key(const NeuronId & id, Pole pole) {
    const std::string expert = id.expert == dense_mlp       ? std::string()
                               : id.expert == shared_expert ? std::string("shared")
                                                            : std::to_string(id.expert);
    return fmt::format("{}/{}/{}/{}", id.layer, expert, id.neuron, to_string(pole));
}

nlohmann::ordered_json number_json(double value) {
    return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

nlohmann::ordered_json estimate_json(const Estimate & estimate) {
    return {{"value", number_json(estimate.value)},
            {"low", number_json(estimate.low)},
            {"high", number_json(estimate.high)}};
}

void put_results(nlohmann::ordered_json & line, const Explanation & explanation) {
    line["explanation"] = text_or_null(explanation.text);
    line["problem"] = text_or_null(explanation.problem);
    line["scores"] = nlohmann::ordered_json::array();
    for (const ExplanationScore & score : explanation.scores) {
        line["scores"].push_back(score_json(score));
    }
    line["abstractness"] = explanation.abstractness ? number_json(*explanation.abstractness) : nullptr;
    line["value_relevance"] = explanation.value_relevance ? number_json(*explanation.value_relevance) : nullptr;
    line["rating_problem"] = text_or_null(explanation.rating_problem);
}

Explanation take_results(const nlohmann::json & line) {
    Explanation explanation;
    explanation.text = take_text(line, "explanation");
    explanation.problem = take_text(line, "problem");
    for (const nlohmann::json & score : line.at("scores")) {
        explanation.scores.push_back(take_score(score));
    }
    for (const auto & [key, field] : {std::pair{"abstractness", &explanation.abstractness},
                                      std::pair{"value_relevance", &explanation.value_relevance}}) {
        if (!line.at(key).is_null()) {
            *field = line.at(key).get<double>();
        }
    }
    explanation.rating_problem = take_text(line, "rating_problem");
    return explanation;
}

std::filesystem::path companion_of(const std::filesystem::path & output) {
    return std::filesystem::path(output).replace_extension(".json");
}

std::filesystem::path harvest_of(const std::filesystem::path & output) {
    return std::filesystem::path(output).replace_extension(".harvest");
}

ResultStore::ResultStore(std::filesystem::path output, std::string settings)
    : output_(std::move(output)), store_(output_.string() + ".part"), settings_(std::move(settings)) {
    if (!read_store()) {
        read_output();
    }
}

bool ResultStore::read_store() {
    if (!std::filesystem::exists(store_)) {
        return false;
    }
    const auto json = nlohmann::json::parse(read_file(store_), nullptr, /* allow_exceptions = */ false);
    try {
        if (json.at("format") != store_format || json.at("settings") != settings_) {
            return false;
        }
        for (const auto & [key, result] : json.at("results").items()) {
            results[key] = take_results(result);
        }
    } catch (const nlohmann::json::exception & error) {
        fail(ErrorKind::bad_input, "{}: is no store of results ({}); remove it to begin anew", store_.string(),
             error.what());
    }
    return true;
}

/// An output that cannot be read, or was made with other settings, is made anew.
void ResultStore::read_output() {
    const std::filesystem::path companion = companion_of(output_);
    if (!std::filesystem::exists(output_) || !std::filesystem::exists(companion)) {
        return;
    }
    const auto about = nlohmann::json::parse(read_file(companion), nullptr, /* allow_exceptions = */ false);
    if (!about.is_object() || about.value("settings_sha256", "") != settings_) {
        return;
    }
    std::map<std::string, Explanation> found;
    try {
        for_each_line(output_, [&](std::string_view text, std::size_t) {
            const nlohmann::json line = nlohmann::json::parse(text);
            found[line.at("key").get<std::string>()] = take_results(line);
        });
    } catch (const nlohmann::json::exception &) {
        return;
    }
    results = std::move(found);
}

void ResultStore::save() const {
    nlohmann::ordered_json json = {{"format", store_format}, {"settings", settings_}};
    json["results"] = nlohmann::ordered_json::object();
    for (const auto & [key, explanation] : results) {
        put_results(json["results"][key], explanation);
    }
    write_file(store_, json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

void ResultStore::remove() const {
    std::error_code ignored;
    std::filesystem::remove(store_, ignored);
}

} // namespace valuelens
