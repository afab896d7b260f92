#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "valuelens/concept_set.h"

namespace valuelens {

/// Words that speak of a value, for each concept of a set.
struct ValueDictionary {
    std::vector<std::vector<std::string>> words; ///< [concept]: lower case, sorted, distinct; a stem ends with '*'
    std::vector<std::string> unmatched;          ///< names in the file that are no concept of the set
    std::size_t blank = 0;                       ///< entries left out because they are empty
    std::vector<std::string> missing;            ///< ids of concepts that the file has no words for
};

/// A UTF-8 text with ASCII and Latin-1 letters in lower case.
std::string lower_latin1(std::string text);

/// ASCII letters and digits in lower case, and all that is not ASCII: what names of values are compared by
/// ("Self-Direction", "self_direction").
std::string folded_name(const std::string & name);

/// Loads a JSON object `{"<value>": ["word", "stem*", ...], ...}`. A name stands for the concept whose id or name has
/// the same letters and digits, whatever the case and punctuation ("Self-Direction", "self_direction"). ASCII and
/// Latin-1 letters are lowered. Throws Error(bad_input) naming file and value: not JSON, not such an object, an empty
/// word, two names for one concept, or no name that matches.
ValueDictionary load_value_dictionary(const std::filesystem::path & path, const ConceptSet & concepts);

} // namespace valuelens
