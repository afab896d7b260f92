#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "serve/api_request.h"
#include "serve/api_response.h"
#include "serve/gate.h"
#include "serve/generation.h"
#include "serve/guard.h"
#include "serve/metrics.h"
#include "serve/options.h"
#include "serve/sources.h"
#include "serve/steering_request.h"
#include "valuelens/live_scheduler.h"
#include "valuelens/model.h"
#include "valuelens/progress.h"

namespace valuelens {

/// A request that is being answered.
struct Answer {
    Gate::Pass pass;
    ApiRequest request;
    std::chrono::steady_clock::time_point begin;
    std::unique_ptr<ApiResponse> response;
    std::unique_ptr<Generation> generation;
};

/// What the server does, whatever carries the requests. Thread-safe.
class Service {
public:
    /// Loads what is watched, then the model. Throws as Model::load(), load_watch() and read_thresholds() do.
    Service(const ServeOptions & options, ProgressSink & progress, std::stop_token stop);

    /// Takes a request. Throws ApiError: malformed, too much asked for, no room now (429), shutting down (503).
    std::unique_ptr<Answer> begin(Endpoint endpoint, std::string_view body);

    /// The next piece of the answer, waited for at most so long. Throws ApiError where a response failed, and when the
    /// time to finish is over.
    std::optional<ChoiceDelta> next(Answer & answer, std::chrono::milliseconds patience);

    /// To be called when the answer was given as a whole.
    void finished(const Answer & answer);

    std::string models() const;
    /// Throws ApiError(404).
    std::string model(const std::string & id) const;
    /// What requests may ask for.
    std::string steering() const;
    std::string metrics_text() const;
    LiveStats live_stats() const { return scheduler_->stats(); }
    Metrics & metrics() { return metrics_; }

    /// No more requests are taken.
    void drain() { draining_ = true; }
    bool is_draining() const { return draining_; }
    /// Those in flight end now.
    void abort() { aborting_ = true; }
    /// Responses in flight.
    std::size_t busy() const { return gate_.inside(); }
    /// Responses that may be in flight or wait.
    std::size_t room() const { return room_; }

    const std::string & model_id() const { return model_id_; }
    std::size_t sequences() const { return scheduler_->sequences(); }
    std::size_t context_size() const { return scheduler_->context_size(); }

private:
    nlohmann::ordered_json model_json() const;
    [[noreturn]] void refuse_for_lack_of_room() const;

    ServeOptions options_;
    ModelInfo info_; ///< from the file's header alone
    Sources sources_;
    SteeringDesk desk_;
    std::optional<Guard> guard_;
    std::shared_ptr<Model> model_; ///< after what can be wrong with the files
    std::string model_id_;
    std::int64_t created_;
    std::size_t room_ = 0;
    ApiLimits limits_;
    Metrics metrics_;
    std::uint64_t seed_;
    std::atomic<std::uint64_t> requests_{0};
    std::atomic<bool> draining_{false};
    std::atomic<bool> aborting_{false};
    std::unique_ptr<LiveScheduler> scheduler_; ///< goes first: its callbacks use what stands above
    Gate gate_;
};

} // namespace valuelens
