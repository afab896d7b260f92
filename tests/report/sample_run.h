#pragma once

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/random.h"
#include "store/run_db.h"
#include "valuelens/decompose.h"
#include "valuelens/evaluation.h"
#include "valuelens/neurons.h"
#include "valuelens/run_config.h"
#include "valuelens/vectors.h"

namespace valuelens::test {

/// What a model or a file might say to whoever shows it unescaped.
inline const std::string hostile =
    "</script><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script> "
    "[click](javascript:alert(1)) | `x` & 'y' \"z\"";

/// A run with results of every kind, made up by hand: Schwartz's ten values, 6 layers of width 16. Its numbers mean
/// nothing; a response, an answer, an explanation and the model's name are hostile.
class SampleRun {
public:
    explicit SampleRun(std::filesystem::path where) : folder(std::move(where)) {
        std::filesystem::create_directories(folder / "evaluation");
        std::filesystem::create_directories(folder / "samples");
    }

    /// Responses and labels: of each query and value one prompted response, and one intrinsic response.
    void write_responses(std::size_t n_queries = 20) const {
        RunDb db(folder / "run.sqlite", RunDbMode::create);
        std::vector<Query> queries;
        for (std::size_t q = 0; q < n_queries; ++q) {
            queries.push_back({"q" + std::to_string(q), "Question " + std::to_string(q) + "?", ""});
        }
        db.store_inputs(concepts, queries, std::vector<PromptTemplate>{{"t1", "You value {value}: {definition}."}});
        RunConfig config;
        db.set_meta("config", to_toml(config));
        db.set_meta("model_name", "Model " + hostile);
        db.set_meta("model_description", "llama 1M F32");
        db.set_meta("model_identity", identity);
        db.set_meta("slices_planned", "1");
        db.set_meta("generate.max_tokens", "16");
        db.set_meta("judge", "probe made up");
        db.set_meta("judge_check", R"({"data":"made up","mean_auroc":0.62,"mean_auroc_interval":[0.6,0.64]})");
        std::vector<ResponseRow> responses;
        std::vector<LabelRow> labels;
        for (std::size_t q = 0; q < n_queries; ++q) {
            responses.push_back(response(q, responses.size(), {}));
            for (std::size_t v = 0; v < concepts.concepts.size(); ++v) {
                labels.push_back(label(responses.back().id, v, q));
            }
            for (std::size_t v = 0; v < concepts.concepts.size(); ++v) {
                responses.push_back(response(q, responses.size(), concepts.concepts[v].id));
                labels.push_back(label(responses.back().id, v, q + 1));
            }
        }
        db.commit_slice({0, responses.size(), 0, {}, {}, "{}"}, responses, {}, &labels);
        for (const char * file : {"vectors.safetensors", "axes.safetensors", "neurons.csv"}) {
            db.set_meta(std::string(file) + ".inputs", "made up");
        }
    }

    /// Vectors with statistics, axes and geometry. The last value has no prompted vector.
    void write_axes() const {
        ValueVectorSet set;
        set.provenance = provenance();
        set.n_layer = n_layer;
        set.n_embd = n_embd;
        set.n_responses = 220;
        set.n_queries = 20;
        set.resid_norm.assign(n_layer, 2.0f);
        Rng rng(7);
        for (const Concept & concept_ : concepts.concepts) {
            set.values.push_back(concept_.id);
            for (const Condition condition : {Condition::intrinsic, Condition::prompted}) {
                set.vectors.push_back(vector(concept_, condition, rng));
            }
            for (std::size_t l = 0; l < n_layer; ++l) {
                set.condition_cosine.push_back({0.4 + 0.05 * static_cast<double>(l), 0.2, 0.8});
            }
        }
        ValueVector & last = set.vectors.back();
        last.n_expressing = 7;
        last.problem = "value 'universalism', condition prompted: 7 expressing and 20 not expressing responses, at "
                       "least 8 of each are needed; label more responses or lower --min-count";
        last.vector.clear();
        last.norm.clear();
        last.auroc.clear();
        last.split_half_cosine.clear();
        write_value_vectors(folder / "vectors.safetensors", set);
        write_file(folder / "geometry.json", geometry_json(set) + "\n");
        DecomposeOptions options;
        options.permutations = 19;
        options.null_draws = 10;
        AxisSet axes = decompose_vectors(set, concepts, options);
        for (ValueAxes & value : axes.axes) {
            for (PairGeometry & layer : value.layers) {
                layer.cosine.low = layer.cosine.value - 0.1;
                layer.cosine.high = layer.cosine.value + 0.1;
                layer.stability_shared = 0.9;
                layer.stability_unique = 0.6;
            }
        }
        write_axes_file(axes);
    }

    void write_neurons() const {
        NeuronTable table;
        table.provenance = provenance();
        table.n_neuron.assign(n_layer, 100);
        for (std::size_t v = 0; v < concepts.concepts.size(); ++v) {
            table.values.push_back(concepts.concepts[v].id);
            table.counts.emplace_back(5);
            table.layer_counts.emplace_back(n_layer, std::vector<std::size_t>(5));
            for (std::size_t i = 0; i < 12; ++i) {
                ValueNeuron neuron;
                neuron.value = v;
                neuron.id = {static_cast<int>((i + v) % n_layer), -1, static_cast<int>(7 * i + v)};
                neuron.norm = 2.0 - 0.1 * static_cast<double>(i);
                neuron.angle_shared = 10.0 * static_cast<double>(i % 9);
                neuron.angle_intrinsic = 90.0 - neuron.angle_shared;
                neuron.angle_prompted = 180 - neuron.angle_intrinsic;
                neuron.category = neuron.angle_shared < 30      ? NeuronCategory::shared
                                  : neuron.angle_intrinsic < 30 ? NeuronCategory::intrinsic
                                                                : NeuronCategory::none;
                const auto category = static_cast<std::size_t>(neuron.category);
                ++table.counts[v][category].count;
                ++table.layer_counts[v][static_cast<std::size_t>(neuron.id.layer)][category];
                table.neurons.push_back(neuron);
            }
            for (CategoryCount & count : table.counts[v]) {
                count.null = {3, 1, 5};
            }
        }
        write_neurons_csv(folder / "neurons.csv", table);
        write_file(folder / "neurons.json", neurons_json(table) + "\n");
    }

    /// The top percent of a model's neurons for each value, evenly over layers.
    void write_many_neurons(std::size_t layers, std::size_t n_ff) const {
        NeuronTable table;
        table.provenance = provenance();
        table.n_neuron.assign(layers, n_ff);
        const std::size_t kept = layers * n_ff / 100;
        Rng rng(3);
        for (std::size_t v = 0; v < concepts.concepts.size(); ++v) {
            table.values.push_back(concepts.concepts[v].id);
            table.counts.emplace_back(5);
            table.layer_counts.emplace_back(layers, std::vector<std::size_t>(5, kept / layers / 5));
            for (std::size_t i = 0; i < kept; ++i) {
                ValueNeuron neuron;
                neuron.value = v;
                neuron.id = {static_cast<int>(i % layers), -1, static_cast<int>(rng.below(n_ff))};
                neuron.norm = 2.0 - static_cast<double>(i) / static_cast<double>(kept);
                neuron.angle_shared = 180 * rng.uniform();
                neuron.angle_intrinsic = 180 * rng.uniform();
                neuron.angle_prompted = 180 - neuron.angle_intrinsic;
                table.neurons.push_back(neuron);
            }
            for (CategoryCount & count : table.counts[v]) {
                count = {kept / 5, {static_cast<double>(kept) / 6, 100, 1000}};
            }
            table.counts[v].back().count += kept % 5;
        }
        write_neurons_csv(folder / "neurons.csv", table);
        write_file(folder / "neurons.json", neurons_json(table) + "\n");
    }

    /// Explanations with long excerpts, and long answers to many prompts under many interventions.
    void write_long_texts() const {
        const nlohmann::json excerpt = {{"use", "explain"},
                                        {"tokens", std::vector<std::string>(64, " token")},
                                        {"activations", std::vector<double>(64, 0.1234)}};
        std::string explanations, answers;
        for (int i = 0; i < 3000; ++i) {
            explanations += nlohmann::json({{"layer", i % 28},
                                            {"neuron", i},
                                            {"explanation", std::string(200, 'e')},
                                            {"excerpts", {excerpt, excerpt, excerpt}}})
                                .dump() +
                            "\n";
        }
        for (int prompt = 0; prompt < 100; ++prompt) {
            for (int i = 0; i < 30; ++i) {
                answers += nlohmann::json({{"id", "p" + std::to_string(prompt)},
                                           {"intervention", i == 0 ? "base" : "alpha " + std::to_string(i)},
                                           {"text", std::string(5000, 'a')}})
                               .dump() +
                           "\n";
            }
        }
        write_file(folder / "explanations.jsonl", explanations);
        write_file(folder / "samples" / "a-long.jsonl", answers);
    }

    /// Two questionnaires, each under one intervention, so that there is a matrix; tuned strengths; answers;
    /// explanations.
    void write_results() const {
        for (const char * value : {"power", "benevolence"}) {
            write_evaluation(folder / "evaluation" / (std::string("pvq-") + value + ".json"), evaluation(value));
        }
        write_evaluation(folder / "evaluation" / "leakage.json", leakage());
        write_file(folder / "evaluation" / "tune.json", tune().dump());
        nlohmann::json base = {{"id", "p1"}, {"intervention", "base"}, {"text", hostile}, {"finish", "end_of_turn"}};
        nlohmann::json steered = base;
        steered["intervention"] = "axes.safetensors:power/shared,alpha=2";
        steered["text"] = "I take charge.";
        write_file(folder / "samples" / "power.jsonl", base.dump() + "\n" + steered.dump() + "\n");
        write_file(folder / "samples" / "prompts.jsonl",
                   nlohmann::json({{"id", "p1"}, {"user", "What do you want? " + hostile}}).dump() + "\n");
        nlohmann::json excerpts = nlohmann::json::array();
        for (const char * use : {"random", "explain", "explain", "explain", "explain"}) {
            excerpts.push_back({{"use", use}, {"tokens", {"We", " make", hostile}}, {"activations", {0.1, 2.0, 1.0}}});
        }
        nlohmann::json explanation = {
            {"key", "1/7+"},
            {"layer", 1},
            {"expert", nullptr},
            {"neuron", 7},
            {"pole", "positive"},
            {"roles", {{{"value", "stimulation"}, {"category", "shared"}, {"norm", 2.0}}}},
            {"explanation", "fires on money " + hostile},
            {"problem", nullptr},
            {"scores",
             {{{"score", "detection"}, {"value", 0.8}, {"low", 0.7}, {"high", 0.9}, {"baseline", {{"value", 0.5}}}}}},
            {"lens", {{"top", {{{"token", hostile}, {"logit", 1.0}}}}, {"bottom", nlohmann::json::array()}}},
            {"prompt", "long"},
            {"excerpts", excerpts}};
        write_file(folder / "explanations.jsonl", explanation.dump() + "\n");
    }

    void write_all() const {
        write_responses();
        write_axes();
        write_neurons();
        write_results();
    }

    std::filesystem::path folder;
    std::size_t n_layer = 6;
    std::size_t n_embd = 16;
    ConceptSet concepts = schwartz10();
    std::string identity = std::string(64, 'a');

private:
    Provenance provenance() const { return {"made up", identity, "resid_post", "0-based block output", "test"}; }

    static ResponseRow response(std::size_t query, std::size_t position, std::optional<std::string> value) {
        ResponseRow row;
        row.query_id = "q" + std::to_string(query);
        row.id = row.query_id + "/" + value.value_or("intrinsic");
        row.position = position;
        row.condition = value ? Condition::prompted : Condition::intrinsic;
        row.value_id = value;
        if (value) {
            row.template_id = "t1";
            row.system = "You value it.";
        }
        row.text = query == 0 ? hostile : "An answer.";
        row.tokens = {1, 2, 3};
        row.finish = query % 4 == 0 ? "length" : "end_of_turn";
        return row;
    }

    /// Even queries express the value, the first most of all; every fifth is undecided.
    static LabelRow label(const std::string & id, std::size_t value, std::size_t query) {
        const double p = query % 5 == 4 ? 0.5 : query % 2 == 0 ? 0.9 - 0.001 * static_cast<double>(query) : 0.1;
        LabelRow row{id, schwartz10().concepts[value].id, p, {}};
        if (p != 0.5) {
            row.expresses = p > 0.5;
        }
        return row;
    }

    ValueVector vector(const Concept & concept_, Condition condition, Rng & rng) const {
        ValueVector entry;
        entry.value = concept_.id;
        entry.condition = condition;
        entry.n_expressing = 40;
        entry.n_not_expressing = 20;
        entry.n_held_out_expressing = 8;
        entry.n_held_out_not_expressing = concept_.id == "stimulation" ? 3 : 8;
        const double radians = concept_.angle.value_or(0) * std::acos(-1.0) / 180;
        for (std::size_t l = 0; l < n_layer; ++l) {
            for (std::size_t d = 0; d < n_embd; ++d) {
                const double stated = d == 0 ? std::cos(radians) : d == 1 ? std::sin(radians) : d == 2 ? 1.0 : 0.0;
                entry.vector.push_back(static_cast<float>(2 * stated + 0.3 * rng.normal()));
            }
            entry.norm.push_back({2, 1.8, 2.4});
            entry.split_half_cosine.push_back(0.6);
            const double auroc = 0.6 + 0.04 * static_cast<double>(l);
            entry.auroc.push_back({auroc, auroc - 0.15, std::min(1.0, auroc + 0.15)});
        }
        return entry;
    }

    void write_axes_file(const AxisSet & axes) const { valuelens::write_axes(folder / "axes.safetensors", axes); }

    Evaluation evaluation(const std::string & steered) const {
        Evaluation result;
        result.name = "pvq";
        result.model_name = "made up";
        result.model_identity = identity;
        result.tool_version = "test";
        result.bootstraps = 100;
        result.confidence = 0.95;
        result.settings = {{"language", "en"}};
        result.variants = {{"base", {}, {}, nullptr, {}},
                           {"steered", {"axes.safetensors:" + steered + "/shared,alpha=2"}, {}, nullptr, {}}};
        result.group_kind = "value";
        result.quantities = {"likeness"};
        result.measures = {
            {"likeness_centred", "likeness", "points of six, less the mean of all", Aggregate::mean, true, true}};
        for (const Concept & concept_ : concepts.concepts) {
            const double gain = concept_.id == steered ? 0.8 : -0.1;
            result.rows.push_back({"likeness_centred",
                                   concept_.id,
                                   {{{0.1, -0.2, 0.4}, 4}, {{0.1 + gain, -0.2 + gain, 0.4 + gain}, 4}},
                                   {{}, {{gain, gain - 0.3, gain + 0.3}, 4}}});
        }
        result.notes = {"a made-up questionnaire"};
        return result;
    }

    /// Every value steered at two strengths, as a run names its variants.
    Evaluation leakage() const {
        Evaluation result = evaluation("power");
        result.name = "leakage";
        result.variants.resize(1);
        for (const int alpha : {2, 4}) {
            for (const Concept & concept_ : concepts.concepts) {
                result.variants.push_back(
                    {concept_.id + "/shared@" + std::to_string(alpha),
                     {"axes.safetensors:" + concept_.id + "/shared,alpha=" + std::to_string(alpha)},
                     {},
                     nullptr,
                     {}});
            }
        }
        for (EvaluationRow & row : result.rows) {
            row.scores.resize(1);
            row.differences.resize(1);
            for (std::size_t v = 1; v < result.variants.size(); ++v) {
                const double alpha = v > concepts.concepts.size() ? 4 : 2;
                const double gain = result.variants[v].name.starts_with(row.group + "/") ? 0.4 * alpha : -0.1;
                row.scores.push_back({{0.1 + gain, -0.2 + gain, 0.4 + gain}, 4});
                row.differences.push_back({{gain, gain - 0.3, gain + 0.3}, 4});
            }
        }
        return result;
    }

    static nlohmann::json tune() {
        nlohmann::json points = nlohmann::json::array();
        for (const double alpha : {1.0, 2.0, 4.0}) {
            points.push_back({{"strength", alpha},
                              {"intervention", "axes.safetensors:power/shared,alpha=" + std::to_string(alpha)},
                              {"accuracy", {60 - 2 * alpha, 55.0, 65.0}},
                              {"drop", {2 * alpha, 2 * alpha - 2, 2 * alpha + 2}},
                              {"gain", {0.2 * alpha, 0.1, 0.9}},
                              {"gain_centred", {0.2 * alpha, 0.1 * alpha, 0.3 * alpha}}});
        }
        return {{"format", "valuelens.tune/1"},
                {"strength", "alpha"},
                {"unchanged", 0},
                {"max_drop", 5},
                {"curves",
                 {{{"intervention", "axes.safetensors:power/shared"},
                   {"value", "power"},
                   {"layers", {2, 4}},
                   {"points", points},
                   {"above", {{"strength", 2.0}, {"certain", 1.0}}},
                   {"below", {{"strength", nullptr}, {"certain", nullptr}}}}}},
                {"notes", {"made-up questions"}}};
    }
};

} // namespace valuelens::test
