#pragma once

#include <cmath>
#include <cstddef>
#include <string>

#include <nlohmann/json.hpp>

#include "valuelens/vectors.h"

namespace valuelens {

/// Parts of the model keep their keys in the order of writing.
using Json = nlohmann::ordered_json;

/// The number at four significant digits, which is more than any figure shows; null where undefined.
Json rounded(double value);
Json rounded(const Estimate & estimate);
/// The same for every floating-point number inside.
Json rounded(const Json & json);

/// A number that may be null or absent.
double number_at(const Json & object, const char * key);
/// Of an estimate [value, low, high].
Estimate estimate_of(const Json & json);

/// A text as JSON: malformed UTF-8 (a response cut inside a character) is replaced.
std::string dump(const Json & json, int indent = -1);

} // namespace valuelens
