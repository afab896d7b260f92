#pragma once

#include <gguf.h>

#include <memory>

namespace valuelens {

struct GgufDeleter {
    void operator()(gguf_context * context) const { gguf_free(context); }
    void operator()(ggml_context * context) const { ggml_free(context); }
};
using GgufPtr = std::unique_ptr<gguf_context, GgufDeleter>;
using GgmlPtr = std::unique_ptr<ggml_context, GgufDeleter>;

} // namespace valuelens
