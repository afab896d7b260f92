#pragma once

#include <string_view>

namespace valuelens {

/// Whether a host name means this machine and nothing else: "localhost", an address in 127.0.0.0/8, or "::1" (without
/// brackets). No other name does, whatever it begins with: what it points to is for its owner to say.
bool is_loopback_host(std::string_view host);

} // namespace valuelens
