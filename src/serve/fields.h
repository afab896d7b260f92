#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace valuelens {

/// The fields of a JSON object of a request. Each is asked for by name; what nobody asked for is an error, since a
/// field that is silently ignored makes another result than its sender believes. A null counts as absent. All problems
/// are ApiErrors of status 400 that name the field.
class Fields {
public:
    /// `where` stands before the names ("steering.vectors[0]"); empty for the body. `object` outlives this.
    Fields(const nlohmann::json & object, std::string where);

    std::string path(std::string_view name) const;

    /// The value, or null where the field is absent.
    const nlohmann::json * find(const char * name);

    std::optional<bool> boolean(const char * name);
    std::optional<std::int64_t> integer(const char * name, std::int64_t least, std::int64_t most);
    std::optional<double> number(const char * name, double least, double most);
    std::optional<std::string> text(const char * name);
    /// One of the words.
    std::optional<std::string> word(const char * name, std::initializer_list<std::string_view> words);

    /// Fields without an effect on the result: bookkeeping of OpenAI's own service.
    void ignore(std::initializer_list<const char *> names);
    /// Fields that are known but not offered: taken where they say what is the case anyway (null, 0, false, empty, or
    /// `harmless`), else refused.
    void only_neutral(const char * name, const nlohmann::json & harmless = nullptr);

    /// Throws for a field that nobody asked for.
    void done() const;

private:
    const nlohmann::json & object_;
    std::string where_;
    std::set<std::string, std::less<>> known_;
};

} // namespace valuelens
