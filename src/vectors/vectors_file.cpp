#include <algorithm>
#include <limits>
#include <map>

#include <nlohmann/json.hpp>

#include "base/fail.h"
#include "base/json_number.h"
#include "store/provenance.h"
#include "store/safetensors.h"
#include "valuelens/vectors.h"

namespace valuelens {
namespace {

using nlohmann::json;

/// Sorted keys and shortest numbers: equal sets give equal text. nlohmann writes NaN as null.
json to_json(const Estimate & estimate) {
    return {estimate.value, estimate.low, estimate.high};
}

Estimate to_estimate(const json & value) {
    return {number_or_nan(value.at(0)), number_or_nan(value.at(1)), number_or_nan(value.at(2))};
}

json to_json(const std::vector<Estimate> & estimates) {
    json list = json::array();
    for (const Estimate & estimate : estimates) {
        list.push_back(to_json(estimate));
    }
    return list;
}

std::vector<Estimate> to_estimates(const json & list) {
    std::vector<Estimate> estimates;
    for (const json & value : list) {
        estimates.push_back(to_estimate(value));
    }
    return estimates;
}

std::string tensor_name(const ValueVector & entry) {
    return fmt::format("{}/{}", entry.value, to_string(entry.condition));
}

json stats_of(const ValueVectorSet & set) {
    json vectors = json::array();
    for (const ValueVector & entry : set.vectors) {
        vectors.push_back({{"value", entry.value},
                           {"condition", to_string(entry.condition)},
                           {"problem", entry.problem},
                           {"note", entry.note},
                           {"n_expressing", entry.n_expressing},
                           {"n_not_expressing", entry.n_not_expressing},
                           {"n_held_out_expressing", entry.n_held_out_expressing},
                           {"n_held_out_not_expressing", entry.n_held_out_not_expressing},
                           {"norm", to_json(entry.norm)},
                           {"split_half_cosine", entry.split_half_cosine},
                           {"auroc", to_json(entry.auroc)}});
    }
    const VectorOptions & options = set.options;
    return {{"values", set.values},
            {"n_responses", set.n_responses},
            {"n_queries", set.n_queries},
            {"notes", set.notes},
            {"vectors", vectors},
            {"condition_cosine", to_json(set.condition_cosine)},
            {"options",
             {{"min_count", options.min_count},
              {"held_out", options.held_out},
              {"bootstraps", options.bootstraps},
              {"confidence", options.confidence},
              {"split_halves", options.split_halves},
              {"resample_groups", options.resample_groups},
              {"seed", options.seed}}}};
}

VectorOptions options_of(const json & stored) {
    VectorOptions options;
    options.min_count = stored.at("min_count");
    options.held_out = stored.at("held_out");
    options.bootstraps = stored.at("bootstraps");
    options.confidence = stored.at("confidence");
    options.split_halves = stored.at("split_halves");
    options.resample_groups = stored.at("resample_groups");
    options.seed = stored.at("seed");
    return options;
}

void read_stats(const json & stats, ValueVectorSet & set) {
    set.values = stats.at("values").get<std::vector<std::string>>();
    set.n_responses = stats.at("n_responses");
    set.n_queries = stats.at("n_queries");
    set.notes = stats.at("notes").get<std::vector<std::string>>();
    set.options = options_of(stats.at("options"));
    set.condition_cosine = to_estimates(stats.at("condition_cosine"));
    for (const json & stored : stats.at("vectors")) {
        ValueVector & entry = set.vectors.emplace_back();
        entry.value = stored.at("value");
        entry.condition = condition_from_string(stored.at("condition"));
        entry.problem = stored.at("problem");
        entry.note = stored.at("note");
        entry.n_expressing = stored.at("n_expressing");
        entry.n_not_expressing = stored.at("n_not_expressing");
        entry.n_held_out_expressing = stored.at("n_held_out_expressing");
        entry.n_held_out_not_expressing = stored.at("n_held_out_not_expressing");
        entry.norm = to_estimates(stored.at("norm"));
        for (const json & cosine : stored.at("split_half_cosine")) {
            entry.split_half_cosine.push_back(number_or_nan(cosine));
        }
        entry.auroc = to_estimates(stored.at("auroc"));
    }
}

/// Entries for the tensors of a file that has no statistics.
void list_tensors(const SafetensorsFile & file, ValueVectorSet & set) {
    for (const std::string & name : file.names()) {
        for (const Condition condition : {Condition::intrinsic, Condition::prompted}) {
            const std::string ending = fmt::format("/{}", to_string(condition));
            if (name.size() > ending.size() && name.ends_with(ending)) {
                const std::string value = name.substr(0, name.size() - ending.size());
                if (std::find(set.values.begin(), set.values.end(), value) == set.values.end()) {
                    set.values.push_back(value);
                }
            }
        }
    }
    for (const std::string & value : set.values) {
        for (const Condition condition : {Condition::intrinsic, Condition::prompted}) {
            ValueVector & entry = set.vectors.emplace_back();
            entry.value = value;
            entry.condition = condition;
            if (!file.contains(tensor_name(entry))) {
                entry.problem = fmt::format("value '{}', condition {}: {} has no vector for it", value,
                                            to_string(condition), file.path().string());
            }
        }
    }
}

/// Reads the tensor of an entry; all tensors have one shape.
void read_vector(const SafetensorsFile & file, ValueVectorSet & set, ValueVector & entry) {
    const std::string name = tensor_name(entry);
    const std::vector<std::size_t> & shape = file.find(name).shape;
    if (shape.size() != 2 || shape[0] == 0 || shape[1] == 0) {
        fail(ErrorKind::bad_input, "{}: tensor '{}' has shape [{}], expected [n_layer, n_embd]", file.path().string(),
             name, fmt::join(shape, ", "));
    }
    if (set.n_layer == 0) {
        set.n_layer = shape[0];
        set.n_embd = shape[1];
    }
    if (shape[0] != set.n_layer || shape[1] != set.n_embd) {
        fail(ErrorKind::bad_input, "{}: tensor '{}' has shape [{}], the others [{}, {}]; expected one shape for all",
             file.path().string(), name, fmt::join(shape, ", "), set.n_layer, set.n_embd);
    }
    entry.vector = file.read_f32(name);
}

void check_lengths(const SafetensorsFile & file, const ValueVectorSet & set) {
    const auto check = [&](const std::string & what, std::size_t length, std::size_t expected) {
        if (length != expected) {
            fail(ErrorKind::bad_input,
                 "{}: metadata 'stats', {} has {} entries, expected {}; compute the vectors again",
                 file.path().string(), what, length, expected);
        }
    };
    check("'vectors'", set.vectors.size(), set.values.size() * 2);
    check("'condition_cosine'", set.condition_cosine.size(), set.values.size() * set.n_layer);
    for (const ValueVector & entry : set.vectors) {
        const std::size_t expected = entry.problem.empty() ? set.n_layer : 0;
        check(fmt::format("'norm' of '{}'", tensor_name(entry)), entry.norm.size(), expected);
        check(fmt::format("'split_half_cosine' of '{}'", tensor_name(entry)), entry.split_half_cosine.size(), expected);
        check(fmt::format("'auroc' of '{}'", tensor_name(entry)), entry.auroc.size(), expected);
    }
}

} // namespace

void write_value_vectors(const std::filesystem::path & path, const ValueVectorSet & set) {
    std::vector<FloatTensor> tensors;
    for (const ValueVector & entry : set.vectors) {
        if (entry.problem.empty()) {
            tensors.push_back({tensor_name(entry), {set.n_layer, set.n_embd}, entry.vector});
        }
    }
    tensors.push_back({"resid_norm", {set.n_layer}, set.resid_norm});
    std::map<std::string, std::string> metadata = provenance_metadata(set.provenance);
    metadata["stats"] = stats_of(set).dump();
    write_safetensors(path, tensors, metadata);
}

ValueVectorSet read_value_vectors(const std::filesystem::path & path) {
    const SafetensorsFile file(path);
    ValueVectorSet set;
    set.provenance = provenance_from_metadata(file.metadata(), path);
    const auto stats = file.metadata().find("stats");
    if (stats != file.metadata().end()) {
        try {
            read_stats(json::parse(stats->second), set);
        } catch (const json::exception & error) {
            fail(ErrorKind::bad_input,
                 "{}: metadata 'stats' is not what valuelens vectors writes ({}); compute the vectors again",
                 path.string(), error.what());
        }
    } else {
        list_tensors(file, set);
    }
    for (ValueVector & entry : set.vectors) {
        if (entry.problem.empty()) {
            read_vector(file, set, entry);
        }
    }
    if (set.n_layer == 0) {
        fail(ErrorKind::bad_input, "{}: expected a tensor named '<value>/intrinsic' or '<value>/prompted', found {}",
             path.string(), fmt::join(file.names(), ", "));
    }

    if (stats != file.metadata().end()) {
        check_lengths(file, set);
    } else {
        set.condition_cosine.resize(set.values.size() * set.n_layer);
        for (ValueVector & entry : set.vectors) {
            if (entry.problem.empty()) {
                entry.norm.resize(set.n_layer);
                entry.split_half_cosine.assign(set.n_layer, std::numeric_limits<double>::quiet_NaN());
                entry.auroc.resize(set.n_layer);
            }
        }
    }
    if (file.contains("resid_norm")) {
        set.resid_norm = file.read_f32("resid_norm");
        if (set.resid_norm.size() != set.n_layer) {
            fail(ErrorKind::bad_input, "{}: tensor 'resid_norm' has {} entries, expected n_layer = {}", path.string(),
                 set.resid_norm.size(), set.n_layer);
        }
    }
    return set;
}

} // namespace valuelens
