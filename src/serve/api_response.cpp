#include "serve/api_response.h"

#include "base/utf8.h"

namespace valuelens {

namespace {

using nlohmann::ordered_json;

bool is_chat(const ApiRequest & request) {
    return request.endpoint == Endpoint::chat;
}

ordered_json usage_json(const Usage & usage) {
    return {{"prompt_tokens", usage.prompt_tokens},
            {"completion_tokens", usage.completion_tokens},
            {"total_tokens", usage.total()}};
}

std::string sse(const ordered_json & json) {
    return "data: " + json_text(json) + "\n\n";
}

ordered_json bytes_json(const std::string & bytes) {
    ordered_json list = ordered_json::array();
    for (const char byte : bytes) {
        list.push_back(static_cast<int>(static_cast<unsigned char>(byte)));
    }
    return list;
}

/// The old form: lists beside each other, and an object of the likeliest.
ordered_json completion_logprobs(const std::vector<TokenInfo> & tokens, bool with_top) {
    ordered_json json = {{"tokens", ordered_json::array()},
                         {"token_logprobs", ordered_json::array()},
                         {"top_logprobs", with_top ? ordered_json::array() : ordered_json(nullptr)},
                         {"text_offset", ordered_json::array()}};
    for (const TokenInfo & token : tokens) {
        json["tokens"].push_back(token.bytes);
        json["token_logprobs"].push_back(token.logprob);
        json["text_offset"].push_back(token.text_offset);
        if (with_top) {
            ordered_json top = ordered_json::object();
            for (const auto & [bytes, logprob] : token.top) {
                top[to_valid_utf8(bytes)] = logprob;
            }
            json["top_logprobs"].push_back(std::move(top));
        }
    }
    return json;
}

} // namespace

std::string json_text(const ordered_json & json) {
    return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

ApiResponse::ApiResponse(const ApiRequest & request, const Guard * guard, std::string id, std::string model_id,
                         std::int64_t created)
    : request_(request), guard_(guard), id_(std::move(id)), model_id_(std::move(model_id)), created_(created),
      choices_(request.choices()) {}

void ApiResponse::take(ChoiceDelta && delta) {
    Whole & choice = choices_[delta.choice];
    choice.text += delta.text;
    choice.tokens.insert(choice.tokens.end(), delta.tokens.begin(), delta.tokens.end());
    if (delta.end) {
        choice.end = std::move(delta.end);
    }
}

ordered_json ApiResponse::frame(const char * chat_object, const char * text_object) const {
    return {{"id", id_},
            {"object", is_chat(request_) ? chat_object : text_object},
            {"created", created_},
            {"model", model_id_},
            {"system_fingerprint", "valuelens-" VALUELENS_VERSION},
            {"choices", ordered_json::array()}};
}

std::string ApiResponse::whole(const Usage & usage) const {
    ordered_json json = frame("chat.completion", "text_completion");
    for (std::size_t i = 0; i < choices_.size(); ++i) {
        const Whole & choice = choices_[i];
        ordered_json entry = {{"index", i}};
        if (is_chat(request_)) {
            entry["message"] = {{"role", "assistant"}, {"content", choice.text}};
            if (choice.end && !choice.end->thinking.empty()) {
                entry["message"]["reasoning_content"] = choice.end->thinking;
            }
        } else {
            entry["text"] = choice.text;
        }
        entry["logprobs"] = request_.logprobs ? logprobs_json(choice.tokens) : ordered_json(nullptr);
        entry["finish_reason"] = choice.end ? choice.end->finish_reason : "stop";
        if (choice.end && guard_ != nullptr) {
            entry["monitor"] = monitor_json(*choice.end);
        }
        json["choices"].push_back(std::move(entry));
    }
    json["usage"] = usage_json(usage);
    return json_text(json);
}

ordered_json ApiResponse::chunk_frame() const {
    ordered_json json = frame("chat.completion.chunk", "text_completion");
    if (request_.include_usage) {
        json["usage"] = nullptr; // in every chunk but the last
    }
    return json;
}

ordered_json ApiResponse::chunk_choice(std::size_t index) const {
    ordered_json choice = {{"index", index}};
    if (is_chat(request_)) {
        choice["delta"] = ordered_json::object();
    } else {
        choice["text"] = "";
    }
    choice["logprobs"] = nullptr;
    choice["finish_reason"] = nullptr;
    return choice;
}

std::string ApiResponse::begin() const {
    std::string events;
    for (std::size_t i = 0; is_chat(request_) && i < choices_.size(); ++i) {
        ordered_json json = chunk_frame();
        ordered_json choice = chunk_choice(i);
        choice["delta"] = {{"role", "assistant"}, {"content", ""}};
        json["choices"].push_back(std::move(choice));
        events += sse(json);
    }
    return events;
}

std::string ApiResponse::event(const ChoiceDelta & delta) const {
    std::string events;
    if (!delta.text.empty() || !delta.tokens.empty()) {
        ordered_json json = chunk_frame();
        ordered_json choice = chunk_choice(delta.choice);
        if (is_chat(request_)) {
            choice["delta"] = {{"content", delta.text}};
        } else {
            choice["text"] = delta.text;
        }
        if (request_.logprobs) {
            choice["logprobs"] = logprobs_json(delta.tokens);
        }
        json["choices"].push_back(std::move(choice));
        events += sse(json);
    }
    if (delta.end) {
        ordered_json json = chunk_frame();
        ordered_json choice = chunk_choice(delta.choice);
        choice["finish_reason"] = delta.end->finish_reason;
        if (guard_ != nullptr) {
            choice["monitor"] = monitor_json(*delta.end);
        }
        json["choices"].push_back(std::move(choice));
        events += sse(json);
    }
    return events;
}

std::string ApiResponse::finish(const Usage & usage) const {
    std::string events;
    if (request_.include_usage) {
        ordered_json json = chunk_frame();
        json["usage"] = usage_json(usage);
        events = sse(json);
    }
    return events + "data: [DONE]\n\n";
}

std::string ApiResponse::error_event(const ApiError & error) {
    return "data: " + error.json() + "\n\n";
}

ordered_json ApiResponse::logprobs_json(const std::vector<TokenInfo> & tokens) const {
    if (!is_chat(request_)) {
        return completion_logprobs(tokens, request_.top_logprobs > 0);
    }
    ordered_json content = ordered_json::array();
    for (const TokenInfo & token : tokens) {
        ordered_json top = ordered_json::array();
        for (const auto & [bytes, logprob] : token.top) {
            top.push_back({{"token", bytes}, {"logprob", logprob}, {"bytes", bytes_json(bytes)}});
        }
        content.push_back({{"token", token.bytes},
                           {"logprob", token.logprob},
                           {"bytes", bytes_json(token.bytes)},
                           {"top_logprobs", std::move(top)}});
    }
    return {{"content", std::move(content)}, {"refusal", nullptr}};
}

ordered_json ApiResponse::monitor_json(const ChoiceEnd & end) const {
    const WatchThresholds * thresholds = guard_->thresholds ? &*guard_->thresholds : nullptr;
    ordered_json json = watch_json(guard_->watch, thresholds, *end.watched, request_.per_token);
    json["defended"] = end.defended;
    if (end.draft) {
        json["draft"] = draft_json(guard_->watch, *thresholds, *end.draft);
    }
    return json;
}

} // namespace valuelens
