#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace valuelens {

/// One statement of a questionnaire, in one language.
struct QuestionnaireItem {
    std::string id;    ///< unique in its questionnaire; of a user's file the item's number
    std::string value; ///< id of the concept that it measures
    std::string text;
};

struct Questionnaire {
    std::string name;
    std::string language; ///< of the shipped ones, "en"; empty for a user's PVQ file
    std::vector<QuestionnaireItem> items;
    std::size_t left_out = 0; ///< dropped: items that the key scores for no value (face in the PVQ-RR)
};

/// A way of asking, with slots in braces.
struct QuestionFrame {
    std::string id;
    std::string text;
};

/// A question with labelled answers.
struct AnswerScale {
    std::vector<std::string> options;  ///< six labels from the closest likeness to none, so the first scores 6
    std::vector<QuestionFrame> frames; ///< three or more phrasings
};

/// How statements are put to a model in one language.
struct QuestionnaireTexts {
    std::string language; ///< "en"
    std::string name;     ///< of the language, in itself
    AnswerScale likeness; ///< frames have the slots {item} and {options}
    /// Questions for a free answer of at most 50 words (80 characters in Chinese); slot {item}.
    std::vector<QuestionFrame> freeform;
    /// "How similar is this reply to your own thoughts?"; slots {query}, {response} and {options}. English has it.
    std::optional<AnswerScale> similarity;
};

/// Which items of a questionnaire measure which value.
struct QuestionnaireKey {
    std::string name; ///< "pvq40"
    std::string title;
    std::string source;
    std::vector<std::string> value_of; ///< [item number - 1]: id of the concept; empty where the item is left out
};

/// The languages of the shipped questionnaire, sorted: en, es, fr, ko, zh.
std::vector<std::string> questionnaire_languages();

/// The shipped 40 portraits, of the project's own wording, in one of questionnaire_languages(). Throws Error(usage) for
/// any other.
Questionnaire shipped_portraits(const std::string & language);

/// The shipped frames and answers of a language. Throws Error(usage) for a language that has none.
QuestionnaireTexts shipped_questionnaire_texts(const std::string & language);

/// Loads frames and answers from TOML (schema: data/README.md). Throws Error(bad_input) with file:line.
QuestionnaireTexts load_questionnaire_texts(const std::filesystem::path & path);

/// Loads statements that name their values: JSONL `{"id", "value", "text": {"en": "...", ...}}`, where `text` may be a
/// plain string. `values` are the known concept ids. Throws Error(bad_input) with file:line, also where a text is not
/// there in `language`.
Questionnaire load_portraits(const std::filesystem::path & path, const std::string & language,
                             const std::vector<std::string> & values);

/// A shipped scoring key, "pvq40" or "pvq-rr". Throws Error(usage) for any other name.
QuestionnaireKey shipped_questionnaire_key(const std::string & name);

/// Loads a scoring key from TOML (schema: data/README.md); every item must be named once. `values` are the known
/// concept ids. Throws Error(bad_input) with file:line.
QuestionnaireKey load_questionnaire_key(const std::filesystem::path & path, const std::vector<std::string> & values);

/// Loads a user's questionnaire that `key` belongs to, by the file's extension: `.jsonl` or `.json` with records
/// `{"text" (or "item"), "number" (or "id")?}`; `.csv` whose header names such columns; any other as text with one item
/// a line, after "7.", "7)", "(7)", "7:" or a plain 7, or without numbers. Numbered items may stand in any order; else
/// their order is that of the key. Throws Error(bad_input) with file:line for a broken record, items numbered only in
/// part and a number that is no item's or used before, and names the file where the count is not the key's.
Questionnaire load_questionnaire(const std::filesystem::path & path, const QuestionnaireKey & key);

/// The answers as a frame's {options} wants them, one a line: "A. Very much like me". At most 26.
std::string lettered_options(const std::vector<std::string> & labels);

/// The frame with its slots filled.
std::string ask(const QuestionFrame & frame, const std::string & item, const std::string & options);
std::string ask(const QuestionFrame & freeform, const std::string & item);
std::string ask_similarity(const QuestionFrame & frame, const std::string & query, const std::string & response,
                           const std::string & options);

} // namespace valuelens
