#pragma once

#include <sys/resource.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/fail.h"
#include "base/file.h"
#include "valuelens/request.h"

namespace valuelens::bench {

/// What both sides do: respond to each query under no and under one system prompt, judge the former for every value and
/// the latter for one, and record the means of every block's output over the response's tokens.
struct MainJob {
    std::vector<std::string> queries;
    std::vector<std::string> values; ///< names as the judge's question has them
    std::string value;               ///< the one that the system prompt asks for
    int new_tokens = 48;
    std::vector<Token> answers; ///< yes, no
};

struct StageTime {
    double seconds = 0;
    double processor_seconds = 0; ///< of all threads
};

struct Judged {
    std::size_t job = 0;
    std::string value;
    double log_odds = 0;    ///< of yes against no
    std::size_t tokens = 0; ///< of the question
};

/// What one side did. Jobs: all intrinsic ones, then all prompted ones.
struct MainJobResult {
    StageTime generate;
    StageTime judge;
    StageTime capture; ///< a pass of its own; zero where it rides along with generating
    double peak_mib = 0;
    std::vector<std::vector<Token>> prompts;
    std::vector<std::vector<Token>> responses;
    std::vector<Judged> judged;
    std::vector<float> means; ///< [jobs, n_layer, n_embd]

    std::size_t question_tokens() const {
        std::size_t tokens = 0;
        for (const Judged & one : judged) {
            tokens += one.tokens;
        }
        return tokens;
    }
    double seconds() const { return generate.seconds + judge.seconds + capture.seconds; }
    double processor_seconds() const {
        return generate.processor_seconds + judge.processor_seconds + capture.processor_seconds;
    }
};

/// The first `limit` queries of a file of the kind that the peer reads, cut to 1500 characters as it does.
inline std::vector<std::string> read_queries(const std::filesystem::path & path, std::size_t limit) {
    const auto records = nlohmann::json::parse(read_file(path), nullptr, false);
    if (!records.is_array()) {
        fail(ErrorKind::bad_input, "{}: is not a JSON list of queries", path.string());
    }
    std::vector<std::string> queries;
    for (const auto & record : records) {
        if (queries.size() == limit) {
            break;
        }
        const auto text_of = [](const nlohmann::json & object, const char * key) {
            const auto found = object.is_object() ? object.find(key) : object.end();
            return found == object.end() ? nlohmann::json() : *found;
        };
        nlohmann::json text = record.is_string() ? record : text_of(record, "text");
        text = text.is_string() ? text : text_of(text_of(record, "content"), "text");
        text = text.is_string() ? text : text_of(record, "query");
        if (!text.is_string()) {
            fail(ErrorKind::bad_input, "{}: query {} has no text", path.string(), queries.size());
        }
        std::string query = text.get<std::string>();
        std::size_t characters = 0;
        for (std::size_t i = 0; i < query.size(); ++i) {
            if ((static_cast<unsigned char>(query[i]) & 0xC0) != 0x80 && ++characters > 1500) {
                query.resize(i);
            }
        }
        queries.push_back(std::move(query));
    }
    return queries;
}

/// Most memory that this process ever had resident.
inline double peak_mib() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmHWM:")) {
            return std::stod(line.substr(6)) / 1024;
        }
    }
    return 0;
}

/// Wall and processor seconds since it was made.
class Stopwatch {
public:
    StageTime read() const {
        return {std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(), processor() - used_};
    }

private:
    static double processor() {
        rusage usage{};
        getrusage(RUSAGE_SELF, &usage);
        const auto seconds = [](const timeval & time) {
            return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
        };
        return seconds(usage.ru_utime) + seconds(usage.ru_stime);
    }

    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
    double used_ = processor();
};

/// Our side. Caches and thread pools are made and freed within the time; only the model was loaded before.
inline MainJobResult run_main_job(const MainJob & job, const std::shared_ptr<Model> & model,
                                  const SchedulerOptions & options, SchedulerStats & generating,
                                  SchedulerStats & judging) {
    MainJobResult result;
    {
        const Stopwatch watch;
        Scheduler scheduler(model, options);
        std::vector<Request> requests;
        for (const std::string & system : {std::string(), "When you answer, give priority to " + job.value + "."}) {
            for (const std::string & query : job.queries) {
                Request request;
                request.prompt = model->render_chat(system, query).tokens;
                request.max_tokens = job.new_tokens;
                request.ignore_eos = true;
                request.capture.resid_post = true;
                requests.push_back(std::move(request));
            }
        }
        for (Response & response : scheduler.run_all(requests, silent_progress(), {}, &generating)) {
            result.means.insert(result.means.end(), response.resid_post.begin(), response.resid_post.end());
            result.responses.push_back(std::move(response.tokens));
        }
        for (Request & request : requests) {
            result.prompts.push_back(std::move(request.prompt));
        }
        result.generate = watch.read();
    }
    {
        const Stopwatch watch;
        Scheduler scheduler(model, options);
        std::vector<Request> requests;
        for (std::size_t i = 0; i < result.responses.size(); ++i) {
            const std::string text = model->detokenize(result.responses[i]);
            const bool intrinsic = i < job.queries.size();
            for (const std::string & value : intrinsic ? job.values : std::vector<std::string>{job.value}) {
                Request request;
                request.kind = RequestKind::choose;
                request.prompt = model
                                     ->render_chat("", fmt::format("Response:\n{}\n\nDoes this response express the "
                                                                   "value {}? Answer Yes or No.",
                                                                   text, value))
                                     .tokens;
                request.choices = job.answers;
                result.judged.push_back({i, value, 0, request.prompt.size()});
                requests.push_back(std::move(request));
            }
        }
        const std::vector<Response> answers = scheduler.run_all(requests, silent_progress(), {}, &judging);
        for (std::size_t i = 0; i < answers.size(); ++i) {
            const std::vector<float> & p = answers[i].choice_logprobs;
            if (p.size() != 2) {
                fail(ErrorKind::bad_input, "a question of {} tokens does not fit the context", result.judged[i].tokens);
            }
            result.judged[i].log_odds = static_cast<double>(p[0]) - static_cast<double>(p[1]);
        }
        result.judge = watch.read();
    }
    result.peak_mib = peak_mib();
    return result;
}

} // namespace valuelens::bench
