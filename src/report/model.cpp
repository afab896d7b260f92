#include "report/model.h"

#include <algorithm>

#include "base/fail.h"
#include "base/hash.h"
#include "pipeline/run_setup.h"
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
Json tolerant(Json & problems, Read read) {
    try {
        return read();
    } catch (const Error & error) {
        if (error.kind() == ErrorKind::internal) {
            throw;
        }
        problems.push_back(error.what());
        return nullptr;
    }
}

/// What was asked for as the model: a name of the catalogue or a path.
std::string model_path(const RunDb & db, const fs::path & folder) {
    const auto config = db.meta("config");
    return config ? parse_run_config(*config, {}, folder).model : "MODEL.gguf";
}

Json missing(const Json & model) {
    Json list = Json::array();
    const std::string run = model.at("run");
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

Json one_run(const fs::path & folder, const std::vector<fs::path> & include) {
    const RunDb db = open_run(folder);
    Json problems = Json::array();
    Json model = {{"format", "valuelens.report/1"}, {"tool_version", VALUELENS_VERSION}, {"run", folder.string()}};
    model.update(run_part(db, folder));
    model["model"]["path"] = model_path(db, folder);
    model["vectors"] = tolerant(problems, [&] { return vectors_part(folder); });
    model["axes"] = tolerant(problems, [&] { return axes_part(folder); });
    model["geometry"] = tolerant(problems, [&] { return geometry_part(folder); });
    model["neurons"] = tolerant(problems, [&] { return neurons_part(folder); });
    Results results = read_results(folder, include);
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
    for (const fs::path & other : request.compare) {
        model["compare"].push_back(for_comparison(other));
    }
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
