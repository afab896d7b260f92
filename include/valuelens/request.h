#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "valuelens/intervention.h"
#include "valuelens/model.h"

namespace valuelens {

/// How the next token is drawn. The order of the filters is top-k, top-p, min-p, temperature (llama.cpp's).
struct Sampling {
    float temperature = 0.0f; ///< 0: greedy (lowest token id wins a tie); the filters then have no effect
    int top_k = 0;            ///< 0: off
    float top_p = 1.0f;       ///< 1: off
    float min_p = 0.0f;       ///< 0: off
    std::uint64_t seed = 0;   ///< of this request alone: its random numbers do not depend on its neighbours
};

/// Directions that tokens are projected on while they pass: for each direction and token the sum, over the direction's
/// rows, of <output of the row's block, row>. Immutable while in use.
struct Projector {
    struct Row {
        std::size_t direction = 0; ///< below n_directions
        int layer = 0;             ///< 0-based block
        std::vector<float> vector; ///< [n_embd]
    };
    std::size_t n_directions = 0;
    std::vector<Row> rows;
};

/// What to record. Means are over the response tokens, the end-of-turn token excluded.
struct Capture {
    bool resid_post = false;    ///< mean over response tokens of every block's output: [n_layer, n_embd]
    bool mlp_post = false;      ///< mean over response tokens of every block's MLP post-activations: [n_layer, n_ff]
    bool last_logits = false;   ///< logits after the last response token: [n_vocab]
    bool resid_last = false;    ///< every block's output at the last response token: [n_layer, n_embd]
    std::vector<int> layers;    ///< resid_* only of these blocks (ascending), rows in this order; empty: all
    std::size_t skip_first = 0; ///< continue_: response tokens at the beginning that the means leave out
    std::size_t skip_last = 0;  ///< continue_: the same at the end
    std::shared_ptr<const Projector> projector; ///< project each response token, and the last one of the prompt
    bool any() const { return resid_post || mlp_post || last_logits || resid_last || projector != nullptr; }
    bool any_resid() const { return resid_post || resid_last; }
};

enum class RequestKind {
    generate,  ///< write a response to the prompt
    continue_, ///< read a given response (teacher-forced): capture it, score it
    choose,    ///< log-probabilities of given next tokens after the prompt
};

/// One piece of work for the scheduler.
struct Request {
    RequestKind kind = RequestKind::generate;
    std::vector<Token> prompt;   ///< at least one token; continue_ without logprobs: may be empty
    std::vector<Token> response; ///< continue_: the tokens to read, at least one
    std::vector<Token> choices;  ///< choose: the tokens to score
    int max_tokens = 256;        ///< generate: longest response
    Sampling sampling;           ///< generate
    bool ignore_eos = false;     ///< generate: go on past the end-of-turn token (for timing)
    bool logprobs = false;       ///< log-probability of each response token under the model's full distribution
    int top_logprobs = 0;        ///< generate, with logprobs: that many of the likeliest tokens beside each
    bool entropies = false;      ///< with logprobs: entropy of the full distribution that each token was drawn from
    Capture capture;
    std::shared_ptr<const Intervention> intervention; ///< null: the model as it is
};

enum class FinishReason {
    end_of_turn, ///< generate: the model ended its turn
    length,      ///< generate: max_tokens
    done,        ///< continue_, choose; generate: whoever watched the tokens wanted no more
    too_long,    ///< not run: prompt + response do not fit the context
};

const char * to_string(FinishReason reason);
FinishReason finish_reason_from_string(const std::string & text);

struct TokenLogprob {
    Token token = 0;
    float logprob = 0;
};

struct Response {
    FinishReason finish = FinishReason::done;
    std::vector<Token> tokens;   ///< generate: response tokens (end of turn excluded); continue_: as given
    std::vector<float> logprobs; ///< of each of `tokens`, where asked
    std::vector<std::vector<TokenLogprob>> top_logprobs; ///< of each of `tokens`, likeliest first, where asked
    std::vector<float> entropies;       ///< in nats, of the distribution before each of `tokens`, where asked
    std::vector<Token> thinking;        ///< generate: a leading think block, never part of the response
    std::vector<float> choice_logprobs; ///< choose: one for each of `choices`
    std::vector<float> resid_post;  ///< [n_layer, n_embd] or [capture.layers, n_embd]; empty where there are no tokens
    std::vector<float> resid_last;  ///< as resid_post, at the last response token
    std::vector<float> mlp_post;    ///< [n_layer, n_ff]
    std::vector<float> last_logits; ///< [n_vocab]
    std::vector<float> projections; ///< [tokens, n_directions]
    std::vector<float> prompt_projection; ///< [n_directions], of the prompt's last token; empty where there is none
};

/// A response token that was drawn just now. The views hold until the callback returns.
struct TokenEvent {
    Token token = 0;
    float logprob = 0;                        ///< where asked
    std::span<const TokenLogprob> top;        ///< where asked
    std::span<const float> prompt_projection; ///< as in Response
    std::span<const float> projections;       ///< of the response tokens before this one, [n, n_directions]
};

/// What a scheduler run did, for logs and benchmarks.
struct SchedulerStats {
    std::uint64_t prompt_tokens = 0;  ///< of all requests, shared or not
    std::uint64_t decoded_tokens = 0; ///< rows really put through the model
    std::uint64_t shared_tokens = 0;  ///< prompt tokens that were not decoded because a neighbour's prefix was copied
    std::uint64_t generated_tokens = 0;
    std::uint64_t decodes = 0; ///< calls of llama_decode
    double seconds = 0;
    double decode_seconds = 0; ///< inside llama_decode, hooks included
    double hook_seconds = 0;   ///< inside our capture and intervention hooks
};

struct SchedulerOptions {
    int parallel = 32; ///< sequences in flight
    int ctx_size = 0;  ///< longest prompt + response of one sequence, in tokens; 0: what the requests need, up to the
                       ///< model's training context or 8192, whichever is less. Longer requests finish as too_long.
    int batch_size = 512;         ///< rows per llama_decode
    std::string kv_type = "auto"; ///< of the KV cache: f32, f16, bf16, q8_0, ...; auto: f32 for a model in F32 (which
                                  ///< then also runs without flash attention: exact to about 1e-6), f16 for all others
};

/// Batches requests continuously over sequence slots. Prompts that share a prefix decode it once.
///
/// A run of one list of requests is the unit of work: what it yields depends on the model, the options and the list,
/// not on what ran before. A request's random numbers depend on its own seed alone. The make-up of a batch can change
/// the last bits of a logit (docs/reproducibility.md), so lists that must agree bit for bit must be equal. Not
/// thread-safe.
class Scheduler {
public:
    Scheduler(std::shared_ptr<Model> model, SchedulerOptions options);
    ~Scheduler();
    Scheduler(const Scheduler &) = delete;
    Scheduler & operator=(const Scheduler &) = delete;

    /// Called as soon as a request is finished, in order of finishing; `index` is its place in the list.
    using OnDone = std::function<void(std::size_t index, Response && response)>;
    /// Called for each generated token: for streaming. May be empty.
    using OnToken = std::function<void(std::size_t index, Token token)>;

    /// Runs all requests. Count what is done in `on_done`; `progress` gets messages only. A stop request ends the run
    /// with Error(interrupted); responses already handed to `on_done` stay valid. Throws Error(model) for an
    /// architecture without `l_out` when one is needed.
    SchedulerStats run(std::span<const Request> requests, const OnDone & on_done,
                       ProgressSink & progress = silent_progress(), std::stop_token stop = {},
                       const OnToken & on_token = {});

    /// run() that returns the responses in the order of the requests.
    std::vector<Response> run_all(std::span<const Request> requests, ProgressSink & progress = silent_progress(),
                                  std::stop_token stop = {}, SchedulerStats * stats = nullptr);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace valuelens
