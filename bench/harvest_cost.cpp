// What does harvesting neurons cost on top of reading a corpus? Alternating pairs over the same windows: plain prefill
// (nothing asked of the graph, no output rows) and the harvest of neurons spread over all blocks.

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "bench/timing.h"
#include "engine/neuron_reader.h"
#include "explain/harvester.h"
#include "valuelens/models.h"

using namespace valuelens;

namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

} // namespace

int main(int argc, char ** argv) {
    CLI::App app("Cost of harvesting neurons beside plain prefill");
    std::string spec = "smollm2-135m";
    std::size_t n_neurons = 1000;
    std::size_t n_windows = 64;
    std::size_t window = 64;
    int pairs = 7;
    int threads = 0;
    bool json = false;
    app.add_option("-m,--model", spec);
    app.add_option("--neurons", n_neurons);
    app.add_option("--windows", n_windows);
    app.add_option("--window", window);
    app.add_option("--pairs", pairs);
    app.add_option("-t,--threads", threads);
    app.add_flag("--json", json);
    CLI11_PARSE(app, argc, argv);

    const std::shared_ptr<Model> model = Model::load({.path = resolve_model(spec).string(), .threads = threads});
    const ModelInfo & info = model->info();
    std::vector<NeuronId> neurons;
    for (std::size_t i = 0; i < n_neurons; ++i) {
        const std::size_t at =
            i * static_cast<std::size_t>(info.n_layer) * static_cast<std::size_t>(info.n_ff) / n_neurons;
        neurons.push_back({static_cast<int>(at / static_cast<std::size_t>(info.n_ff)), -1,
                           static_cast<int>(at % static_cast<std::size_t>(info.n_ff))});
    }
    Rng rng(1);
    std::vector<std::vector<Token>> corpus(n_windows, std::vector<Token>(window));
    for (std::vector<Token> & tokens : corpus) {
        for (Token & token : tokens) {
            token = static_cast<Token>(rng.below(static_cast<std::uint64_t>(info.n_vocab)));
        }
    }
    NeuronReader plain(model, {}, window);
    NeuronReader reader(model, neurons, window);
    HarvestOptions options;
    options.window = window;

    const auto read_plain = [&] {
        const auto begin = std::chrono::steady_clock::now();
        for (std::size_t first = 0; first < corpus.size(); first += plain.windows_at_once()) {
            plain.read(std::span(corpus).subspan(first, std::min(plain.windows_at_once(), corpus.size() - first)));
        }
        return seconds_since(begin);
    };
    const auto harvest = [&] {
        const auto begin = std::chrono::steady_clock::now();
        Harvester harvester(neurons, options);
        for (std::size_t first = 0; first < corpus.size(); first += reader.windows_at_once()) {
            const auto batch =
                std::span(corpus).subspan(first, std::min(reader.windows_at_once(), corpus.size() - first));
            const NeuronActivations & found = reader.read(batch);
            for (std::size_t i = 0; i < batch.size(); ++i) {
                harvester.add({batch[i], 0}, found.values.data() + found.window_begins[i], found.n_row);
            }
        }
        return seconds_since(begin);
    };

    std::vector<double> without;
    std::vector<double> with;
    std::vector<double> ratios;
    for (int pair = 0; pair <= pairs; ++pair) { // the first pair warms up
        double seconds[2] = {0, 0};
        for (int turn = 0; turn < 2; ++turn) {
            const int harvests = (pair + turn) % 2;
            seconds[harvests] = harvests == 1 ? harvest() : read_plain();
        }
        if (pair > 0) {
            without.push_back(seconds[0]);
            with.push_back(seconds[1]);
            ratios.push_back(seconds[1] / seconds[0]);
        }
    }
    const bench::Spread a = bench::spread(without);
    const bench::Spread b = bench::spread(with);
    const bench::Spread ratio = bench::spread(ratios);
    if (json) {
        fmt::print("{}\n", nlohmann::json({{"seconds_plain", {a.low, a.median, a.high}},
                                           {"seconds_harvest", {b.low, b.median, b.high}},
                                           {"ratio", {ratio.low, ratio.median, ratio.high}}})
                               .dump(2));
        return 0;
    }
    fmt::print("{} windows x {} tokens, {} neurons, {} pairs; least, median, most\n", n_windows, window, n_neurons,
               pairs);
    fmt::print("plain prefill     {:.2f}  {:.2f}  {:.2f} s\n", a.low, a.median, a.high);
    fmt::print("harvest           {:.2f}  {:.2f}  {:.2f} s\n", b.low, b.median, b.high);
    fmt::print("harvest / plain   {:.3f}  {:.3f}  {:.3f}\n", ratio.low, ratio.median, ratio.high);
    return 0;
}
