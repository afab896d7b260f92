#pragma once

#include <llama.h>

#include <memory>

#include "engine/chat_template.h"
#include "valuelens/model.h"

namespace valuelens {

struct ModelDeleter {
    void operator()(llama_model * model) const { llama_model_free(model); }
};

struct Model::Impl {
    ModelOptions options;
    ModelInfo info;
    std::unique_ptr<llama_model, ModelDeleter> model;
    const llama_vocab * vocab = nullptr;
    std::unique_ptr<ChatTemplate> chat; ///< null: none of its own and none given
    bool recurrent = false;             ///< keeps a state that cannot be cut back or copied in part
    Token think_open = -1;              ///< the single tokens <think> and </think>, where the vocabulary has them
    Token think_close = -1;
};

} // namespace valuelens
