#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <stop_token>
#include <string>

#include "clients/service.h"

namespace valuelens {

/// Answers of a server to a unit of work that is not finished: whatever ends the process or the server in between, they
/// are not asked, or paid, for again. JSON lines (docs/files.md, judge-answers.jsonl): the unit, then an answer a line,
/// appended as they come. What the file holds of another unit is forgotten, since units are finished one after the
/// other.
///
/// Keeps nothing where it was made without a file. Not thread-safe, and one process at a time (the run's lock).
class AnswerJournal {
public:
    AnswerJournal() = default;
    explicit AnswerJournal(std::filesystem::path file) : file_(std::move(file)) {}
    ~AnswerJournal();
    AnswerJournal(const AnswerJournal &) = delete;
    AnswerJournal & operator=(const AnswerJournal &) = delete;

    /// Starts a unit, or goes on with the one whose answers are held: that of the same requests to the same model.
    /// Throws Error(bad_input) where the file cannot be read or written.
    void begin(const ChatService & service, std::span<const ChatRequest> unit);

    /// Takes an outcome as ChatService::OnDone does. Returns whether it is of use: others are asked for again next
    /// time.
    using OnAnswer = std::function<bool(std::size_t index, ChatOutcome && outcome)>;

    /// ChatService::ask_all() for requests of the unit, or further ones that they lead to. Held answers come first and
    /// from this thread. Throws as ask_all(), and Error(bad_input) where an answer cannot be written.
    void ask_all(ChatService & service, std::span<const ChatRequest> requests, const OnAnswer & on_answer,
                 std::stop_token stop);

    /// Answers that were held since begin() and given.
    std::size_t reused() const { return reused_; }

private:
    void read(const std::string & unit);
    void start_over(const std::string & unit);
    void open();
    void append(const std::string & line);
    void close();

    std::filesystem::path file_;
    int descriptor_ = -1;
    std::map<std::string, ChatReply> held_; ///< by the SHA-256 of the request's body
    std::size_t reused_ = 0;
};

} // namespace valuelens
