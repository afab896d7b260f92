#pragma once

#include <fstream>
#include <stdexcept>
#include <string>

#include <nlohmann/json.hpp>

namespace valuelens {

/// Reference values beside the tests, made by the make_*_reference.py of the same name.
inline nlohmann::json load_reference(const std::string & name) {
    std::ifstream file(std::string(VALUELENS_SOURCE_DIR) + "/tests/math/" + name);
    if (!file) {
        throw std::runtime_error("tests/math/" + name + " is missing");
    }
    return nlohmann::json::parse(file);
}

} // namespace valuelens
