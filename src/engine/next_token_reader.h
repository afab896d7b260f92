#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "valuelens/model.h"
#include "valuelens/request.h"

namespace valuelens {

/// Log-probabilities of given next tokens at many places of one text, which is read once. Not thread-safe.
class NextTokenReader {
public:
    /// `options`: batch size, KV type and longest text are used.
    NextTokenReader(std::shared_ptr<Model> model, const SchedulerOptions & options);
    ~NextTokenReader();
    NextTokenReader(const NextTokenReader &) = delete;
    NextTokenReader & operator=(const NextTokenReader &) = delete;

    /// For each of `places` (ascending) the natural log of the probability of each candidate as the token behind it,
    /// under the model's full distribution: [places, candidates]. Throws Error(model) where the text does not fit the
    /// context, Error(interrupted).
    std::vector<std::vector<float>> read(std::span<const Token> tokens, std::span<const std::size_t> places,
                                         std::span<const Token> candidates, std::stop_token stop = {});

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace valuelens
