#include "evaluate/instruction_checks.h"

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/fail.h"
#include "evaluate/instruction_arguments.h"
#include "evaluate/text.h"

namespace valuelens {
namespace {

using json = nlohmann::json;

/// A pattern that a check holds on to.
std::shared_ptr<const Pattern> pattern(std::string_view text, int flags = Pattern::plain) {
    return std::make_shared<const Pattern>(text, flags);
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

bool blank(std::string_view text) {
    return without_outer_space(text).empty();
}

/// Without a prefix, where it has it.
std::string_view without_prefix(std::string_view text, std::string_view prefix) {
    return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

std::string_view without_suffix(std::string_view text, std::string_view suffix) {
    return text.ends_with(suffix) ? text.substr(0, text.size() - suffix.size()) : text;
}

/// Without these characters (ASCII) at both ends.
std::string_view stripped(std::string_view text, std::string_view left, std::string_view right) {
    text.remove_prefix(std::min(text.find_first_not_of(left), text.size()));
    return text.substr(0, right.empty() ? text.size() : text.find_last_not_of(right) + 1);
}

bool is_language(std::string_view text, const std::string & language) {
    const std::string found = language_of(text);
    return found.empty() || found == language;
}

InstructionCheck keywords_exist(const json & arguments) {
    std::vector<std::shared_ptr<const Pattern>> keywords;
    for (const std::string & keyword : texts_argument(arguments, "keywords")) {
        keywords.push_back(pattern(keyword, Pattern::ignore_case));
    }
    return [keywords](const std::string & response) {
        return std::all_of(keywords.begin(), keywords.end(),
                           [&](const auto & keyword) { return keyword->count(response) > 0; });
    };
}

InstructionCheck keyword_frequency(const json & arguments) {
    const auto keyword = pattern(without_outer_space(text_argument(arguments, "keyword")), Pattern::ignore_case);
    return [keyword, enough = amount(arguments, "relation", "frequency")](const std::string & response) {
        return enough(keyword->count(response));
    };
}

InstructionCheck forbidden_words(const json & arguments) {
    std::vector<std::shared_ptr<const Pattern>> words;
    for (const std::string & word : texts_argument(arguments, "forbidden_words")) {
        words.push_back(pattern(fmt::format(R"(\b{}\b)", word), Pattern::ignore_case));
    }
    return [words](const std::string & response) {
        return std::none_of(words.begin(), words.end(), [&](const auto & word) { return word->count(response) > 0; });
    };
}

InstructionCheck letter_frequency(const json & arguments) {
    const std::string letter = lower_case(character_argument(arguments, "letter"));
    return [letter, enough = amount(arguments, "let_relation", "let_frequency")](const std::string & response) {
        return enough(split_at(lower_case(response), letter).size() - 1);
    };
}

InstructionCheck response_language(const json & arguments) {
    return [language = language_argument(arguments, "language")](const std::string & response) {
        return is_language(response, language);
    };
}

InstructionCheck number_sentences(const json & arguments) {
    return [enough = amount(arguments, "relation", "num_sentences")](const std::string & response) {
        return enough(count_sentences(response));
    };
}

InstructionCheck number_words(const json & arguments) {
    return [enough = amount(arguments, "relation", "num_words")](const std::string & response) {
        return enough(count_word_runs(response));
    };
}

/// Pieces between dividers; an empty one is none at either end. Nothing where one in the middle is empty.
std::optional<std::vector<std::string>> filled_pieces(const std::vector<std::string> & pieces) {
    std::vector<std::string> filled;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        if (!blank(pieces[i])) {
            filled.push_back(pieces[i]);
        } else if (i > 0 && i + 1 < pieces.size()) {
            return std::nullopt;
        }
    }
    return filled;
}

InstructionCheck number_paragraphs(const json & arguments) {
    const auto divider = pattern(R"(\s?\*\*\*\s?)");
    return [divider, n = number_argument(arguments, "num_paragraphs")](const std::string & response) {
        const auto paragraphs = filled_pieces(divider->split(response));
        return paragraphs && paragraphs->size() == n;
    };
}

/// The first word of a paragraph in lower case: up to the first punctuation mark, quotes before it taken off.
std::string first_word(std::string_view paragraph) {
    static const Pattern space(R"(\s+)");
    const std::string first = space.split(paragraph).front();
    const std::string_view word = stripped(stripped(first, "'", ""), "\"", "");
    return lower_case(word.substr(0, word.find_first_of(".,?!'\"")));
}

InstructionCheck nth_paragraph_first_word(const json & arguments) {
    const std::size_t n = number_argument(arguments, "num_paragraphs");
    const std::size_t nth = number_argument(arguments, "nth_paragraph");
    const std::string wanted = lower_case(text_argument(arguments, "first_word"));
    if (nth < 1) {
        fail(ErrorKind::bad_input, "the argument \"nth_paragraph\" is 0, expected 1 or more");
    }
    return [n, nth, wanted](const std::string & response) {
        const std::vector<std::string> paragraphs = split_at(response, "\n\n");
        const auto filled = static_cast<std::size_t>(
            std::count_if(paragraphs.begin(), paragraphs.end(), [](const std::string & each) { return !blank(each); }));
        // The nth is counted with the blank ones, their number without.
        if (nth > filled || blank(paragraphs[nth - 1])) {
            return false;
        }
        return filled == n && first_word(without_outer_space(paragraphs[nth - 1])) == wanted;
    };
}

InstructionCheck number_placeholders(const json & arguments) {
    const auto placeholder = pattern(R"(\[.*?\])");
    return [placeholder, n = number_argument(arguments, "num_placeholders")](const std::string & response) {
        return placeholder->count(response) >= n;
    };
}

InstructionCheck postscript(const json & arguments) {
    const std::string given = text_argument(arguments, "postscript_marker");
    const std::string_view marker = without_outer_space(given);
    const auto found = marker == "P.P.S"  ? pattern(R"(\s*p\.\s?p\.\s?s.*$)", Pattern::multiline)
                       : marker == "P.S." ? pattern(R"(\s*p\.\s?s\..*$)", Pattern::multiline)
                                          : pattern(fmt::format(R"(\s*{}.*$)", lower_case(marker)), Pattern::multiline);
    return [found](const std::string & response) {
        return found->count(lower_case(response)) > 0;
    };
}

InstructionCheck number_bullets(const json & arguments) {
    const auto stars = pattern(R"(^\s*\*[^\*].*$)", Pattern::multiline);
    const auto dashes = pattern(R"(^\s*-.*$)", Pattern::multiline);
    return [stars, dashes, n = number_argument(arguments, "num_bullets")](const std::string & response) {
        return stars->count(response) + dashes->count(response) == n;
    };
}

InstructionCheck constrained_response(const json &) {
    return [](const std::string & response) {
        return contains(response, "My answer is yes.") || contains(response, "My answer is no.") ||
               contains(response, "My answer is maybe.");
    };
}

InstructionCheck number_highlights(const json & arguments) {
    const auto single = pattern(R"(\*[^\n\*]*\*)");
    const auto twice = pattern(R"(\*\*[^\n\*]*\*\*)");
    return [single, twice, n = number_argument(arguments, "num_highlights")](const std::string & response) {
        std::size_t found = 0;
        for (const std::string & each : single->matches(response)) {
            found += blank(stripped(each, "*", "*")) ? 0 : 1;
        }
        for (const std::string & each : twice->matches(response)) {
            found += blank(without_suffix(without_prefix(each, "**"), "**")) ? 0 : 1;
        }
        return found >= n;
    };
}

InstructionCheck multiple_sections(const json & arguments) {
    const auto head =
        pattern(fmt::format(R"(\s?{}\s?\d+\s?)", without_outer_space(text_argument(arguments, "section_spliter"))));
    return [head, n = number_argument(arguments, "num_sections")](const std::string & response) {
        return head->count(response) >= n;
    };
}

InstructionCheck json_format(const json &) {
    return [](const std::string & response) {
        std::string_view text = without_outer_space(response);
        for (const char * fence : {"```json", "```Json", "```JSON", "```"}) {
            text = without_prefix(text, fence);
        }
        return json::accept(without_outer_space(without_suffix(text, "```")));
    };
}

InstructionCheck title(const json &) {
    const auto found = pattern(R"(<<[^\n]+>>)");
    return [found](const std::string & response) {
        const std::vector<std::string> titles = found->matches(response);
        return std::any_of(titles.begin(), titles.end(),
                           [](const std::string & each) { return !blank(stripped(each, "<", ">")); });
    };
}

InstructionCheck two_responses(const json &) {
    return [](const std::string & response) {
        const auto responses = filled_pieces(split_at(response, "******"));
        return responses && responses->size() == 2 &&
               without_outer_space((*responses)[0]) != without_outer_space((*responses)[1]);
    };
}

InstructionCheck repeat_prompt(const json & arguments) {
    return [prompt = lower_case(without_outer_space(text_argument(arguments, "prompt_to_repeat")))](
               const std::string & response) {
        return lower_case(without_outer_space(response)).starts_with(prompt);
    };
}

InstructionCheck end_checker(const json & arguments) {
    return [phrase =
                lower_case(without_outer_space(text_argument(arguments, "end_phrase")))](const std::string & response) {
        return lower_case(stripped(without_outer_space(response), "\"", "\"")).ends_with(phrase);
    };
}

InstructionCheck capital_word_frequency(const json & arguments) {
    return [enough = amount(arguments, "capital_relation", "capital_frequency")](const std::string & response) {
        return enough(count_capital_tokens(response));
    };
}

InstructionCheck english_capital(const json &) {
    return [](const std::string & response) {
        return is_upper_case(response) && is_language(response, "en");
    };
}

InstructionCheck english_lowercase(const json &) {
    return [](const std::string & response) {
        return is_lower_case(response) && is_language(response, "en");
    };
}

InstructionCheck no_comma(const json &) {
    return [](const std::string & response) {
        return !contains(response, ",");
    };
}

InstructionCheck quotation(const json &) {
    return [](const std::string & response) {
        const std::string_view text = without_outer_space(response);
        return text.size() > 1 && text.front() == '"' && text.back() == '"';
    };
}

struct Definition {
    InstructionCheck (*make)(const json &);
    std::vector<const char *> arguments;
};

const std::map<std::string, Definition> & definitions() {
    static const std::map<std::string, Definition> all = {
        {"change_case:capital_word_frequency", {capital_word_frequency, {"capital_relation", "capital_frequency"}}},
        {"change_case:english_capital", {english_capital, {}}},
        {"change_case:english_lowercase", {english_lowercase, {}}},
        {"combination:repeat_prompt", {repeat_prompt, {"prompt_to_repeat"}}},
        {"combination:two_responses", {two_responses, {}}},
        {"detectable_content:number_placeholders", {number_placeholders, {"num_placeholders"}}},
        {"detectable_content:postscript", {postscript, {"postscript_marker"}}},
        {"detectable_format:constrained_response", {constrained_response, {}}},
        {"detectable_format:json_format", {json_format, {}}},
        {"detectable_format:multiple_sections", {multiple_sections, {"section_spliter", "num_sections"}}},
        {"detectable_format:number_bullet_lists", {number_bullets, {"num_bullets"}}},
        {"detectable_format:number_highlighted_sections", {number_highlights, {"num_highlights"}}},
        {"detectable_format:title", {title, {}}},
        {"json:schema", {json_schema_check, {"schema"}}},
        {"keywords:existence", {keywords_exist, {"keywords"}}},
        {"keywords:forbidden_words", {forbidden_words, {"forbidden_words"}}},
        {"keywords:frequency", {keyword_frequency, {"keyword", "relation", "frequency"}}},
        {"keywords:letter_frequency", {letter_frequency, {"letter", "let_relation", "let_frequency"}}},
        {"language:response_language", {response_language, {"language"}}},
        {"length_constraints:nth_paragraph_first_word",
         {nth_paragraph_first_word, {"num_paragraphs", "nth_paragraph", "first_word"}}},
        {"length_constraints:number_paragraphs", {number_paragraphs, {"num_paragraphs"}}},
        {"length_constraints:number_sentences", {number_sentences, {"relation", "num_sentences"}}},
        {"length_constraints:number_words", {number_words, {"relation", "num_words"}}},
        {"neutral:rewriting", {gender_neutral_check, {"keep"}}},
        {"neutral:translation", {gender_neutral_check, {"keep"}}},
        {"punctuation:no_comma", {no_comma, {}}},
        {"startend:end_checker", {end_checker, {"end_phrase"}}},
        {"startend:quotation", {quotation, {}}},
    };
    return all;
}

} // namespace

const std::vector<std::string> & known_instructions() {
    static const std::vector<std::string> ids = [] {
        std::vector<std::string> all;
        for (const auto & [id, definition] : definitions()) {
            all.push_back(id);
        }
        return all;
    }();
    return ids;
}

InstructionCheck make_instruction_check(const std::string & id, const json & arguments) {
    const auto found = definitions().find(id);
    if (found == definitions().end()) {
        fail(ErrorKind::bad_input, "unknown instruction \"{}\"; known: {}", id, fmt::join(known_instructions(), ", "));
    }
    const Definition & definition = found->second;
    if (!arguments.is_object() && !arguments.is_null()) {
        fail(ErrorKind::bad_input, "the arguments of {} are {}, expected an object", id, arguments.dump());
    }
    for (const auto & [name, value] : arguments.items()) {
        const bool known = std::any_of(definition.arguments.begin(), definition.arguments.end(),
                                       [&, &given = name](const char * each) { return given == each; });
        if (!known && !value.is_null()) {
            fail(ErrorKind::bad_input, "{} takes no argument \"{}\"; it takes: {}", id, name,
                 definition.arguments.empty() ? "none" : fmt::format("{}", fmt::join(definition.arguments, ", ")));
        }
    }
    try {
        return definition.make(arguments);
    } catch (const Error & error) {
        fail(error.kind(), "{}: {}", id, error.what());
    }
}

bool follows_strictly(const InstructionCheck & check, const std::string & response) {
    return !blank(response) && check(response);
}

bool follows_loosely(const InstructionCheck & check, const std::string & response) {
    const std::size_t first = response.find('\n');
    const std::size_t last = response.rfind('\n');
    const auto between = [&](std::size_t begin, std::size_t end) {
        return begin == std::string::npos || begin >= end
                   ? std::string()
                   : std::string(without_outer_space(std::string_view(response).substr(begin, end - begin)));
    };
    const std::size_t second_line = first == std::string::npos ? first : first + 1;
    const std::size_t last_line = last == std::string::npos ? 0 : last;
    for (std::string variant :
         {response, between(second_line, response.size()), between(0, last_line), between(second_line, last_line)}) {
        if (follows_strictly(check, variant)) {
            return true;
        }
        std::erase(variant, '*');
        if (follows_strictly(check, variant)) {
            return true;
        }
    }
    return false;
}

} // namespace valuelens
