#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "clients/cost.h"
#include "clients/service.h"
#include "valuelens/progress.h"
#include "valuelens/run_config.h"

namespace valuelens {

/// A client of the server. `url_name` is what its address is called where it came from ("judge.url", "--judge"). Throws
/// Error(usage) where there is no address, or a variable for the key, other than the default one, is not set, and as
/// connect_client().
std::unique_ptr<ChatService> open_service(const ServerConfig & server, const std::string & url_name,
                                          ProgressSink & progress, std::stop_token stop);

TokenPrices prices_of(const ServerConfig & server);

} // namespace valuelens
