#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/fail.h"
#include "base/file.h"
#include "base/utf8.h"
#include "concepts/json_lines.h"
#include "report/parts.h"
#include "report/shape.h"
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
    const Shape shape(file, "tune");
    shape.number(json, "max_drop");
    shape.text(json, "strength");
    shape.texts(json, "notes");
    for (const Json & curve : shape.array(json, "curves")) {
        shape.text(curve, "intervention");
        for (const Json & point : shape.array(curve, "points")) {
            shape.number(point, "strength");
            shape.estimate(point, "accuracy");
            shape.estimate(point, "drop");
            shape.estimate(point, "gain_centred", /* optional = */ true);
        }
        for (const char * side : {"above", "below"}) {
            const Json choice = curve.value(side, Json());
            shape.need(choice.is_null() || choice.is_object(), fmt::format("object \"{}\" in a curve", side));
        }
        if (const Json layers = curve.value("layers", Json()); !layers.is_null()) {
            shape.numbers(layers, "layers", {2});
        }
        if (const Json value = curve.value("value", Json()); !value.is_null()) {
            shape.text(curve, "value");
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
    std::string file; ///< of prompts; empty: a query of the run
};

void add_prompts(const fs::path & file, std::map<std::string, Asked> & prompts) {
    for_each_json_record(read_file(file), file.string(), prompt_schema, [&](const JsonRecord & record) {
        if (const auto id = record.optional_identifier("id")) {
            prompts[*id] = {asked(record), system_of(record), file.filename().string()};
        }
    });
}

/// The one prompt of `sample --prompt`, which it calls "prompt"; nothing where the record does not hold all of it.
Json given_prompt(const JsonRecord & record) {
    const auto user = record.optional_text("user");
    const auto system = record.optional_text("system");
    if (record.identifier("id") != "prompt" || !user || user->size() > prompt_bytes ||
        system.value_or("").size() > prompt_bytes) {
        return nullptr;
    }
    Json given = {{"user", to_valid_utf8(*user)}};
    if (system) {
        given["system"] = to_valid_utf8(*system);
    }
    return given;
}

/// The first prompts with all their answers, as many as `bytes` leaves room for (of the first file one at least).
Json answers_part(const fs::path & file, std::size_t & bytes) {
    Json prompts = Json::array(), given;
    std::size_t n_prompts = 0;
    std::string last;
    bool first = true, shown = false;
    for_each_json_record(read_file(file), file.string(), answer_schema, [&](const JsonRecord & record) {
        const std::string id = record.identifier("id");
        if (first || id != last) {
            given = first ? given_prompt(record) : Json();
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
    Json part = {{"file", file.filename().string()}, {"n_prompts", n_prompts}, {"prompts", std::move(prompts)}};
    if (!given.is_null()) {
        part["asked"] = std::move(given);
    }
    return part;
}

/// The strongest texts that the explainer saw, with tokens and activations alone.
Json shown_excerpts(const Shape & shape, const Json & explanation) {
    Json shown = Json::array();
    const auto excerpts = explanation.find("excerpts");
    if (excerpts == explanation.end() || excerpts->is_null()) {
        return shown;
    }
    for (const Json & excerpt : shape.array(explanation, "excerpts")) {
        shape.array(excerpt, "tokens");
        shape.array(excerpt, "activations");
        if (excerpt.contains("use")) {
            shape.text(excerpt, "use");
        }
        if (excerpt.value("use", "") != "random" && shown.size() < most_excerpts) {
            shown.push_back({{"tokens", excerpt["tokens"]}, {"activations", rounded(excerpt["activations"])}});
        }
    }
    return shown;
}

void check_explanation(const Shape & shape, const Json & line) {
    shape.number(line, "layer");
    shape.number(line, "neuron");
    if (!line.at("explanation").is_null()) {
        shape.text(line, "explanation");
    }
    if (line.contains("roles") && !line["roles"].is_null()) {
        for (const Json & role : shape.array(line, "roles")) {
            shape.text(role, "value");
            shape.text(role, "category");
        }
    }
}

/// Lines are taken as they are, but for what is long: the page shows of each what it knows.
void add_explanations(const fs::path & file, Results & results) {
    std::size_t bytes = 0;
    for_each_json_record(read_file(file), file.string(), R"({"layer", "neuron", "explanation"})",
                         [&](const JsonRecord & record) {
                             const Shape shape(record.where, "explain");
                             if (!record.object.contains("explanation")) {
                                 record.bad("\"explanation\" is missing; expected {}", record.schema);
                             }
                             check_explanation(shape, Json(record.object));
                             ++results.n_explanations;
                             if (results.explanations.size() >= most_explanations) {
                                 return;
                             }
                             Json line = Json(record.object);
                             Json excerpts = shown_excerpts(shape, line);
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
            prompts_[id] = {shortened(text), "", ""};
        }
    }

    /// Whether it is a result. One that is damaged throws Error(bad_input); the lines before the damage are taken.
    bool read(const fs::path & file) {
        try {
            Json json;
            const auto kind = kind_of(file, json);
            if (kind) {
                add(*kind, file, json);
            }
            return kind.has_value();
        } catch (const Json::exception & error) { // what no check foresaw
            fail(ErrorKind::bad_input, "{}: has other contents than expected ({})", file.string(), error.what());
        }
    }

    /// Answers name their prompts by id; what those say may stand in another file, read before or after.
    void join_prompts() {
        for (Json & sample : results.samples) {
            std::set<std::string> files;
            for (Json & prompt : sample["prompts"]) {
                const auto found = prompts_.find(prompt["id"]);
                files.insert(found == prompts_.end() ? "" : found->second.file);
                if (prompt["text"].get<std::string>().empty() && found != prompts_.end()) {
                    prompt["text"] = found->second.text;
                    prompt["system"] = found->second.system;
                }
            }
            if (files.size() == 1 && !files.begin()->empty()) {
                sample["prompts_file"] = *files.begin();
            }
        }
    }

    Results results;

private:
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
            reader.read(file);
        } catch (const Error & error) {
            reader.results.problems.push_back(error.what());
        }
    }
    for (const fs::path & file : include) {
        if (!reader.read(file)) {
            fail(ErrorKind::bad_input,
                 "{}: is none of the results that a report can take in; expected what eval, tune, sample or explain "
                 "wrote, or the prompts of sample",
                 file.string());
        }
    }
    reader.join_prompts();
    return std::move(reader.results);
}

} // namespace valuelens
