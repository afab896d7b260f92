#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "judge/server_questions.h"

namespace valuelens {

/// "<tag>/<response id>/<value>"; the response's id is empty for the question about an empty text.
std::string batch_id(const std::string & tag, const std::string & response, const std::string & value);

/// The tag of a judge's questions: a hash of ServerQuestions::describe().
std::string batch_tag(const ServerQuestions & questions, const std::string & model);

/// The results of one or several batches.
struct BatchResults {
    std::unordered_map<std::string, double> odds; ///< custom_id -> log-odds; NaN: an answer that states nothing
    std::size_t failed = 0;
    std::vector<std::string> failures; ///< the first three reasons
    std::size_t unreadable = 0;
    std::size_t doubled = 0;
};

/// Reads JSONL as batch APIs return it: {"custom_id", "response": {"status_code", "body": <chat completion>}, "error"}.
/// Of several answers to one question the first that states something counts. Throws Error(bad_input) with file:line.
BatchResults read_batch_results(std::span<const std::filesystem::path> files, const ServerQuestions & questions,
                                const std::string & model);

} // namespace valuelens
