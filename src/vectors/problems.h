#pragma once

#include <cstddef>
#include <string>

#include "valuelens/vectors.h"

namespace valuelens {

/// Why a cell with these counts has no vector; empty where it has one.
std::string too_few_problem(const ValueVector & entry, std::size_t min_count);

/// Throws Error(bad_input) with the first problem where no value has a vector.
void require_a_vector(const ValueVectorSet & set);

} // namespace valuelens
