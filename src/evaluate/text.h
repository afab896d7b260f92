#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace valuelens {

// What evaluations ask of a text, in any language. All texts are UTF-8; malformed bytes count as U+FFFD.

/// The words of a text in lower case, by Unicode's word boundaries (ICU, which has dictionaries for Chinese, Japanese
/// and Thai): without punctuation and white space.
std::vector<std::string> words_of(std::string_view text);

/// The text up to the end of its first `n` words of words_of(); all of it where it has no more.
std::string first_words(std::string_view text, std::size_t n);

/// Runs of letters, numbers and underscores: what \w+ finds in Python.
std::size_t count_word_runs(std::string_view text);

/// Sentences by ICU's rules for English, which know common abbreviations; pieces without a letter or number are none. A
/// line break alone ends none, as in punkt. In a text without capitals every full stop before white space ends one.
std::size_t count_sentences(std::string_view text);

/// Tokens that have an upper-case letter and no lower-case one. A token is what white space and the punctuation of a
/// sentence separate; hyphens, apostrophes, slashes and inner full stops do not ("WELL-KNOWN" and "U.S." are one), but
/// the English contractions do ("I'M" is two).
std::size_t count_capital_tokens(std::string_view text);

std::string lower_case(std::string_view text);

/// The text without white space of any script at both ends, as Python's str.strip() leaves it.
std::string_view without_outer_space(std::string_view text);

/// Whether there is a letter with case and all such letters are upper (lower) case; title-case letters are neither.
bool is_upper_case(std::string_view text);
bool is_lower_case(std::string_view text);

/// The pieces between separators, at least one; `separator` is not empty.
std::vector<std::string> split_at(std::string_view text, std::string_view separator);

/// A regular expression over Unicode text; "." and "$" know the line end \n alone, as Python's do.
class Pattern {
public:
    enum Flags { plain = 0, ignore_case = 1, multiline = 2 };

    /// Throws Error(bad_input) that quotes a pattern which is none.
    explicit Pattern(std::string_view pattern, int flags = plain);
    ~Pattern();
    Pattern(Pattern &&) noexcept;
    Pattern & operator=(Pattern &&) noexcept;

    /// Matches that do not overlap, from the left.
    std::vector<std::string> matches(std::string_view text) const;
    std::size_t count(std::string_view text) const;
    /// The pieces between the matches, one more than there are.
    std::vector<std::string> split(std::string_view text) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// The language of a text as its ISO 639 code ("en", "pa", "zh"), the likeliest where it is short; empty where it has
/// no letters or none can be told.
std::string language_of(std::string_view text);

/// All codes that language_of() can give, sorted.
std::span<const std::string_view> detected_languages();

} // namespace valuelens
