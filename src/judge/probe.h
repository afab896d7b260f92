#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "valuelens/judge.h"
#include "valuelens/model.h"
#include "valuelens/request.h"

namespace valuelens {

/// Where a probe reads: a pooled block output.
struct ProbeFeature {
    enum class Pooling {
        text_mean,   ///< mean over the text's tokens
        suffix_last, ///< at the last token of the suffix
    };
    Pooling pooling = Pooling::text_mean;
    int block = 0;
    bool operator==(const ProbeFeature &) const = default;
};

/// What is read from the small model for one text. The text is tokenized alone (BOS where the model has one), the
/// suffix after it.
struct ProbeReading {
    std::vector<ProbeFeature> features; ///< concatenated in this order, n_embd numbers each
    std::string suffix;                 ///< a fixed text after the response, empty: none
    bool skip_first_token =
        false; ///< leave the text's first token out of the mean: without a BOS it is the model's attention sink
};

/// A linear judge: P(value | text) = sigmoid(W f + b), f the standardised reading of a small model.
struct Probe {
    std::string name;
    std::string model;      ///< catalogue name of the model it reads
    std::string model_name; ///< general.name, checked on use
    int n_layer = 0;        ///< checked on use
    int n_embd = 0;
    ProbeReading reading;
    std::vector<std::string> values;
    std::vector<float> mean;      ///< [n_feature]
    std::vector<float> scale;     ///< [n_feature]
    std::vector<float> weights;   ///< [n_value, n_feature]
    std::vector<float> bias;      ///< [n_value], for the training data's base rates
    std::vector<float> base_rate; ///< [n_value] share of positives in the training data
    std::string attribution;      ///< the data it was trained on
    std::string quality;          ///< JSON: how it was chosen and measured

    std::size_t n_feature() const { return reading.features.size() * static_cast<std::size_t>(n_embd); }
    /// Log-odds per value at the training base rates. `features` [n_feature], not standardised.
    std::vector<double> log_odds(std::span<const float> features) const;
};

/// Names of the shipped probes (data/probes/<name>.safetensors), sorted.
std::vector<std::string> shipped_probes();

/// A shipped probe by name, or a probe file by path. Throws Error(usage) that lists the shipped ones for an unknown
/// name.
Probe load_probe(const std::string & name_or_path);

void save_probe(const std::filesystem::path & path, const Probe & probe);

/// Reads texts with a model: one row of [features x n_embd] numbers per text; a row is empty where the text has too few
/// tokens or does not fit the context.
std::vector<std::vector<float>> read_texts(const Model & model, Scheduler & scheduler, const ProbeReading & reading,
                                           std::span<const std::string> texts, ProgressSink & progress,
                                           std::stop_token stop);

/// The share of texts that express a value which probabilities assume.
enum class ProbePrior {
    balanced, ///< one half: who of two is likelier; a rare value is then found, too
    training, ///< that of the training data
};

/// A judge that averages the log-odds of several: probes on different models err differently. At least one; a text that
/// one of them cannot judge is no opinion.
std::unique_ptr<Judge> make_committee(std::vector<std::unique_ptr<Judge>> members);

/// Throws Error(usage) for a concept that the probe does not know, naming what it knows.
void require_concepts(const Probe & probe, const ConceptSet & concepts);

/// A judge that reads with `model`. Concepts are matched by id; throws Error(usage) for a concept the probe does not
/// know, Error(model) for a model of another shape or name.
std::unique_ptr<Judge> make_probe_judge(Probe probe, std::shared_ptr<Model> model, const SchedulerOptions & options,
                                        const ConceptSet & concepts, ProbePrior prior);

} // namespace valuelens
