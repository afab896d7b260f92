#pragma once

#include <optional>
#include <string>
#include <vector>

#include "clients/chat.h"

namespace valuelens {

/// Log-odds of yes against no among the most probable first tokens: those that are the word or a beginning of it, upper
/// and lower case and leading blanks aside. A word that is not among them counts with the probability of the least one,
/// the most it can have. Nothing where neither is among them.
std::optional<double> first_token_odds(const std::vector<TokenTextLogprob> & tokens, const std::string & yes,
                                       const std::string & no);

} // namespace valuelens
