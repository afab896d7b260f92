#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "concepts/multiple_choice.h"

namespace valuelens {

/// The examples that go before a question on `subject`: the first `shots` of the subject, or of all where the subject
/// has not so many; fewer where there are not so many at all.
std::vector<MultipleChoiceQuestion>
examples_for(const std::string & subject, const std::vector<MultipleChoiceQuestion> & examples, std::size_t shots);

/// A head line, the examples with their letters, the question, and "Answer:" at the end. The head names the subject
/// where all examples are of it.
std::string multiple_choice_prompt(const MultipleChoiceQuestion & question,
                                   const std::vector<MultipleChoiceQuestion> & examples);

} // namespace valuelens
