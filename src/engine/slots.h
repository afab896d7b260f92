#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "engine/hooks.h"
#include "engine/model_impl.h"
#include "engine/sampler.h"
#include "valuelens/request.h"

namespace valuelens {

/// A request while it is served: which tokens are in the cache, which come next, what was recorded.
class Slot {
public:
    /// `request` outlives the slot.
    Slot(int sequence, std::size_t index, const Request & request, const Model::Impl & model, std::size_t n_ff,
         std::uint64_t admitted);

    int sequence() const { return sequence_; }
    std::size_t index() const { return index_; }
    const Request & request() const { return *request_; }
    std::uint64_t admitted() const { return admitted_; }
    bool finished() const { return finished_; }

    /// Tokens in the cache.
    std::size_t fed() const { return fed_; }
    /// Begins after a prefix that was copied from a neighbour.
    void start_at(std::size_t fed) { fed_ = fed; }
    /// Tokens known but not yet in the cache.
    std::size_t pending() const { return total() - fed_; }
    bool reading_prompt() const { return fed_ < request_->prompt.size(); }
    /// Token `i` of prompt and response, below fed() + pending().
    Token token_at(std::size_t i) const;
    /// Whether nothing was drawn yet, so that the request could begin anew unnoticed.
    bool untouched() const { return generated_.empty() && !stopping_; }

    /// The next row to put in; call `pending()` times at most. `last_block_rows`: captured rows must be flagged as
    /// outputs.
    BatchRow next_row(bool last_block_rows);

    /// Takes the logits of a row that asked for them, in order. Returns a response token that was drawn just now (for
    /// streaming).
    std::optional<TokenEvent> take_logits(std::span<const float> logits);
    /// Draws nothing more: the response is what is there.
    void stop();
    /// Tells that all rows handed out so far are in the cache.
    void after_decode();

    Response take_response();

private:
    std::size_t total() const { return request_->prompt.size() + request_->response.size() + generated_.size(); }
    bool is_captured(std::size_t i) const;
    std::optional<TokenEvent> generate(std::span<const float> logits);
    void add_logprobs(Token token, std::span<const float> logits);
    /// Projections of the prompt's last token, and of the response tokens.
    std::pair<std::span<const float>, std::span<const float>> projections() const;
    void score(std::size_t row_position, std::span<const float> logits);

    int sequence_;
    std::size_t index_;
    std::uint64_t admitted_;
    const Request * request_;
    const Model::Impl * model_;
    Sampler sampler_;
    Response response_;
    CaptureSums sums_;
    std::vector<Token> generated_; ///< all that was drawn and is to be fed, think block included
    std::size_t n_thinking_ = 0;   ///< of these the leading think block
    bool thinking_ = false;
    bool closing_think_ = false; ///< white space after </think> still belongs to the block
    bool stopping_ = false;      ///< nothing more is drawn; what is pending is fed for its capture
    FinishReason reason_ = FinishReason::done;
    std::size_t fed_ = 0;
    std::vector<std::size_t> logit_positions_; ///< of rows handed out that asked for logits
    std::size_t next_logit_ = 0;
    bool finished_ = false;
};

} // namespace valuelens
