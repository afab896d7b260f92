#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "valuelens/error.h"

namespace valuelens {

/// An answer of status 4xx or 5xx: what() is the message for the client.
class ApiError : public std::runtime_error {
public:
    ApiError(int status, const std::string & message, std::string param = {}, std::string code = {})
        : std::runtime_error(message), status_(status), param_(std::move(param)), code_(std::move(code)) {}

    int status() const { return status_; }
    const std::string & param() const { return param_; } ///< the field that is wrong; may be empty
    const std::string & code() const { return code_; }   ///< a word for programs; may be empty
    int retry_after = 0;                                 ///< seconds; 0: not said

    /// OpenAI's word for the status.
    const char * type() const {
        switch (status_) {
        case 401:
            return "authentication_error";
        case 403:
            return "permission_error";
        case 404:
            return "not_found_error";
        case 429:
            return "rate_limit_error";
        default:
            return status_ < 500 ? "invalid_request_error" : "server_error";
        }
    }

    /// {"error": {"message", "type", "param", "code"}}, as OpenAI's clients read it.
    std::string json() const;

private:
    int status_;
    std::string param_;
    std::string code_;
};

/// Throws a 400 about a field.
template <typename... Args>
[[noreturn]] void refuse(const std::string & param, fmt::format_string<Args...> format, Args &&... args) {
    throw ApiError(400, fmt::format(format, std::forward<Args>(args)...), param);
}

/// What an error of the library is to a client. `steered`: the request changed the model, so that a failure of the
/// model is likely its own doing.
ApiError to_api_error(const Error & error, bool steered);

} // namespace valuelens
