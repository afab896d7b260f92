#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "valuelens/model.h"
#include "valuelens/neurons.h"
#include "valuelens/progress.h"
#include "valuelens/request.h"
#include "valuelens/run_config.h"

namespace valuelens {

/// The sign of an activation: neurons of gated MLPs are active in both directions, with a meaning for each.
enum class Pole { positive, negative };
const char * to_string(Pole pole);

/// How explanations are scored (docs/explain.md).
enum class ScoreKind {
    detection,  ///< does the explanation tell excerpts that activate the neuron most from random ones? AUROC
    fuzzing,    ///< ... marks on the tokens that activate it from marks elsewhere? AUROC
    simulation, ///< Pearson's correlation of simulated with real activations
};
const char * to_string(ScoreKind kind);

/// What a neuron is to a value.
struct NeuronRole {
    std::string value;
    std::string category; ///< to_string(NeuronCategory), or any other word of the table
    double norm = 0;      ///< of its projection into the value's plane
};

/// A neuron to explain. A table without values gives it no roles.
struct ChosenNeuron {
    NeuronId id;
    std::vector<NeuronRole> roles;
};

struct HarvestOptions {
    std::size_t window = 64; ///< tokens of a context, the BOS that the model wants included
    std::size_t top = 20;    ///< excerpts kept per neuron and pole
    std::size_t random = 40; ///< excerpts drawn from the whole corpus, the same for all neurons
    std::size_t limit = 0;   ///< documents; 0: all
    std::uint64_t seed = 0;
    /// Batches between two checkpoints; 0: one every 20 seconds. Changes nothing in the result.
    std::size_t checkpoint_every = 0;
};

struct ExplainOptions {
    HarvestOptions harvest;
    bool negative = true;                ///< explain negative poles too
    std::size_t per_category = 5;        ///< neurons of each value and category, longest projection first; 0: all
    std::vector<std::string> values;     ///< only these; empty: all
    std::vector<std::string> categories; ///< only these; empty: all but none
    std::size_t examples = 10;           ///< top excerpts shown to the explainer; the rest is held out for the scores
    std::vector<ScoreKind> scores = {ScoreKind::detection, ScoreKind::fuzzing};
    bool rate = true;             ///< rate abstractness and value relevance, and compare categories
    std::size_t lens_tokens = 10; ///< vocabulary tokens at each end of the logit lens; 0: no lens
    std::size_t bootstraps = 200; ///< resamples of excerpts behind the interval of each score
    double confidence = 0.95;
    int explanation_tokens = 60; ///< longest answer of the explainer
};

/// All that `explain` is asked for.
struct ExplainRequest {
    ModelOptions model; ///< the subject, resolved
    SchedulerOptions scheduler;
    std::filesystem::path neurons;              ///< neurons.csv, or a CSV of layer, neuron
    std::filesystem::path axes;                 ///< axes.safetensors for the lens of axes; may be empty
    std::vector<std::filesystem::path> corpora; ///< JSONL with `text`, or plain text with blank lines between documents
    std::filesystem::path run;                  ///< a run whose responses are a corpus; may be empty
    std::filesystem::path output;               ///< explanations.jsonl; explanations.json is written beside it
    std::string explainer; ///< path of the model that explains and scores; empty: the subject itself
    ServerConfig server;   ///< with an url: a server explains and scores
    ExplainOptions options;
};

/// A stretch of text with a neuron's activations.
struct Excerpt {
    std::uint64_t window = 0; ///< position in the corpus, for telling excerpts apart
    std::vector<Token> tokens;
    std::vector<float> activations; ///< [tokens], as they are, whatever the pole
    float peak = 0;                 ///< largest activation in the pole's direction
    std::size_t first_seen = 0;     ///< activations of tokens before this one were not read and stand as 0
};

/// A score with what a wrong explanation gets on the same questions.
struct ExplanationScore {
    ScoreKind kind = ScoreKind::detection;
    Estimate value;
    std::size_t n_positive = 0;       ///< questions whose answer is yes (simulation: top excerpts)
    std::size_t n_negative = 0;       ///< ... is no (simulation: random excerpts)
    std::size_t n_missing = 0;        ///< questions without an answer that can be read
    std::string missing_reason;       ///< why, of the first of these or of the baseline's; empty: none is missing
    std::optional<Estimate> baseline; ///< the same with another neuron's explanation
    std::string baseline_of;          ///< whose
    std::string problem;              ///< why there is no score; empty: there is one
};

/// What is said about one pole of a neuron.
struct Explanation {
    std::string text;
    std::string prompt;  ///< what the explainer was asked
    std::string problem; ///< why there is no explanation; empty: there is one
    std::vector<ExplanationScore> scores;
    std::optional<double> abstractness;    ///< 1-5
    std::optional<double> value_relevance; ///< 1-5
    std::string rating_problem;
};

/// Vocabulary tokens that a direction makes likelier (and less likely), with what it adds to their logits up to the
/// positive scale of the final norm.
struct LensTokens {
    std::vector<std::pair<std::string, float>> top;
    std::vector<std::pair<std::string, float>> bottom;
};

/// The explanations of a category's neurons; a neuron counts once, whichever values it belongs to.
struct CategorySummary {
    std::string category;
    std::size_t n_poles = 0;
    std::size_t n_explained = 0;
    Estimate abstractness;
    Estimate value_relevance;
    std::map<std::string, Estimate> scores;             ///< by to_string(ScoreKind): mean over poles
    std::map<std::string, Estimate> baselines;          ///< the same of shuffled explanations
    std::vector<std::pair<std::string, double>> tokens; ///< over-represented in its excerpts, with their z
};

struct ExplainSummary {
    std::string explainer;
    std::size_t n_neurons = 0;
    std::size_t n_poles = 0;
    std::size_t n_explained = 0;
    std::size_t n_inactive = 0; ///< poles that nothing in the corpus activates
    std::size_t n_failed = 0;
    std::size_t n_unscored = 0;                  ///< explained, but some score is missing
    std::map<std::string, std::size_t> failures; ///< reason -> poles
    std::uint64_t documents = 0;
    std::uint64_t windows = 0;
    std::uint64_t tokens = 0;
    std::uint64_t short_documents = 0; ///< with fewer than two tokens: left out
    std::vector<CategorySummary> categories;
    std::vector<std::string> notes;
};

/// Harvests the activations of chosen neurons over a corpus, has each pole explained, scores the explanations, compares
/// categories, and writes explanations.jsonl with its companion (docs/files.md).
///
/// A stopped call goes on where it stood when it is made again, and ends with the same bytes; what failed is tried
/// again. Throws Error(usage), Error(bad_input) with file:line, Error(model), Error(interrupted); Error(judge) when the
/// server fails for good, after what there is was written.
ExplainSummary explain_neurons(const ExplainRequest & request, ProgressSink & progress = silent_progress(),
                               std::stop_token stop = {});

} // namespace valuelens
