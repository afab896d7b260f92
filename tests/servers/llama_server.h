#pragma once

#include <cpp-httplib/httplib.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

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
    static int free_port() {
        httplib::Server probe;
        return probe.bind_to_any_port("127.0.0.1");
    }

    TempFolder folder_;
    int port_;
    pid_t pid_ = -1;
    bool started_ = false;
};

} // namespace valuelens::test
