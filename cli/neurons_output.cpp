#include "cli/neurons_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

namespace valuelens {

namespace {

constexpr std::size_t shown_overlaps = 5;

std::string chance(const Null & null, int digits) {
    return std::isnan(null.mean)
               ? ""
               : fmt::format(" ({:.{}f} [{:.{}f}, {:.{}f}])", null.mean, digits, null.low, digits, null.high, digits);
}

/// The fewest neighbouring layers that hold at least half of a value's kept neurons.
std::string layer_range(const std::vector<std::vector<std::size_t>> & layers) {
    std::vector<std::size_t> kept;
    for (const std::vector<std::size_t> & counts : layers) {
        kept.push_back(std::accumulate(counts.begin(), counts.end(), std::size_t{0}));
    }
    const std::size_t all = std::accumulate(kept.begin(), kept.end(), std::size_t{0});
    if (all == 0) {
        return "-";
    }
    for (std::size_t width = 1;; ++width) {
        std::size_t best = 0;
        std::size_t most = 0;
        for (std::size_t first = 0; first + width <= kept.size(); ++first) {
            const auto begin = kept.begin() + static_cast<std::ptrdiff_t>(first);
            const std::size_t within =
                std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(width), std::size_t{0});
            if (within > most) {
                most = within;
                best = first;
            }
        }
        if (2 * most >= all) {
            return fmt::format("{}-{}: {} %", best, best + width - 1, 100 * most / all);
        }
    }
}

std::string count_table(const NeuronTable & table) {
    std::vector<NeuronCategory> shown = {NeuronCategory::shared, NeuronCategory::intrinsic, NeuronCategory::prompted};
    if (table.options.anti_shared) {
        shown.push_back(NeuronCategory::anti_shared);
    }
    shown.push_back(NeuronCategory::none);
    std::string text = fmt::format("{:<16} {:>6}", "value", "kept");
    for (const NeuronCategory category : shown) {
        text += fmt::format("  {:<24}", to_string(category));
    }
    text += "  most in layers\n";
    for (std::size_t value = 0; value < table.values.size(); ++value) {
        std::size_t kept = 0;
        for (const CategoryCount & count : table.counts[value]) {
            kept += count.count;
        }
        text += fmt::format("{:<16} {:>6}", table.values[value], kept);
        for (const NeuronCategory category : shown) {
            const CategoryCount & count = table.counts[value][static_cast<std::size_t>(category)];
            text += fmt::format("  {:<24}", fmt::format("{}{}", count.count, chance(count.null, 0)));
        }
        text += "  " + layer_range(table.layer_counts[value]) + "\n";
    }
    return text;
}

std::string overlap_lines(const NeuronTable & table) {
    std::vector<NeuronOverlap> pairs;
    std::copy_if(table.overlaps.begin(), table.overlaps.end(), std::back_inserter(pairs),
                 [](const NeuronOverlap & overlap) { return !overlap.category && !std::isnan(overlap.jaccard); });
    std::stable_sort(pairs.begin(), pairs.end(),
                     [](const NeuronOverlap & a, const NeuronOverlap & b) { return a.jaccard > b.jaccard; });
    if (pairs.empty()) {
        return "";
    }
    std::string text = "\nlargest overlaps of kept neurons\n";
    for (std::size_t i = 0; i < std::min(pairs.size(), shown_overlaps); ++i) {
        const NeuronOverlap & pair = pairs[i];
        text += fmt::format("{} and {}: {} of {} and {} in common, Jaccard {:.3f}{}\n", table.values[pair.a],
                            table.values[pair.b], pair.common, pair.size_a, pair.size_b, pair.jaccard,
                            chance(pair.jaccard_null, 3));
    }
    return text;
}

} // namespace

std::string neurons_json_path(const std::string & csv_path) {
    return std::filesystem::path(csv_path).replace_extension(".json").string();
}

Outcome describe_neurons(const NeuronTable & table, const std::string & output) {
    const std::string beside = neurons_json_path(output);
    nlohmann::ordered_json json = {{"output", output}, {"json", beside}, {"n_kept", table.neurons.size()}};
    json.update(nlohmann::ordered_json::parse(neurons_json(table)));

    const std::size_t all = std::accumulate(table.n_neuron.begin(), table.n_neuron.end(), std::size_t{0});
    std::string text =
        fmt::format("top {} % of {} neurons{}, nearest axis within {} degrees", table.options.top_percent, all,
                    table.options.scope == NeuronScope::layer ? ", layer by layer" : "", table.options.max_angle);
    if (table.options.null_draws > 0) {
        text += fmt::format("; in parentheses the mean of {} random planes [{} % interval]", table.options.null_draws,
                            100 * table.options.confidence);
    }
    text += "\n\n" + count_table(table) + overlap_lines(table);
    for (const std::string & note : table.notes) {
        text += "\n" + note;
    }
    return {std::move(json), text + fmt::format("{}{}, {}", table.notes.empty() ? "\n" : "\n\n", output, beside)};
}

} // namespace valuelens
