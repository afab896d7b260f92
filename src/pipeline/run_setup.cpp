#include "pipeline/run_setup.h"

#include "base/fail.h"
#include "registry/catalogue.h"
#include "valuelens/models.h"

namespace valuelens {

namespace fs = std::filesystem;

namespace {

constexpr const char * shard_key = "shard";

} // namespace

RunConfig wanted_config(const RunRequest & request) {
    const fs::path own = request.folder / config_file;
    if (!request.config && !fs::exists(own)) {
        fail(ErrorKind::usage, "{}: is not a run (it has no {}); begin one with `valuelens run CONFIG.toml --run {}`",
             request.folder.string(), config_file, request.folder.string());
    }
    RunConfig config = load_run_config(request.config ? *request.config : own);
    if (request.override_config) {
        request.override_config(config);
    }
    return parse_run_config(to_toml(config), "", request.folder); // checks the ranges of options, too
}

RunDb open_database(const fs::path & folder) {
    const fs::path file = folder / database_file;
    if (fs::exists(file)) {
        RunDb db(file, RunDbMode::create);
        if (!db.finished_slices().empty()) {
            return db;
        }
    }
    remove_database(file);
    return RunDb(file, RunDbMode::create);
}

void remove_file(const fs::path & file) {
    std::error_code problem;
    fs::remove(file, problem);
    if (problem) {
        fail(ErrorKind::bad_input, "{}: cannot be removed ({})", file.string(), problem.message());
    }
}

void remove_database(const fs::path & file) {
    // The log last: one without its database means nothing, a database without its log may lack its last rows.
    for (const char * ending : {"", "-shm", "-wal"}) {
        remove_file(file.string() + ending);
    }
}

Shard stored_shard(const RunDb & db) {
    return parse_shard(db.meta(shard_key).value_or(""));
}

Shard settle_shard(RunDb & db, const std::optional<Shard> & asked, const fs::path & folder) {
    const bool begun = !db.finished_slices().empty();
    const Shard held = stored_shard(db);
    if (begun && asked && *asked != held) {
        fail(ErrorKind::usage,
             "{}: was begun as {}, --shard now says {}; give each shard a folder of its own, for example --run "
             "'{}/{{shard}}'",
             folder.string(), held.second == 1 ? "a whole run" : "shard " + to_string(held), to_string(*asked),
             folder.string());
    }
    const Shard shard = begun ? held : asked.value_or(Shard{0, 1});
    if (shard.second > 1) {
        db.set_meta(shard_key, to_string(shard));
    }
    return shard;
}

std::size_t planned_slices(const RunDb & db) {
    return std::stoul(db.meta("slices_planned").value_or("0"));
}

std::optional<fs::path> local_model(const std::string & spec) {
    if (fs::exists(spec)) {
        return spec;
    }
    const std::string name = spec.substr(0, spec.find(':'));
    const CatalogueEntry * entry = find_in_catalogue(name);
    if (entry == nullptr) {
        return std::nullopt;
    }
    const fs::path file = cached_model_path(
        name, spec.find(':') == std::string::npos ? entry->default_type : spec.substr(spec.find(':') + 1));
    return fs::exists(file) ? std::optional(file) : std::nullopt;
}

std::optional<ModelInfo> require_known_model(const std::string & spec, const std::string & key) {
    if (const std::optional<fs::path> file = local_model(spec)) {
        return read_model_info(file->string());
    }
    if (find_in_catalogue(spec.substr(0, spec.find(':'))) == nullptr) {
        fail(ErrorKind::model, "{}: '{}' is neither a file nor a name of `valuelens models list`; correct it", key,
             spec);
    }
    return std::nullopt;
}

} // namespace valuelens
