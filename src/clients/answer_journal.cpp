#include "clients/answer_journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/fail.h"
#include "base/file.h"
#include "base/hash.h"

namespace valuelens {

namespace {

using nlohmann::json;

std::string key_of(const ChatService & service, const ChatRequest & request) {
    return sha256_hex(chat_body(request, service.model()));
}

std::string line_of(const json & object) {
    return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

json to_json(const ChatReply & reply) {
    json result = {{"model", reply.model},
                   {"content", reply.content},
                   {"reasoning", reply.reasoning},
                   {"finish_reason", reply.finish_reason}};
    for (const TokenTextLogprob & token : reply.first_token) {
        result["first_token"].push_back({token.token, token.logprob});
    }
    if (reply.prompt_tokens) {
        result["prompt_tokens"] = *reply.prompt_tokens;
    }
    if (reply.completion_tokens) {
        result["completion_tokens"] = *reply.completion_tokens;
    }
    return result;
}

ChatReply reply_of(const json & object) {
    ChatReply reply;
    reply.model = object.at("model");
    reply.content = object.at("content");
    reply.reasoning = object.at("reasoning");
    reply.finish_reason = object.at("finish_reason");
    for (const json & token : object.value("first_token", json::array())) {
        reply.first_token.push_back({token.at(0), token.at(1)});
    }
    const auto count = [&](const char * name) {
        return object.contains(name) ? std::optional<std::uint64_t>(object.at(name)) : std::nullopt;
    };
    reply.prompt_tokens = count("prompt_tokens");
    reply.completion_tokens = count("completion_tokens");
    return reply;
}

} // namespace

AnswerJournal::~AnswerJournal() {
    close();
}

void AnswerJournal::begin(const ChatService & service, std::span<const ChatRequest> unit) {
    reused_ = 0;
    if (file_.empty()) {
        return;
    }
    Sha256 hash;
    for (const ChatRequest & request : unit) {
        hash.update(chat_body(request, service.model()) + "\n");
    }
    const std::string name = hash.hex();
    close();
    held_.clear();
    read(name);
    if (held_.empty()) {
        start_over(name);
    }
    open();
}

void AnswerJournal::ask_all(ChatService & service, std::span<const ChatRequest> requests, const OnAnswer & on_answer,
                            std::stop_token stop) {
    if (file_.empty()) {
        const auto on_done = [&](std::size_t index, ChatOutcome && outcome) {
            on_answer(index, std::move(outcome));
        };
        service.ask_all(requests, on_done, std::move(stop));
        return;
    }
    std::vector<ChatRequest> open;
    std::vector<std::size_t> places;
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < requests.size(); ++i) {
        std::string key = key_of(service, requests[i]);
        if (const auto held = held_.find(key); held != held_.end()) {
            ++reused_;
            on_answer(i, {ChatStatus::answered, held->second, ""});
            continue;
        }
        open.push_back(requests[i]);
        places.push_back(i);
        keys.push_back(std::move(key));
    }
    if (open.empty()) {
        return;
    }
    service.ask_all(
        open,
        [&](std::size_t index, ChatOutcome && outcome) {
            const bool answered = outcome.status == ChatStatus::answered;
            const json line = answered ? json{{"request", keys[index]}, {"reply", to_json(outcome.reply)}} : json();
            if (on_answer(places[index], std::move(outcome)) && answered) {
                append(line_of(line));
            }
        },
        std::move(stop));
}

// A line that a killed process left half-written is as if it had not come; so is anything else that cannot be read.
void AnswerJournal::read(const std::string & unit) {
    std::error_code ignored;
    if (!std::filesystem::exists(file_, ignored)) {
        return;
    }
    bool same_unit = false;
    for_each_line(file_, [&](std::string_view text, std::size_t number) {
        const json line = json::parse(text, nullptr, false);
        try {
            if (number == 1) {
                same_unit = line.at("unit") == unit;
            } else if (same_unit) {
                held_[line.at("request")] = reply_of(line.at("reply"));
            }
        } catch (const json::exception &) {
        }
    });
}

void AnswerJournal::start_over(const std::string & unit) {
    write_file(file_, line_of({{"unit", unit}}));
}

void AnswerJournal::open() {
    descriptor_ = ::open(file_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    if (descriptor_ < 0) {
        fail(ErrorKind::bad_input, "{}: cannot be written: {}", file_.string(), std::strerror(errno));
    }
    append("\n"); // ends a line that was cut off
}

void AnswerJournal::append(const std::string & line) {
    for (std::size_t written = 0; written < line.size();) {
        const ssize_t n = ::write(descriptor_, line.data() + written, line.size() - written);
        if (n < 0 && errno != EINTR) {
            fail(ErrorKind::bad_input, "{}: an answer of the server cannot be kept: {}", file_.string(),
                 std::strerror(errno));
        }
        written += n > 0 ? static_cast<std::size_t>(n) : 0;
    }
}

void AnswerJournal::close() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
        descriptor_ = -1;
    }
}

} // namespace valuelens
