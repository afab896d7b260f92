#include "evaluate/instruction_arguments.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/fail.h"
#include "evaluate/text.h"

namespace valuelens {

using nlohmann::json;

const json & instruction_argument(const json & arguments, const char * name) {
    const auto found = arguments.find(name);
    if (found == arguments.end() || found->is_null()) {
        fail(ErrorKind::bad_input, "the argument \"{}\" is missing", name);
    }
    return *found;
}

std::string text_argument(const json & arguments, const char * name) {
    const json & value = instruction_argument(arguments, name);
    if (!value.is_string()) {
        fail(ErrorKind::bad_input, "the argument \"{}\" is {}, expected a text", name, value.dump());
    }
    return value.get<std::string>();
}

std::string character_argument(const json & arguments, const char * name) {
    const std::string text = text_argument(arguments, name);
    const auto characters = std::count_if(text.begin(), text.end(), [](char byte) {
        return (static_cast<unsigned char>(byte) & 0xc0) != 0x80; // the first byte of a character
    });
    if (characters != 1) {
        fail(ErrorKind::bad_input, "the argument \"{}\" is \"{}\", expected one character", name, text);
    }
    return text;
}

std::string language_argument(const json & arguments, const char * name) {
    const std::string code = text_argument(arguments, name);
    const auto known = detected_languages();
    if (std::find(known.begin(), known.end(), code) == known.end()) {
        fail(ErrorKind::bad_input, "the argument \"{}\" is \"{}\"; the languages that can be told are {}", name, code,
             fmt::join(known, ", "));
    }
    return code;
}

std::vector<std::string> texts_argument(const json & arguments, const char * name) {
    const json & value = instruction_argument(arguments, name);
    const bool texts = value.is_array() && !value.empty() &&
                       std::all_of(value.begin(), value.end(), [](const json & each) { return each.is_string(); });
    if (!texts) {
        fail(ErrorKind::bad_input, "the argument \"{}\" is {}, expected a list of texts", name, value.dump());
    }
    return value.get<std::vector<std::string>>();
}

std::size_t number_argument(const json & arguments, const char * name) {
    const json & value = instruction_argument(arguments, name);
    // Some copies of the data hold whole numbers as 3.0.
    if (!value.is_number() || value.get<double>() < 0 || value.get<double>() != std::floor(value.get<double>())) {
        fail(ErrorKind::bad_input, "the argument \"{}\" is {}, expected a whole number", name, value.dump());
    }
    return static_cast<std::size_t>(value.get<double>());
}

/// "at least" or "less than" so many.
std::function<bool(std::size_t)> amount(const json & arguments, const char * relation, const char * number) {
    const std::string wanted = text_argument(arguments, relation);
    const std::size_t n = number_argument(arguments, number);
    if (wanted == "at least") {
        return [n](std::size_t found) {
            return found >= n;
        };
    }
    if (wanted == "less than") {
        return [n](std::size_t found) {
            return found < n;
        };
    }
    fail(ErrorKind::bad_input, R"(the argument "{}" is "{}", expected "at least" or "less than")", relation, wanted);
}

} // namespace valuelens
