#include "report/json.h"

#include <cstdlib>

#include <fmt/format.h>

namespace valuelens {

Json rounded(double value) {
    if (!std::isfinite(value)) {
        return nullptr;
    }
    return std::strtod(fmt::format("{:.4g}", value).c_str(), nullptr);
}

Json rounded(const Estimate & estimate) {
    return Json::array({rounded(estimate.value), rounded(estimate.low), rounded(estimate.high)});
}

Json rounded(const Json & json) {
    if (json.is_number_float()) {
        return rounded(json.get<double>());
    }
    if (!json.is_structured()) {
        return json;
    }
    Json result = json;
    for (Json & child : result) {
        child = rounded(child);
    }
    return result;
}

double number_at(const Json & object, const char * key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return found != object.end() && found->is_number() ? found->get<double>()
                                                       : std::numeric_limits<double>::quiet_NaN();
}

Estimate estimate_of(const Json & json) {
    const auto at = [&](std::size_t i) {
        return json.is_array() && json.size() > i && json[i].is_number() ? json[i].get<double>()
                                                                         : std::numeric_limits<double>::quiet_NaN();
    };
    return {at(0), at(1), at(2)};
}

std::string dump(const Json & json, int indent) {
    return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

} // namespace valuelens
