#include "clients/chat.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/utf8.h"

namespace valuelens {

using nlohmann::json;

namespace {

// The text at a key, "" for anything else (null, too, which servers write for a field without a value).
std::string text_at(const json & object, const char * key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<std::uint64_t> count_at(const json & object, const char * key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number_unsigned() ? std::optional(found->get<std::uint64_t>())
                                                                : std::nullopt;
}

const json & member(const json & object, const char * key) {
    static const json nothing;
    if (!object.is_object()) {
        return nothing;
    }
    const auto found = object.find(key);
    return found == object.end() ? nothing : *found;
}

std::vector<TokenTextLogprob> first_token(const json & choice) {
    std::vector<TokenTextLogprob> tokens;
    const json & places = member(member(choice, "logprobs"), "content");
    if (!places.is_array() || places.empty()) {
        return tokens;
    }
    for (const json & entry : member(places.front(), "top_logprobs")) {
        const json & logprob = member(entry, "logprob");
        if (member(entry, "token").is_string() && logprob.is_number() && std::isfinite(logprob.get<double>())) {
            tokens.push_back({text_at(entry, "token"), logprob.get<double>()});
        }
    }
    return tokens;
}

} // namespace

std::string chat_body(const ChatRequest & request, const std::string & model) {
    json messages = json::array();
    for (const ChatMessage & message : request.messages) {
        messages.push_back({{"role", message.role}, {"content", to_valid_utf8(message.content)}});
    }
    json body = {{"model", model},
                 {"messages", std::move(messages)},
                 {"max_tokens", request.max_tokens},
                 {"temperature", request.temperature}};
    const auto put = [&](const char * key, const auto & value) {
        if (value) {
            body[key] = *value;
        }
    };
    put("top_p", request.top_p);
    put("min_p", request.min_p);
    put("top_k", request.top_k);
    put("repetition_penalty", request.repetition_penalty);
    if (request.seed) {
        body["seed"] = *request.seed % (std::uint64_t{1} << 31);
    }
    if (!request.stop.empty()) {
        body["stop"] = request.stop;
    }
    if (request.top_logprobs > 0) {
        body["logprobs"] = true;
        body["top_logprobs"] = request.top_logprobs;
    }
    if (!request.json_schema.empty()) {
        body["response_format"] = {
            {"type", "json_schema"},
            {"json_schema", {{"name", "answer"}, {"strict", true}, {"schema", json::parse(request.json_schema)}}}};
    }
    if (!request.template_kwargs.empty()) {
        body["chat_template_kwargs"] = json::parse(request.template_kwargs);
    }
    return body.dump();
}

std::optional<ChatReply> parse_chat_reply(std::string_view body, std::string & problem) {
    const json reply = json::parse(body, nullptr, false);
    if (!reply.is_object()) {
        problem = "the answer is not a JSON object";
        return std::nullopt;
    }
    const json & choices = member(reply, "choices");
    if (!choices.is_array()) {
        const std::string said = server_message(body);
        problem = "the answer has no choices" + (said.empty() ? "" : ": " + said);
        return std::nullopt;
    }
    if (choices.empty()) {
        problem = "the answer's list of choices is empty";
        return std::nullopt;
    }
    const json & choice = choices.front();
    const json & message = member(choice, "message");
    const json & content = member(message, "content");
    if (!message.is_object() || !(content.is_string() || content.is_null())) {
        problem = "the answer's choice has no message with a text";
        return std::nullopt;
    }
    ChatReply result;
    result.model = text_at(reply, "model");
    result.content = text_at(message, "content");
    result.reasoning = text_at(message, "reasoning_content");
    if (result.reasoning.empty()) {
        result.reasoning = text_at(message, "reasoning");
    }
    result.finish_reason = text_at(choice, "finish_reason");
    result.first_token = first_token(choice);
    if (const json & usage = member(reply, "usage"); usage.is_object()) {
        result.prompt_tokens = count_at(usage, "prompt_tokens");
        result.completion_tokens = count_at(usage, "completion_tokens");
    }
    return result;
}

std::string server_message(std::string_view body) {
    const json reply = json::parse(body, nullptr, false);
    std::string text;
    if (reply.is_object()) {
        const json & error = member(reply, "error");
        text = error.is_object() ? text_at(error, "message") : text_at(reply, "error");
        for (const char * key : {"message", "detail"}) {
            text = text.empty() ? text_at(reply, key) : text;
        }
    }
    std::replace_if(
        text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    constexpr std::size_t longest = 200;
    return to_valid_utf8(text.substr(0, longest));
}

} // namespace valuelens
