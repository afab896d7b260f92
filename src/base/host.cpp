#include "base/host.h"

#include <arpa/inet.h>

#include <array>
#include <string>

namespace valuelens {

bool is_loopback_host(std::string_view host) {
    if (host == "localhost" || host == "::1") {
        return true;
    }
    std::array<unsigned char, 4> address{};
    return inet_pton(AF_INET, std::string(host).c_str(), address.data()) == 1 && address[0] == 127;
}

} // namespace valuelens
