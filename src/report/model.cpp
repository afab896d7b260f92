#include "report/model.h"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "base/fail.h"
#include "base/hash.h"
#include "pipeline/run_setup.h"
#include "report/commands.h"
#include "report/findings.h"
#include "report/parts.h"

namespace valuelens {

namespace fs = std::filesystem;

namespace {

RunDb open_run(const fs::path & folder) {
    if (!fs::exists(folder / database_file)) {
        fail(ErrorKind::bad_input,
             "{}: is not a run (it has no run.sqlite); begin one with `valuelens run CONFIG.toml --run {}`",
             folder.string(), folder.string());
    }
    return RunDb(folder / database_file, RunDbMode::read_only);
}

/// Reads a part; where its file is damaged the report goes on without it and says so.
template <typename Read>
Json tolerant(Json & problems, const fs::path & file, Read read) {
    try {
        return read();
    } catch (const Error & error) {
        if (error.kind() == ErrorKind::internal) {
            throw;
        }
        problems.push_back(error.what());
    } catch (const Json::exception & error) { // what no check foresaw
        problems.push_back(fmt::format("{}: has other contents than expected ({})", file.string(), error.what()));
    }
    return nullptr;
}

/// The keys of the run's configuration that are not the defaults, as "section.key = value".
Json changed_settings(const RunConfig & config) {
    std::set<std::string> standard;
    std::string section;
    const auto each_setting = [&](const RunConfig & of, auto && take) {
        std::istringstream lines(to_toml(of));
        section.clear();
        for (std::string line; std::getline(lines, line);) {
            if (line.starts_with("[")) {
                section = line.substr(1, line.find(']') - 1) + ".";
            } else if (line.find(" = ") != std::string::npos && !line.starts_with("#")) {
                take(section + line.substr(0, line.rfind(" # ")));
            }
        }
    };
    each_setting(RunConfig(), [&](std::string setting) { standard.insert(std::move(setting)); });
    Json changed = Json::array();
    each_setting(config, [&](std::string setting) {
        if (!standard.contains(setting)) {
            changed.push_back(std::move(setting));
        }
    });
    return changed;
}

/// What the run was asked for: its model (a name of the catalogue or a path) and settings.
void add_configuration(Json & model, const RunDb & db, const fs::path & folder) {
    const auto text = db.meta("config");
    const RunConfig config = text ? parse_run_config(*text, {}, folder) : RunConfig();
    model["model"]["path"] = text ? config.model : "MODEL.gguf";
    model["settings"] = changed_settings(config);
}

/// The commands that made the parts, beside them.
void add_commands(Json & model) {
    model["commands"] = stage_commands(model);
    for (const auto & [list, command] : {std::pair("evaluations", &evaluation_command),
                                         std::pair("tunes", &tune_command), std::pair("samples", &sample_command)}) {
        for (Json & entry : model[list]) {
            entry["command"] = command(model, entry);
            if (!options_are_kept(list, entry)) {
                entry["command_note"] = "some options are not kept in the file";
            }
        }
    }
}

Json missing(const Json & model) {
    Json list = Json::array();
    const std::string run = shell_quoted(model.at("run"));
    for (const auto & [part, what, command] :
         {std::tuple("vectors", "value vectors", "vectors"), std::tuple("axes", "shared and unique axes", "decompose"),
          std::tuple("geometry", "cosines between values and layers", "decompose"),
          std::tuple("neurons", "the neurons behind the axes", "neurons")}) {
        if (model.at(part).is_null()) {
            list.push_back(
                {{"part", part}, {"what", what}, {"command", fmt::format("valuelens {} --run {}", command, run)}});
        }
    }
    for (const auto & [part, what, command] :
         {std::tuple("tunes", "dose-response curves", "valuelens tune"),
          std::tuple("samples", "answers side by side", "valuelens sample"),
          std::tuple("evaluations", "evaluations", "valuelens eval"),
          std::tuple("explanations", "explanations of neurons", "valuelens explain")}) {
        if (model.at(part).empty()) {
            list.push_back({{"part", part}, {"what", what}, {"command", command}});
        }
    }
    return list;
}

/// A prompt of `sample` may be a query of the run.
std::map<std::string, std::string> query_texts(const RunDb & db) {
    std::map<std::string, std::string> texts;
    for (const Query & query : db.queries()) {
        texts[query.id] = query.text;
    }
    return texts;
}

Json one_run(const fs::path & folder, const std::vector<fs::path> & include) {
    const RunDb db = open_run(folder);
    Json problems = Json::array();
    Json model = {{"format", "valuelens.report/1"}, {"tool_version", VALUELENS_VERSION}, {"run", folder.string()}};
    model.update(run_part(db, folder));
    add_configuration(model, db, folder);
    model["vectors"] = tolerant(problems, folder / "vectors.safetensors", [&] { return vectors_part(folder); });
    model["axes"] = tolerant(problems, folder / "axes.safetensors", [&] { return axes_part(folder); });
    model["geometry"] = tolerant(problems, folder / "geometry.json", [&] { return geometry_part(folder); });
    model["neurons"] = tolerant(problems, folder / "neurons.json", [&] { return neurons_part(folder, problems); });
    Results results = read_results(folder, include, query_texts(db));
    for (std::string & problem : results.problems) {
        problems.push_back(std::move(problem));
    }
    model["tunes"] = std::move(results.tunes);
    model["samples"] = std::move(results.samples);
    model["evaluations"] = std::move(results.evaluations);
    model["explanations"] = std::move(results.explanations);
    model["n_explanations"] = results.n_explanations;
    model["problems"] = std::move(problems);
    model["layer"] = model["vectors"].is_null() ? 0 : model["vectors"]["n_layer"].get<std::size_t>() / 2;
    add_commands(model);
    model["missing"] = missing(model);
    model["warnings"] = warnings(model);
    model["findings"] = findings(model);
    model["next"] = next_steps(model);
    return model;
}

/// What of another run stands beside this one: all but its single neurons, texts and heat maps.
Json for_comparison(const fs::path & folder) {
    Json model = one_run(folder, {});
    for (const char * part : {"geometry", "examples", "samples", "explanations", "next"}) {
        model.erase(part);
    }
    if (!model["neurons"].is_null()) {
        model["neurons"].erase("table");
        model["neurons"].erase("overlaps");
    }
    return model;
}

} // namespace

Json report_model(const ReportRequest & request) {
    Json model = one_run(request.run, request.include);
    model["compare"] = Json::array();
    std::string command = fmt::format("valuelens report --run {}", shell_quoted(request.run.string()));
    for (const fs::path & other : request.compare) {
        command += fmt::format("{} {}", model["compare"].empty() ? " --compare" : "", shell_quoted(other.string()));
        model["compare"].push_back(for_comparison(other));
    }
    model["commands"]["compare"] = std::move(command);
    return model;
}

std::string report_revision(const fs::path & run) {
    const RunDb db = open_run(run);
    const RunCounts counts = db.counts();
    std::string text =
        fmt::format("{} {} {} {}", counts.intrinsic, counts.prompted, counts.labels, counts.judge_slices);
    std::vector<std::string> files;
    for (const fs::path & place : {run, run / "evaluation", run / "samples"}) {
        std::error_code ignored;
        for (const fs::directory_entry & entry : fs::directory_iterator(place, ignored)) {
            const std::string name = entry.path().filename().string();
            if (!entry.is_regular_file(ignored) || name.starts_with("run.sqlite") || name == "lock" ||
                name.starts_with("report.")) {
                continue;
            }
            files.push_back(fmt::format("{} {} {}", entry.path().string(), entry.file_size(ignored),
                                        entry.last_write_time(ignored).time_since_epoch().count()));
        }
    }
    std::sort(files.begin(), files.end());
    for (const std::string & file : files) {
        text += "\n" + file;
    }
    return sha256_hex(text).substr(0, 16);
}

} // namespace valuelens
