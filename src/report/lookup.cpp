#include "report/lookup.h"

#include <algorithm>

#include <fmt/format.h>

namespace valuelens {

bool rests_on_few(const Json & vector) {
    return std::min(vector.at("held_out_expressing").get<std::size_t>(),
                    vector.at("held_out_not_expressing").get<std::size_t>()) < few_held_out;
}

const Json * part_of(const Json & model, const char * key) {
    const auto found = model.find(key);
    return found == model.end() || found->is_null() ? nullptr : &*found;
}

std::size_t value_count(const Json & model) {
    return model.at("concept_set").at("values").size();
}

std::string value_name(const Json & model, const std::string & id) {
    for (const Json & value : model.at("concept_set").at("values")) {
        if (value.at("id") == id) {
            return value.at("name");
        }
    }
    return id;
}

std::string vector_name(const Json & model, const Json & vector) {
    return fmt::format("{} ({})", value_name(model, vector.at("value")), vector.at("condition").get<std::string>());
}

} // namespace valuelens
