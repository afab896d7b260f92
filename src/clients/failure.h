#pragma once

#include <string>

#include "clients/http.h"

namespace valuelens {

/// Who was asked what, for the sentences about it.
struct AskedServer {
    std::string origin;
    std::string model;
    std::string key;          ///< to keep it out of what the server says
    std::string key_variable; ///< where it came from
    std::string url_name;     ///< config key of the address
};

/// Whether a status may be another one when the request is sent again: 408, 409, 425, 429, 5xx.
bool may_pass(int status);

/// What went wrong with a request, in a few words. Throws Error(judge) where sending it again, or another one, is of no
/// use: a refused key, no such path or model, a redirect, a used-up account, an untrusted certificate.
std::string describe_failure(const AskedServer & server, const std::string & path, const HttpReply & reply);

/// Whether an answer by the model `answered` may be one of `asked`: servers add a version ("gpt-x" answers as
/// "gpt-x-2024-08-06") or leave out an owner. An empty name says nothing and may be any.
bool may_be_model(const std::string & asked, const std::string & answered);

} // namespace valuelens
