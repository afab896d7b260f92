#pragma once

#include <limits>

namespace valuelens {

/// A number as nlohmann wrote it: JSON has no NaN, which is stored as null.
template <typename Json>
double number_or_nan(const Json & value) {
    return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.template get<double>();
}

} // namespace valuelens
