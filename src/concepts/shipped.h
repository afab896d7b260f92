#pragma once

#include <string>
#include <string_view>

#include "base/embedded.h"
#include "base/fail.h"

namespace valuelens {

/// A text that travels in the binary, with the name it has in errors.
struct ShippedText {
    std::string_view text;
    std::string name; ///< "data/<path>"
};

inline ShippedText shipped_text(std::string_view path) {
    const auto text = find_embedded(path);
    if (!text) {
        fail(ErrorKind::internal, "data/{} is not in this binary", path);
    }
    return {*text, fmt::format("data/{}", path)};
}

} // namespace valuelens
