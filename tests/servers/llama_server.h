#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "support/temp_folder.h"

extern char ** environ;

namespace valuelens::test {

/// llama.cpp's own server, on a free port of 127.0.0.1, for as long as this lives.
class LlamaServer {
public:
    LlamaServer(const std::string & model, const std::string & alias) : port_(free_port()) {
        std::vector<std::string> words = {
            LLAMA_SERVER_BINARY,   "-m",  model, "--alias", alias,  "--host", "127.0.0.1", "--port",
            std::to_string(port_), "-np", "4",   "-c",      "4096", "-t",     "1",         "--jinja",
            "--no-webui"};
        std::vector<char *> raw;
        for (std::string & word : words) {
            raw.push_back(word.data());
        }
        raw.push_back(nullptr);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        const std::string log = (folder_ / "log").string();
        posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        posix_spawn_file_actions_adddup2(&actions, 1, 2);
        started_ = ::posix_spawn(&pid_, LLAMA_SERVER_BINARY, &actions, nullptr, raw.data(), environ) == 0;
        posix_spawn_file_actions_destroy(&actions);
    }
    ~LlamaServer() {
        if (started_) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }
    LlamaServer(const LlamaServer &) = delete;
    LlamaServer & operator=(const LlamaServer &) = delete;

    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }

private:
    // httplib::Server would keep its socket, and with it the port, until the process ends.
    static int free_port() {
        const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        const bool found = ::bind(probe, reinterpret_cast<sockaddr *>(&address), size) == 0 &&
                           ::getsockname(probe, reinterpret_cast<sockaddr *>(&address), &size) == 0;
        ::close(probe);
        return found ? ntohs(address.sin_port) : 0;
    }

    TempFolder folder_;
    int port_;
    pid_t pid_ = -1;
    bool started_ = false;
};

} // namespace valuelens::test
