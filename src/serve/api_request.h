#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/steering_request.h"
#include "valuelens/model.h"
#include "valuelens/request.h"

namespace valuelens {

enum class Endpoint { chat, completions };

/// What one request may ask for at most.
struct ApiLimits {
    std::size_t context = 0;      ///< tokens of prompt and response
    std::size_t prompt_bytes = 0; ///< more cannot be `context` tokens; refused before it is tokenized
    int max_tokens = 2048;        ///< of a response
    int choices = 16;             ///< responses to one request
};

/// A request of either endpoint, understood and checked.
struct ApiRequest {
    Endpoint endpoint = Endpoint::chat;
    std::vector<std::vector<Token>> prompts; ///< chat: one
    int n = 1;                               ///< responses to each prompt
    int max_tokens = 0;
    Sampling sampling; ///< its seed is that of the first response; each has its own
    std::vector<std::string> stops;
    bool ignore_eos = false;
    bool logprobs = false;
    int top_logprobs = 0;
    bool stream = false;
    bool include_usage = false;
    bool per_token = false; ///< monitor: the projections of each token too
    bool steered = false;
    std::shared_ptr<const Intervention> intervention;

    std::size_t choices() const { return prompts.size() * static_cast<std::size_t>(n); }
};

/// Reads the body of a request. Throws ApiError(400) for what is malformed, out of bounds, unknown or not offered,
/// ApiError(404) for another model than `model_id`. `monitored`: the server has directions to watch. `fresh_seed`: for
/// a request that names none.
ApiRequest read_api_request(std::string_view body, Endpoint endpoint, const Model & model, const std::string & model_id,
                            const ApiLimits & limits, bool monitored, std::uint64_t fresh_seed, SteeringDesk & desk);

} // namespace valuelens
