#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "valuelens/progress.h"

namespace valuelens {

using Token = std::int32_t;

/// How to load a model. Names and defaults follow llama.cpp.
struct ModelOptions {
    std::string path;                 ///< GGUF; of a multi-part model, the first part
    int threads = 0;                  ///< 0: the number of physical cores
    int n_gpu_layers = -1;            ///< -1: as many as fit; without a GPU backend it has no effect
    std::string chat_template;        ///< Jinja text that replaces the model's own; empty: the model's own
    std::string chat_template_kwargs; ///< JSON object for the template, for example {"enable_thinking": false}
    std::string date = "2024-07-26";  ///< what templates that print today's date are given (YYYY-MM-DD)
};

struct ModelInfo {
    std::string name;         ///< general.name, else the file name
    std::string architecture; ///< general.architecture
    std::string description;  ///< llama.cpp's, for example "llama 135M Q4_1"
    std::string path;
    std::string identity;    ///< hash of header, tensor table and sampled data (64 hex digits)
    std::uint64_t bytes = 0; ///< of weights
    std::uint64_t parameters = 0;
    int n_layer = 0;
    int n_embd = 0;
    int n_ff = 0;     ///< of the widest block; 0 where the model states none
    int n_expert = 0; ///< 0: dense
    int n_vocab = 0;
    int n_ctx_train = 0;
    bool has_chat_template = false; ///< its own or the one given
};

/// One turn of a conversation.
struct ChatMessage {
    std::string role; ///< system, user or assistant
    std::string content;
};

/// A chat turned into text and tokens by the model's template, assistant header last.
struct RenderedPrompt {
    std::string text;
    std::vector<Token> tokens;
    bool system_merged = false; ///< the template has no system role: the system text went before the user's
};

/// A language model, loaded. Thread-safe for the const functions; a Scheduler uses it from one thread.
class Model {
public:
    /// Loads the model and reports progress. Throws Error(model): missing or truncated file, not GGUF, not a causal
    /// language model. A stop request during loading throws Error(interrupted).
    static std::shared_ptr<Model> load(const ModelOptions & options, ProgressSink & progress = silent_progress(),
                                       std::stop_token stop = {});
    ~Model();
    Model(const Model &) = delete;
    Model & operator=(const Model &) = delete;

    const ModelInfo & info() const;
    const ModelOptions & options() const;

    /// Tokens of a text. `add_bos`: with the BOS token where the model wants one. `parse_special`: control tokens
    /// written in the text become tokens.
    std::vector<Token> tokenize(std::string_view text, bool add_bos, bool parse_special) const;

    /// Text of tokens, always well-formed UTF-8 (a character cut off at the end is left out); control tokens are left
    /// out unless asked for.
    std::string detokenize(std::span<const Token> tokens, bool special = false) const;

    /// The bytes of one token, which need not be whole characters.
    std::string token_bytes(Token token, bool special = false) const;

    /// Whether the token ends a turn or the text.
    bool is_end_of_generation(Token token) const;

    /// Renders system + user through the chat template with the assistant's header, and tokenizes without a second BOS.
    /// An engaged but empty `system` is an explicit empty system message, which differs from none.
    /// Throws Error(model) when the model has no chat template, Error(usage) when the template cannot be used.
    RenderedPrompt render_chat(const std::optional<std::string> & system, const std::string & user) const;

    /// The same for a whole conversation. A template without a system role gets a leading system text before the first
    /// user's. Throws Error(usage) where the template refuses the order of the roles.
    RenderedPrompt render_messages(std::span<const ChatMessage> messages) const;

    /// A prompt taken as it is (control tokens in it are parsed; BOS where the model wants one and the text has none).
    RenderedPrompt render_plain(const std::string & text) const;

    struct Impl;
    Impl & impl() const { return *impl_; }

private:
    explicit Model(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// The identity hash of a GGUF file without loading the model: header, tensor table and sampled blocks of data
/// of every part. Throws Error(model) for a missing, truncated or foreign file.
std::string model_identity(const std::string & path);

/// Metadata of a GGUF file without loading its weights. Throws like model_identity.
ModelInfo read_model_info(const std::string & path);

} // namespace valuelens
