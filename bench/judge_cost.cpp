// What does judging ten values by prompt cost against judging one? The response is to be read once.

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "bench/timing.h"
#include "judge/judges.h"
#include "valuelens/models.h"
#include "valuelens/query.h"

using namespace valuelens;

int main(int argc, char ** argv) {
    CLI::App app("Cost of judging ten values against one");
    std::string spec = "smollm2-135m";
    int n_texts = 24;
    int text_tokens = 80;
    int pairs = 7;
    int parallel = 32;
    bool json = false;
    app.add_option("-m,--model", spec);
    app.add_option("--texts", n_texts);
    app.add_option("--text-tokens", text_tokens);
    app.add_option("--pairs", pairs);
    app.add_option("--parallel", parallel);
    app.add_flag("--json", json);
    CLI11_PARSE(app, argc, argv);

    ModelOptions model_options;
    model_options.path = resolve_model(spec).string();
    const std::shared_ptr<Model> model = Model::load(model_options);
    const ConceptSet concepts = schwartz10();
    SchedulerOptions options;
    options.parallel = parallel;
    const std::unique_ptr<Judge> judge =
        make_ask_judge(model, options, concepts, shipped_ask_prompt(model->info().name));

    // Texts of equal length, cut from the shipped queries.
    std::string all;
    for (const Query & query : shipped_queries().queries) {
        all += query.text + " ";
    }
    const std::vector<Token> tokens = model->tokenize(all, false, false);
    std::vector<JudgeItem> items[2];
    for (int i = 0; i < n_texts; ++i) {
        const auto begin =
            static_cast<std::size_t>(i * text_tokens) % (tokens.size() - static_cast<std::size_t>(text_tokens));
        const std::string text =
            model->detokenize(std::span(tokens).subspan(begin, static_cast<std::size_t>(text_tokens)));
        items[0].push_back({std::to_string(i), text, {static_cast<std::size_t>(i) % concepts.concepts.size()}});
        items[1].push_back({std::to_string(i), text, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}});
    }
    std::vector<double> seconds[2];
    std::vector<double> ratios;
    for (int pair = 0; pair <= pairs; ++pair) {
        double pair_seconds[2] = {0, 0};
        for (int turn = 0; turn < 2; ++turn) {
            const int ten = (pair + turn) % 2;
            const auto start = std::chrono::steady_clock::now();
            judge->judge(items[ten], silent_progress(), {});
            pair_seconds[ten] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
            if (pair > 0) {
                seconds[ten].push_back(pair_seconds[ten]);
            }
        }
        if (pair > 0) {
            ratios.push_back(pair_seconds[1] / pair_seconds[0]);
        }
    }
    const bench::Spread one = bench::spread(seconds[0]);
    const bench::Spread ten = bench::spread(seconds[1]);
    const bench::Spread ratio = bench::spread(ratios);
    if (json) {
        fmt::print("{}\n", nlohmann::json({{"seconds_one", {one.low, one.median, one.high}},
                                           {"seconds_ten", {ten.low, ten.median, ten.high}},
                                           {"ratio", {ratio.low, ratio.median, ratio.high}}})
                               .dump(2));
        return 0;
    }
    fmt::print("{} texts of {} tokens, {} pairs; least, median, most\n", n_texts, text_tokens, pairs);
    fmt::print("one value   {:.2f}  {:.2f}  {:.2f} s\n", one.low, one.median, one.high);
    fmt::print("ten values  {:.2f}  {:.2f}  {:.2f} s\n", ten.low, ten.median, ten.high);
    fmt::print("ten / one   {:.2f}  {:.2f}  {:.2f}\n", ratio.low, ratio.median, ratio.high);
    return 0;
}
