#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "valuelens/judge.h"
#include "valuelens/model.h"
#include "valuelens/request.h"

namespace valuelens {

/// How a local model is asked whether a text expresses a value. The slots {text}, {value} and {definition} are filled;
/// the value stands as late as possible, so that all values share the reading of the text.
struct AskPrompt {
    std::string user = "Text:\n{text}\n\nA text expresses a value when its author treats that value as important or "
                       "acts on it. Does the text above express the value "
                       "{value}? Answer Yes or No.";
    std::string yes = "Yes";
    std::string no = "No";
};

/// A judge that asks `model` yes or no and takes the first token's probabilities, calibrated against an empty text: the
/// log-odds of "yes" minus those for the same question about no text at all. Throws Error(usage) for a prompt without
/// {text} or {value}, Error(model) where yes and no begin with the same token or the model has no chat template.
std::unique_ptr<Judge> make_ask_judge(std::shared_ptr<Model> model, const SchedulerOptions & options,
                                      const ConceptSet & concepts, AskPrompt prompt = {});

/// A judge that takes its answers from JSONL `{"id", "value", "probability"}` or `{"id", "value", "expresses"}`, `id`
/// being that of the response. What the file does not say is no opinion. Throws Error(bad_input) with file:line.
std::unique_ptr<Judge> make_file_judge(const std::filesystem::path & path, const ConceptSet & concepts);

/// A lexical baseline: value words per 100 words of text, h, as the probability 1 - exp(-h / 10). `path`: a value
/// dictionary (src/concepts/dictionary.h).
std::unique_ptr<Judge> make_dictionary_judge(const std::filesystem::path & path, const ConceptSet & concepts);

} // namespace valuelens
