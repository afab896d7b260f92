#pragma once

#include "cli/command.h"
#include "valuelens/run_config.h"

namespace valuelens {

/// What may be said about a server beside its address: the model's name there, the variable of its key, requests in
/// flight, retries, seconds. `group`: the heading in the help.
void add_server_options(CLI::App & command, ServerConfig & server, const char * group);

} // namespace valuelens
