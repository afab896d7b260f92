#include "pipeline/run_setup.h"

#include <charconv>

#include "base/fail.h"
#include "valuelens/models.h"

namespace valuelens {

namespace fs = std::filesystem;

std::pair<int, int> parse_shard(const std::string & text) {
    if (text.empty()) {
        return {0, 1};
    }
    int index = 0;
    int count = 0;
    const char * end = text.data() + text.size();
    const auto [slash, first] = std::from_chars(text.data(), end, index);
    if (first == std::errc() && slash != end && *slash == '/') {
        const auto [rest, second] = std::from_chars(slash + 1, end, count);
        if (second == std::errc() && rest == end && count >= 1 && index >= 0 && index < count) {
            return {index, count};
        }
    }
    fail(ErrorKind::usage, "--shard '{}': expected i/n with 0 <= i < n, for example 0/4", text);
}

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
    for (const char * ending : {"", "-wal", "-shm"}) {
        fs::remove(file.string() + ending);
    }
    return RunDb(file, RunDbMode::create);
}

std::optional<fs::path> local_model(const std::string & spec) {
    if (fs::exists(spec)) {
        return spec;
    }
    const std::string name = spec.substr(0, spec.find(':'));
    for (const CatalogueEntry & entry : catalogue()) {
        if (entry.name == name) {
            const fs::path file = cached_model_path(
                name, spec.find(':') == std::string::npos ? entry.default_type : spec.substr(spec.find(':') + 1));
            return fs::exists(file) ? std::optional(file) : std::nullopt;
        }
    }
    return std::nullopt;
}

} // namespace valuelens
