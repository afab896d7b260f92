#include <algorithm>
#include <array>
#include <optional>

#include "base/fail.h"
#include "base/file.h"
#include "concepts/json_lines.h"
#include "report/parts.h"
#include "valuelens/evaluation.h"

namespace valuelens {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t most_prompts = 40; ///< of answers side by side
constexpr std::size_t most_explanations = 2000;
constexpr std::size_t most_excerpts = 3;                ///< of an explanation
constexpr std::size_t most_bytes_of_excerpts = 4 << 20; ///< of all: explanations beyond have none
constexpr const char * answer_schema = R"({"id", "intervention", "text"})";

enum class Kind { evaluation, tune, answers, explanations };

/// What a file holds by its contents; nothing: another file. `json` is filled where it is one object.
std::optional<Kind> kind_of(const fs::path & file, Json & json) {
    const std::string text = read_file(file);
    json = Json::parse(text, nullptr, false);
    if (json.is_object() && json.contains("format") && json["format"].is_string()) {
        const std::string format = json["format"];
        if (format.starts_with("valuelens.evaluation/")) {
            return Kind::evaluation;
        }
        if (format.starts_with("valuelens.tune/")) {
            return Kind::tune;
        }
        return std::nullopt;
    }
    const Json first = Json::parse(text.substr(0, text.find('\n')), nullptr, false);
    if (first.is_object() && first.contains("intervention") && first.contains("text")) {
        return Kind::answers;
    }
    if (first.is_object() && first.contains("neuron") && first.contains("explanation")) {
        return Kind::explanations;
    }
    return std::nullopt;
}

Json read_evaluation_part(const fs::path & file) {
    Json json = rounded(Json::parse(evaluation_json(read_evaluation(file), false)));
    json["file"] = file.filename().string();
    return json;
}

/// The curves of `tune`, checked as far as the report draws them.
Json tune_part(const fs::path & file, const Json & json) {
    const auto need = [&](bool there, const char * what) {
        if (!there) {
            fail(ErrorKind::bad_input, "{}: has no {}; was it written by valuelens tune?", file.string(), what);
        }
    };
    need(json.contains("curves") && json["curves"].is_array(), "list \"curves\"");
    need(json.contains("max_drop") && json["max_drop"].is_number(), "number \"max_drop\"");
    need(json.contains("strength") && json["strength"].is_string(), "\"strength\" (alpha or beta)");
    for (const Json & curve : json["curves"]) {
        need(curve.contains("intervention") && curve["intervention"].is_string(), "\"intervention\" in a curve");
        need(curve.contains("points") && curve["points"].is_array(), "list \"points\" in a curve");
        for (const Json & point : curve["points"]) {
            need(point.contains("strength") && point["strength"].is_number(), "\"strength\" in a point");
            for (const char * key : {"accuracy", "drop"}) {
                need(point.contains(key) && point[key].is_array(), key);
            }
        }
    }
    Json part = {{"file", file.filename().string()}};
    for (const char * key :
         {"model", "strength", "unchanged", "max_drop", "confidence", "curves", "best", "notes", "tool_version"}) {
        if (json.contains(key)) {
            part[key] = rounded(json[key]);
        }
    }
    return part;
}

Json answers_part(const fs::path & file) {
    Json prompts = Json::array();
    std::size_t n_prompts = 0;
    std::string last;
    bool first = true;
    for_each_json_record(read_file(file), file.string(), answer_schema, [&](const JsonRecord & record) {
        const std::string id = record.identifier("id");
        if (first || id != last) {
            first = false;
            last = id;
            if (++n_prompts <= most_prompts) {
                prompts.push_back({{"id", id}, {"answers", Json::array()}});
            }
        }
        if (n_prompts <= most_prompts) {
            prompts.back()["answers"].push_back({{"intervention", record.text("intervention")},
                                                 {"text", record.text("text")},
                                                 {"finish", record.optional_text("finish").value_or("")}});
        }
    });
    return {{"file", file.filename().string()}, {"n_prompts", n_prompts}, {"prompts", std::move(prompts)}};
}

/// The strongest texts that the explainer saw, with tokens and activations alone.
Json shown_excerpts(const Json & explanation) {
    Json shown = Json::array();
    const auto excerpts = explanation.find("excerpts");
    if (excerpts == explanation.end() || !excerpts->is_array()) {
        return shown;
    }
    for (const Json & excerpt : *excerpts) {
        const bool whole = excerpt.is_object() && excerpt.contains("tokens") && excerpt.contains("activations");
        if (whole && excerpt.value("use", "") != "random" && shown.size() < most_excerpts) {
            shown.push_back({{"tokens", excerpt["tokens"]}, {"activations", rounded(excerpt["activations"])}});
        }
    }
    return shown;
}

/// Lines are taken as they are, but for what is long: the page shows of each what it knows.
void add_explanations(const fs::path & file, Results & results) {
    std::size_t bytes = 0;
    for_each_json_record(read_file(file), file.string(), R"({"layer", "neuron", "explanation"})",
                         [&](const JsonRecord & record) {
                             ++results.n_explanations;
                             if (results.explanations.size() >= most_explanations) {
                                 return;
                             }
                             Json line = Json(record.object);
                             Json excerpts = shown_excerpts(line);
                             for (const char * key : {"excerpts", "prompt", "activation"}) {
                                 line.erase(key);
                             }
                             line = rounded(line);
                             bytes += dump(excerpts).size();
                             if (bytes < most_bytes_of_excerpts) {
                                 line["excerpts"] = std::move(excerpts);
                             }
                             results.explanations.push_back(std::move(line));
                         });
}

void add(Results & results, Kind kind, const fs::path & file, const Json & json) {
    switch (kind) {
    case Kind::evaluation:
        results.evaluations.push_back(read_evaluation_part(file));
        break;
    case Kind::tune:
        results.tunes.push_back(tune_part(file, json));
        break;
    case Kind::answers:
        results.samples.push_back(answers_part(file));
        break;
    case Kind::explanations:
        add_explanations(file, results);
        break;
    }
}

std::vector<fs::path> candidates(const fs::path & folder) {
    std::vector<fs::path> files;
    for (const fs::path & place : {folder, folder / "evaluation", folder / "samples"}) {
        if (!fs::is_directory(place)) {
            continue;
        }
        std::vector<fs::path> here;
        for (const fs::directory_entry & entry : fs::directory_iterator(place)) {
            const std::string extension = entry.path().extension().string();
            if (entry.is_regular_file() && (extension == ".json" || extension == ".jsonl")) {
                here.push_back(entry.path());
            }
        }
        std::sort(here.begin(), here.end());
        files.insert(files.end(), here.begin(), here.end());
    }
    return files;
}

bool written_by_a_run(const fs::path & file) {
    const std::string name = file.filename().string();
    return name == "geometry.json" || name == "neurons.json" || name == "report.json";
}

} // namespace

Results read_results(const fs::path & folder, const std::vector<fs::path> & include) {
    Results results;
    for (const fs::path & file : candidates(folder)) {
        if (written_by_a_run(file)) {
            continue;
        }
        try {
            Json json;
            if (const auto kind = kind_of(file, json)) {
                add(results, *kind, file, json);
            }
        } catch (const Error & error) {
            results.problems.push_back(error.what());
        }
    }
    for (const fs::path & file : include) {
        Json json;
        const auto kind = kind_of(file, json);
        if (!kind) {
            fail(ErrorKind::bad_input,
                 "{}: is none of the results that a report can take in; expected what eval, tune, sample or explain "
                 "wrote",
                 file.string());
        }
        add(results, *kind, file, json);
    }
    return results;
}

} // namespace valuelens
