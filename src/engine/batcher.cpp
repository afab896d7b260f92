#include "engine/batcher.h"

#include <algorithm>

namespace valuelens {
namespace {

// A remainder of a prompt shorter than this rides along with the tokens being generated instead of being a batch of its
// own.
constexpr std::size_t short_remainder = 6;
// A gap between two sequences in flight up to this size is filled with rows that are thrown away: cheaper than another
// batch.
constexpr int max_filled_gap = 3;

} // namespace

Batcher::Batcher(Session & session, const Model::Impl & model, std::size_t n_ff, bool alternate, SchedulerStats & stats)
    : session_(session), model_(model), n_ff_(n_ff), alternate_(alternate), stats_(stats),
      slots_(static_cast<std::size_t>(session.options().n_sequences)), kept_(slots_.size()) {}

bool Batcher::busy() const {
    return std::any_of(slots_.begin(), slots_.end(), [](const auto & slot) { return slot.has_value(); });
}

void Batcher::place(std::size_t at, std::size_t index, const Request & request, std::size_t start) {
    slots_[at].emplace(static_cast<int>(at), index, request, model_, n_ff_, admissions_++);
    slots_[at]->start_at(start);
    kept_[at] = 0;
    stats_.prompt_tokens += request.prompt.size();
    stats_.shared_tokens += std::min(start, request.prompt.size());
}

void Batcher::end_after(int layer, bool last_block_rows) {
    last_layer_ = layer;
    last_block_rows_ = last_block_rows;
}

void Batcher::add_rows(Slot & slot, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
        rows_.push_back(slot.next_row(last_block_rows_));
        row_slots_.push_back(slot.sequence());
    }
}

// Any mixture of sequences may stand in a batch, oldest first.
void Batcher::fill_unified() {
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
void Batcher::fill_streams() {
    std::vector<std::size_t> reading;
    std::vector<std::size_t> short_ones;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        if (slots_[i] && slots_[i]->pending() > 0) {
            (slots_[i]->pending() > short_remainder ? reading : short_ones).push_back(i);
        }
    }
    if (alternate_) { // after those of the last batch: none waits for ever
        for (std::vector<std::size_t> * places : {&reading, &short_ones}) {
            std::rotate(places->begin(), std::upper_bound(places->begin(), places->end(), last_place_), places->end());
        }
    }
    read_last_ = !reading.empty() && (!alternate_ || !read_last_ || short_ones.empty());
    if (read_last_) {
        fill_reading(reading);
    } else {
        fill_one_each(short_ones);
    }
    last_place_ = rows_.empty() ? 0 : static_cast<std::size_t>(row_slots_.back());
}

void Batcher::fill_reading(const std::vector<std::size_t> & reading) {
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
}

// One token each. The run may bridge small gaps with rows whose results are dropped.
void Batcher::fill_one_each(const std::vector<std::size_t> & short_ones) {
    int previous = -1;
    for (const std::size_t i : short_ones) {
        const int at = static_cast<int>(i);
        if (previous >= 0 && at != previous + 1) {
            const bool idle = at > previous && std::none_of(slots_.begin() + previous + 1, slots_.begin() + at,
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

void Batcher::add_fillers(int from, int to) {
    for (int gap = from; gap < to; ++gap) {
        const int kept = kept_[static_cast<std::size_t>(gap)];
        rows_.push_back(BatchRow{rows_.back().token, kept, gap});
        row_slots_.push_back(-1);
        fillers_.push_back(gap);
        session_.remove(gap, kept);
    }
}

void Batcher::step(BatchOwner & owner, std::stop_token stop) {
    rows_.clear(); // what a step that failed left behind
    row_slots_.clear();
    fillers_.clear();
    if (session_.options().unified) {
        fill_unified();
    } else {
        fill_streams();
    }
    if (rows_.empty()) {
        return;
    }
    session_.decode(rows_, last_layer_, std::move(stop));
    ++stats_.decodes;
    stats_.decoded_tokens += rows_.size() - fillers_.size();
    for (const int gap : fillers_) {
        session_.remove(gap, kept_[static_cast<std::size_t>(gap)]);
    }
    take_results(owner);
}

void Batcher::take_results(BatchOwner & owner) {
    std::vector<std::pair<std::size_t, Error>> failed;
    const auto has_failed = [&](int at) {
        return std::any_of(failed.begin(), failed.end(),
                           [at](const auto & entry) { return entry.first == static_cast<std::size_t>(at); });
    };
    for (std::size_t r = 0; r < rows_.size(); ++r) {
        if (!rows_[r].needs_logits || has_failed(row_slots_[r])) {
            continue;
        }
        const auto at = static_cast<std::size_t>(row_slots_[r]);
        Slot & slot = *slots_[at];
        try {
            if (const auto event = slot.take_logits(session_.logits(r))) {
                ++stats_.generated_tokens;
                if (!owner.on_token(slot, *event)) {
                    slot.stop();
                }
            }
        } catch (const Error & error) {
            failed.emplace_back(at, error);
        }
    }
    std::vector<int> touched = row_slots_;
    touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
    for (const auto & [at, error] : failed) {
        owner.on_failed(at, error);
    }
    for (const int at : touched) {
        if (at < 0 || has_failed(at)) {
            continue;
        }
        slots_[static_cast<std::size_t>(at)]->after_decode();
        if (slots_[static_cast<std::size_t>(at)]->finished()) {
            owner.on_finished(static_cast<std::size_t>(at));
        }
    }
}

} // namespace valuelens
