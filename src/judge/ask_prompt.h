#pragma once

#include <filesystem>
#include <string>

#include "valuelens/concept_set.h"

namespace valuelens {

/// How a model is asked whether a text expresses a value. The slots {text}, {value}, {definition} and {short} are
/// filled; the value stands as late as possible, so that all values share the reading of the text.
struct AskPrompt {
    std::string name;
    std::string user;
    std::string yes = "Yes";
    std::string no = "No";
    std::string quality; ///< how the prompt was measured with its model (JSON); empty: not
};

/// The shipped prompt that was found best for the model of this name (general.name), else the default one.
AskPrompt shipped_ask_prompt(const std::string & model_name);

/// The question about one value and one text: all slots filled.
std::string fill_prompt(const AskPrompt & prompt, const Concept & wanted, const std::string & text);

/// "auto": shipped_ask_prompt(); else a TOML file with `user` and, where other than Yes and No, `yes` and `no`. Throws
/// Error(bad_input) with file:line; Error(usage) for a prompt without {text} or without any slot for
/// the value.
AskPrompt load_ask_prompt(const std::string & spec, const std::string & model_name);

} // namespace valuelens
