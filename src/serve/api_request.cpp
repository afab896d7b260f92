#include "serve/api_request.h"

#include <algorithm>
#include <limits>

#include "base/utf8.h"
#include "serve/api_error.h"
#include "serve/fields.h"

namespace valuelens {

namespace {

using nlohmann::json;

constexpr std::size_t most_messages = 1000;
constexpr std::size_t most_stops = 16;
constexpr std::size_t longest_stop = 256;
constexpr int most_top_logprobs = 20;

json parse(std::string_view body) {
    if (!is_valid_utf8(body)) {
        throw ApiError(400, "the body is not UTF-8");
    }
    try {
        return json::parse(body);
    } catch (const json::exception & error) {
        // "[json.exception.parse_error.101] parse error at line 1, column 5: ..."
        const std::string text = error.what();
        const std::size_t at = text.find("] ");
        throw ApiError(400, "the body is not JSON: " + (at == std::string::npos ? text : text.substr(at + 2)));
    }
}

/// A message's text: a string, or the parts of one.
std::string read_content(Fields & fields) {
    const json * content = fields.find("content");
    const std::string path = fields.path("content");
    if (content == nullptr) {
        refuse(path, "{} is missing", path);
    }
    if (content->is_string()) {
        return content->get<std::string>();
    }
    if (!content->is_array()) {
        refuse(path, "{} must be a string or a list of text parts", path);
    }
    std::string text;
    for (std::size_t i = 0; i < content->size(); ++i) {
        Fields part((*content)[i], fmt::format("{}[{}]", path, i));
        const std::optional<std::string> type = part.text("type");
        if (type != "text") {
            refuse(part.path("type"), "{} must be \"text\": only text models are served", part.path("type"));
        }
        text += part.text("text").value_or("");
        part.done();
    }
    return text;
}

std::vector<ChatMessage> read_messages(const json * messages) {
    if (messages == nullptr || !messages->is_array() || messages->empty() || messages->size() > most_messages) {
        refuse("messages", "messages must be a list of 1 to {} messages", most_messages);
    }
    std::vector<ChatMessage> read;
    for (std::size_t i = 0; i < messages->size(); ++i) {
        Fields fields((*messages)[i], fmt::format("messages[{}]", i));
        const std::optional<std::string> role = fields.word("role", {"system", "developer", "user", "assistant"});
        if (!role) {
            refuse(fields.path("role"), "{} is missing", fields.path("role"));
        }
        read.push_back({*role == "developer" ? "system" : *role, read_content(fields)});
        fields.only_neutral("name");
        fields.only_neutral("tool_calls");
        fields.only_neutral("function_call");
        fields.only_neutral("refusal");
        fields.only_neutral("audio");
        fields.ignore({"annotations", "reasoning_content"}); // what clients send back of an answer
        fields.done();
    }
    if (read.back().role == "assistant") {
        refuse("messages", "the last message is the assistant's; going on with it is not supported, end with a user's");
    }
    return read;
}

std::vector<Token> read_tokens(const json & list, const Model & model) {
    std::vector<Token> tokens;
    for (const json & token : list) {
        if (!token.is_number_unsigned() ||
            token.get<std::uint64_t>() >= static_cast<std::uint64_t>(model.info().n_vocab)) {
            refuse("prompt", "prompt holds a token that is not among the model's, 0 to {}", model.info().n_vocab - 1);
        }
        tokens.push_back(token.get<Token>());
    }
    return tokens;
}

/// Tokenizing takes time and room that grow with the text, before anything says how many tokens it has.
void require_short(std::size_t bytes, const ApiLimits & limits, const char * param) {
    if (bytes > limits.prompt_bytes) {
        throw ApiError(
            400,
            fmt::format("the prompt has {} bytes, which no {} tokens of the context can hold", bytes, limits.context),
            param, "context_length_exceeded");
    }
}

std::vector<Token> read_text(const json & text, const Model & model, const ApiLimits & limits) {
    const std::string & read = text.get_ref<const std::string &>();
    require_short(read.size(), limits, "prompt");
    return model.render_plain(read).tokens;
}

void require_few(std::size_t n_prompts, int n, const ApiLimits & limits) {
    if (n_prompts * static_cast<std::size_t>(n) > static_cast<std::size_t>(limits.choices)) {
        refuse("prompt", "{} prompts with {} responses each; this server gives up to {} responses to a request",
               n_prompts, n, limits.choices);
    }
}

/// A text, tokens, or a list of either.
std::vector<std::vector<Token>> read_prompts(const json * prompt, int n, const Model & model,
                                             const ApiLimits & limits) {
    if (prompt == nullptr) {
        refuse("prompt", "prompt is missing");
    }
    if (prompt->is_string()) {
        return {read_text(*prompt, model, limits)};
    }
    if (!prompt->is_array() || prompt->empty()) {
        refuse("prompt", "prompt must be a string, a list of strings, or lists of tokens");
    }
    if (prompt->front().is_number()) {
        return {read_tokens(*prompt, model)};
    }
    require_few(prompt->size(), n, limits);
    std::vector<std::vector<Token>> prompts;
    for (const json & one : *prompt) {
        if (!one.is_string() && !one.is_array()) {
            refuse("prompt", "prompt must be a string, a list of strings, or lists of tokens");
        }
        prompts.push_back(one.is_string() ? read_text(one, model, limits) : read_tokens(one, model));
    }
    return prompts;
}

std::vector<std::string> read_stops(const json * stop) {
    std::vector<std::string> stops;
    if (stop == nullptr) {
        return stops;
    }
    if (stop->is_string()) {
        stops.push_back(stop->get<std::string>());
    } else if (stop->is_array() &&
               std::all_of(stop->begin(), stop->end(), [](const json & s) { return s.is_string(); })) {
        stops = stop->get<std::vector<std::string>>();
    } else {
        refuse("stop", "stop must be a string or a list of strings");
    }
    if (stops.size() > most_stops || std::any_of(stops.begin(), stops.end(), [](const std::string & text) {
            return text.empty() || text.size() > longest_stop;
        })) {
        refuse("stop", "stop may hold up to {} strings of 1 to {} bytes", most_stops, longest_stop);
    }
    return stops;
}

void read_sampling(Fields & fields, std::uint64_t fresh_seed, Sampling & sampling) {
    sampling.temperature = static_cast<float>(fields.number("temperature", 0, 100).value_or(1.0));
    sampling.top_p = static_cast<float>(fields.number("top_p", 0, 1).value_or(1.0));
    sampling.top_k = static_cast<int>(fields.integer("top_k", -1, 1'000'000).value_or(0));
    sampling.min_p = static_cast<float>(fields.number("min_p", 0, 1).value_or(0.0));
    const auto seed =
        fields.integer("seed", std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());
    sampling.seed = seed ? static_cast<std::uint64_t>(*seed) : fresh_seed;
}

void read_logprobs(Fields & fields, ApiRequest & request) {
    if (request.endpoint == Endpoint::chat) {
        request.logprobs = fields.boolean("logprobs").value_or(false);
        const std::optional<std::int64_t> top = fields.integer("top_logprobs", 0, most_top_logprobs);
        if (top && *top > 0 && !request.logprobs) {
            refuse("top_logprobs", "top_logprobs needs \"logprobs\": true");
        }
        request.top_logprobs = static_cast<int>(top.value_or(0));
    } else {
        const std::optional<std::int64_t> top = fields.integer("logprobs", 0, most_top_logprobs);
        request.logprobs = top.has_value();
        request.top_logprobs = static_cast<int>(top.value_or(0));
    }
}

void read_stream(Fields & fields, ApiRequest & request) {
    request.stream = fields.boolean("stream").value_or(false);
    if (const json * options = fields.find("stream_options")) {
        Fields inner(*options, "stream_options");
        request.include_usage = inner.boolean("include_usage").value_or(false);
        inner.ignore({"include_obfuscation"}); // padding against eavesdroppers: no part of the result
        inner.done();
        if (!request.stream) {
            refuse("stream_options", "stream_options needs \"stream\": true");
        }
    }
}

void read_max_tokens(Fields & fields, const ApiLimits & limits, ApiRequest & request) {
    // The range is checked by hand, so that the message can say whose limit it is.
    constexpr std::int64_t any = std::numeric_limits<std::int32_t>::max();
    const std::optional<std::int64_t> old = fields.integer("max_tokens", 1, any);
    const std::optional<std::int64_t> given =
        request.endpoint == Endpoint::chat ? fields.integer("max_completion_tokens", 1, any) : std::nullopt;
    if (old && given && *old != *given) {
        refuse("max_tokens", "max_tokens and max_completion_tokens differ; give one of them");
    }
    const std::optional<std::int64_t> wanted = given ? given : old;
    if (wanted && *wanted > limits.max_tokens) {
        refuse(given ? "max_completion_tokens" : "max_tokens", "{} tokens are asked for; this server gives up to {}",
               *wanted, limits.max_tokens);
    }
    std::size_t longest = 0;
    for (const std::vector<Token> & prompt : request.prompts) {
        longest = std::max(longest, prompt.size());
    }
    const std::string param = request.endpoint == Endpoint::chat ? "messages" : "prompt";
    if (longest + static_cast<std::size_t>(wanted.value_or(1)) > limits.context) {
        throw ApiError(
            400,
            fmt::format("the prompt has {} tokens; with {} of the response it does not fit the context of {}", longest,
                        wanted.value_or(1), limits.context),
            param, "context_length_exceeded");
    }
    request.max_tokens = static_cast<int>(wanted.value_or(
        std::min<std::int64_t>(limits.max_tokens, static_cast<std::int64_t>(limits.context - longest))));
}

/// What OpenAI's API knows and this server does not offer: refused where it would change the result.
void refuse_others(Fields & fields, Endpoint endpoint) {
    fields.only_neutral("frequency_penalty");
    fields.only_neutral("presence_penalty");
    fields.only_neutral("logit_bias");
    fields.ignore({"user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key",
                   "prompt_cache_retention"});
    if (endpoint == Endpoint::chat) {
        fields.only_neutral("tools");
        fields.only_neutral("functions");
        fields.only_neutral("response_format", json::object({{"type", "text"}}));
        fields.only_neutral("modalities", json::array({"text"}));
        fields.only_neutral("audio");
        fields.only_neutral("prediction");
        fields.only_neutral("reasoning_effort");
        fields.only_neutral("verbosity");
        fields.only_neutral("web_search_options");
        fields.ignore(
            {"tool_choice", "function_call", "parallel_tool_calls"}); // without tools there is nothing to choose
    } else {
        fields.only_neutral("echo");
        fields.only_neutral("suffix");
    }
}

} // namespace

ApiRequest read_api_request(std::string_view body, Endpoint endpoint, const Model & model, const std::string & model_id,
                            const ApiLimits & limits, bool monitored, std::uint64_t fresh_seed, SteeringDesk & desk) {
    const json object = parse(body);
    Fields fields(object, "");
    ApiRequest request;
    request.endpoint = endpoint;
    if (const auto wanted = fields.text("model"); wanted && *wanted != model_id) {
        throw ApiError(404, fmt::format("there is no model \"{}\" here, only \"{}\"", wanted->substr(0, 200), model_id),
                       "model", "model_not_found");
    }
    request.n = static_cast<int>(fields.integer("n", 1, limits.choices).value_or(1));
    if (endpoint == Endpoint::completions) {
        if (const auto best_of = fields.integer("best_of", 1, limits.choices); best_of && *best_of != request.n) {
            refuse("best_of", "best_of is not supported by this server; leave it out");
        }
    }
    read_sampling(fields, fresh_seed, request.sampling);
    request.sampling.top_k = std::max(0, request.sampling.top_k);
    request.stops = read_stops(fields.find("stop"));
    request.ignore_eos = fields.boolean("ignore_eos").value_or(false);
    read_logprobs(fields, request);
    read_stream(fields, request);
    refuse_others(fields, endpoint);
    if (const json * monitor = fields.find("monitor")) {
        Fields inner(*monitor, "monitor");
        request.per_token = inner.boolean("per_token").value_or(false);
        inner.done();
        if (!monitored) {
            refuse("monitor", "this server was started without --monitor, so it watches no directions");
        }
    }
    if (endpoint == Endpoint::chat) {
        if (!model.info().has_chat_template) {
            refuse("messages", "the model has no chat template; use /v1/completions, or start the server with "
                               "--chat-template");
        }
        const std::vector<ChatMessage> messages = read_messages(fields.find("messages"));
        std::size_t bytes = 0;
        for (const ChatMessage & message : messages) {
            bytes += message.content.size();
        }
        require_short(bytes, limits, "messages");
        request.prompts = {model.render_messages(messages).tokens};
    } else {
        request.prompts = read_prompts(fields.find("prompt"), request.n, model, limits);
    }
    for (const std::vector<Token> & prompt : request.prompts) {
        if (prompt.empty()) {
            refuse(endpoint == Endpoint::chat ? "messages" : "prompt", "the prompt has no tokens");
        }
    }
    read_max_tokens(fields, limits, request);
    const json * steering = fields.find("steering");
    fields.done(); // before files are read
    request.intervention = desk.read(steering);
    request.steered = request.intervention != nullptr;
    return request;
}

} // namespace valuelens
