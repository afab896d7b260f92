#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "clients/service.h"
#include "generate/generator.h"

namespace valuelens {

struct ServerGeneratorOptions {
    std::string template_kwargs; ///< JSON object for the server's chat template, as for the local one; may be empty

    /// Tokens of a text without BOS, control tokens in it taken as text (Model::tokenize).
    std::function<std::vector<Token>(std::string_view text)> tokenize;

    /// Where answers are kept until their slice is whole (AnswerJournal); empty: nowhere.
    std::filesystem::path kept_answers;
};

/// A Generator whose responses a server writes, while `local`, the same model, reads them teacher-forced and captures.
///
/// That both see the same prompt is checked by the number of prompt tokens that the server reports: on the first four
/// requests before any other is sent, where a difference, or no number at all, is an Error(judge); then on each, where
/// it drops the response. So do a server that rejects the request, a think block, and an end that is neither the
/// model's own nor max_tokens. The text is tokenized anew, which may cut it otherwise than the server's model did; how
/// often is reported.
std::unique_ptr<Generator> make_server_generator(std::unique_ptr<Generator> local, std::unique_ptr<ChatService> service,
                                                 ServerGeneratorOptions options);

} // namespace valuelens
