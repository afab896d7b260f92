#pragma once

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/fail.h"
#include "bench/main_job.h"
#include "store/safetensors.h"

namespace valuelens::bench {

/// bench/peer_worker.py, which runs the peer as often as it is asked.
class PeerProcess {
public:
    PeerProcess(const std::filesystem::path & python, const std::filesystem::path & worker,
                const std::filesystem::path & pipeline) {
        int in[2];
        int out[2];
        if (pipe(in) != 0 || pipe(out) != 0) {
            fail(ErrorKind::internal, "no pipe to the peer could be made");
        }
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, in[0], 0);
        posix_spawn_file_actions_adddup2(&actions, out[1], 1);
        for (const int end : {in[0], in[1], out[0], out[1]}) {
            posix_spawn_file_actions_addclose(&actions, end);
        }
        std::vector<std::string> words = {python.string(), worker.string(), pipeline.string()};
        std::vector<char *> arguments;
        for (std::string & word : words) {
            arguments.push_back(word.data());
        }
        arguments.push_back(nullptr);
        const int status = posix_spawn(&process_, arguments[0], &actions, nullptr, arguments.data(), environ);
        posix_spawn_file_actions_destroy(&actions);
        close(in[0]);
        close(out[1]);
        if (status != 0) {
            process_ = -1;
            fail(ErrorKind::model, "{} cannot be started", python.string());
        }
        to_ = fdopen(in[1], "w");
        from_ = fdopen(out[0], "r");
        std::signal(SIGPIPE, SIG_IGN); // a peer that ended is told by what it does not answer
    }

    PeerProcess(const PeerProcess &) = delete;
    PeerProcess & operator=(const PeerProcess &) = delete;

    ~PeerProcess() {
        if (process_ > 0) {
            std::fclose(to_);
            std::fclose(from_);
            waitpid(process_, nullptr, 0);
        }
    }

    nlohmann::json ask(const nlohmann::json & order) {
        const std::string line = order.dump() + "\n";
        std::fputs(line.c_str(), to_);
        std::fflush(to_);
        std::string answer;
        char piece[65536];
        while ((answer.empty() || answer.back() != '\n') && std::fgets(piece, sizeof(piece), from_) != nullptr) {
            answer += piece;
        }
        nlohmann::json parsed = nlohmann::json::parse(answer, nullptr, false);
        if (parsed.is_discarded()) {
            fail(ErrorKind::model, "the peer ended without a result; what it said stands above");
        }
        return parsed;
    }

private:
    pid_t process_ = -1;
    std::FILE * to_ = nullptr;
    std::FILE * from_ = nullptr;
};

/// The worker's answer. `means`: the file that it wrote.
inline MainJobResult read_peer_result(const nlohmann::json & answer, const std::filesystem::path & means) {
    MainJobResult result;
    const auto stage = [&](const char * name) {
        return StageTime{answer["stages_s"].at(name), answer["stages_cpu_s"].at(name)};
    };
    result.generate = stage("generate");
    result.judge = stage("judge");
    result.capture = stage("capture");
    result.peak_mib = answer.at("peak_mib");
    for (const auto & prompt : answer.at("prompts")) {
        result.prompts.push_back(prompt.at("tokens"));
    }
    result.responses = answer.at("responses");
    for (const auto & judged : answer.at("judged")) {
        result.judged.push_back({judged.at("job"), judged.at("value"), judged.at("log_odds"), judged.at("tokens")});
    }
    result.means = SafetensorsFile(means).read_f32("resid_post");
    return result;
}

} // namespace valuelens::bench
