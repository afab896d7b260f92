#include "registry/fetch.h"

#include <cstdlib>
#include <system_error>

#include "base/fail.h"
#include "base/file.h"
#include "base/hash.h"
#include "engine/convert.h"
#include "registry/cache.h"
#include "registry/catalogue.h"
#include "registry/parts.h"

namespace valuelens {

namespace fs = std::filesystem;

namespace {

const std::string original = "original";

/// State of a model file in the cache; of the original the catalogue knows the hash, of a converted one its seal does.
CacheState state_of(const CatalogueEntry & entry, const std::string & type, const FetchTools & tools) {
    const fs::path path = model_path_in(tools.cache, entry.name, type);
    return check_cached(path, entry.sha256, type == original ? std::optional(entry.sha256) : std::nullopt);
}

void warn_damaged(const CatalogueEntry & entry, const std::string & type, const FetchTools & tools,
                  ProgressSink & progress) {
    progress.message(LogLevel::warning,
                     fmt::format("{}: is damaged (its size or hash changed since it was verified); making it again",
                                 model_path_in(tools.cache, entry.name, type).string()));
}

void fetch_original(const CatalogueEntry & entry, const FetchTools & tools, ProgressSink & progress,
                    std::stop_token stop) {
    const fs::path target = model_path_in(tools.cache, entry.name, original);
    const fs::path parts = target.parent_path() / "parts";
    while (true) {
        const bool resumed = download_parts(entry, parts, tools.python, progress, stop);
        try {
            join_parts(entry, parts, target, tools.python, progress, stop);
            break;
        } catch (const Error & error) {
            if (error.kind() != ErrorKind::model) {
                throw;
            }
            fs::remove_all(parts);
            if (!resumed) {
                throw;
            }
            // The packages of an earlier, interrupted fetch may be what is wrong: once more with fresh ones.
            progress.message(LogLevel::warning, fmt::format("{}; downloading all packages again", error.what()));
        }
    }
    seal_cached(target, entry.sha256, entry.sha256);
    fs::remove_all(parts);
}

/// Makes the file where the cache lacks it; the caller holds the model's lock.
void provide(const CatalogueEntry & entry, const std::string & type, const FetchTools & tools, ProgressSink & progress,
             std::stop_token stop) {
    const CacheState state = state_of(entry, type, tools);
    if (state == CacheState::whole) {
        return;
    }
    if (state == CacheState::damaged) {
        warn_damaged(entry, type, tools, progress);
    }
    if (type == original) {
        fetch_original(entry, tools, progress, stop);
        return;
    }
    provide(entry, original, tools, progress, stop);
    if (stop.stop_requested()) {
        fail(ErrorKind::interrupted, "{}: stopped before its conversion to {}; the same command goes on from there",
             entry.name, type);
    }
    const fs::path path = model_path_in(tools.cache, entry.name, type);
    progress.message(LogLevel::info, fmt::format("{}: converting to {}", entry.name, type));
    tools.convert(model_path_in(tools.cache, entry.name, original).string(), path.string(), type, progress);
    seal_cached(path, sha256_file(path), entry.sha256);
}

const CatalogueEntry & entry_of(const std::string & name) {
    const CatalogueEntry * entry = find_in_catalogue(name);
    if (entry == nullptr) {
        fail(ErrorKind::model, "'{}' is not a model of the catalogue; it has {}", name, catalogue_names());
    }
    return *entry;
}

} // namespace

FetchTools default_fetch_tools(const FetchOptions & options) {
    const char * python = std::getenv("VALUELENS_PYTHON");
    return {cache_home(), python == nullptr || *python == '\0' ? "python3" : python,
            [threads = options.threads](const std::string & from, const std::string & to, const std::string & type,
                                        ProgressSink & progress) {
                convert_model(from, to, type, threads, progress);
            }};
}

fs::path model_path_in(const fs::path & cache, const std::string & name, const std::string & type) {
    return cache / "models" / name / (type == original ? name + ".gguf" : fmt::format("{}-{}.gguf", name, type));
}

fs::path fetch_entry(const CatalogueEntry & entry, const std::string & type, const FetchTools & tools,
                     ProgressSink & progress, std::stop_token stop) {
    const fs::path path = model_path_in(tools.cache, entry.name, type);
    try {
        // Files appear whole, so one that is whole needs no lock (and no cache that can be written).
        if (state_of(entry, type, tools) == CacheState::whole) {
            return path;
        }
        fs::create_directories(path.parent_path());
        const FileLock lock(path.parent_path() / "lock",
                            fmt::format("{}: another valuelens is fetching it, waiting for that to end", entry.name),
                            progress, stop);
        provide(entry, type, tools, progress, stop);
    } catch (const fs::filesystem_error & error) {
        fail(ErrorKind::bad_input,
             "{}: the cache of models cannot be used there ({}); set VALUELENS_HOME to a folder that can be written",
             error.path1().string(), error.code().message());
    }
    return path;
}

fs::path fetch_model(const std::string & name, const std::string & type, const FetchOptions & options,
                     ProgressSink & progress, std::stop_token stop) {
    const CatalogueEntry & entry = entry_of(name);
    const std::string & wanted = type.empty() ? entry.default_type : type;
    check_model_type(wanted);
    return fetch_entry(entry, wanted, default_fetch_tools(options), progress, stop);
}

fs::path resolve_model(const std::string & spec, const FetchOptions & options, ProgressSink & progress,
                       std::stop_token stop) {
    std::error_code ignored;
    if (fs::is_directory(spec, ignored)) {
        fail(ErrorKind::model, "{}: is a folder, a GGUF file was expected", spec);
    }
    if (fs::exists(spec, ignored)) {
        return spec;
    }
    const std::size_t colon = spec.find(':');
    const std::string name = spec.substr(0, colon);
    if (find_in_catalogue(name) == nullptr) {
        fail(ErrorKind::model, "'{}' is neither an existing file nor a model of the catalogue ({})", spec,
             catalogue_names());
    }
    const std::string type = colon == std::string::npos ? "" : spec.substr(colon + 1);
    if (colon != std::string::npos) {
        check_model_type(type);
    }
    return fetch_model(name, type, options, progress, stop);
}

fs::path cached_model_path(const std::string & name, const std::string & type) {
    entry_of(name);
    check_model_type(type);
    return model_path_in(cache_home(), name, type);
}

std::vector<CachedModel> cached_models() {
    std::vector<CachedModel> found;
    for (const CatalogueEntry & entry : catalogue()) {
        for (const std::string & type : model_types()) {
            const fs::path path = model_path_in(cache_home(), entry.name, type);
            std::error_code problem;
            const std::uint64_t bytes = fs::file_size(path, problem);
            if (!problem) {
                found.push_back({entry.name, type, path, bytes});
            }
        }
    }
    return found;
}

} // namespace valuelens
