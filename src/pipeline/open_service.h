#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "clients/cost.h"
#include "clients/service.h"
#include "valuelens/progress.h"
#include "valuelens/run_config.h"

namespace valuelens {

/// A client of the server that a section of the config ("judge", "generate") names. Throws Error(usage) where it names
/// none, and as connect_client().
std::unique_ptr<ChatService> open_service(const ServerConfig & server, const std::string & section,
                                          ProgressSink & progress, std::stop_token stop);

TokenPrices prices_of(const ServerConfig & server);

} // namespace valuelens
