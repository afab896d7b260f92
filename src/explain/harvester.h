#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "explain/quantile_sketch.h"
#include "valuelens/explain.h"

namespace valuelens {

/// A stretch of text as it is read: at most a window, in a context of its own.
struct CorpusWindow {
    std::vector<Token> tokens;  ///< of the text, without BOS
    std::size_t first_seen = 0; ///< activations of tokens before this one are not read, and kept as 0
};

/// What is known of one neuron.
struct NeuronHarvest {
    std::array<std::vector<Excerpt>, 2> top; ///< by Pole: highest peak first, then as in the corpus; peaks above 0 only
    QuantileSketch sketch;                   ///< of all its activations
    double sum = 0;
    float lowest = 0;
    float highest = 0;
};

/// Excerpts and statistics of all neurons, gathered window by window in constant memory.
///
/// Windows with the same tokens count once among the top (the first one), as they would be one excerpt twice. Random
/// excerpts are drawn without replacement from all windows (algorithm R), each draw from a stream of its own, so that
/// the result does not depend on where the work was cut.
class Harvester {
public:
    Harvester(std::vector<NeuronId> neurons, const HarvestOptions & options);

    /// The next window of the corpus. `activations` of neuron n at token t: values[n * stride + t]. Throws
    /// Error(model) for a number that is not finite.
    void add(const CorpusWindow & window, const float * values, std::size_t stride);

    const std::vector<NeuronId> & neurons() const { return ids_; }
    const NeuronHarvest & of(std::size_t neuron) const { return neurons_[neuron]; }

    /// A random excerpt of one neuron. `peak` is that in the pole's direction.
    Excerpt random_excerpt(std::size_t neuron, std::size_t place, Pole pole) const;
    std::size_t n_random() const { return random_.size(); }

    /// How far it has come.
    std::uint64_t windows() const { return windows_; }
    std::uint64_t tokens() const { return tokens_; } ///< whose activations were looked at

    /// The state as a safetensors file, written whole or not at all. `identity` stands for all that the result depends
    /// on; `counts` for what the caller wants to have back.
    void save(const std::filesystem::path & path, const std::string & identity, const std::string & counts) const;
    /// The reverse: false, and nothing is changed, where there is no such file or it is of another identity. Throws
    /// Error(bad_input) for a damaged file.
    bool load(const std::filesystem::path & path, const std::string & identity, std::string & counts);

private:
    struct RandomWindow {
        std::uint64_t window = 0;
        std::vector<Token> tokens;
        std::vector<float> activations; ///< [neurons, tokens]
        std::size_t first_seen = 0;
    };

    void add_top(std::size_t neuron, Pole pole, const CorpusWindow & window, const float * values, float peak);
    void draw(const CorpusWindow & window, const float * values, std::size_t stride);

    std::vector<NeuronId> ids_;
    HarvestOptions options_;
    std::vector<NeuronHarvest> neurons_;
    std::vector<RandomWindow> random_;
    std::uint64_t windows_ = 0;
    std::uint64_t tokens_ = 0;
};

/// The largest activation in a pole's direction, 0 where none goes there.
float peak_of(std::span<const float> activations, Pole pole);

} // namespace valuelens
