#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "serve/api_request.h"
#include "serve/generation.h"

namespace valuelens {

/// Writes the responses to one request in the shape of OpenAI's API.
class ApiResponse {
public:
    /// `guard` may be null; both outlive this.
    ApiResponse(const ApiRequest & request, const Guard * guard, std::string id, std::string model_id,
                std::int64_t created);

    /// Without streaming: takes all pieces, then the whole object is there.
    void take(ChoiceDelta && delta);
    std::string whole(const Usage & usage) const;

    /// Streaming: server-sent events. The first event of a chat's response says the role.
    std::string begin() const;
    std::string event(const ChoiceDelta & delta) const;
    /// Usage, where asked for, and the mark of the end.
    std::string finish(const Usage & usage) const;

    /// An error in the middle of a stream.
    static std::string error_event(const ApiError & error);

private:
    struct Whole {
        std::string text;
        std::vector<TokenInfo> tokens;
        std::optional<ChoiceEnd> end;
    };
    nlohmann::ordered_json frame(const char * chat_object, const char * text_object) const;
    nlohmann::ordered_json chunk_frame() const;
    nlohmann::ordered_json chunk_choice(std::size_t index) const;
    nlohmann::ordered_json logprobs_json(const std::vector<TokenInfo> & tokens) const;
    nlohmann::ordered_json monitor_json(const ChoiceEnd & end) const;

    const ApiRequest & request_;
    const Guard * guard_;
    std::string id_;
    std::string model_id_;
    std::int64_t created_;
    std::vector<Whole> choices_;
};

/// JSON as text; what is not UTF-8 in it is replaced.
std::string json_text(const nlohmann::ordered_json & json);

} // namespace valuelens
