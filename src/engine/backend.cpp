#include "engine/backend.h"

#include <llama.h>

#include <deque>
#include <mutex>

namespace valuelens {
namespace {

std::mutex log_mutex;
std::deque<std::string> log_lines; // the newest few; loading threads log too, so this is shared

void collect(ggml_log_level level, const char * text, void *) {
    static thread_local ggml_log_level last = GGML_LOG_LEVEL_NONE;
    const ggml_log_level effective = level == GGML_LOG_LEVEL_CONT ? last : level;
    last = effective;
    if (effective != GGML_LOG_LEVEL_ERROR && effective != GGML_LOG_LEVEL_WARN) {
        return;
    }
    std::string line = text;
    while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) {
        line.pop_back();
    }
    if (line.empty()) {
        return;
    }
    const std::lock_guard lock(log_mutex);
    log_lines.push_back(effective == GGML_LOG_LEVEL_ERROR ? line : "(" + line + ")");
    if (log_lines.size() > 6) {
        log_lines.pop_front();
    }
}

} // namespace

void ensure_backend() {
    static const bool started = [] {
        llama_log_set(collect, nullptr);
        llama_backend_init();
        return true;
    }();
    (void)started;
}

std::string take_backend_errors() {
    const std::lock_guard lock(log_mutex);
    std::string joined;
    for (const std::string & line : log_lines) {
        if (line.starts_with('(')) {
            continue;
        }
        joined += joined.empty() ? line : "; " + line;
    }
    log_lines.clear();
    return joined;
}

} // namespace valuelens
