// What does steering cost while generating? The same requests plain, with one addition for all of them (llama.cpp's
// adapter), with interventions that differ from request to request (our hooks), and with capture beside these; in
// alternating order, each compared with the plain run of its round.

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include <cmath>

#include "base/random.h"
#include "bench/generations.h"
#include "bench/timing.h"
#include "valuelens/models.h"
#include "valuelens/request.h"

using namespace valuelens;

namespace {

/// A random direction at every block.
std::shared_ptr<const Intervention> at_all_layers(const ModelInfo & model, std::uint64_t seed, SteerMode mode) {
    auto intervention = std::make_shared<Intervention>();
    Rng rng(seed);
    for (int layer = 0; layer < model.n_layer; ++layer) {
        LayerDirection direction{layer, {}, 0.01f, mode, TokenScope::all};
        for (int i = 0; i < model.n_embd; ++i) {
            direction.vector.push_back(static_cast<float>(rng.normal()));
        }
        intervention->directions.push_back(std::move(direction));
    }
    return intervention;
}

struct Way {
    std::string name;
    std::vector<std::shared_ptr<const Intervention>> interventions; ///< dealt to the requests in turn; empty: none
    bool capture = false;
};

} // namespace

int main(int argc, char ** argv) {
    CLI::App app("Cost of steering during generation");
    std::string spec = "smollm2-135m";
    int parallel = 32;
    int n_requests = 32;
    int new_tokens = 48;
    int rounds = 7;
    int threads = 0;
    bool json = false;
    app.add_option("-m,--model", spec);
    app.add_option("--parallel", parallel);
    app.add_option("--requests", n_requests);
    app.add_option("--new-tokens", new_tokens);
    app.add_option("--rounds", rounds);
    app.add_option("-t,--threads", threads);
    app.add_flag("--json", json);
    CLI11_PARSE(app, argc, argv);

    ModelOptions model_options;
    model_options.path = resolve_model(spec).string();
    model_options.threads = threads;
    const std::shared_ptr<Model> model = Model::load(model_options);
    SchedulerOptions options;
    options.parallel = parallel;
    Scheduler scheduler(model, options);
    const std::vector<Request> plain = bench::generations(*model, n_requests, new_tokens);
    const auto add = [&](std::uint64_t seed) {
        return at_all_layers(model->info(), seed, SteerMode::add);
    };
    const auto ablate = at_all_layers(model->info(), 9, SteerMode::ablate);
    const std::vector<Way> ways = {{"plain", {}, false},
                                   {"shared addition", {add(1)}, false},
                                   {"per request: add", {add(1), add(2), add(3), add(4)}, false},
                                   {"per request: add, ablate, none", {add(1), ablate, nullptr}, false},
                                   {"capture", {}, true},
                                   {"capture and shared addition", {add(1)}, true},
                                   {"capture and per request: add", {add(1), add(2), add(3), add(4)}, true}};

    std::vector<std::vector<double>> ratios(ways.size());
    std::vector<std::vector<double>> hook_shares(ways.size());
    std::vector<double> rates;
    for (int round = 0; round <= rounds; ++round) { // the first warms up
        std::vector<double> seconds(ways.size());
        for (std::size_t turn = 0; turn < ways.size(); ++turn) {
            const std::size_t way = (turn + static_cast<std::size_t>(round)) % ways.size();
            std::vector<Request> requests = plain;
            for (std::size_t i = 0; i < requests.size(); ++i) {
                const auto & dealt = ways[way].interventions;
                requests[i].intervention = dealt.empty() ? nullptr : dealt[i % dealt.size()];
                requests[i].capture.resid_post = ways[way].capture;
            }
            SchedulerStats stats;
            scheduler.run_all(requests, silent_progress(), {}, &stats);
            // The last token of a captured response is fed only for its capture: count rows.
            seconds[way] = stats.seconds / static_cast<double>(stats.decoded_tokens);
            if (round > 0) {
                hook_shares[way].push_back(100 * stats.hook_seconds / stats.seconds);
                if (way == 0) {
                    rates.push_back(static_cast<double>(stats.generated_tokens) / stats.seconds);
                }
            }
        }
        fmt::print(stderr, "round {} of {}\n", round, rounds);
        for (std::size_t way = 0; round > 0 && way < ways.size(); ++way) {
            ratios[way].push_back(seconds[way] / seconds[0]);
        }
    }
    const bench::Spread rate = bench::spread(rates);
    nlohmann::ordered_json result = {{"plain_tokens_per_second", {rate.low, rate.median, rate.high}}};
    fmt::print(json ? stderr : stdout, "{} requests x {} tokens, {} in flight, {} rounds; plain {:.0f} tokens/s\n",
               plain.size(), new_tokens, parallel, rounds, rate.median);
    for (std::size_t way = 1; way < ways.size(); ++way) {
        const bench::Spread ratio = bench::spread(ratios[way]);
        const bench::Spread share = bench::spread(hook_shares[way]);
        result[ways[way].name] = {{"ratio_per_row", {ratio.low, ratio.median, ratio.high}},
                                  {"hook_percent", {share.low, share.median, share.high}}};
        fmt::print(json ? stderr : stdout,
                   "{:<32} time / plain, per row: {:.3f}  {:.3f}  {:.3f}   in the hook: {:.2f} %\n", ways[way].name,
                   ratio.low, ratio.median, ratio.high, share.median);
    }
    if (json) {
        fmt::print("{}\n", result.dump(2));
    }
    return 0;
}
