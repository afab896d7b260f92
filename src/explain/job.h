#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "clients/service.h"
#include "explain/corpus.h"
#include "explain/prompts.h"
#include "valuelens/decompose.h"
#include "valuelens/explain.h"
#include "valuelens/model.h"

namespace valuelens {

/// Gives numbers between 0 and 10 that it expects of each token of excerpts under an explanation.
class Simulator {
public:
    virtual ~Simulator() = default;
    /// One list per excerpt, as long as its tokens. Throws Error(model) where an excerpt and the explanation cannot be
    /// read together, most often since they are too long; Error(interrupted).
    virtual std::vector<std::vector<double>>
    simulate(const std::string & explanation, std::span<const ReadableExcerpt> excerpts, std::stop_token stop) = 0;
};

/// What an explanation is made from and by whom.
struct ExplainJob {
    std::shared_ptr<Model> subject;
    SchedulerOptions scheduler;
    std::vector<ChosenNeuron> neurons; ///< ascending by id, none twice
    Corpus corpus;
    ChatService * service = nullptr; ///< explains, answers, rates
    std::string explainer;           ///< one line that identifies it
    std::string explainer_settings;  ///< all else that its answers depend on: the chat template, what fills it
    Simulator * simulator = nullptr; ///< null: none can be had
    const AxisSet * axes = nullptr;  ///< for the lens of axes; null: none
    std::filesystem::path output;
    std::vector<std::string> notes; ///< on what was chosen; they go before those of the work
};

/// Throws Error(usage) for options out of range or that do not fit together. `can_simulate`: there is a local model for
/// simulation.
void check_options(const ExplainOptions & options, bool can_simulate);

/// explain_neurons() without looking for models and files.
ExplainSummary run_explain(const ExplainJob & job, const ExplainOptions & options, ProgressSink & progress,
                           std::stop_token stop);

} // namespace valuelens
