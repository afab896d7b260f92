#include "cli/result_json.h"

namespace valuelens {

nlohmann::ordered_json stats_json(const SchedulerStats & stats) {
    return {
        {"prompt_tokens", stats.prompt_tokens},
        {"decoded_tokens", stats.decoded_tokens},
        {"shared_tokens", stats.shared_tokens},
        {"generated_tokens", stats.generated_tokens},
        {"decodes", stats.decodes},
        {"seconds", stats.seconds},
        {"decode_seconds", stats.decode_seconds},
        {"hook_seconds", stats.hook_seconds},
    };
}

nlohmann::ordered_json model_json(const ModelInfo & info) {
    return {
        {"name", info.name},
        {"architecture", info.architecture},
        {"description", info.description},
        {"path", info.path},
        {"identity", info.identity},
        {"bytes", info.bytes},
        {"parameters", info.parameters},
        {"n_layer", info.n_layer},
        {"n_embd", info.n_embd},
        {"n_ff", info.n_ff},
        {"n_expert", info.n_expert},
        {"n_vocab", info.n_vocab},
        {"n_ctx_train", info.n_ctx_train},
        {"has_chat_template", info.has_chat_template},
    };
}

} // namespace valuelens
