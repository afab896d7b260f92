#include "clients/api_key.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "base/fail.h"

namespace valuelens {

std::string api_key(const std::string & variable) {
    if (variable.empty()) {
        return {};
    }
    const bool is_name =
        std::isdigit(static_cast<unsigned char>(variable.front())) == 0 &&
        std::all_of(variable.begin(), variable.end(), [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
    if (!is_name) {
        // Whoever writes the key itself here must not find it in a log.
        fail(ErrorKind::usage, "api_key_env must be the name of an environment variable (letters, digits, _), such as "
                               "VALUELENS_API_KEY; the key itself belongs into that variable, never into a file");
    }
    const char * value = std::getenv(variable.c_str());
    std::string key = value == nullptr ? "" : value;
    if (std::any_of(key.begin(), key.end(), [](unsigned char c) { return c <= 0x20 || c == 0x7f; })) {
        fail(ErrorKind::usage, "the environment variable {} holds blanks or line breaks; a key has none", variable);
    }
    return key;
}

std::string without_key(std::string text, const std::string & key) {
    constexpr std::size_t shortest = 4; // anything shorter would blacken the sentence rather than the key
    if (key.size() < shortest) {
        return text;
    }
    for (std::size_t at = 0; (at = text.find(key, at)) != std::string::npos;) {
        text.replace(at, key.size(), "[key]");
    }
    return text;
}

} // namespace valuelens
