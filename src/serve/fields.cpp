#include "serve/fields.h"

#include <algorithm>
#include <cmath>

#include "serve/api_error.h"

namespace valuelens {

Fields::Fields(const nlohmann::json & object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object.is_object()) {
        refuse(where_, "{} must be a JSON object", where_.empty() ? "the body" : where_);
    }
}

std::string Fields::path(std::string_view name) const {
    return where_.empty() ? std::string(name) : fmt::format("{}.{}", where_, name);
}

const nlohmann::json * Fields::find(const char * name) {
    known_.insert(name);
    const auto found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::optional<bool> Fields::boolean(const char * name) {
    const nlohmann::json * value = find(name);
    if (value != nullptr && !value->is_boolean()) {
        refuse(path(name), "{} must be true or false", path(name));
    }
    return value == nullptr ? std::nullopt : std::optional(value->get<bool>());
}

std::optional<std::int64_t> Fields::integer(const char * name, std::int64_t least, std::int64_t most) {
    const nlohmann::json * value = find(name);
    if (value == nullptr) {
        return std::nullopt;
    }
    const bool fits = value->is_number_unsigned() ? value->get<std::uint64_t>() <= INT64_MAX
                      : value->is_number_integer()
                          ? true
                          : value->is_number_float() && std::trunc(value->get<double>()) == value->get<double>() &&
                                std::abs(value->get<double>()) < 0x1p53;
    if (!fits) {
        refuse(path(name), "{} must be a whole number", path(name));
    }
    const auto number =
        value->is_number_float() ? static_cast<std::int64_t>(value->get<double>()) : value->get<std::int64_t>();
    if (number < least || number > most) {
        refuse(path(name), "{} is {}, must lie within {} and {}", path(name), number, least, most);
    }
    return number;
}

std::optional<double> Fields::number(const char * name, double least, double most) {
    const nlohmann::json * value = find(name);
    if (value == nullptr) {
        return std::nullopt;
    }
    if (!value->is_number()) {
        refuse(path(name), "{} must be a number", path(name));
    }
    const double number = value->get<double>();
    if (!(number >= least && number <= most)) {
        refuse(path(name), "{} is {}, must lie within {} and {}", path(name), number, least, most);
    }
    return number;
}

std::optional<std::string> Fields::text(const char * name) {
    const nlohmann::json * value = find(name);
    if (value != nullptr && !value->is_string()) {
        refuse(path(name), "{} must be a string", path(name));
    }
    return value == nullptr ? std::nullopt : std::optional(value->get<std::string>());
}

std::optional<std::string> Fields::word(const char * name, std::initializer_list<std::string_view> words) {
    std::optional<std::string> given = text(name);
    if (given && std::find(words.begin(), words.end(), *given) == words.end()) {
        refuse(path(name), "{} is \"{}\", must be one of {}", path(name), *given, fmt::join(words, ", "));
    }
    return given;
}

void Fields::ignore(std::initializer_list<const char *> names) {
    known_.insert(names.begin(), names.end());
}

void Fields::only_neutral(const char * name, const nlohmann::json & harmless) {
    const nlohmann::json * value = find(name);
    const bool neutral = value == nullptr || (value->is_structured() && value->empty()) ||
                         (value->is_number() && value->get<double>() == 0) ||
                         (value->is_boolean() && !value->get<bool>()) ||
                         (value->is_string() && value->get<std::string>().empty()) || *value == harmless;
    if (!neutral) {
        refuse(path(name), "{} is not supported by this server; leave it out", path(name));
    }
}

void Fields::done() const {
    for (const auto & [name, value] : object_.items()) {
        if (known_.count(name) == 0) {
            refuse(path(name), "unknown field {}; it would have no effect here", path(name));
        }
    }
}

} // namespace valuelens
