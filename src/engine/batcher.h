#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <vector>

#include "engine/session.h"
#include "engine/slots.h"
#include "valuelens/error.h"
#include "valuelens/request.h"

namespace valuelens {

/// What becomes of the sequences in flight.
class BatchOwner {
public:
    virtual ~BatchOwner() = default;
    /// A response token was drawn. False: the request wants no more of them.
    virtual bool on_token(const Slot & slot, const TokenEvent & event) = 0;
    /// The slot is finished: the owner takes its response and frees or refills the place.
    virtual void on_finished(std::size_t at) = 0;
    /// The slot's logits cannot be used; the owner frees the place. What is thrown ends the step.
    virtual void on_failed(std::size_t at, const Error & error) = 0;
};

/// The sequence slots of one session: makes batches of what is in flight and puts them through the model.
class Batcher {
public:
    /// `n_ff`: width of mlp_post. `alternate`: long prompts and the tokens being generated take turns, so that the
    /// former do not hold up the latter; else prompts are read first.
    Batcher(Session & session, const Model::Impl & model, std::size_t n_ff, bool alternate, SchedulerStats & stats);

    std::vector<std::optional<Slot>> & slots() { return slots_; }
    const std::vector<std::optional<Slot>> & slots() const { return slots_; }
    bool busy() const;

    /// Puts a request into a free place, whose cache holds its first `start` tokens. `request` outlives the slot.
    void place(std::size_t at, std::size_t index, const Request & request, std::size_t start);

    /// The graph may end after this block; -1: it must not. `last_block_rows`: captured rows must be outputs, or the
    /// last block drops them.
    void end_after(int layer, bool last_block_rows);

    /// How many tokens the cache of a free place still holds for later use (separate streams); they are left alone.
    void set_kept(std::size_t at, std::size_t n) { kept_[at] = static_cast<int>(n); }

    /// Makes one batch, decodes it and tells the owner. With nothing in flight it does nothing. Throws as
    /// Session::decode() does; the slots are then in no defined state.
    void step(BatchOwner & owner, std::stop_token stop);

private:
    void add_rows(Slot & slot, std::size_t n);
    void fill_unified();
    void fill_streams();
    void fill_reading(const std::vector<std::size_t> & reading);
    void fill_one_each(const std::vector<std::size_t> & short_ones);
    void add_fillers(int from, int to);
    void take_results(BatchOwner & owner);

    std::size_t batch_size() const { return static_cast<std::size_t>(session_.options().batch_size); }
    std::size_t max_outputs() const { return static_cast<std::size_t>(session_.options().max_outputs); }

    Session & session_;
    const Model::Impl & model_;
    std::size_t n_ff_;
    bool alternate_;
    bool read_last_ = false;     ///< the last batch was one of prompts
    std::size_t last_place_ = 0; ///< the last batch ended here
    SchedulerStats & stats_;
    std::vector<std::optional<Slot>> slots_;
    std::vector<int> kept_;
    std::uint64_t admissions_ = 0;
    int last_layer_ = -1;
    bool last_block_rows_ = true;
    std::vector<BatchRow> rows_;
    std::vector<int> row_slots_; ///< -1: a filler
    std::vector<int> fillers_;
};

} // namespace valuelens
