// What do the intervals of `decompose` cost at the size of a 7B model? Activations are made up on the fly, so nothing
// but the computation is measured.

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "contrast/cell.h"
#include "decompose/decompose.h"
#include "math/parallel_for.h"

using namespace valuelens;

namespace {

/// Noise that depends on (row, layer) alone, cut from one long list.
class NoiseSource : public ActivationSource {
public:
    NoiseSource(std::size_t rows, std::size_t layers, std::size_t width)
        : rows_(rows), layers_(layers), width_(width), noise_(width + 65536) {
        Rng rng(1);
        for (float & x : noise_) {
            x = static_cast<float>(rng.normal());
        }
    }
    std::size_t n_rows() const override { return rows_; }
    std::size_t n_layer() const override { return layers_; }
    std::size_t n_embd() const override { return width_; }
    Provenance provenance() const override { return {"noise", "noise"}; }
    std::string id(std::size_t row) const override { return fmt::format("r{}", row); }
    void read(std::size_t row, std::size_t layer, std::span<float> out) const override {
        const std::size_t first = (row * 40503 + layer * 9973) % 65536;
        std::copy_n(noise_.begin() + static_cast<std::ptrdiff_t>(first), width_, out.begin());
    }

private:
    std::size_t rows_;
    std::size_t layers_;
    std::size_t width_;
    std::vector<float> noise_;
};

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double peak_mb() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_maxrss) / 1024;
}

} // namespace

int main(int argc, char ** argv) {
    CLI::App app("Cost of decompose with intervals");
    std::size_t n_responses = 2000;
    std::size_t n_layer = 28;
    std::size_t n_embd = 3584;
    std::size_t n_value = 10;
    DecomposeOptions options;
    bool json = false;
    app.add_option("--responses", n_responses);
    app.add_option("--layers", n_layer);
    app.add_option("--embd", n_embd);
    app.add_option("--values", n_value);
    app.add_option("--bootstraps", options.bootstraps);
    app.add_option("-t,--threads", options.threads);
    app.add_option("--memory-mb", options.memory_mb);
    app.add_flag("--json", json);
    CLI11_PARSE(app, argc, argv);

    // One intrinsic response per query, labelled for all values, and a prompted one per value.
    const NoiseSource activations(n_responses, n_layer, n_embd);
    std::vector<LabelledResponse> responses;
    Rng rng(2);
    for (std::size_t row = 0; row < n_responses; ++row) {
        LabelledResponse & response = responses.emplace_back();
        response.row = row;
        response.query = fmt::format("q{}", row / (n_value + 1));
        const std::size_t place = row % (n_value + 1);
        response.condition = place == 0 ? Condition::intrinsic : Condition::prompted;
        for (std::size_t value = 0; value < n_value; ++value) {
            if (place == 0 || place == value + 1) {
                response.labels.emplace_back(value, rng.below(2) == 1);
            }
        }
    }

    ValueVectorSet vectors;
    vectors.provenance = activations.provenance();
    vectors.n_layer = n_layer;
    vectors.n_embd = n_embd;
    const QueryPlan plan(responses, activations, {});
    const std::vector<Cell> cells = make_cells(responses, n_value, plan);
    ConceptSet concepts = schwartz10();
    for (std::size_t i = 0; i < cells.size(); ++i) {
        ValueVector & entry = vectors.vectors.emplace_back();
        entry.value = i / 2 < concepts.concepts.size() ? concepts.concepts[i / 2].id : fmt::format("value{}", i / 2);
        entry.condition = static_cast<Condition>(i % 2);
        entry.vector.resize(n_layer * n_embd);
        if (i % 2 == 0) {
            vectors.values.push_back(entry.value);
        }
    }
    auto start = std::chrono::steady_clock::now();
    parallel_for(cells.size() * n_layer, options.threads, [&](std::size_t i) {
        const Cell & cell = cells[i / n_layer];
        const std::size_t layer = i % n_layer;
        const Eigen::VectorXd vector =
            difference_of_means(sum_classes(activations, layer, cell, {0, n_embd}, {}), cell);
        std::copy(vector.begin(), vector.end(), vectors.vectors[i / n_layer].vector.data() + layer * n_embd);
    });
    const double vectors_seconds = seconds_since(start);
    const double before_mb = peak_mb();

    start = std::chrono::steady_clock::now();
    decompose_vectors(vectors, concepts, options, nullptr);
    const double bare_seconds = seconds_since(start);
    start = std::chrono::steady_clock::now();
    const ResponseSource source{activations, responses, "noise"};
    decompose_vectors(vectors, concepts, options, &source);
    const double seconds = seconds_since(start);

    if (json) {
        fmt::print("{}\n", nlohmann::json({{"seconds", seconds},
                                           {"seconds_without_intervals", bare_seconds},
                                           {"seconds_vectors_alone", vectors_seconds},
                                           {"peak_mb", peak_mb()},
                                           {"peak_mb_before", before_mb}})
                               .dump(2));
        return 0;
    }
    fmt::print("{} responses, {} layers of {}, {} values, {} resamples, {} threads\n", n_responses, n_layer, n_embd,
               n_value, options.bootstraps, thread_count(options.threads));
    fmt::print("vectors alone      {:8.2f} s\n", vectors_seconds);
    fmt::print("axes and circles   {:8.2f} s\n", bare_seconds);
    fmt::print("with intervals     {:8.2f} s\n", seconds);
    fmt::print("peak memory        {:8.0f} MiB ({:.0f} before: the vectors)\n", peak_mb(), before_mb);
    return 0;
}
