#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "pipeline/watch.h"
#include "serve/guard.h"
#include "valuelens/model.h"
#include "valuelens/request.h"

namespace valuelens {

struct ServeOptions {
    ModelOptions model;
    SchedulerOptions scheduler{.parallel = 16};
    std::string host = "127.0.0.1";
    int port = 8080;               ///< 0: any that is free
    std::string api_key;           ///< empty: none is asked for
    std::string alias;             ///< the model's name for clients; empty: the file's name without its ending
    std::filesystem::path sources; ///< folder of directions and neurons; empty: none
    int max_tokens = 2048;         ///< longest response
    int max_choices = 16;          ///< responses to one request
    std::size_t max_body = 4 << 20;
    std::size_t queue = 128;           ///< responses that may wait beside those being written
    std::optional<std::uint64_t> seed; ///< of requests that name none; nothing: another at each start
    int grace_seconds = 5;             ///< what is in flight may take so long to finish at the end

    std::optional<WatchOptions> monitor;
    std::filesystem::path thresholds; ///< empty: nothing is flagged
    Defend defend = Defend::off;
};

} // namespace valuelens
