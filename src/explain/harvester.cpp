#include "explain/harvester.h"

#include <algorithm>
#include <cmath>

#include "base/fail.h"
#include "base/random.h"

namespace valuelens {

namespace {

std::size_t seen_from(const CorpusWindow & window) {
    return std::min(window.first_seen, window.tokens.size());
}

} // namespace

const char * to_string(Pole pole) {
    return pole == Pole::positive ? "positive" : "negative";
}

float peak_of(std::span<const float> activations, Pole pole) {
    float peak = 0;
    for (const float value : activations) {
        peak = std::max(peak, pole == Pole::positive ? value : -value);
    }
    return peak;
}

Harvester::Harvester(std::vector<NeuronId> neurons, const HarvestOptions & options)
    : ids_(std::move(neurons)), options_(options), neurons_(ids_.size()) {}

void Harvester::add(const CorpusWindow & window, const float * values, std::size_t stride) {
    const std::size_t n = window.tokens.size();
    for (std::size_t neuron = 0; neuron < neurons_.size(); ++neuron) {
        NeuronHarvest & harvest = neurons_[neuron];
        const float * row = values + neuron * stride;
        float highest = 0;
        float lowest = 0;
        double sum = 0;
        for (std::size_t t = window.first_seen; t < n; ++t) {
            highest = std::max(highest, row[t]);
            lowest = std::min(lowest, row[t]);
            sum += static_cast<double>(row[t]);
            harvest.sketch.add(row[t]);
        }
        if (!std::isfinite(sum)) {
            const NeuronId & id = ids_[neuron];
            fail(ErrorKind::model,
                 "neuron {} of layer {} has an activation that is not finite; the weights are damaged", id.neuron,
                 id.layer);
        }
        harvest.sum += sum;
        harvest.highest = std::max(harvest.highest, highest);
        harvest.lowest = std::min(harvest.lowest, lowest);
        add_top(neuron, Pole::positive, window, row, highest);
        add_top(neuron, Pole::negative, window, row, -lowest);
    }
    draw(window, values, stride);
    ++windows_;
    tokens_ += n - std::min(n, window.first_seen);
}

void Harvester::add_top(std::size_t neuron, Pole pole, const CorpusWindow & window, const float * values, float peak) {
    std::vector<Excerpt> & top = neurons_[neuron].top[static_cast<std::size_t>(pole)];
    if (!(peak > 0) || options_.top == 0 || (top.size() == options_.top && peak <= top.back().peak)) {
        return;
    }
    // The first of equal windows stays: found by its peak, which is the same but for the last bits.
    const bool known =
        std::any_of(top.begin(), top.end(), [&](const Excerpt & excerpt) { return excerpt.tokens == window.tokens; });
    if (known) {
        return;
    }
    if (top.size() == options_.top) {
        top.pop_back();
    }
    Excerpt excerpt{windows_, window.tokens, {values, values + window.tokens.size()}, peak, seen_from(window)};
    std::fill_n(excerpt.activations.begin(), excerpt.first_seen, 0.0f);
    const auto place = std::upper_bound(top.begin(), top.end(), peak,
                                        [](float value, const Excerpt & other) { return value > other.peak; });
    top.insert(place, std::move(excerpt));
}

void Harvester::draw(const CorpusWindow & window, const float * values, std::size_t stride) {
    std::size_t place = random_.size();
    if (place < options_.random) {
        random_.emplace_back();
    } else {
        Rng rng(derive_seed(options_.seed, fmt::format("explain/random window {}", windows_)));
        place = static_cast<std::size_t>(rng.below(windows_ + 1));
    }
    if (place >= random_.size()) {
        return;
    }
    const std::size_t n = window.tokens.size();
    RandomWindow & kept = random_[place];
    kept.window = windows_;
    kept.tokens = window.tokens;
    kept.first_seen = seen_from(window);
    kept.activations.resize(neurons_.size() * n);
    for (std::size_t neuron = 0; neuron < neurons_.size(); ++neuron) {
        float * to = kept.activations.data() + neuron * n;
        std::copy_n(values + neuron * stride, n, to);
        std::fill_n(to, kept.first_seen, 0.0f);
    }
}

Excerpt Harvester::random_excerpt(std::size_t neuron, std::size_t place, Pole pole) const {
    const RandomWindow & kept = random_[place];
    const float * from = kept.activations.data() + neuron * kept.tokens.size();
    Excerpt excerpt{kept.window, kept.tokens, {from, from + kept.tokens.size()}};
    excerpt.peak = peak_of(excerpt.activations, pole);
    excerpt.first_seen = kept.first_seen;
    return excerpt;
}

} // namespace valuelens
