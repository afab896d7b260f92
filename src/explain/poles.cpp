#include "explain/poles.h"

#include <algorithm>

#include "base/random.h"
#include "explain/results.h"

namespace valuelens {

ExcerptSplit split_top(std::size_t n_top, std::size_t examples) {
    ExcerptSplit split;
    for (std::size_t rank = 0; rank < n_top; ++rank) {
        (rank % 2 == 0 && split.shown.size() < examples ? split.shown : split.held_out).push_back(rank);
    }
    return split;
}

std::vector<PoleWork> poles_of(const Harvester & harvest, bool negative) {
    std::vector<PoleWork> poles;
    for (std::size_t neuron = 0; neuron < harvest.neurons().size(); ++neuron) {
        for (const Pole pole : {Pole::positive, Pole::negative}) {
            if (pole == Pole::negative && !negative) {
                continue;
            }
            PoleWork & work = poles.emplace_back();
            work.neuron = neuron;
            work.pole = pole;
            work.key = pole_key(harvest.neurons()[neuron], pole);
            work.max = pole == Pole::positive ? harvest.of(neuron).highest : -harvest.of(neuron).lowest;
        }
    }
    return poles;
}

ReadableExcerpt readable(const Model & model, const Excerpt & excerpt) {
    ReadableExcerpt text;
    for (const Token token : excerpt.tokens) {
        text.pieces.push_back(model.token_bytes(token));
    }
    text.activations = excerpt.activations;
    text.peak = excerpt.peak;
    text.first_seen = excerpt.first_seen;
    return text;
}

std::vector<Excerpt> random_excerpts(const Harvester & harvest, const PoleWork & pole, std::size_t n) {
    const std::vector<Excerpt> & top = harvest.of(pole.neuron).top[static_cast<std::size_t>(pole.pole)];
    std::vector<Excerpt> found;
    for (std::size_t place = 0; place < harvest.n_random() && found.size() < n; ++place) {
        Excerpt excerpt = harvest.random_excerpt(pole.neuron, place, pole.pole);
        const bool is_top =
            std::any_of(top.begin(), top.end(), [&](const Excerpt & other) { return other.tokens == excerpt.tokens; });
        if (!is_top) {
            found.push_back(std::move(excerpt));
        }
    }
    return found;
}

HeldOut held_out(const Model & model, const Harvester & harvest, const PoleWork & pole,
                 const ExplainOptions & options) {
    const std::vector<Excerpt> & top = harvest.of(pole.neuron).top[static_cast<std::size_t>(pole.pole)];
    const ExcerptSplit split = split_top(top.size(), options.examples);
    HeldOut held;
    held.seed = derive_seed(options.harvest.seed, "explain/marks " + pole.key);
    for (const std::size_t rank : split.held_out) {
        held.top.push_back(readable(model, top[rank]));
    }
    for (const Excerpt & excerpt : random_excerpts(harvest, pole, split.held_out.size())) {
        held.random.push_back(readable(model, excerpt));
    }
    return held;
}

} // namespace valuelens
