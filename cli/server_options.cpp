#include "cli/server_options.h"

#include <string>

#include "base/fail.h"

namespace valuelens {

void add_server_options(CLI::App & command, ServerConfig & server, const char * group) {
    const auto add = [&](const char * name, auto & field, const std::string & meaning, const char * type) {
        return command.add_option(name, field, meaning)->type_name(type)->group(group);
    };
    add("--server-model", server.model, "Of a server: the model's name there (the only one)", "NAME");
    add("--api-key-env", server.api_key_env,
        fmt::format("Of a server: the environment variable that holds its key ({})", server.api_key_env), "NAME");
    add("--concurrency", server.concurrency, fmt::format("Of a server: requests in flight ({})", server.concurrency),
        "N")
        ->check(unnamed(CLI::Range(1, 1024)));
    add("--max-retries", server.max_retries,
        fmt::format("Of a server: of a request, with growing pauses ({})", server.max_retries), "N")
        ->check(unnamed(CLI::Range(0, 100)));
    add("--timeout", server.timeout_s,
        fmt::format("Of a server: seconds that one request may take ({})", server.timeout_s), "S")
        ->check(positive_number());
}

void require_server(const CLI::App & command, std::initializer_list<const char *> options, bool is_there,
                    const char * address) {
    for (const char * option : options) {
        if (!is_there && command.count(option) > 0) {
            fail(ErrorKind::usage, "{} is said of a server; give its address with {}", option, address);
        }
    }
}

} // namespace valuelens
