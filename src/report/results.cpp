#include <algorithm>
#include <map>
#include <optional>

#include "base/fail.h"
#include "base/file.h"
#include "base/utf8.h"
#include "concepts/json_lines.h"
#include "report/parts.h"
#include "valuelens/evaluation.h"

namespace valuelens {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t most_prompts = 40; ///< of answers side by side
constexpr std::size_t prompt_bytes = 2000;
constexpr std::size_t answer_bytes = 4000;
constexpr std::size_t most_bytes_of_answers = 1 << 20; ///< of all files: prompts beyond are left out, and counted
constexpr std::size_t most_explanations = 2000;
constexpr std::size_t most_excerpts = 3;                ///< of an explanation
constexpr std::size_t most_bytes_of_excerpts = 2 << 20; ///< of all: explanations beyond have none
constexpr const char * answer_schema = R"({"id", "intervention", "text"})";

constexpr const char * prompt_schema = R"({"id", "user"} or {"id", "prompt"})";

enum class Kind { evaluation, tune, answers, explanations, prompts };

/// What a file holds by its contents; nothing: another file. `json` is filled where it is one object. A file that
/// was broken off, or is no JSON at all, throws: it may be a result, and nobody could tell.
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
    if (json.is_discarded() && first.is_discarded()) {
        fail(ErrorKind::bad_input, "{}: is no JSON; is it empty, or was its writing broken off?", file.string());
    }
    if (first.is_object() && first.contains("intervention") && first.contains("text")) {
        return Kind::answers;
    }
    if (first.is_object() && first.contains("neuron") && first.contains("explanation")) {
        return Kind::explanations;
    }
    if (first.is_object() && first.contains("id") && !first.contains("response") &&
        (first.contains("user") || first.contains("prompt"))) {
        return Kind::prompts;
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
    for (const char * key : {"model", "strength", "unchanged", "max_drop", "confidence", "curves", "best", "notes",
                             "tool_version", "seed", "bootstraps", "files"}) {
        if (json.contains(key)) {
            part[key] = rounded(json[key]);
        }
    }
    for (const char * key : {"questions", "portraits"}) {
        if (const Json of = json.value(key, Json()); of.is_object() && of.contains("settings")) {
            part[key] = {{"settings", of["settings"]}};
        }
    }
    return part;
}

std::string shortened(const std::string & text, std::size_t most = prompt_bytes) {
    return text.size() <= most ? to_valid_utf8(text) : to_valid_utf8(std::string_view(text).substr(0, most)) + " ...";
}

/// What the model was asked: of a conversation the user's words; empty where the record does not say.
std::string asked(const JsonRecord & record) {
    return shortened(record.optional_text("user").value_or(record.optional_text("prompt").value_or("")));
}

std::string system_of(const JsonRecord & record) {
    return shortened(record.optional_text("system").value_or(""));
}

/// A prompt by its id.
struct Asked {
    std::string text, system;
};

void add_prompts(const fs::path & file, std::map<std::string, Asked> & prompts) {
    for_each_json_record(read_file(file), file.string(), prompt_schema, [&](const JsonRecord & record) {
        if (const auto id = record.optional_identifier("id")) {
            prompts[*id] = {asked(record), system_of(record)};
        }
    });
}

/// The first prompts with all their answers, as many as `bytes` leaves room for (of the first file one at least).
Json answers_part(const fs::path & file, std::size_t & bytes) {
    Json prompts = Json::array();
    std::size_t n_prompts = 0;
    std::string last;
    bool first = true, shown = false;
    for_each_json_record(read_file(file), file.string(), answer_schema, [&](const JsonRecord & record) {
        const std::string id = record.identifier("id");
        if (first || id != last) {
            first = false;
            last = id;
            shown = ++n_prompts <= most_prompts && bytes < most_bytes_of_answers;
            if (shown) {
                prompts.push_back(
                    {{"id", id}, {"text", asked(record)}, {"system", system_of(record)}, {"answers", Json::array()}});
            }
        }
        if (shown) {
            prompts.back()["answers"].push_back({{"intervention", record.text("intervention")},
                                                 {"text", shortened(record.text("text"), answer_bytes)},
                                                 {"finish", record.optional_text("finish").value_or("")}});
            bytes += dump(prompts.back()["answers"].back()).size();
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

/// Collects what the files say.
class Reader {
public:
    explicit Reader(std::map<std::string, std::string> prompts) {
        for (auto & [id, text] : prompts) {
            prompts_[id] = {shortened(text), ""};
        }
    }

    void add(Kind kind, const fs::path & file, const Json & json) {
        switch (kind) {
        case Kind::evaluation:
            results.evaluations.push_back(read_evaluation_part(file));
            break;
        case Kind::tune:
            results.tunes.push_back(tune_part(file, json));
            break;
        case Kind::answers:
            results.samples.push_back(answers_part(file, answer_bytes_));
            break;
        case Kind::explanations:
            add_explanations(file, results);
            break;
        case Kind::prompts:
            add_prompts(file, prompts_);
            break;
        }
    }

    /// Answers name their prompts by id; what those say may stand in another file, read before or after.
    void join_prompts() {
        for (Json & sample : results.samples) {
            for (Json & prompt : sample["prompts"]) {
                const auto found = prompts_.find(prompt["id"]);
                if (prompt["text"].get<std::string>().empty() && found != prompts_.end()) {
                    prompt["text"] = found->second.text;
                    prompt["system"] = found->second.system;
                }
            }
        }
    }

    Results results;

private:
    std::map<std::string, Asked> prompts_;
    std::size_t answer_bytes_ = 0;
};

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

Results read_results(const fs::path & folder, const std::vector<fs::path> & include,
                     std::map<std::string, std::string> prompts) {
    Reader reader(std::move(prompts));
    for (const fs::path & file : candidates(folder)) {
        if (written_by_a_run(file)) {
            continue;
        }
        try {
            Json json;
            if (const auto kind = kind_of(file, json)) {
                reader.add(*kind, file, json);
            }
        } catch (const Error & error) {
            reader.results.problems.push_back(error.what());
        }
    }
    for (const fs::path & file : include) {
        Json json;
        const auto kind = kind_of(file, json);
        if (!kind) {
            fail(ErrorKind::bad_input,
                 "{}: is none of the results that a report can take in; expected what eval, tune, sample or explain "
                 "wrote, or the prompts of sample",
                 file.string());
        }
        reader.add(*kind, file, json);
    }
    reader.join_prompts();
    return std::move(reader.results);
}

} // namespace valuelens
