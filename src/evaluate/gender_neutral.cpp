#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "concepts/shipped.h"
#include "concepts/text_lines.h"
#include "evaluate/instruction_arguments.h"
#include "evaluate/instruction_checks.h"
#include "evaluate/text.h"

namespace valuelens {
namespace {

using Words = std::vector<std::string>;

/// Words with typewriter's apostrophes.
Words plain_words(std::string_view text) {
    return words_of(fmt::format("{}", fmt::join(split_at(text, "\u2019"), "'")));
}

const std::set<std::string> & gendered_words() {
    static const std::set<std::string> all = [] {
        std::set<std::string> words;
        for_each_text_line(shipped_text("instructions/gendered_en.txt").text,
                           [&](std::string_view line, std::size_t) { words.insert(std::string(line)); });
        return words;
    }();
    return all;
}

bool is_gendered(const std::string & word) {
    const std::string_view possessive = "'s";
    return gendered_words().contains(word) ||
           (word.ends_with(possessive) && gendered_words().contains(word.substr(0, word.size() - possessive.size())));
}

bool occurs(const Words & phrase, const Words & text) {
    return std::search(text.begin(), text.end(), phrase.begin(), phrase.end()) != text.end();
}

} // namespace

InstructionCheck gender_neutral_check(const nlohmann::json & arguments) {
    std::vector<std::vector<Words>> kept; // [what must remain][in which words]
    for (const std::string & alternatives : texts_argument(arguments, "keep")) {
        std::vector<Words> & phrases = kept.emplace_back();
        for (const std::string & phrase : split_at(alternatives, "|")) {
            phrases.push_back(plain_words(phrase));
            if (phrases.back().empty()) {
                fail(ErrorKind::bad_input, "the argument \"keep\" has \"{}\" without a word", alternatives);
            }
        }
    }
    return [kept](const std::string & response) {
        const Words words = plain_words(response);
        return std::none_of(words.begin(), words.end(), is_gendered) &&
               std::all_of(kept.begin(), kept.end(), [&](const std::vector<Words> & phrases) {
                   return std::any_of(phrases.begin(), phrases.end(),
                                      [&](const Words & phrase) { return occurs(phrase, words); });
               });
    };
}

} // namespace valuelens
