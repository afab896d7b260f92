#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace valuelens {

/// How a value is brought about: by the model itself, or by a system prompt.
enum class Condition { intrinsic, prompted };

/// "intrinsic" or "prompted".
const char * to_string(Condition condition);
/// The reverse. Throws Error(bad_input) for any other word.
Condition condition_from_string(const std::string & text);

/// A conversation to read (`capture`, transcripts.jsonl) or to answer (`sample`, prompts.jsonl).
struct Transcript {
    std::string id;
    std::optional<std::string> system; ///< no system message at all, or an (explicit, perhaps empty) one
    std::string user;
    std::optional<std::string> prompt;   ///< text taken as it is, instead of system + user through the chat template
    std::optional<std::string> response; ///< absent in prompts.jsonl
    std::size_t line = 0;                ///< where it stood in its file
};

/// Loads JSONL `{"id","system"?,"user","response"}` or `{"id","prompt","response"}`. `require_response`: a line
/// without `response` is an error. Ids must be unique. Throws Error(bad_input) with file:line.
std::vector<Transcript> load_transcripts(const std::filesystem::path & path, bool require_response);

/// A judgement: does this response express this value?
struct Label {
    std::string id; ///< of the response
    std::string value;
    Condition condition = Condition::intrinsic;
    bool expresses = false;
    std::string query; ///< responses to one query are resampled and held out together; empty: the response stands alone
};

/// Loads labels.jsonl `{"id","value","condition","expresses": true|false, "query"?}`. Throws Error(bad_input) with
/// file:line.
std::vector<Label> load_labels(const std::filesystem::path & path);

/// A text that people have labelled with values: measures a judge.
struct LabelledText {
    std::string id;
    std::string text;
    std::string group;               ///< what it belongs to (a topic): kept together in cross-validation; may be empty
    std::vector<signed char> labels; ///< one per concept: 1 expresses, 0 does not, -1 not stated
};

/// Loads labelled texts for `values` (concept ids). A folder with arguments-<part>.tsv + labels-<part>.tsv, or an
/// arguments-*.tsv file with its labels-*.tsv beside it, is Touché23-ValueEval (20 -> 10 values: facets merged,
/// humility into tradition, face and objectivity left out); a .jsonl file has `{"id"?,"text","group"?,"labels":
/// {"<value>": true|false}}`.
std::vector<LabelledText> load_labelled_texts(const std::filesystem::path & path,
                                              const std::vector<std::string> & values);

} // namespace valuelens
