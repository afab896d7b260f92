#include "explain/output.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "explain/results.h"

namespace valuelens {

namespace {

using nlohmann::ordered_json;

std::string dump(const ordered_json & json, int indent) {
    return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

ordered_json lens_json(const LensTokens & lens) {
    ordered_json json;
    for (const auto & [name, tokens] : {std::pair{"top", &lens.top}, std::pair{"bottom", &lens.bottom}}) {
        json[name] = ordered_json::array();
        for (const auto & [token, logit] : *tokens) {
            json[name].push_back({{"token", token}, {"logit", logit}});
        }
    }
    return json;
}

ordered_json excerpt_json(const Model & model, const Excerpt & excerpt, const char * use) {
    ordered_json json = {{"use", use}, {"window", excerpt.window}, {"peak", excerpt.peak}};
    json["ids"] = excerpt.tokens;
    json["tokens"] = readable(model, excerpt).pieces;
    json["activations"] = excerpt.activations;
    for (std::size_t t = 0; t < excerpt.first_seen; ++t) {
        json["activations"][t] = nullptr; // not read, which is not 0
    }
    return json;
}

ordered_json expert_json(int expert) {
    return expert == dense_mlp       ? ordered_json(nullptr)
           : expert == shared_expert ? ordered_json("shared")
                                     : ordered_json(expert);
}

ordered_json activation_json(const NeuronHarvest & harvest, const PoleWork & pole, std::uint64_t tokens) {
    ordered_json quantiles;
    for (const double q : {0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999}) {
        quantiles[fmt::format("{}", q)] = number_json(harvest.sketch.quantile(q));
    }
    return {{"max", pole.max},
            {"lowest", harvest.lowest},
            {"highest", harvest.highest},
            {"mean", number_json(harvest.sum / static_cast<double>(tokens))},
            {"quantiles", std::move(quantiles)}};
}

ordered_json excerpts_json(const ExplainJob & job, const Harvester & harvest, const PoleWork & pole,
                           const ExplainOptions & options) {
    const std::vector<Excerpt> & top = harvest.of(pole.neuron).top[static_cast<std::size_t>(pole.pole)];
    const ExcerptSplit split = split_top(top.size(), options.examples);
    ordered_json json = ordered_json::array();
    for (const std::size_t rank : split.shown) {
        json.push_back(excerpt_json(*job.subject, top[rank], "explain"));
    }
    for (const std::size_t rank : split.held_out) {
        json.push_back(excerpt_json(*job.subject, top[rank], "score"));
    }
    for (const Excerpt & excerpt : random_excerpts(harvest, pole, split.held_out.size())) {
        json.push_back(excerpt_json(*job.subject, excerpt, "random"));
    }
    return json;
}

ordered_json options_json(const ExplainOptions & options) {
    ordered_json scores = ordered_json::array();
    for (const ScoreKind kind : options.scores) {
        scores.push_back(to_string(kind));
    }
    return {{"window", options.harvest.window},     {"top", options.harvest.top},
            {"random", options.harvest.random},     {"limit", options.harvest.limit},
            {"seed", options.harvest.seed},         {"negative", options.negative},
            {"per_category", options.per_category}, {"values", options.values},
            {"categories", options.categories},     {"examples", options.examples},
            {"scores", std::move(scores)},          {"rate", options.rate},
            {"lens_tokens", options.lens_tokens},   {"bootstraps", options.bootstraps},
            {"confidence", options.confidence},     {"explanation_tokens", options.explanation_tokens}};
}

} // namespace

ordered_json category_json(const CategorySummary & category) {
    ordered_json json = {{"category", category.category},
                         {"poles", category.n_poles},
                         {"explained", category.n_explained},
                         {"abstractness", estimate_json(category.abstractness)},
                         {"value_relevance", estimate_json(category.value_relevance)}};
    json["scores"] = ordered_json::object();
    for (const auto & [kind, estimate] : category.scores) {
        json["scores"][kind] = estimate_json(estimate);
        const auto baseline = category.baselines.find(kind);
        json["scores"][kind]["baseline"] =
            baseline == category.baselines.end() ? ordered_json(nullptr) : estimate_json(baseline->second);
    }
    json["tokens"] = ordered_json::array();
    for (const auto & [token, z] : category.tokens) {
        json["tokens"].push_back({{"token", token}, {"z", z}});
    }
    return json;
}

void write_explanations(const ExplainJob & job, const Harvester & harvest, std::span<const PoleWork> poles,
                        std::span<const LensTokens> lenses, const ExplainOptions & options) {
    AtomicFile file(job.output);
    for (const PoleWork & pole : poles) {
        const ChosenNeuron & neuron = job.neurons[pole.neuron];
        ordered_json line = {{"key", pole.key},
                             {"layer", neuron.id.layer},
                             {"expert", expert_json(neuron.id.expert)},
                             {"neuron", neuron.id.neuron},
                             {"pole", to_string(pole.pole)}};
        line["roles"] = ordered_json::array();
        for (const NeuronRole & role : neuron.roles) {
            line["roles"].push_back({{"value", role.value}, {"category", role.category}, {"norm", role.norm}});
        }
        line["activation"] = activation_json(harvest.of(pole.neuron), pole, harvest.tokens());
        put_results(line, pole.result);
        line["prompt"] = pole.result.prompt;
        if (!lenses.empty()) {
            line["lens"] = lens_json(lenses[pole.neuron]);
        }
        line["excerpts"] = excerpts_json(job, harvest, pole, options);
        file.write(dump(line, -1));
    }
    file.commit();
}

std::string companion_json(const ExplainJob & job, const ExplainSummary & summary, const ExplainOptions & options,
                           std::span<const AxisLens> axes, const std::string & settings) {
    ordered_json json = {{"format", "valuelens-explanations-1"},
                         {"model_name", job.subject->info().name},
                         {"model_hash", job.subject->info().identity},
                         {"location", "mlp_post"},
                         {"layer_convention", "0-based block"},
                         {"tool_version", VALUELENS_VERSION},
                         {"settings_sha256", settings},
                         {"explainer", summary.explainer},
                         {"prompts_sha256", explain_prompts().sha256},
                         {"options", options_json(options)},
                         {"documents", summary.documents},
                         {"short_documents", summary.short_documents},
                         {"windows", summary.windows},
                         {"tokens", summary.tokens},
                         {"neurons", summary.n_neurons},
                         {"poles", summary.n_poles},
                         {"explained", summary.n_explained},
                         {"inactive", summary.n_inactive},
                         {"failed", summary.n_failed},
                         {"unscored", summary.n_unscored},
                         {"failures", summary.failures},
                         {"notes", summary.notes}};
    json["categories"] = ordered_json::array();
    for (const CategorySummary & category : summary.categories) {
        json["categories"].push_back(category_json(category));
    }
    json["axes"] = ordered_json::array();
    for (const AxisLens & lens : axes) {
        ordered_json entry = {{"value", lens.value}, {"axis", lens.axis}, {"layer", lens.layer}};
        entry.update(lens_json(lens.tokens));
        json["axes"].push_back(std::move(entry));
    }
    return dump(json, 1);
}

} // namespace valuelens
