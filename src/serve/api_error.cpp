#include "serve/api_error.h"

#include <nlohmann/json.hpp>

namespace valuelens {

std::string ApiError::json() const {
    const auto or_null = [](const std::string & text) {
        return text.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(text);
    };
    const nlohmann::ordered_json body = {
        {"error", {{"message", what()}, {"type", type()}, {"param", or_null(param_)}, {"code", or_null(code_)}}}};
    return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

ApiError to_api_error(const Error & error, bool steered) {
    switch (error.kind()) {
    case ErrorKind::usage:
    case ErrorKind::bad_input:
        return {400, error.what()};
    case ErrorKind::model:
        return {steered ? 400 : 500, error.what(), steered ? "steering" : ""};
    case ErrorKind::interrupted:
        return {503, "the server is shutting down", {}, "shutting_down"};
    default:
        return {500, error.what()};
    }
}

} // namespace valuelens
