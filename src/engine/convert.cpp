#include "engine/convert.h"

#include <fcntl.h>
#include <llama.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <mutex>
#include <optional>

#include "base/fail.h"
#include "engine/backend.h"
#include "engine/gguf_file.h"

namespace valuelens {

namespace {

struct Target {
    llama_ftype ftype;
    std::optional<ggml_type> uniform; ///< every weight matrix gets this type; nothing: llama.cpp's mix
};

Target target_of(const std::string & type) {
    if (type == "f32") {
        return {LLAMA_FTYPE_ALL_F32, GGML_TYPE_F32};
    }
    if (type == "bf16") {
        return {LLAMA_FTYPE_MOSTLY_BF16, GGML_TYPE_BF16};
    }
    if (type == "q8_0") {
        return {LLAMA_FTYPE_MOSTLY_Q8_0, std::nullopt};
    }
    if (type == "q4_0") {
        return {LLAMA_FTYPE_MOSTLY_Q4_0, std::nullopt};
    }
    fail(ErrorKind::usage, "'{}' is not a type that a model can be converted to: use f32, bf16, q8_0 or q4_0", type);
}

/// Reads llama.cpp's log for its life: the tensor counter becomes progress, the rest goes where it went before.
class QuantizeLog {
public:
    explicit QuantizeLog(ProgressSink & progress) : progress_(progress) {
        llama_log_get(&previous_, &previous_data_);
        llama_log_set(&QuantizeLog::receive, this);
    }
    ~QuantizeLog() { llama_log_set(previous_, previous_data_); }
    QuantizeLog(const QuantizeLog &) = delete;
    QuantizeLog & operator=(const QuantizeLog &) = delete;

private:
    static void receive(ggml_log_level level, const char * text, void * data) {
        auto & self = *static_cast<QuantizeLog *>(data);
        unsigned done = 0;
        unsigned total = 0;
        if (std::sscanf(text, "[%u/%u]", &done, &total) == 2) {
            if (done == 1) {
                self.progress_.start("convert", total, "tensors");
            }
            self.progress_.advance(done);
        } else if (self.previous_ != nullptr) {
            self.previous_(level, text, self.previous_data_);
        }
    }

    ProgressSink & progress_;
    ggml_log_callback previous_ = nullptr;
    void * previous_data_ = nullptr;
};

bool flush_to_disk(const std::string & path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const bool flushed = descriptor >= 0 && ::fsync(descriptor) == 0;
    if (descriptor >= 0) {
        ::close(descriptor);
    }
    return flushed;
}

} // namespace

void convert_model(const std::string & from, const std::string & to, const std::string & type, int threads,
                   ProgressSink & progress) {
    const Target target = target_of(type);
    // llama.cpp's log callback is one for the whole process.
    static std::mutex one_at_a_time;
    const std::lock_guard lock(one_at_a_time);
    ensure_backend();
    check_gguf(from);
    take_backend_errors();

    llama_model_quantize_params params = llama_model_quantize_default_params();
    params.nthread = threads;
    params.ftype = target.ftype;
    params.allow_requantize = true;
    if (target.uniform) {
        params.pure = true;
        params.output_tensor_type = *target.uniform;
        params.token_embedding_type = *target.uniform;
    }

    const std::string side = fmt::format("{}.{}.partial", to, ::getpid());
    std::error_code ignored;
    bool converted = false;
    {
        const QuantizeLog log(progress);
        converted = llama_model_quantize(from.c_str(), side.c_str(), &params) == 0;
    }
    progress.finish();
    if (!converted || !flush_to_disk(side)) {
        const std::string reason = take_backend_errors();
        std::filesystem::remove(side, ignored);
        fail(ErrorKind::model, "{}: cannot be converted to {} at {} ({})", from, type, to,
             reason.empty() ? "llama.cpp gives no reason" : reason);
    }
    std::error_code problem;
    std::filesystem::rename(side, to, problem);
    if (problem) {
        std::filesystem::remove(side, ignored);
        fail(ErrorKind::bad_input, "{}: cannot be put in place ({})", to, problem.message());
    }
}

} // namespace valuelens
