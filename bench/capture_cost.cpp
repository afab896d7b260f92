// What does capturing all block outputs cost while generating? Alternating pairs of the same requests without and with
// capture.

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "bench/generations.h"
#include "bench/timing.h"
#include "valuelens/models.h"
#include "valuelens/request.h"

using namespace valuelens;

int main(int argc, char ** argv) {
    CLI::App app("Cost of capture during generation");
    std::string spec = "smollm2-135m";
    int parallel = 32;
    int n_requests = 32;
    int new_tokens = 48;
    int pairs = 9;
    int threads = 0;
    bool json = false;
    app.add_option("-m,--model", spec);
    app.add_option("--parallel", parallel);
    app.add_option("--requests", n_requests);
    app.add_option("--new-tokens", new_tokens);
    app.add_option("--pairs", pairs);
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
    std::vector<Request> captured = plain;
    for (Request & request : captured) {
        request.capture.resid_post = true;
    }

    std::vector<double> seconds[2];
    std::vector<double> ratios; // per row decoded
    std::vector<double> whole;  // of the whole time
    std::vector<double> hook_share;
    for (int pair = 0; pair <= pairs; ++pair) { // the first pair warms up
        double pair_seconds[2] = {0, 0};
        double whole_seconds[2] = {0, 0};
        for (int turn = 0; turn < 2; ++turn) {
            const int with = (pair + turn) % 2;
            SchedulerStats stats;
            scheduler.run_all(with == 1 ? captured : plain, silent_progress(), {}, &stats);
            // The last token of a response is fed only for its capture; per row of work, both do the same.
            whole_seconds[with] = stats.seconds;
            pair_seconds[with] = stats.seconds / static_cast<double>(stats.decoded_tokens);
            if (pair > 0) {
                seconds[with].push_back(stats.seconds);
                if (with == 1) {
                    hook_share.push_back(stats.hook_seconds / stats.seconds);
                }
            }
        }
        if (pair > 0) {
            ratios.push_back(pair_seconds[1] / pair_seconds[0]);
            whole.push_back(whole_seconds[1] / whole_seconds[0]);
        }
    }
    const bench::Spread without = bench::spread(seconds[0]);
    const bench::Spread with = bench::spread(seconds[1]);
    const bench::Spread ratio = bench::spread(ratios);
    const bench::Spread all = bench::spread(whole);
    const bench::Spread share = bench::spread(hook_share);
    if (json) {
        fmt::print("{}\n", nlohmann::json({{"seconds_without", {without.low, without.median, without.high}},
                                           {"seconds_with", {with.low, with.median, with.high}},
                                           {"ratio", {all.low, all.median, all.high}},
                                           {"ratio_per_row", {ratio.low, ratio.median, ratio.high}},
                                           {"hook_share", {share.low, share.median, share.high}}})
                               .dump(2));
        return 0;
    }
    fmt::print("{} requests x {} tokens, {} in flight, {} pairs; least, median, most\n", plain.size(), new_tokens,
               parallel, pairs);
    fmt::print("without capture  {:.2f}  {:.2f}  {:.2f} s\n", without.low, without.median, without.high);
    fmt::print("with capture     {:.2f}  {:.2f}  {:.2f} s\n", with.low, with.median, with.high);
    fmt::print("with / without   {:.3f}  {:.3f}  {:.3f}\n", all.low, all.median, all.high);
    fmt::print("per row decoded  {:.3f}  {:.3f}  {:.3f}\n", ratio.low, ratio.median, ratio.high);
    fmt::print("inside the hook  {:.2f}  {:.2f}  {:.2f} %\n", 100 * share.low, 100 * share.median, 100 * share.high);
    return 0;
}
