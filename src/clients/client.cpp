#include "clients/client.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/fail.h"
#include "clients/api_key.h"
#include "clients/failure.h"

namespace valuelens {

using std::chrono::milliseconds;
using std::chrono::system_clock;

namespace {

constexpr int nonsense_retries = 3;
constexpr std::size_t enough_to_give_up = 8; ///< requests without a single answer

bool real_sleep(milliseconds time, std::stop_token stop) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    wake.wait_for(lock, stop, time, [] { return false; });
    return !stop.stop_requested();
}

class Client : public ChatService {
public:
    Client(ClientOptions options, ProgressSink & progress, std::stop_token stop)
        : options_(std::move(options)), url_(parse_server_url(options_.url, options_.url_name)),
          key_(api_key(options_.key_variable)) {
        if (!options_.sleep) {
            options_.sleep = real_sleep;
        }
        if (!options_.now) {
            options_.now = [] {
                return system_clock::now();
            };
        }
        if (!key_.empty() && !url_.encrypted && !url_.local) {
            progress.message(
                LogLevel::warning,
                fmt::format("{}: the key travels unencrypted; use https where the server has it", url_.origin));
        }
        HttpOptions http;
        http.connect_timeout = options_.connect_timeout;
        http.timeout = options_.timeout;
        http.max_body = options_.max_body;
        http.authorization = key_.empty() ? "" : "Bearer " + key_;
        for (int i = 0; i < std::max(1, options_.concurrency); ++i) {
            connections_.push_back(std::make_unique<HttpConnection>(url_, http));
        }
        find_model(stop);
    }

    const std::string & model() const override { return options_.model; }

    std::string address() const override { return url_.origin + url_.path; }

    ServiceStats stats() const override { return stats_; }

    ChatOutcome ask(const ChatRequest & request, std::stop_token stop) override {
        ChatOutcome result;
        run(
            std::span(&request, 1), [&](std::size_t, ChatOutcome && outcome) { result = std::move(outcome); }, stop,
            /* tolerant = */ true);
        return result;
    }

    void ask_all(std::span<const ChatRequest> requests, const OnDone & on_done, std::stop_token stop) override {
        run(requests, on_done, stop, /* tolerant = */ false);
    }

private:
    // Shared by the workers of one call of run(); guarded by mutex_.
    struct Batch {
        std::span<const ChatRequest> requests;
        const OnDone & on_done;
        bool tolerant;
        std::size_t next = 0;
        std::size_t done = 0;
        std::size_t failed = 0;
        std::size_t running = 0;
        std::exception_ptr error;
        std::stop_source halt; ///< the caller's stop request, or the first error
    };

    void run(std::span<const ChatRequest> requests, const OnDone & on_done, const std::stop_token & stop,
             bool tolerant) {
        Batch batch{.requests = requests, .on_done = on_done, .tolerant = tolerant};
        const std::size_t n_workers = std::min(connections_.size(), requests.size());
        batch.running = n_workers;
        std::vector<std::jthread> workers;
        for (std::size_t i = 0; i < n_workers; ++i) {
            workers.emplace_back([this, &batch, i] { work(batch, *connections_[i]); });
        }
        {
            std::unique_lock lock(mutex_);
            const auto over = [&] {
                return batch.running == 0 || batch.error != nullptr;
            };
            finished_.wait(lock, stop, over);
            const bool all_done = batch.running == 0;
            if (!all_done) {
                batch.halt.request_stop();
            }
            // A request that was about to be sent when the others were broken off is caught the next time round.
            while (batch.running > 0) {
                lock.unlock();
                for (std::size_t i = 0; i < n_workers; ++i) {
                    connections_[i]->stop();
                }
                lock.lock();
                finished_.wait_for(lock, milliseconds(20), [&] { return batch.running == 0; });
            }
        }
        workers.clear();
        if (batch.error != nullptr) {
            std::rethrow_exception(batch.error);
        }
        if (batch.done < requests.size()) {
            fail(ErrorKind::interrupted, "stopped while the server at {} was asked", url_.origin);
        }
        const bool enough = stats_.answered == 0 || requests.size() >= enough_to_give_up;
        if (!tolerant && batch.failed == requests.size() && !requests.empty() && enough) {
            fail(ErrorKind::judge, "the server at {} has answered none of {} requests so that it can be used ({})",
                 url_.origin, requests.size(), last_problem_);
        }
    }

    void work(Batch & batch, HttpConnection & connection) {
        std::unique_lock lock(mutex_);
        try {
            while (!batch.halt.stop_requested()) {
                const std::size_t index = batch.next++;
                if (index >= batch.requests.size()) {
                    break;
                }
                const std::uint64_t number = asked_++;
                lock.unlock();
                std::optional<ChatOutcome> outcome =
                    complete(connection, batch.requests[index], number, batch.halt.get_token());
                lock.lock();
                if (!outcome || batch.halt.stop_requested()) {
                    break;
                }
                ++batch.done;
                note(batch, *outcome);
                batch.on_done(index, std::move(*outcome));
            }
        } catch (...) {
            if (!lock.owns_lock()) {
                lock.lock();
            }
            if (batch.error == nullptr) {
                batch.error = std::current_exception();
                batch.halt.request_stop();
            }
        }
        --batch.running;
        finished_.notify_all();
    }

    void note(Batch & batch, const ChatOutcome & outcome) {
        if (outcome.status == ChatStatus::answered) {
            ++stats_.answered;
            stats_.prompt_tokens += outcome.reply.prompt_tokens.value_or(0);
            stats_.completion_tokens += outcome.reply.completion_tokens.value_or(0);
            return;
        }
        last_problem_ = outcome.problem;
        ++batch.failed;
        if (!batch.tolerant && stats_.answered == 0 && batch.failed >= enough_to_give_up) {
            fail(ErrorKind::judge, "the server at {} has answered none of {} requests so that it can be used ({})",
                 url_.origin, batch.failed, last_problem_);
        }
    }

    /// One request with its retries; nothing where it was broken off.
    std::optional<ChatOutcome> complete(HttpConnection & connection, const ChatRequest & request, std::uint64_t number,
                                        const std::stop_token & halt) {
        const std::string body = chat_body(request, options_.model);
        const std::string path = url_.path + "/chat/completions";
        int garbled = 0;
        for (int attempt = 0;; ++attempt) {
            if (!wait_for_turn(halt)) {
                return std::nullopt;
            }
            const HttpReply reply = connection.post_json(path, body);
            if (halt.stop_requested() && reply.status == 0) {
                return std::nullopt;
            }
            std::string problem;
            ChatOutcome outcome;
            if (reply.status == 200) {
                if (std::optional<ChatReply> parsed = parse_chat_reply(reply.body, problem)) {
                    require_model(*parsed);
                    outcome.reply = std::move(*parsed);
                    return outcome;
                }
                if (++garbled > nonsense_retries || attempt >= options_.retry.max_retries) {
                    outcome.status = ChatStatus::unusable;
                    outcome.problem = without_key(problem, key_);
                    return outcome;
                }
            } else {
                problem = describe_failure(server(), path, reply);
                if (reply.status != 0 && !may_pass(reply.status)) {
                    outcome.status = ChatStatus::rejected;
                    outcome.problem = problem;
                    return outcome;
                }
                if (attempt >= options_.retry.max_retries) {
                    fail(ErrorKind::judge,
                         "the server at {} failed {} times in a row: {}; the same command goes on "
                         "when it is well again",
                         url_.origin, attempt + 1, problem);
                }
            }
            if (!pause(reply, number, attempt, halt)) {
                return std::nullopt;
            }
        }
    }

    AskedServer server() const { return {url_.origin, options_.model, key_, options_.key_variable, options_.url_name}; }

    void require_model(const ChatReply & reply) const {
        if (!may_be_model(options_.model, reply.model)) {
            fail(ErrorKind::judge,
                 "the server at {} answers with the model '{}', but '{}' was asked for; correct "
                 "server_model or the server",
                 url_.origin, reply.model, options_.model);
        }
    }

    /// Waits until no Retry-After holds requests back; false on a stop request.
    bool wait_for_turn(const std::stop_token & halt) {
        while (!halt.stop_requested()) {
            milliseconds left(0);
            {
                const std::lock_guard lock(mutex_);
                left = std::chrono::ceil<milliseconds>(not_before_ - options_.now());
            }
            if (left <= milliseconds(0)) {
                return true;
            }
            if (!options_.sleep(left, halt)) {
                return false;
            }
        }
        return false;
    }

    /// Waits before the next attempt; false on a stop request.
    bool pause(const HttpReply & reply, std::uint64_t number, int attempt, const std::stop_token & halt) {
        const milliseconds jitter = backoff(options_.retry, number, attempt);
        const auto asked = parse_retry_after(reply.retry_after, options_.now());
        if (asked && *asked > options_.retry.longest_asked) {
            fail(ErrorKind::judge, "the server at {} asks to wait {} seconds; the same command goes on then",
                 url_.origin, std::chrono::ceil<std::chrono::seconds>(*asked).count());
        }
        {
            const std::lock_guard lock(mutex_);
            ++stats_.retries;
            if (asked) {
                not_before_ = std::max(not_before_, options_.now() + *asked);
            }
        }
        // All who were held back would come at once: the jitter is added to what the server asked for.
        return options_.sleep(asked.value_or(milliseconds(0)) + jitter, halt);
    }

    void find_model(const std::stop_token & stop) {
        const std::vector<std::string> offered = list_models(stop);
        if (offered.empty()) {
            if (options_.model.empty()) {
                fail(ErrorKind::usage, "the server at {} does not say which models it has; name one with server_model",
                     url_.origin);
            }
            return;
        }
        constexpr std::size_t shown = 8;
        const std::vector<std::string> first(offered.begin(), offered.begin() + std::min(shown, offered.size()));
        const std::string list = fmt::format("{}{}", fmt::join(first, ", "), offered.size() > shown ? ", ..." : "");
        if (options_.model.empty()) {
            if (offered.size() > 1) {
                fail(ErrorKind::usage, "the server at {} has several models ({}); name one with server_model",
                     url_.origin, list);
            }
            options_.model = offered.front();
        } else if (std::find(offered.begin(), offered.end(), options_.model) == offered.end()) {
            fail(ErrorKind::judge, "the server at {} does not have the model '{}' but {}; correct server_model",
                 url_.origin, options_.model, list);
        }
    }

    /// Empty: the server has no such list. Waits for a server that is still loading its model.
    std::vector<std::string> list_models(const std::stop_token & stop) {
        const std::string path = url_.path + "/models";
        HttpReply reply;
        for (int attempt = 0;; ++attempt) {
            reply = get(path, stop);
            if (stop.stop_requested()) {
                fail(ErrorKind::interrupted, "stopped while the server at {} was asked for its models", url_.origin);
            }
            if (reply.status == 404 || reply.status == 405 || reply.status == 501) {
                return {};
            }
            if (reply.status == 200) {
                break;
            }
            const std::string problem = describe_failure(server(), path, reply);
            if ((reply.status != 0 && !may_pass(reply.status)) || attempt >= options_.retry.max_retries) {
                fail(ErrorKind::judge, "the server at {} cannot be used: {}", url_.origin, problem);
            }
            if (!pause(reply, 0, attempt, stop)) {
                fail(ErrorKind::interrupted, "stopped while waiting for the server at {}", url_.origin);
            }
        }
        const nlohmann::json list = nlohmann::json::parse(reply.body, nullptr, false);
        std::vector<std::string> names;
        if (list.is_object() && list.contains("data") && list["data"].is_array()) {
            for (const nlohmann::json & entry : list["data"]) {
                if (entry.is_object() && entry.contains("id") && entry["id"].is_string()) {
                    names.push_back(entry["id"].get<std::string>());
                }
            }
        }
        return names;
    }

    HttpReply get(const std::string & path, const std::stop_token & stop) {
        std::mutex mutex;
        std::condition_variable_any wake;
        bool done = false;
        const std::jthread watch([&] {
            std::unique_lock lock(mutex);
            wake.wait(lock, stop, [&] { return done; });
            while (!done) {
                connections_.front()->stop();
                wake.wait_for(lock, milliseconds(20), [&] { return done; });
            }
        });
        HttpReply reply = connections_.front()->get(path);
        {
            const std::lock_guard lock(mutex);
            done = true;
        }
        wake.notify_all();
        return reply;
    }

    ClientOptions options_;
    ServerUrl url_;
    std::string key_;
    std::vector<std::unique_ptr<HttpConnection>> connections_;
    mutable std::mutex mutex_;
    std::condition_variable_any finished_;
    system_clock::time_point not_before_{};
    ServiceStats stats_;
    std::string last_problem_;
    std::uint64_t asked_ = 0;
};

} // namespace

std::unique_ptr<ChatService> connect_client(ClientOptions options, ProgressSink & progress, std::stop_token stop) {
    return std::make_unique<Client>(std::move(options), progress, std::move(stop));
}

} // namespace valuelens
