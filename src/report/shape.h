#pragma once

#include <filesystem>
#include <string>

#include "report/json.h"

namespace valuelens {

/// Checks of what was read, as far as the report uses it: a file that parses may still hold texts where numbers are
/// expected. Each failure is Error(bad_input) and names the file and the key.
class Shape {
public:
    /// `stage` is the command that writes such files: "tune".
    Shape(std::filesystem::path file, std::string stage) : file_(std::move(file)), stage_(std::move(stage)) {}

    void need(bool there, const std::string & what) const;

    /// The value at `key`, of one of nlohmann's kinds.
    const Json & array(const Json & object, const char * key) const;
    const Json & object(const Json & object, const char * key) const;
    const Json & number(const Json & object, const char * key) const;
    const Json & text(const Json & object, const char * key) const;

    /// A list of texts; may be absent.
    void texts(const Json & object, const char * key) const;
    /// [value, low, high], each a number or null; `optional`: may be absent or null.
    void estimate(const Json & object, const char * key, bool optional = false) const;
    /// Nested lists of numbers or nulls of these lengths.
    void numbers(const Json & list, const std::string & what, std::initializer_list<std::size_t> lengths) const;

private:
    const Json & at(const Json & object, const char * key) const;
    const Json & of_kind(const Json & object, const char * key, bool (Json::*is)() const, const char * kind) const;

    std::filesystem::path file_;
    std::string stage_;
};

} // namespace valuelens
