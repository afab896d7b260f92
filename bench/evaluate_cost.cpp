// What does an evaluation cost? The value questionnaire on a model as it is and under many interventions, all in the
// same runs of the scheduler.

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "valuelens/evaluation.h"
#include "valuelens/models.h"

using namespace valuelens;

namespace {

/// A random direction of the length of a tenth of sqrt(n_embd), added in the middle third of the model.
std::shared_ptr<const Intervention> random_push(const ModelInfo & model, std::uint64_t seed) {
    auto intervention = std::make_shared<Intervention>();
    for (int layer = model.n_layer / 3; layer < 2 * model.n_layer / 3; ++layer) {
        Rng rng(derive_seed(seed, fmt::format("layer {}", layer)));
        LayerDirection direction;
        direction.layer = layer;
        for (int i = 0; i < model.n_embd; ++i) {
            direction.vector.push_back(static_cast<float>(0.1 * rng.normal()));
        }
        intervention->directions.push_back(std::move(direction));
    }
    return intervention;
}

} // namespace

int main(int argc, char ** argv) {
    CLI::App app("Cost of the value questionnaire under many interventions");
    std::string model_spec = "smollm2-135m";
    std::size_t n_interventions = 20;
    ModelOptions model_options;
    SchedulerOptions scheduler;
    EvaluationOptions options;
    bool json = false;
    app.add_option("-m,--model", model_spec);
    app.add_option("--interventions", n_interventions);
    app.add_option("-t,--threads", model_options.threads);
    app.add_option("--parallel", scheduler.parallel);
    app.add_option("--limit", options.limit, "Portraits; 0: all 40");
    app.add_flag("--json", json);
    CLI11_PARSE(app, argc, argv);

    model_options.path = resolve_model(model_spec, {.threads = model_options.threads}, silent_progress(), {}).string();
    const std::shared_ptr<Model> model = Model::load(model_options);
    std::vector<EvaluationVariant> variants = evaluation_variants({}, {}, nullptr);
    for (std::size_t i = 0; i < n_interventions; ++i) {
        variants.push_back({fmt::format("push {}", i), {}, {}, random_push(model->info(), i)});
    }
    const auto task = pvq_task({}, schwartz10());
    const auto start = std::chrono::steady_clock::now();
    const Evaluation result = evaluate(*task, model, scheduler, std::move(variants), options);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    constexpr std::size_t ways = 6; // three phrasings, both orders of the options
    const std::size_t prompts = result.items.size() * ways * (n_interventions + 1);
    if (json) {
        const nlohmann::ordered_json report = {{"model", model->info().description},
                                               {"interventions", n_interventions},
                                               {"items", result.items.size()},
                                               {"prompts", prompts},
                                               {"seconds", seconds},
                                               {"prompts_per_second", static_cast<double>(prompts) / seconds}};
        fmt::print("{}\n", report.dump());
    } else {
        fmt::print("{}: base and {} interventions, {} portraits, {} prompts in {:.1f} s, {:.1f} prompts/s\n",
                   model->info().description, n_interventions, result.items.size(), prompts, seconds,
                   static_cast<double>(prompts) / seconds);
    }
    return 0;
}
