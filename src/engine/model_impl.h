#pragma once

#include <llama.h>

#include <memory>

#include "engine/chat_template.h"
#include "valuelens/model.h"

namespace valuelens {

struct ModelDeleter {
    void operator()(llama_model * model) const { llama_model_free(model); }
};

struct ContextDeleter {
    void operator()(llama_context * context) const { llama_free(context); }
};
using ContextPtr = std::unique_ptr<llama_context, ContextDeleter>;

/// What any kind of model has once it is loaded.
struct LoadedWeights {
    ModelOptions options; ///< threads resolved
    ModelInfo info;       ///< as read_model_info() gives it
    std::unique_ptr<llama_model, ModelDeleter> model;
};

struct Model::Impl : LoadedWeights {
    const llama_vocab * vocab = nullptr;
    std::unique_ptr<ChatTemplate> chat; ///< null: none of its own and none given
    bool recurrent = false;             ///< keeps a state that cannot be cut back or copied in part
    Token think_open = -1;              ///< the single tokens <think> and </think>, where the vocabulary has them
    Token think_close = -1;
};

} // namespace valuelens
