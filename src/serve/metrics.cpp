#include "serve/metrics.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <tuple>

namespace valuelens {

namespace {

class Writer {
public:
    void family(const char * name, const char * type, const char * help) {
        fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
    }
    template <typename Number>
    void sample(const std::string & name, Number value) {
        fmt::format_to(std::back_inserter(text_), "{} {}\n", name, value);
    }
    template <typename Number>
    void one(const char * name, const char * type, const char * help, Number value) {
        family(name, type, help);
        sample(name, value);
    }
    std::string take() { return std::move(text_); }

private:
    std::string text_;
};

std::string label_text(const std::string & text) {
    std::string escaped;
    for (const char c : text) {
        escaped += c == '"' || c == '\\' ? std::string("\\") + c : c == '\n' ? std::string("\\n") : std::string(1, c);
    }
    return escaped;
}

} // namespace

void Metrics::Histogram::add(double seconds) {
    for (std::size_t i = 0; i < bounds.size(); ++i) {
        below[i] += seconds <= bounds[i] ? 1 : 0;
    }
    ++count;
    sum += seconds;
}

void Metrics::count_request(const std::string & path, int status) {
    const std::lock_guard lock(mutex_);
    ++requests_[{path, status}];
}

void Metrics::count_response(bool flagged, bool redone) {
    const std::lock_guard lock(mutex_);
    flagged_ += flagged ? 1 : 0;
    redone_ += redone ? 1 : 0;
}

void Metrics::count_tokens(std::size_t prompt, std::size_t completion) {
    const std::lock_guard lock(mutex_);
    prompt_tokens_ += prompt;
    completion_tokens_ += completion;
}

void Metrics::observe_first_token(double seconds) {
    const std::lock_guard lock(mutex_);
    first_token_.add(seconds);
}

void Metrics::observe_request(double seconds) {
    const std::lock_guard lock(mutex_);
    request_.add(seconds);
}

double Metrics::mean_request_seconds() const {
    const std::lock_guard lock(mutex_);
    return request_.count == 0 ? 0 : request_.sum / static_cast<double>(request_.count);
}

std::string Metrics::text(const LiveStats & live, std::size_t sequences, const std::string & model) const {
    const std::lock_guard lock(mutex_);
    Writer out;
    out.family("valuelens_info", "gauge", "Version and model.");
    out.sample(fmt::format("valuelens_info{{version=\"{}\",model=\"{}\"}}", VALUELENS_VERSION, label_text(model)), 1);
    out.family("valuelens_http_requests_total", "counter", "Requests answered, by path and status.");
    for (const auto & [key, count] : requests_) {
        out.sample(fmt::format("valuelens_http_requests_total{{path=\"{}\",status=\"{}\"}}", key.first, key.second),
                   count);
    }
    out.one("valuelens_responses_running", "gauge", "Responses being written.", live.running);
    out.one("valuelens_responses_waiting", "gauge", "Responses that wait for a sequence slot.", live.waiting);
    out.one("valuelens_sequence_slots", "gauge", "Responses that can be written at once.", sequences);
    out.one("valuelens_responses_finished_total", "counter", "Responses that came to their end.", live.finished);
    out.one("valuelens_responses_failed_total", "counter", "Responses that failed.", live.failed);
    out.one("valuelens_responses_cancelled_total", "counter", "Responses given up, mostly by clients that went away.",
            live.cancelled);
    out.one("valuelens_responses_flagged_total", "counter", "Responses whose projection exceeded a guarded threshold.",
            flagged_);
    out.one("valuelens_responses_rewritten_total", "counter", "Drafts thrown away and written anew with ablation.",
            redone_);
    out.one("valuelens_prompt_tokens_total", "counter", "Prompt tokens of answered requests.", prompt_tokens_);
    out.one("valuelens_completion_tokens_total", "counter", "Response tokens of answered requests.",
            completion_tokens_);
    out.one("valuelens_decoded_tokens_total", "counter", "Tokens put through the model.", live.work.decoded_tokens);
    out.one("valuelens_reused_prompt_tokens_total", "counter", "Prompt tokens found in a cache and not decoded again.",
            live.work.shared_tokens);
    out.one("valuelens_decode_calls_total", "counter", "Batches put through the model.", live.work.decodes);
    out.one("valuelens_decode_seconds_total", "counter", "Seconds in the model, hooks included.",
            live.work.decode_seconds);
    out.one("valuelens_hook_seconds_total", "counter", "Seconds spent steering and recording.", live.work.hook_seconds);
    for (const auto & [name, help, histogram] :
         {std::tuple("valuelens_time_to_first_token_seconds", "From the request to the first token.", &first_token_),
          std::tuple("valuelens_request_seconds", "From the request to the end of its answer.", &request_)}) {
        out.family(name, "histogram", help);
        for (std::size_t i = 0; i < Histogram::bounds.size(); ++i) {
            out.sample(fmt::format("{}_bucket{{le=\"{}\"}}", name, Histogram::bounds[i]), histogram->below[i]);
        }
        out.sample(fmt::format("{}_bucket{{le=\"+Inf\"}}", name), histogram->count);
        out.sample(fmt::format("{}_sum", name), histogram->sum);
        out.sample(fmt::format("{}_count", name), histogram->count);
    }
    out.one("process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes());
    return out.take();
}

std::uint64_t resident_bytes() {
    std::ifstream file("/proc/self/statm");
    std::uint64_t all = 0;
    std::uint64_t resident = 0;
    file >> all >> resident;
    return file ? resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

} // namespace valuelens
