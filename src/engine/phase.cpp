#include "engine/phase.h"

#include <algorithm>
#include <limits>

#include "base/fail.h"

namespace valuelens {
namespace {

// A copied stream costs about what a few tokens' decoding costs; a shared cell costs nothing.
constexpr std::size_t min_shared_in_streams = 24;
constexpr std::size_t min_shared_in_unified = 4;
// A remainder of a prompt shorter than this rides along with the tokens being generated instead of being a batch of its
// own.
constexpr std::size_t short_remainder = 6;
// A gap between two sequences in flight up to this size is filled with rows that are thrown away: cheaper than another
// batch.
constexpr int max_filled_gap = 3;

} // namespace

std::size_t needed_cells(const Request & request) {
    return request.prompt.size() + (request.kind == RequestKind::generate ? static_cast<std::size_t>(request.max_tokens)
                                                                          : request.response.size());
}

Phase::Phase(Session & session, const Model::Impl & model, std::span<const Request> requests,
             const std::vector<std::size_t> & order, std::size_t n_ff, Callbacks callbacks, std::stop_token stop,
             SchedulerStats & stats)
    : session_(session), model_(model), requests_(requests), n_ff_(n_ff), callbacks_(callbacks), stop_(std::move(stop)),
      stats_(stats), unified_(session.options().unified),
      slots_(static_cast<std::size_t>(session.options().n_sequences)) {
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
    while (admit(), std::any_of(slots_.begin(), slots_.end(), [](const auto & slot) { return slot.has_value(); })) {
        if (stop_.stop_requested()) {
            fail(ErrorKind::interrupted, "stopped");
        }
        if (unified_) {
            fill_unified();
        } else {
            fill_streams();
        }
        step();
    }
    if (!waiting_.empty()) {
        fail(ErrorKind::internal, "{} requests were never admitted", waiting_.size());
    }
}

// Where no logits are read, the graph may end at the last block that somebody captures.
void Phase::find_last_layer(const std::vector<std::size_t> & order) {
    last_layer_ = 0;
    const int end = model_.info.n_layer - 1;
    for (const std::size_t index : order) {
        const Request & request = requests_[index];
        if (request.kind != RequestKind::continue_ || request.logprobs || request.capture.last_logits) {
            last_layer_ = -1;
            last_block_rows_ = true;
            return;
        }
        const int deepest =
            request.capture.mlp_post || request.capture.layers.empty() ? end : request.capture.layers.back();
        last_layer_ = std::max(last_layer_, request.capture.any_resid() || request.capture.mlp_post ? deepest : end);
    }
    last_block_rows_ = last_layer_ == end;
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
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        if (slots_[i] && plans_[slots_[i]->index()].group == plan.group && slots_[i]->fed() >= plan.shared) {
            return i;
        }
    }
    return std::nullopt;
}

void Phase::place(std::size_t at, std::size_t index, std::size_t start) {
    const PrefixPlan & plan = plans_[index];
    Group & group = groups_[plan.group];
    slots_[at].emplace(static_cast<int>(at), index, requests_[index], model_, n_ff_, admissions_++);
    slots_[at]->start_at(start);
    stats_.prompt_tokens += requests_[index].prompt.size();
    stats_.shared_tokens += std::min(start, requests_[index].prompt.size());
    if (!group.started) {
        group.started = true;
        group.prefix_cells = plan.shared;
        cells_in_use_ += plan.shared;
    }
    cells_in_use_ += needed_cells(requests_[index]) - plan.shared;
}

void Phase::admit() {
    for (std::size_t at = 0; at < slots_.size() && !waiting_.empty(); ++at) {
        if (slots_[at]) {
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

void Phase::add_rows(Slot & slot, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
        rows_.push_back(slot.next_row(last_block_rows_));
        row_slots_.push_back(slot.sequence());
    }
}

// Any mixture of sequences may stand in a batch, oldest first.
void Phase::fill_unified() {
    std::vector<Slot *> active;
    for (auto & slot : slots_) {
        if (slot && slot->pending() > 0) {
            active.push_back(&*slot);
        }
    }
    std::sort(active.begin(), active.end(),
              [](const Slot * a, const Slot * b) { return a->admitted() < b->admitted(); });
    std::size_t outputs = 0;
    for (Slot * slot : active) {
        while (slot->pending() > 0 && rows_.size() < batch_size() && outputs < max_outputs()) {
            add_rows(*slot, 1);
            outputs += rows_.back().output ? 1 : 0;
        }
    }
}

// Separate streams: llama.cpp takes a batch whole and in order only if it holds neighbouring sequences with equally
// many tokens each.
void Phase::fill_streams() {
    std::vector<std::size_t> reading;
    std::vector<std::size_t> short_ones;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        if (slots_[i] && slots_[i]->pending() > 0) {
            (slots_[i]->pending() > short_remainder ? reading : short_ones).push_back(i);
        }
    }
    if (!reading.empty()) {
        std::size_t n = 1;
        std::size_t tokens = slots_[reading[0]]->pending();
        while (n < reading.size() && reading[n] == reading[n - 1] + 1) {
            const std::size_t next = std::min(tokens, slots_[reading[n]]->pending());
            if ((n + 1) * next > batch_size() || 2 * next < tokens) {
                break;
            }
            tokens = next;
            ++n;
        }
        tokens = std::min({tokens, batch_size() / n, std::max<std::size_t>(1, max_outputs() / n)});
        for (std::size_t i = 0; i < n; ++i) {
            add_rows(*slots_[reading[i]], tokens);
        }
        return;
    }
    // One token each. The run may bridge small gaps with rows whose results are dropped.
    int previous = -1;
    for (const std::size_t i : short_ones) {
        const int at = static_cast<int>(i);
        if (previous >= 0 && at != previous + 1) {
            const bool idle = std::none_of(slots_.begin() + previous + 1, slots_.begin() + at,
                                           [](const auto & slot) { return slot.has_value(); });
            if (!idle || at - previous - 1 > max_filled_gap || model_.recurrent) {
                break; // the others come when this run is done
            }
            add_fillers(previous + 1, at);
        }
        if (rows_.size() >= batch_size()) {
            break;
        }
        add_rows(*slots_[i], 1);
        previous = at;
    }
}

void Phase::add_fillers(int from, int to) {
    for (int gap = from; gap < to; ++gap) {
        rows_.push_back(BatchRow{rows_.back().token, 0, gap, false, false, false, nullptr, false, false, nullptr});
        row_slots_.push_back(-1);
        fillers_.push_back(gap);
        session_.remove(gap, 0);
    }
}

void Phase::step() {
    session_.decode(rows_, last_layer_, stop_);
    ++stats_.decodes;
    stats_.decoded_tokens += rows_.size() - fillers_.size();
    for (std::size_t r = 0; r < rows_.size(); ++r) {
        if (rows_[r].needs_logits) {
            Slot & slot = *slots_[static_cast<std::size_t>(row_slots_[r])];
            if (const auto token = slot.take_logits(session_.logits(r))) {
                ++stats_.generated_tokens;
                if (callbacks_.on_token) {
                    callbacks_.on_token(slot.index(), *token);
                }
            }
        }
    }
    std::vector<int> touched = row_slots_;
    touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
    rows_.clear();
    row_slots_.clear();
    for (const int gap : fillers_) {
        session_.remove(gap, 0);
    }
    fillers_.clear();
    for (const int at : touched) {
        if (at < 0) {
            continue;
        }
        slots_[static_cast<std::size_t>(at)]->after_decode();
        if (slots_[static_cast<std::size_t>(at)]->finished()) {
            finish(static_cast<std::size_t>(at));
        }
    }
}

void Phase::finish(std::size_t at) {
    const std::size_t index = slots_[at]->index();
    const PrefixPlan plan = plans_[index];
    Group & group = groups_[plan.group];
    Response response = slots_[at]->take_response();
    slots_[at].reset();
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
