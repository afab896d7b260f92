#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

#include "valuelens/error.h"

namespace valuelens {

/// Throws Error(kind, formatted sentence).
template <typename... Args>
[[noreturn]] void fail(ErrorKind kind, fmt::format_string<Args...> format, Args &&... args) {
    throw Error(kind, fmt::format(format, std::forward<Args>(args)...));
}

} // namespace valuelens
