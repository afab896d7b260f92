#include "engine/phase.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/fail.h"

namespace valuelens {
namespace {

// A copied stream costs about what a few tokens' decoding costs; a shared cell costs nothing.
constexpr std::size_t min_shared_in_streams = 24;
constexpr std::size_t min_shared_in_unified = 4;

} // namespace

std::size_t needed_cells(const Request & request) {
    return request.prompt.size() + (request.kind == RequestKind::generate ? static_cast<std::size_t>(request.max_tokens)
                                                                          : request.response.size());
}

Phase::Phase(Session & session, const Model::Impl & model, std::span<const Request> requests,
             const std::vector<std::size_t> & order, std::size_t n_ff, Callbacks callbacks, std::stop_token stop,
             SchedulerStats & stats)
    : session_(session), model_(model), requests_(requests), callbacks_(callbacks), stop_(std::move(stop)),
      unified_(session.options().unified), batcher_(session, model, n_ff, /* alternate = */ false, stats) {
    constexpr std::size_t never = std::numeric_limits<std::size_t>::max() / 2;
    plans_ = plan_prefixes(requests, order,
                           model.recurrent ? never
                           : unified_      ? min_shared_in_unified
                                           : min_shared_in_streams);
    for (const std::size_t index : order) {
        groups_.resize(std::max(groups_.size(), plans_[index].group + 1));
        groups_[plans_[index].group].unfinished = plans_[index].group_size;
    }
    waiting_.assign(order.begin(), order.end());
    find_last_layer(order);
}

void Phase::run() {
    while (admit(), batcher_.busy()) {
        if (stop_.stop_requested()) {
            fail(ErrorKind::interrupted, "stopped");
        }
        batcher_.step(*this, stop_);
    }
    if (!waiting_.empty()) {
        fail(ErrorKind::internal, "{} requests were never admitted", waiting_.size());
    }
}

// Where no logits are read, the graph may end at the last block that somebody captures.
void Phase::find_last_layer(const std::vector<std::size_t> & order) {
    const int end = model_.info.n_layer - 1;
    int last_layer = 0;
    for (const std::size_t index : order) {
        const Request & request = requests_[index];
        const Capture & capture = request.capture;
        if (request.kind != RequestKind::continue_ || request.logprobs || capture.last_logits) {
            batcher_.end_after(-1, true);
            return;
        }
        int deepest = capture.mlp_post || (capture.any_resid() && capture.layers.empty()) || !capture.any() ? end : 0;
        if (capture.any_resid() && !capture.layers.empty()) {
            deepest = std::max(deepest, capture.layers.back());
        }
        if (capture.projector != nullptr) {
            for (const Projector::Row & row : capture.projector->rows) {
                deepest = std::max(deepest, row.layer);
            }
        }
        last_layer = std::max(last_layer, deepest);
    }
    batcher_.end_after(last_layer, last_layer == end);
}

bool Phase::has_room(std::size_t index) const {
    if (!unified_) {
        return true;
    }
    const PrefixPlan & plan = plans_[index];
    const std::size_t own = needed_cells(requests_[index]) - (groups_[plan.group].started ? plan.shared : 0);
    return cells_in_use_ + own <= static_cast<std::size_t>(session_.options().n_cells);
}

// A sequence in flight that already holds the group's prefix.
std::optional<std::size_t> Phase::holder_of(const PrefixPlan & plan) const {
    const auto & slots = batcher_.slots();
    for (std::size_t i = 0; i < slots.size(); ++i) {
        if (slots[i] && plans_[slots[i]->index()].group == plan.group && slots[i]->fed() >= plan.shared) {
            return i;
        }
    }
    return std::nullopt;
}

void Phase::place(std::size_t at, std::size_t index, std::size_t start) {
    const PrefixPlan & plan = plans_[index];
    Group & group = groups_[plan.group];
    batcher_.place(at, index, requests_[index], start);
    if (!group.started) {
        group.started = true;
        group.prefix_cells = plan.shared;
        cells_in_use_ += plan.shared;
    }
    cells_in_use_ += needed_cells(requests_[index]) - plan.shared;
}

void Phase::admit() {
    const auto & slots = batcher_.slots();
    for (std::size_t at = 0; at < slots.size() && !waiting_.empty(); ++at) {
        if (slots[at]) {
            continue;
        }
        constexpr std::size_t look_ahead = 64;
        for (std::size_t i = 0; i < std::min(look_ahead, waiting_.size()); ++i) {
            const std::size_t index = waiting_[i];
            const PrefixPlan & plan = plans_[index];
            if (!has_room(index)) {
                break; // later ones would overtake it for ever
            }
            if (plan.shared == 0 || !groups_[plan.group].started) {
                place(at, index, 0);
            } else if (const auto holder = holder_of(plan)) {
                session_.copy_prefix(static_cast<int>(*holder), static_cast<int>(at), static_cast<int>(plan.shared));
                place(at, index, plan.shared);
            } else {
                continue; // its prefix is still being decoded
            }
            waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
            break;
        }
    }
}

bool Phase::on_token(const Slot & slot, const TokenEvent & event) {
    if (callbacks_.on_token) {
        callbacks_.on_token(slot.index(), event.token);
    }
    return true;
}

// One that fails ends the run: what a list yields must not depend on which of it failed.
void Phase::on_failed(std::size_t /*at*/, const Error & error) {
    throw error;
}

void Phase::on_finished(std::size_t at) {
    std::optional<Slot> & slot = batcher_.slots()[at];
    const std::size_t index = slot->index();
    const PrefixPlan plan = plans_[index];
    Group & group = groups_[plan.group];
    Response response = slot->take_response();
    slot.reset();
    cells_in_use_ -= needed_cells(requests_[index]) - plan.shared;
    if (--group.unfinished == 0) {
        cells_in_use_ -= group.prefix_cells;
    }
    // A member that still waits takes over the sequence with the prefix in it: nothing is copied.
    const auto heir =
        plan.shared == 0 ? waiting_.end() : std::find_if(waiting_.begin(), waiting_.end(), [&](std::size_t candidate) {
            return plans_[candidate].group == plan.group && has_room(candidate);
        });
    if (heir != waiting_.end()) {
        const std::size_t next = *heir;
        waiting_.erase(heir);
        session_.remove(static_cast<int>(at), static_cast<int>(plan.shared));
        place(at, next, plan.shared);
    } else {
        session_.remove(static_cast<int>(at), 0);
        if (plan.shared > 0 && group.unfinished > 0 && !holder_of(plan)) {
            // The members that wait do not fit now and nobody holds their prefix any more: the next of them reads it
            // anew.
            cells_in_use_ -= group.prefix_cells;
            group.prefix_cells = 0;
            group.started = false;
        }
    }
    callbacks_.on_done(index, std::move(response));
}

} // namespace valuelens
