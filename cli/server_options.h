#pragma once

#include <initializer_list>

#include "cli/command.h"
#include "valuelens/run_config.h"

namespace valuelens {

/// What may be said about a server beside its address: the model's name there, the variable of its key, requests in
/// flight, retries, seconds. `group`: the heading in the help.
void add_server_options(CLI::App & command, ServerConfig & server, const char * group);

/// Throws Error(usage) where one of these options of a server was given and there is none; `address` is the option that
/// names it.
void require_server(const CLI::App & command, std::initializer_list<const char *> options, bool is_there,
                    const char * address);

} // namespace valuelens
