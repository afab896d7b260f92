#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "valuelens/model.h"

namespace valuelens {

/// A model that turns a text into one vector, whose cosine with another's says how alike the texts are: an encoder
/// (BERT and its kin, T5's) or a causal model trained for it. Thread-safe: each call reads in a context of its own.
class EmbeddingModel {
public:
    /// Longer texts have no vector: room for each token's logits, which llama.cpp keeps, would outgrow the model.
    static constexpr std::size_t max_tokens = 2048;

    /// Loads it and reports progress; warns where the file does not say how its states are pooled. `options`: path,
    /// threads and n_gpu_layers count. Throws Error(model): missing or truncated file, not GGUF, neither encoder nor
    /// decoder alone, a pooling that gives no vector of a text (a reranker's); Error(interrupted) on a stop request.
    static std::shared_ptr<EmbeddingModel> load(const ModelOptions & options,
                                                ProgressSink & progress = silent_progress(), std::stop_token stop = {});
    ~EmbeddingModel();
    EmbeddingModel(const EmbeddingModel &) = delete;
    EmbeddingModel & operator=(const EmbeddingModel &) = delete;

    const ModelInfo & info() const;

    /// How the vector is made of the tokens' final states, as the file says: "mean", "cls" (the first), "last"; or
    /// "mean (not stated)".
    const std::string & pooling() const;

    /// For each text its vector [n_embd], as the model's head gives it, not normalised. Empty: the text is empty, or
    /// longer than max_tokens or than the model was trained for. `stage` names the work for the progress. Throws
    /// Error(model) where the model fails, Error(interrupted) on a stop request.
    std::vector<std::vector<float>> embed(const std::string & stage, std::span<const std::string> texts,
                                          ProgressSink & progress = silent_progress(), std::stop_token stop = {}) const;

private:
    struct Impl;
    explicit EmbeddingModel(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// Opens one when it is first needed.
using OpenEmbedding = std::function<std::shared_ptr<EmbeddingModel>()>;

} // namespace valuelens
