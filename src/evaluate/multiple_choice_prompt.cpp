#include "evaluate/multiple_choice_prompt.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>

#include "concepts/questionnaire.h"

namespace valuelens {
namespace {

std::string question_block(const MultipleChoiceQuestion & question) {
    return fmt::format("{}\n{}\nAnswer:", question.question,
                       lettered_options({question.options.begin(), question.options.end()}));
}

} // namespace

std::vector<MultipleChoiceQuestion>
examples_for(const std::string & subject, const std::vector<MultipleChoiceQuestion> & examples, std::size_t shots) {
    std::vector<MultipleChoiceQuestion> shown;
    std::copy_if(examples.begin(), examples.end(), std::back_inserter(shown),
                 [&](const MultipleChoiceQuestion & example) { return example.subject == subject; });
    if (shown.size() < shots) {
        shown = examples;
    }
    shown.erase(shown.begin() + static_cast<std::ptrdiff_t>(std::min(shots, shown.size())), shown.end());
    return shown;
}

std::string multiple_choice_prompt(const MultipleChoiceQuestion & question,
                                   const std::vector<MultipleChoiceQuestion> & examples) {
    const bool one_subject = std::all_of(examples.begin(), examples.end(), [&](const MultipleChoiceQuestion & example) {
        return example.subject == question.subject;
    });
    std::string about;
    if (one_subject && !question.subject.empty()) {
        about = " about " + question.subject;
        std::replace(about.begin(), about.end(), '_', ' ');
    }
    std::string text = fmt::format(
        "Answer each multiple-choice question{} with the letter of the right option and nothing else.\n\n", about);
    for (const MultipleChoiceQuestion & example : examples) {
        text += fmt::format("{} {}\n\n", question_block(example), static_cast<char>('A' + example.answer));
    }
    return text + question_block(question);
}

} // namespace valuelens
