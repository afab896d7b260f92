#include "clients/failure.h"

#include "base/fail.h"
#include "base/text.h"
#include "clients/api_key.h"
#include "clients/chat.h"

namespace valuelens {

namespace {

bool has(const std::string & text, const char * words) {
    return text.find(words) != std::string::npos;
}

} // namespace

bool may_pass(int status) {
    return status == 408 || status == 409 || status == 425 || status == 429 || status >= 500;
}

std::string describe_failure(const AskedServer & server, const std::string & path, const HttpReply & reply) {
    if (reply.hopeless) {
        fail(ErrorKind::judge, "the server at {} cannot be used: {}", server.origin, reply.problem);
    }
    if (reply.status == 0) {
        return reply.problem;
    }
    const std::string message = without_key(server_message(reply.body), server.key);
    const std::string said = fmt::format("HTTP {}{}", reply.status, message.empty() ? "" : ": \"" + message + "\"");
    const std::string lowered = lower_ascii(message);
    if (reply.status == 401 || reply.status == 403) {
        fail(ErrorKind::judge, "the server at {} refuses access ({}); {}", server.origin, said,
             server.key.empty() ? "put the key into the environment variable " + server.key_variable
                                : "check the key in the environment variable " + server.key_variable);
    }
    const bool no_model =
        reply.status == 400 && has(lowered, "model") && (has(lowered, "not exist") || has(lowered, "not found"));
    if (reply.status == 404 || reply.status == 405 || no_model) {
        fail(ErrorKind::judge, "the server at {} has no {} or no model '{}' ({}); check {} and server_model",
             server.origin, path, server.model, said, server.url_name);
    }
    if (reply.status >= 300 && reply.status < 400) {
        fail(ErrorKind::judge,
             "the server at {} redirects (HTTP {}), which is not followed; put the address it leads to into {}",
             server.origin, reply.status, server.url_name);
    }
    if (reply.status == 402 || (reply.status == 429 && has(lowered, "quota"))) {
        fail(ErrorKind::judge, "the server at {} says that the account is used up ({})", server.origin, said);
    }
    return said;
}

bool may_be_model(const std::string & asked, const std::string & answered) {
    const std::string a = lower_ascii(asked);
    const std::string b = lower_ascii(answered);
    return has(a, b.c_str()) || has(b, a.c_str());
}

} // namespace valuelens
