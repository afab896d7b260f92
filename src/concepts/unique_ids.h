#pragma once

#include <string>
#include <unordered_map>

#include "base/fail.h"

namespace valuelens {

/// Remembers where each id of a file was first seen, and refuses the second.
class UniqueIds {
public:
    /// Throws Error(bad_input) when the id was seen before. `kind` names what is repeated ("id", "text").
    void add(const std::string & id, const std::string & where, const char * kind = "id") {
        const auto [first, fresh] = first_seen_.emplace(id, where);
        if (!fresh) {
            fail(ErrorKind::bad_input, "{}: {} \"{}\" was used before ({}); each {} must be unique", where, kind, id,
                 first->second, kind);
        }
    }

    bool contains(const std::string & id) const { return first_seen_.contains(id); }

private:
    std::unordered_map<std::string, std::string> first_seen_;
};

} // namespace valuelens
