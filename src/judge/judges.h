#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "judge/ask_prompt.h"
#include "valuelens/judge.h"
#include "valuelens/model.h"
#include "valuelens/request.h"

namespace valuelens {

/// A judge that asks `model` yes or no and takes the first token's probabilities, calibrated against an empty text: the
/// log-odds of "yes" minus those for the same question about no text at all. Throws Error(model) where yes and no begin
/// with the same token or the model has no chat template.
std::unique_ptr<Judge> make_ask_judge(std::shared_ptr<Model> model, const SchedulerOptions & options,
                                      const ConceptSet & concepts, AskPrompt prompt);

/// A judge that takes its answers from JSONL `{"id", "value", "probability"}` or `{"id", "value", "expresses"}`, `id`
/// being that of the response. What the file does not say is no opinion. Throws Error(bad_input) with file:line.
std::unique_ptr<Judge> make_file_judge(const std::filesystem::path & path, const ConceptSet & concepts);

/// A lexical baseline: value words per 100 words of text, h, as the probability 1 - exp(-h / 10). `path`: a value
/// dictionary (src/concepts/dictionary.h).
std::unique_ptr<Judge> make_dictionary_judge(const std::filesystem::path & path, const ConceptSet & concepts);

} // namespace valuelens
