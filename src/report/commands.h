#pragma once

#include <string>

#include "report/json.h"

namespace valuelens {

/// A word as a shell takes it.
std::string shell_quoted(const std::string & word);

/// The commands that made the parts of the model, as they would be typed, with every option whose stored value is not
/// the default: an object of the keys "judge", "vectors", "decompose", "neurons".
Json stage_commands(const Json & model);

/// The same of one entry of `evaluations`, `tunes` or `samples`.
std::string evaluation_command(const Json & model, const Json & evaluation);
std::string tune_command(const Json & model, const Json & tune);
std::string sample_command(const Json & model, const Json & sample);

/// Whether the file of an entry of that list keeps every option of the command that made it.
bool options_are_kept(const char * list, const Json & entry);

} // namespace valuelens
