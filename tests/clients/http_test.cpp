#include "clients/http.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "support/expect_error.h"

namespace valuelens {
namespace {

TEST(ServerUrl, IsOriginAndPathOfTheApi) {
    const auto expect = [](const char * text, const char * origin, const char * path, bool encrypted, bool local) {
        const ServerUrl url = parse_server_url(text, "judge.url");
        EXPECT_EQ(url.origin, origin) << text;
        EXPECT_EQ(url.path, path) << text;
        EXPECT_EQ(url.encrypted, encrypted) << text;
        EXPECT_EQ(url.local, local) << text;
    };
    expect("http://127.0.0.1:8000", "http://127.0.0.1:8000", "/v1", false, true);
    expect("http://localhost:8000/", "http://localhost:8000", "/v1", false, true);
    expect("https://example.org/api/v1/", "https://example.org", "/api/v1", true, false);
    expect("https://example.org/v1/chat/completions", "https://example.org", "/v1", true, false);
    expect("http://[::1]:8080/v1", "http://[::1]:8080", "/v1", false, true);
    expect("http://localhost.example.org/v1", "http://localhost.example.org", "/v1", false, false);
    expect("http://127.0.0.1.example.org:80", "http://127.0.0.1.example.org:80", "/v1", false, false);
}

TEST(ServerUrl, AnythingElseIsRefusedWithItsName) {
    for (const char * text : {"", "example.org", "ftp://example.org", "http://", "http://:80/v1", "/v1",
                              "http://example.org/v1?x=1", "http://example.org/v1#a", "http://exa mple.org"}) {
        expect_error(ErrorKind::usage, {"judge.url"}, [&] { parse_server_url(text, "judge.url"); });
    }
}

TEST(ServerUrl, APortIsANumberThatThereIs) {
    for (const char * text :
         {"http://127.0.0.1:99999/v1", "http://127.0.0.1:65536", "http://localhost:0/v1", "http://localhost:-1/v1",
          "http://localhost:abc/v1", "http://localhost:80a", "http://localhost:/v1", "https://[::1]:99999/v1",
          "http://[::1]80/v1", "http://fe80::1/v1"}) {
        expect_error(ErrorKind::usage, {"judge.url", text, "1 to 65535"}, [&] { parse_server_url(text, "judge.url"); });
    }
    EXPECT_EQ(parse_server_url("http://localhost:65535", "judge.url").origin, "http://localhost:65535");
    expect_error(ErrorKind::usage, {"judge.url", "names no host"},
                 [] { parse_server_url("http://[::1/v1", "judge.url"); });
}

TEST(ServerUrl, AKeyInItIsNotRepeated) {
    try {
        parse_server_url("https://user:secret@example.org/v1", "judge.url");
        FAIL() << "nothing was thrown";
    } catch (const Error & error) {
        EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
    }
}

TEST(HttpConnectionTest, AServerThatHangsUpWhileItIsWrittenToDoesNotEndTheProcess) {
    const auto previous = ::signal(SIGPIPE, SIG_DFL); // whatever an HTTP server in this process has set
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr *>(&address), size), 0);
    ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr *>(&address), &size), 0);
    ASSERT_EQ(::listen(listener, 1), 0);
    std::thread server([&] {
        const int connection = ::accept(listener, nullptr, nullptr);
        const linger hard{1, 0};
        ::setsockopt(connection, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        ::close(connection);
    });
    HttpConnection connection(
        parse_server_url("http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)), "judge.url"), {});
    const HttpReply reply = connection.post_json("/v1/chat/completions", std::string(64 << 20, ' '));
    EXPECT_EQ(reply.status, 0);
    EXPECT_NE(reply.problem, "");
    server.join();
    ::close(listener);
    ::signal(SIGPIPE, previous);
}

} // namespace
} // namespace valuelens
