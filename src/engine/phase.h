#pragma once

#include <deque>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "engine/batcher.h"
#include "engine/prefix_groups.h"
#include "valuelens/request.h"

namespace valuelens {

/// Cache cells that a request needs at most.
std::size_t needed_cells(const Request & request);

/// One pass over a list of requests that run in one kind of cache: admits them to sequence slots, hands out results.
class Phase : private BatchOwner {
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

    bool on_token(const Slot & slot, const TokenEvent & event) override;
    void on_finished(std::size_t at) override;
    void on_failed(std::size_t at, const Error & error) override;

    void find_last_layer(const std::vector<std::size_t> & order);
    bool has_room(std::size_t index) const;
    std::optional<std::size_t> holder_of(const PrefixPlan & plan) const;
    void place(std::size_t at, std::size_t index, std::size_t start);
    void admit();

    Session & session_;
    const Model::Impl & model_;
    std::span<const Request> requests_;
    Callbacks callbacks_;
    std::stop_token stop_;
    bool unified_;
    Batcher batcher_;
    std::vector<PrefixPlan> plans_;
    std::vector<Group> groups_;
    std::deque<std::size_t> waiting_;
    std::size_t cells_in_use_ = 0; ///< unified: reserved for requests in flight
};

} // namespace valuelens
