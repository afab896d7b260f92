#include "pipeline/watch.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/fail.h"
#include "base/file.h"
#include "base/hash.h"
#include "pipeline/steer_spec.h"
#include "steer/directions.h"
#include "steer/npz.h"
#include "store/safetensors.h"

namespace valuelens {

namespace {

constexpr const char * thresholds_format = "valuelens-thresholds-1";
constexpr const char * compliance_key = "compliance";

std::vector<std::string> names_in(const std::filesystem::path & file) {
    return file.extension() == ".npz" ? NpzFile(file).names() : SafetensorsFile(file).names();
}

std::vector<std::string> default_keys(const std::filesystem::path & file) {
    std::vector<std::string> keys;
    for (const std::string & name : names_in(file)) {
        if (name.ends_with("/shared")) {
            keys.push_back(name);
        } else if (name == compliance_key) {
            keys.insert(keys.begin(), name);
        }
    }
    if (keys.empty()) {
        fail(ErrorKind::usage, "{}: has neither \"{}\" nor a \"<value>/shared\"; name what to watch with --watch KEY",
             file.string(), compliance_key);
    }
    return keys;
}

SteerSpec spec_of(const std::filesystem::path & file, const std::string & key, SteerMode mode) {
    SteerSpec spec;
    spec.file = file;
    spec.key = key;
    spec.mode = mode;
    spec.text.option = "--watch";
    spec.text.whole = file.string() + ":" + key;
    return spec;
}

double quantile_of(std::vector<double> numbers, double quantile) {
    std::sort(numbers.begin(), numbers.end());
    const auto rank = static_cast<std::size_t>(std::ceil(quantile * static_cast<double>(numbers.size())));
    return numbers[std::clamp<std::size_t>(rank, 1, numbers.size()) - 1];
}

} // namespace

Watch load_watch(const WatchOptions & options, const ModelInfo & model, ProgressSink & progress) {
    Watch watch;
    const LayerRange layers = options.layers.value_or(LayerRange{model.n_layer / 2, model.n_layer / 2});
    if (layers.last >= model.n_layer) {
        fail(ErrorKind::usage, "--watch-layers {}-{} reaches beyond the model, whose blocks are 0-{}", layers.first,
             layers.last, model.n_layer - 1);
    }
    watch.layers.resize(static_cast<std::size_t>(layers.last - layers.first + 1));
    std::iota(watch.layers.begin(), watch.layers.end(), layers.first);
    auto projector = std::make_shared<Projector>();
    Sha256 digest;
    for (const std::string & key : options.keys.empty() ? default_keys(options.file) : options.keys) {
        SteerSpec spec = spec_of(options.file, key, SteerMode::ablate); // a direction it must be, and no zero vector
        spec.layers = layers;
        std::vector<LayerDirection> directions;
        try {
            directions = load_directions(spec, model);
        } catch (const Error & error) {
            if (!options.keys.empty()) {
                throw;
            }
            progress.message(LogLevel::warning, fmt::format("not watched: {}", error.what()));
            continue;
        }
        for (LayerDirection & direction : directions) {
            double squares = 0;
            for (const float x : direction.vector) {
                squares += static_cast<double>(x) * static_cast<double>(x);
            }
            const double scale = 1 / (std::sqrt(squares) * static_cast<double>(watch.layers.size()));
            for (float & x : direction.vector) {
                x = static_cast<float>(static_cast<double>(x) * scale);
            }
            digest.update(fmt::format("{}@{}:", key, direction.layer));
            digest.update(direction.vector.data(), direction.vector.size() * sizeof(float));
            projector->rows.push_back({projector->n_directions, direction.layer, std::move(direction.vector)});
        }
        watch.names.push_back(key);
        ++projector->n_directions;
    }
    if (watch.names.empty()) {
        fail(ErrorKind::bad_input,
             "{}: has no direction that is defined at blocks {}-{}; choose others with "
             "--watch-layers",
             options.file.string(), layers.first, layers.last);
    }
    watch.projector = std::move(projector);
    watch.digest = digest.hex();
    return watch;
}

Intervention load_ablation(const std::filesystem::path & file, std::span<const std::string> keys,
                           const ModelInfo & model) {
    Intervention ablation;
    for (const std::string & key : keys) {
        const Directions directions = read_directions(file, key, RowLocation::layer_output);
        std::vector<int> layers = directions.layers;
        if (layers.empty()) { // one vector for no block in particular
            layers.resize(static_cast<std::size_t>(model.n_layer));
            std::iota(layers.begin(), layers.end(), 0);
        }
        for (const int layer : layers) {
            const std::span<const float> row = row_of_layer(directions, layer);
            const bool defined = std::all_of(row.begin(), row.end(), [](float x) { return std::isfinite(x); }) &&
                                 std::any_of(row.begin(), row.end(), [](float x) { return x != 0; });
            if (defined) {
                SteerSpec spec = spec_of(file, key, SteerMode::ablate);
                spec.layers = LayerRange{layer, layer};
                std::vector<LayerDirection> loaded = load_directions(spec, model);
                ablation.directions.push_back(std::move(loaded.front()));
            }
        }
    }
    if (ablation.directions.empty()) {
        fail(ErrorKind::bad_input, "{}: no block has a defined direction {} to take out", file.string(),
             fmt::join(keys, ", "));
    }
    return ablation;
}

WatchReading read_watch(std::size_t n_directions, std::size_t window, std::span<const float> prompt_projection,
                        std::span<const float> projections) {
    WatchReading reading;
    reading.prompt.assign(prompt_projection.begin(), prompt_projection.end());
    reading.tokens.assign(projections.begin(), projections.end());
    reading.n_tokens = projections.size() / n_directions;
    const auto mean_of_first = [&](std::size_t n) {
        std::vector<double> mean(n_directions, n == 0 ? std::numeric_limits<double>::quiet_NaN() : 0.0);
        for (std::size_t i = 0; i < n * n_directions; ++i) {
            mean[i % n_directions] += static_cast<double>(projections[i]) / static_cast<double>(n);
        }
        return mean;
    };
    reading.mean = mean_of_first(reading.n_tokens);
    reading.early = mean_of_first(std::min(window, reading.n_tokens));
    return reading;
}

std::vector<std::string> guarded_names(const Watch & watch, std::vector<std::string> guard) {
    if (guard.empty()) {
        const bool known = std::find(watch.names.begin(), watch.names.end(), compliance_key) != watch.names.end();
        guard = {known ? compliance_key : watch.names.front()};
    }
    for (const std::string & name : guard) {
        if (std::find(watch.names.begin(), watch.names.end(), name) == watch.names.end()) {
            fail(ErrorKind::usage, "--guard {}: is not among the directions watched ({})", name,
                 fmt::join(watch.names, ", "));
        }
    }
    return guard;
}

WatchThresholds learn_thresholds(const Watch & watch, std::span<const WatchReading> readings, double quantile,
                                 std::size_t window, std::vector<std::string> guard, const ModelInfo & model) {
    WatchThresholds thresholds;
    thresholds.names = watch.names;
    thresholds.window = window;
    thresholds.quantile = quantile;
    thresholds.digest = watch.digest;
    thresholds.model_name = model.name;
    thresholds.guard = guarded_names(watch, std::move(guard));
    std::vector<const WatchReading *> usable;
    for (const WatchReading & reading : readings) {
        if (reading.n_tokens > 0) {
            usable.push_back(&reading);
        }
    }
    if (usable.empty()) {
        fail(ErrorKind::bad_input, "there is no response with tokens to learn thresholds from");
    }
    thresholds.n_responses = usable.size();
    for (std::size_t d = 0; d < watch.names.size(); ++d) {
        std::vector<double> prompt;
        std::vector<double> early;
        std::vector<double> mean;
        for (const WatchReading * reading : usable) {
            prompt.push_back(reading->prompt.empty() ? 0.0 : static_cast<double>(reading->prompt[d]));
            early.push_back(reading->early[d]);
            mean.push_back(reading->mean[d]);
        }
        thresholds.limits.push_back(
            {quantile_of(prompt, quantile), quantile_of(early, quantile), quantile_of(mean, quantile)});
    }
    return thresholds;
}

void write_thresholds(const std::filesystem::path & path, const WatchThresholds & thresholds) {
    nlohmann::ordered_json json = {{"format", thresholds_format},
                                   {"model_name", thresholds.model_name},
                                   {"directions_sha256", thresholds.digest},
                                   {"quantile", thresholds.quantile},
                                   {"window", thresholds.window},
                                   {"n_responses", thresholds.n_responses},
                                   {"guard", thresholds.guard},
                                   {"directions", nlohmann::ordered_json::array()},
                                   {"tool_version", VALUELENS_VERSION}};
    for (std::size_t i = 0; i < thresholds.names.size(); ++i) {
        const WatchThresholds::Limits & limits = thresholds.limits[i];
        json["directions"].push_back(
            {{"name", thresholds.names[i]}, {"prompt", limits.prompt}, {"early", limits.early}, {"mean", limits.mean}});
    }
    write_file(path, json.dump(2) + "\n");
}

WatchThresholds read_thresholds(const std::filesystem::path & path, const Watch & watch) {
    WatchThresholds thresholds;
    std::string problem;
    try {
        const nlohmann::json json = nlohmann::json::parse(read_file(path));
        if (json.at("format") != thresholds_format) {
            fail(ErrorKind::bad_input, "{}: is of format {}, expected {}", path.string(), json.at("format").dump(),
                 thresholds_format);
        }
        thresholds.model_name = json.at("model_name").get<std::string>();
        thresholds.digest = json.at("directions_sha256").get<std::string>();
        thresholds.quantile = json.at("quantile").get<double>();
        thresholds.window = json.at("window").get<std::size_t>();
        thresholds.n_responses = json.at("n_responses").get<std::size_t>();
        thresholds.guard = json.at("guard").get<std::vector<std::string>>();
        for (const nlohmann::json & direction : json.at("directions")) {
            thresholds.names.push_back(direction.at("name").get<std::string>());
            thresholds.limits.push_back({direction.at("prompt").get<double>(), direction.at("early").get<double>(),
                                         direction.at("mean").get<double>()});
        }
    } catch (const nlohmann::json::exception & error) {
        fail(ErrorKind::bad_input, "{}: is no file of thresholds as `valuelens monitor --learn` writes it ({})",
             path.string(), error.what());
    }
    if (thresholds.digest != watch.digest || thresholds.names != watch.names) {
        fail(ErrorKind::bad_input,
             "{}: was learned with other directions or blocks (or another model: \"{}\"); learn thresholds anew with "
             "`valuelens monitor --learn`",
             path.string(), thresholds.model_name);
    }
    // With either of these nothing would ever be flagged, and nobody would know.
    if (thresholds.window == 0) {
        fail(ErrorKind::bad_input, "{}: window is 0; it is the number of tokens that a draft is judged by, at least 1",
             path.string());
    }
    if (thresholds.guard.empty()) {
        fail(ErrorKind::bad_input, "{}: guard names no direction; it must name at least one of {}", path.string(),
             fmt::join(thresholds.names, ", "));
    }
    for (const std::string & name : thresholds.guard) {
        if (std::find(thresholds.names.begin(), thresholds.names.end(), name) == thresholds.names.end()) {
            fail(ErrorKind::bad_input, "{}: guard names '{}', which is not among its directions ({})", path.string(),
                 name, fmt::join(thresholds.names, ", "));
        }
    }
    return thresholds;
}

bool is_guarded(const WatchThresholds & thresholds, std::size_t direction) {
    const std::string & name = thresholds.names[direction];
    return std::find(thresholds.guard.begin(), thresholds.guard.end(), name) != thresholds.guard.end();
}

std::vector<bool> exceeding(const WatchThresholds & thresholds, const WatchReading & reading, bool early) {
    std::vector<bool> exceeds;
    for (std::size_t d = 0; d < thresholds.names.size(); ++d) {
        // The projections of what was taken out are 0, and a threshold may lie below that.
        const bool taken_out = reading.defended && is_guarded(thresholds, d);
        exceeds.push_back(!taken_out && (early ? reading.early[d] > thresholds.limits[d].early
                                               : reading.mean[d] > thresholds.limits[d].mean));
    }
    return exceeds;
}

bool is_flagged(const WatchThresholds & thresholds, const std::vector<bool> & exceeds) {
    for (std::size_t d = 0; d < thresholds.names.size(); ++d) {
        if (exceeds[d] && is_guarded(thresholds, d)) {
            return true;
        }
    }
    return false;
}

nlohmann::ordered_json watch_json(const Watch & watch, const WatchThresholds * thresholds, const WatchReading & reading,
                                  bool per_token) {
    nlohmann::ordered_json json = {{"layers", watch.layers}, {"directions", nlohmann::ordered_json::object()}};
    const std::vector<bool> exceeds =
        thresholds == nullptr ? std::vector<bool>() : exceeding(*thresholds, reading, /* early = */ false);
    const std::size_t n = watch.names.size();
    for (std::size_t d = 0; d < n; ++d) {
        nlohmann::ordered_json & direction = json["directions"][watch.names[d]];
        direction["prompt"] =
            reading.prompt.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(reading.prompt[d]);
        direction["mean"] =
            std::isfinite(reading.mean[d]) ? nlohmann::ordered_json(reading.mean[d]) : nlohmann::ordered_json(nullptr);
        if (thresholds != nullptr) {
            direction["threshold"] = thresholds->limits[d].mean;
            direction["exceeds"] = static_cast<bool>(exceeds[d]);
        }
        if (per_token) {
            direction["tokens"] = nlohmann::ordered_json::array();
            for (std::size_t t = 0; t < reading.n_tokens; ++t) {
                direction["tokens"].push_back(reading.tokens[t * n + d]);
            }
        }
    }
    if (thresholds != nullptr) {
        json["flagged"] = is_flagged(*thresholds, exceeds);
    }
    return json;
}

nlohmann::ordered_json draft_json(const Watch & watch, const WatchThresholds & thresholds, const WatchReading & draft) {
    nlohmann::ordered_json json = {{"tokens", draft.n_tokens}, {"directions", nlohmann::ordered_json::object()}};
    for (std::size_t d = 0; d < watch.names.size(); ++d) {
        json["directions"][watch.names[d]] = {{"early", draft.early[d]}, {"threshold", thresholds.limits[d].early}};
    }
    return json;
}

} // namespace valuelens
