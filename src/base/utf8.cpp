#include "base/utf8.h"

namespace valuelens {
namespace {

struct Sequence {
    std::size_t length = 0; ///< bytes of a well-formed character, 0: malformed
    bool cut = false;       ///< malformed only because the text ends
};

// Table 3-7 of the Unicode standard: well-formed byte sequences.
Sequence next_sequence(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) {
        return static_cast<unsigned char>(text[at + i]);
    };
    const unsigned char lead = byte(0);
    if (lead < 0x80) {
        return {1, false};
    }
    const std::size_t length = lead >= 0xC2 && lead <= 0xDF   ? 2
                               : (lead & 0xF0) == 0xE0        ? 3
                               : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                              : 0;
    if (length == 0) {
        return {0, false};
    }
    for (std::size_t i = 1; i < length; ++i) {
        if (at + i >= text.size()) {
            return {0, true};
        }
        unsigned char low = 0x80;
        unsigned char high = 0xBF;
        if (i == 1) {
            low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
            high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
        }
        if (byte(i) < low || byte(i) > high) {
            return {0, false};
        }
    }
    return {length, false};
}

} // namespace

bool is_valid_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const Sequence sequence = next_sequence(text, at);
        if (sequence.length == 0) {
            return false;
        }
        at += sequence.length;
    }
    return true;
}

std::string to_valid_utf8(std::string_view text) {
    std::string valid;
    valid.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const Sequence sequence = next_sequence(text, at);
        if (sequence.cut) {
            break;
        }
        if (sequence.length == 0) {
            valid += "\xEF\xBF\xBD";
            ++at;
            continue;
        }
        valid += text.substr(at, sequence.length);
        at += sequence.length;
    }
    return valid;
}

} // namespace valuelens
