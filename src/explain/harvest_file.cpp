// The state of a Harvester as a safetensors file: docs/files.md, "The harvest of explain".

#include <cstring>
#include <nlohmann/json.hpp>

#include "base/fail.h"
#include "explain/harvester.h"
#include "store/safetensors.h"

namespace valuelens {

namespace {

constexpr const char * format_name = "valuelens-harvest-2";

/// Tensors of one kind of excerpts, flattened: lengths tell where one ends.
struct Flat {
    std::vector<std::int64_t> windows;
    std::vector<std::int32_t> lengths;
    std::vector<std::int32_t> firsts; ///< Excerpt::first_seen
    std::vector<std::int32_t> tokens;
    std::vector<float> activations;
};

template <typename T>
void declare(SafetensorsWriter & writer, const std::string & name, DType type, const std::vector<T> & values) {
    writer.declare(name, type, {values.size()});
}

template <typename T>
void append(SafetensorsWriter & writer, const std::string & name, const std::vector<T> & values) {
    writer.append(name, static_cast<const void *>(values.data()), values.size() * sizeof(T));
}

template <typename T>
std::vector<T> read(const SafetensorsFile & file, const std::string & name, DType type) {
    const TensorView & view = file.find(name);
    if (view.dtype != type) {
        fail(ErrorKind::bad_input, "{}: tensor '{}' has type {}, expected {}; remove the file to harvest anew",
             file.path().string(), name, to_string(view.dtype), to_string(type));
    }
    std::vector<T> values(view.count());
    std::memcpy(values.data(), view.bytes.data(), view.bytes.size());
    return values;
}

/// Hands out the parts of flattened lists in order.
class Taker {
public:
    Taker(Flat flat, const std::string & path) : flat_(std::move(flat)), path_(path) {}

    template <typename Item>
    void take(Item & item, std::size_t activations_per_token) {
        need(at_ < flat_.windows.size() && at_ < flat_.lengths.size() && at_ < flat_.firsts.size() &&
             flat_.lengths[at_] >= 0 && flat_.firsts[at_] >= 0 && flat_.firsts[at_] <= flat_.lengths[at_]);
        const auto length = static_cast<std::size_t>(flat_.lengths[at_]);
        need(token_ + length <= flat_.tokens.size() &&
             value_ + length * activations_per_token <= flat_.activations.size());
        item.window = static_cast<std::uint64_t>(flat_.windows[at_]);
        item.first_seen = static_cast<std::size_t>(flat_.firsts[at_]);
        item.tokens.assign(flat_.tokens.begin() + static_cast<std::ptrdiff_t>(token_),
                           flat_.tokens.begin() + static_cast<std::ptrdiff_t>(token_ + length));
        item.activations.assign(flat_.activations.begin() + static_cast<std::ptrdiff_t>(value_),
                                flat_.activations.begin() +
                                    static_cast<std::ptrdiff_t>(value_ + length * activations_per_token));
        token_ += length;
        value_ += length * activations_per_token;
        ++at_;
    }

    void need(bool fine) const {
        if (!fine) {
            fail(ErrorKind::bad_input, "{}: its tensors do not fit together; remove the file to harvest anew", path_);
        }
    }

private:
    Flat flat_;
    std::string path_;
    std::size_t at_ = 0;
    std::size_t token_ = 0;
    std::size_t value_ = 0;
};

template <typename Item>
void push(Flat & flat, const Item & item) {
    flat.windows.push_back(static_cast<std::int64_t>(item.window));
    flat.lengths.push_back(static_cast<std::int32_t>(item.tokens.size()));
    flat.firsts.push_back(static_cast<std::int32_t>(item.first_seen));
    flat.tokens.insert(flat.tokens.end(), item.tokens.begin(), item.tokens.end());
    flat.activations.insert(flat.activations.end(), item.activations.begin(), item.activations.end());
}

void declare(SafetensorsWriter & writer, const std::string & prefix, const Flat & flat) {
    declare(writer, prefix + "window", DType::i64, flat.windows);
    declare(writer, prefix + "length", DType::i32, flat.lengths);
    declare(writer, prefix + "first_seen", DType::i32, flat.firsts);
    declare(writer, prefix + "tokens", DType::i32, flat.tokens);
    declare(writer, prefix + "activations", DType::f32, flat.activations);
}

void append(SafetensorsWriter & writer, const std::string & prefix, const Flat & flat) {
    append(writer, prefix + "window", flat.windows);
    append(writer, prefix + "length", flat.lengths);
    append(writer, prefix + "first_seen", flat.firsts);
    append(writer, prefix + "tokens", flat.tokens);
    append(writer, prefix + "activations", flat.activations);
}

Flat read_flat(const SafetensorsFile & file, const std::string & prefix) {
    return {read<std::int64_t>(file, prefix + "window", DType::i64),
            read<std::int32_t>(file, prefix + "length", DType::i32),
            read<std::int32_t>(file, prefix + "first_seen", DType::i32),
            read<std::int32_t>(file, prefix + "tokens", DType::i32),
            read<float>(file, prefix + "activations", DType::f32)};
}

} // namespace

void Harvester::save(const std::filesystem::path & path, const std::string & identity,
                     const std::string & counts) const {
    Flat top;
    Flat random;
    std::vector<std::int32_t> top_counts; // [neurons, poles]
    std::vector<double> sums;
    std::vector<float> extremes; // [neurons, 2]
    for (const NeuronHarvest & neuron : neurons_) {
        for (const std::vector<Excerpt> & excerpts : neuron.top) {
            top_counts.push_back(static_cast<std::int32_t>(excerpts.size()));
            for (const Excerpt & excerpt : excerpts) {
                push(top, excerpt);
            }
        }
        sums.push_back(neuron.sum);
        extremes.insert(extremes.end(), {neuron.lowest, neuron.highest});
    }
    for (const RandomWindow & window : random_) {
        push(random, window);
    }
    SafetensorsWriter writer(path);
    writer.set_metadata({{"format", format_name},
                         {"identity", identity},
                         {"counts", counts},
                         {"windows", std::to_string(windows_)},
                         {"tokens", std::to_string(tokens_)}});
    writer.declare("sketch", DType::i64, {neurons_.size(), QuantileSketch::size});
    declare(writer, "top.count", DType::i32, top_counts);
    declare(writer, "sum", DType::f64, sums);
    declare(writer, "extremes", DType::f32, extremes);
    declare(writer, "top.", top);
    declare(writer, "random.", random);
    for (const NeuronHarvest & neuron : neurons_) {
        writer.append("sketch", static_cast<const void *>(neuron.sketch.counts.data()), sizeof(neuron.sketch.counts));
    }
    append(writer, "top.count", top_counts);
    append(writer, "sum", sums);
    writer.append("extremes", std::span<const float>(extremes));
    append(writer, "top.", top);
    append(writer, "random.", random);
    writer.commit();
}

bool Harvester::load(const std::filesystem::path & path, const std::string & identity, std::string & counts) {
    if (!std::filesystem::exists(path)) {
        return false;
    }
    const SafetensorsFile file(path);
    const auto entry = [&](const char * key) {
        const auto found = file.metadata().find(key);
        return found == file.metadata().end() ? std::string() : found->second;
    };
    if (entry("format") != format_name || entry("identity") != identity) {
        return false;
    }
    const auto number = [&](const char * key) -> std::uint64_t {
        const std::string text = entry(key);
        if (text.empty() || text.size() > 19 || text.find_first_not_of("0123456789") != std::string::npos) {
            fail(ErrorKind::bad_input, "{}: its entry '{}' is no number; remove the file to harvest anew",
                 path.string(), key);
        }
        return std::stoull(text);
    };
    Taker top(read_flat(file, "top."), path.string());
    Taker random(read_flat(file, "random."), path.string());
    const std::vector<std::int32_t> top_counts = read<std::int32_t>(file, "top.count", DType::i32);
    const std::vector<double> sums = read<double>(file, "sum", DType::f64);
    const std::vector<float> extremes = read<float>(file, "extremes", DType::f32);
    const std::vector<std::int64_t> sketch = read<std::int64_t>(file, "sketch", DType::i64);
    const std::size_t n = ids_.size();
    top.need(top_counts.size() == 2 * n && sums.size() == n && extremes.size() == 2 * n &&
             sketch.size() == n * QuantileSketch::size);
    std::vector<NeuronHarvest> neurons(n);
    for (std::size_t i = 0; i < n; ++i) {
        NeuronHarvest & neuron = neurons[i];
        for (std::size_t pole = 0; pole < 2; ++pole) {
            top.need(top_counts[2 * i + pole] >= 0);
            neuron.top[pole].resize(static_cast<std::size_t>(top_counts[2 * i + pole]));
            for (Excerpt & excerpt : neuron.top[pole]) {
                top.take(excerpt, 1);
                excerpt.peak = peak_of(excerpt.activations, static_cast<Pole>(pole));
            }
        }
        neuron.sum = sums[i];
        neuron.lowest = extremes[2 * i];
        neuron.highest = extremes[2 * i + 1];
        std::memcpy(neuron.sketch.counts.data(), sketch.data() + i * QuantileSketch::size,
                    sizeof(neuron.sketch.counts));
    }
    std::vector<RandomWindow> windows(file.find("random.length").count());
    for (RandomWindow & window : windows) {
        random.take(window, n);
    }
    windows_ = number("windows");
    tokens_ = number("tokens");
    counts = entry("counts");
    neurons_ = std::move(neurons);
    random_ = std::move(windows);
    return true;
}

} // namespace valuelens
