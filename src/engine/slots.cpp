#include "engine/slots.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include "base/fail.h"

namespace valuelens {

Slot::Slot(int sequence, std::size_t index, const Request & request, const Model::Impl & model, std::size_t n_ff,
           std::uint64_t admitted)
    : sequence_(sequence), index_(index), admitted_(admitted), request_(&request), model_(&model),
      sampler_(request.sampling) {
    const auto n_layer = static_cast<std::size_t>(model.info.n_layer);
    if (request.capture.resid_post) {
        sums_.resid_post.assign(n_layer * static_cast<std::size_t>(model.info.n_embd), 0.0);
    }
    if (request.capture.resid_last) {
        sums_.resid_last.assign(n_layer * static_cast<std::size_t>(model.info.n_embd), 0.0f);
    }
    if (request.capture.mlp_post) {
        sums_.mlp_post.assign(n_layer * n_ff, 0.0);
    }
    sums_.projector = request.capture.projector.get();
    if (request.kind == RequestKind::generate && model.think_open >= 0 && model.think_close >= 0) {
        // Some templates open the think block themselves, at the end of the prompt.
        for (auto token = request.prompt.rbegin(); token != request.prompt.rend(); ++token) {
            if (*token == model.think_open || *token == model.think_close) {
                thinking_ = *token == model.think_open && token - request.prompt.rbegin() <= 2;
                break;
            }
        }
    }
}

Token Slot::token_at(std::size_t i) const {
    const std::size_t n_prompt = request_->prompt.size();
    if (i < n_prompt) {
        return request_->prompt[i];
    }
    return request_->response.empty() ? generated_[i - n_prompt] : request_->response[i - n_prompt];
}

bool Slot::is_captured(std::size_t i) const {
    return i >= request_->prompt.size() + n_thinking_;
}

BatchRow Slot::next_row(bool last_block_rows) {
    BatchRow row;
    row.token = token_at(fed_);
    row.position = static_cast<std::int32_t>(fed_);
    row.sequence = sequence_;
    row.is_response = is_captured(fed_);
    row.intervention = request_->intervention.get();
    const bool last = fed_ + 1 == total();
    switch (request_->kind) {
    case RequestKind::generate:
        row.needs_logits = last && (!stopping_ || request_->capture.last_logits);
        break;
    case RequestKind::choose:
        row.needs_logits = last;
        break;
    case RequestKind::continue_:
        row.needs_logits = (last && request_->capture.last_logits) ||
                           (request_->logprobs && !last && fed_ + 1 >= request_->prompt.size());
        break;
    }
    if (row.is_response && (request_->capture.any_resid() || request_->capture.mlp_post)) {
        const bool teacher_forced = request_->kind == RequestKind::continue_;
        const std::size_t at = fed_ - request_->prompt.size();
        row.in_mean = !teacher_forced || (at >= request_->capture.skip_first &&
                                          at + request_->capture.skip_last < request_->response.size());
        // While generating, the last token is known only afterwards: each may be it.
        row.is_last = request_->capture.resid_last && (last || !teacher_forced);
        if (row.in_mean || row.is_last) {
            row.capture = &sums_;
            sums_.n_tokens += row.in_mean ? 1 : 0;
        }
    }
    if (sums_.projector != nullptr && (row.is_response || fed_ + 1 == request_->prompt.size())) {
        row.capture = &sums_;
        row.projected = static_cast<int>(sums_.projected.size() / sums_.projector->n_directions);
        sums_.projected.resize(sums_.projected.size() + sums_.projector->n_directions);
    }
    row.output = row.needs_logits || (row.capture != nullptr && last_block_rows);
    if (row.needs_logits) {
        logit_positions_.push_back(fed_);
    }
    ++fed_;
    return row;
}

std::optional<TokenEvent> Slot::take_logits(std::span<const float> logits) {
    const std::size_t position = logit_positions_[next_logit_++];
    if (request_->kind == RequestKind::generate && !stopping_) {
        return generate(logits);
    }
    score(position, logits);
    return std::nullopt;
}

void Slot::score(std::size_t position, std::span<const float> logits) {
    if (request_->kind == RequestKind::choose) {
        const double norm = log_sum_exp(logits);
        for (const Token choice : request_->choices) {
            response_.choice_logprobs.push_back(static_cast<float>(logits[static_cast<std::size_t>(choice)] - norm));
        }
        return;
    }
    const bool last = position + 1 == total();
    if (request_->kind == RequestKind::continue_ && request_->logprobs && !last) {
        const double norm = log_sum_exp(logits);
        response_.logprobs.push_back(
            static_cast<float>(logits[static_cast<std::size_t>(token_at(position + 1))] - norm));
        if (request_->entropies) {
            response_.entropies.push_back(static_cast<float>(entropy(logits)));
        }
    }
    if (last && request_->capture.last_logits) {
        response_.last_logits.assign(logits.begin(), logits.end());
    }
}

void Slot::stop() {
    reason_ = FinishReason::done;
    stopping_ = true;
}

void Slot::add_logprobs(Token token, std::span<const float> logits) {
    const double norm = log_sum_exp(logits);
    response_.logprobs.push_back(static_cast<float>(logits[static_cast<std::size_t>(token)] - norm));
    if (request_->entropies) {
        response_.entropies.push_back(static_cast<float>(entropy(logits)));
    }
    if (request_->top_logprobs == 0) {
        return;
    }
    std::vector<Token> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    const auto n = std::min(order.size(), static_cast<std::size_t>(request_->top_logprobs));
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n), order.end(),
                      [&](Token a, Token b) {
                          const float x = logits[static_cast<std::size_t>(a)];
                          const float y = logits[static_cast<std::size_t>(b)];
                          return x != y ? x > y : a < b;
                      });
    std::vector<TokenLogprob> & top = response_.top_logprobs.emplace_back();
    for (std::size_t i = 0; i < n; ++i) {
        top.push_back({order[i], static_cast<float>(logits[static_cast<std::size_t>(order[i])] - norm)});
    }
}

std::pair<std::span<const float>, std::span<const float>> Slot::projections() const {
    if (sums_.projector == nullptr) {
        return {};
    }
    const std::size_t n = request_->prompt.empty() ? 0 : sums_.projector->n_directions;
    const std::span<const float> all(sums_.projected);
    return {all.first(std::min(n, all.size())), all.subspan(std::min(n, all.size()))};
}

std::optional<TokenEvent> Slot::generate(std::span<const float> logits) {
    const Token token = sampler_.next(logits);
    const bool ends = !request_->ignore_eos && llama_vocab_is_eog(model_->vocab, token);
    if (ends) {
        reason_ = FinishReason::end_of_turn;
        stopping_ = true;
        if (request_->capture.last_logits) {
            response_.last_logits.assign(logits.begin(), logits.end());
        }
        return std::nullopt;
    }
    if (generated_.empty() && token == model_->think_open && model_->think_close >= 0) {
        thinking_ = true;
    }
    generated_.push_back(token);
    if (thinking_ || closing_think_) {
        const bool blank = model_->vocab != nullptr && !thinking_ && [&] {
            char piece[32];
            const int n = llama_token_to_piece(model_->vocab, token, piece, sizeof(piece), 0, false);
            return n >= 0 && std::all_of(piece, piece + n,
                                         [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; });
        }();
        if (thinking_ || blank) {
            n_thinking_ = generated_.size();
            response_.thinking.push_back(token);
            closing_think_ = closing_think_ || token == model_->think_close;
            thinking_ = thinking_ && token != model_->think_close;
        } else {
            closing_think_ = false;
        }
    }
    const bool is_response = generated_.size() > n_thinking_;
    if (is_response && request_->logprobs) {
        add_logprobs(token, logits);
    }
    if (generated_.size() >= static_cast<std::size_t>(request_->max_tokens)) {
        reason_ = FinishReason::length;
        stopping_ = true;
    }
    if (!is_response) {
        return std::nullopt;
    }
    TokenEvent event;
    event.token = token;
    if (request_->logprobs) {
        event.logprob = response_.logprobs.back();
    }
    if (!response_.top_logprobs.empty()) {
        event.top = response_.top_logprobs.back();
    }
    std::tie(event.prompt_projection, event.projections) = projections();
    return event;
}

void Slot::after_decode() {
    const bool capturing = request_->capture.any();
    if (request_->kind != RequestKind::generate) {
        finished_ = pending() == 0;
    } else if (stopping_) {
        // A last token drawn at the length limit was never fed: its activations need one more step.
        finished_ = pending() == 0 || !capturing;
    }
}

Response Slot::take_response() {
    response_.finish = reason_;
    response_.tokens =
        request_->kind == RequestKind::generate
            ? std::vector<Token>(generated_.begin() + static_cast<std::ptrdiff_t>(n_thinking_), generated_.end())
            : request_->response;
    const auto [prompt_projection, projected] = projections();
    response_.prompt_projection.assign(prompt_projection.begin(), prompt_projection.end());
    response_.projections.assign(projected.begin(), projected.end());
    const auto mean = [n = static_cast<double>(sums_.n_tokens)](std::span<const double> sums) {
        std::vector<float> means(sums.size());
        std::transform(sums.begin(), sums.end(), means.begin(),
                       [n](double sum) { return static_cast<float>(sum / n); });
        return means;
    };
    const auto n_embd = static_cast<std::size_t>(model_->info.n_embd);
    const auto chosen = [&](std::vector<float> all) {
        if (request_->capture.layers.empty() || all.empty()) {
            return all;
        }
        std::vector<float> rows;
        for (const int layer : request_->capture.layers) {
            const auto begin = all.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(layer) * n_embd);
            rows.insert(rows.end(), begin, begin + static_cast<std::ptrdiff_t>(n_embd));
        }
        return rows;
    };
    if (sums_.n_tokens > 0) {
        response_.resid_post = chosen(mean(sums_.resid_post));
        response_.mlp_post = mean(sums_.mlp_post);
    }
    if (!response_.tokens.empty()) {
        response_.resid_last = chosen(std::move(sums_.resid_last));
    }
    return std::move(response_);
}

} // namespace valuelens
