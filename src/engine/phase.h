#pragma once

#include <deque>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "engine/prefix_groups.h"
#include "engine/session.h"
#include "engine/slots.h"
#include "valuelens/request.h"

namespace valuelens {

/// Cache cells that a request needs at most.
std::size_t needed_cells(const Request & request);

/// One pass over requests that run in one kind of cache: admits them to sequence slots, fills batches, hands out
/// results.
class Phase {
public:
    struct Callbacks {
        const Scheduler::OnDone & on_done;
        const Scheduler::OnToken & on_token;
    };

    /// `order`: which of `requests` to run, in order of admission. `n_ff`: width of mlp_post.
    Phase(Session & session, const Model::Impl & model, std::span<const Request> requests,
          const std::vector<std::size_t> & order, std::size_t n_ff, Callbacks callbacks, std::stop_token stop,
          SchedulerStats & stats);

    /// Throws Error(interrupted) on a stop request; what was handed out before stays valid.
    void run();

private:
    struct Group {
        bool started = false;
        std::size_t unfinished = 0;
        std::size_t prefix_cells = 0; ///< held by the group until its last member is done
    };

    void find_last_layer(const std::vector<std::size_t> & order);
    bool has_room(std::size_t index) const;
    std::optional<std::size_t> holder_of(const PrefixPlan & plan) const;
    void place(std::size_t at, std::size_t index, std::size_t start);
    void admit();
    void add_rows(Slot & slot, std::size_t n);
    void fill_unified();
    void fill_streams();
    void add_fillers(int from, int to);
    void step();
    void finish(std::size_t at);

    std::size_t batch_size() const { return static_cast<std::size_t>(session_.options().batch_size); }
    std::size_t max_outputs() const { return static_cast<std::size_t>(session_.options().max_outputs); }

    Session & session_;
    const Model::Impl & model_;
    std::span<const Request> requests_;
    std::size_t n_ff_;
    Callbacks callbacks_;
    std::stop_token stop_;
    SchedulerStats & stats_;
    bool unified_;
    std::vector<std::optional<Slot>> slots_;
    std::vector<PrefixPlan> plans_;
    std::vector<Group> groups_;
    std::deque<std::size_t> waiting_;
    std::uint64_t admissions_ = 0;
    std::size_t cells_in_use_ = 0; ///< unified: reserved for requests in flight
    int last_layer_ = -1;          ///< the graph may end after this block; -1: it must not
    bool last_block_rows_ = true;  ///< captured rows must be outputs, or the last block drops them
    std::vector<BatchRow> rows_;
    std::vector<int> row_slots_; ///< -1: a filler
    std::vector<int> fillers_;
};

} // namespace valuelens
