#include "base/host.h"

#include <gtest/gtest.h>

namespace valuelens {
namespace {

TEST(LoopbackHost, IsThisMachineByNameOrAddress) {
    for (const char * host : {"localhost", "127.0.0.1", "127.8.9.10", "::1"}) {
        EXPECT_TRUE(is_loopback_host(host)) << host;
    }
}

TEST(LoopbackHost, ANameThatBeginsLikeAnAddressIsNone) {
    for (const char * host : {"127.0.0.1.example.org", "localhost.example.org", "127.example.org", "127.", "128.0.0.1",
                              "0.0.0.0", "example.org", "[::1]", "::2", ""}) {
        EXPECT_FALSE(is_loopback_host(host)) << host;
    }
}

} // namespace
} // namespace valuelens
