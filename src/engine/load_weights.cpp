#include "engine/load_weights.h"

#include <common.h>

#include <algorithm>
#include <filesystem>

#include "base/fail.h"
#include "engine/backend.h"

namespace valuelens {
namespace {

struct LoadWatch {
    ProgressSink & progress;
    const std::stop_token & stop;
    int percent = -1;
};

bool on_load_progress(float fraction, void * user_data) {
    auto & watch = *static_cast<LoadWatch *>(user_data);
    const int percent = static_cast<int>(fraction * 100.0f);
    if (percent != watch.percent) {
        watch.percent = percent;
        watch.progress.advance(static_cast<std::uint64_t>(percent));
    }
    return !watch.stop.stop_requested();
}

} // namespace

LoadedWeights load_weights(const ModelOptions & options, ProgressSink & progress, const std::stop_token & stop) {
    ensure_backend();
    LoadedWeights loaded{options, read_model_info(options.path), nullptr};
    if (loaded.options.threads <= 0) {
        loaded.options.threads = std::max(1, common_cpu_get_num_math());
    }
    llama_model_params parameters = llama_model_default_params();
    parameters.n_gpu_layers = options.n_gpu_layers;
    LoadWatch watch{progress, stop};
    parameters.progress_callback = on_load_progress;
    parameters.progress_callback_user_data = &watch;
    take_backend_errors();
    progress.start("load " + std::filesystem::path(options.path).filename().string(), 100, "%");
    loaded.model.reset(llama_model_load_from_file(options.path.c_str(), parameters));
    progress.finish();
    if (!loaded.model) {
        if (stop.stop_requested()) {
            fail(ErrorKind::interrupted, "stopped while loading {}", options.path);
        }
        const std::string cause = take_backend_errors();
        fail(ErrorKind::model, "{}: llama.cpp cannot load it ({})", options.path,
             cause.empty() ? "no cause given" : cause);
    }
    return loaded;
}

} // namespace valuelens
