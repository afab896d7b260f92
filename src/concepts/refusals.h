#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace valuelens {

/// Words that refuse. Finding them overstates how often a model complies: it may refuse in other words, and answer
/// without an answer (design, Traps 7).
class RefusalPhrases {
public:
    /// A phrase a line; lines that begin with # are comments. `name` is the text's name in errors. Throws
    /// Error(bad_input) where there is no phrase.
    RefusalPhrases(std::string_view lines, const std::string & name);

    /// Whether any phrase stands anywhere in the answer, upper and lower case, the kind of apostrophe and the amount of
    /// white space aside. An answer without words refuses, too.
    bool found_in(const std::string & answer) const;

    std::size_t count() const { return phrases_.size(); }

private:
    std::vector<std::string> phrases_;
};

RefusalPhrases shipped_refusal_phrases();

/// From a file, the shipped ones where `path` is empty.
RefusalPhrases load_refusal_phrases(const std::filesystem::path & path);

} // namespace valuelens
