#pragma once

#include <string>

#include "report/json.h"

namespace valuelens {

/// Below so many held-out responses of either class an AUROC takes so few values that even 1.00 says little.
constexpr std::size_t few_held_out = 5;

/// Whether the held-out AUROC of an entry of `vectors` rests on too few responses of a class.
bool rests_on_few(const Json & vector);

/// A part of the model; nullptr where it is absent or null.
const Json * part_of(const Json & model, const char * key);

/// How many values the concept set has.
std::size_t value_count(const Json & model);

/// A value as people write it; an id that the concept set does not know stays as it is.
std::string value_name(const Json & model, const std::string & id);

/// "Power (prompted)".
std::string vector_name(const Json & model, const Json & vector);

} // namespace valuelens
