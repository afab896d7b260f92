#pragma once

#include <filesystem>
#include <string>

namespace valuelens {

/// What a judge of generated texts is asked.
enum class RaterQuestion {
    freeform,   ///< how far an answer holds a value, 0 to 10; slots {question}, {answer} and the value's
    dilemmas,   ///< which of two answers, A or B, holds a value more; {situation}, {first}, {second} and the value's
    compliance, ///< how far an answer does what was requested, 0 to 10; {request}, {answer}
    classifier, ///< whether it does, in one of two words; {request}, {answer}
};

/// The wording of such a question. The value's slots are {value}, {definition} and {short}, of which one is enough.
struct RaterPrompt {
    std::string name; ///< "shipped", or the file's stem
    std::string user;
    std::string yes = "Yes"; ///< of the classifier
    std::string no = "No";
};

RaterPrompt shipped_rater_prompt(RaterQuestion question);

/// A TOML file with `user` and, for the classifier, `yes` and `no`; the shipped wording where `path` is empty. Throws
/// Error(bad_input) with file:line for a wording that lacks a slot or has one that is not known.
RaterPrompt load_rater_prompt(RaterQuestion question, const std::filesystem::path & path);

} // namespace valuelens
