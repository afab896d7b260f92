#include "valuelens/model.h"

#include <llama.h>

#include <common.h>

#include <array>
#include <cstring>

#include "base/fail.h"
#include "base/utf8.h"
#include "engine/backend.h"
#include "engine/gguf_file.h"
#include "engine/load_weights.h"
#include "engine/model_impl.h"

namespace valuelens {

namespace {

Token single_token(const llama_vocab * vocab, const char * text) {
    std::array<llama_token, 4> tokens{};
    const int n =
        llama_tokenize(vocab, text, static_cast<int>(std::strlen(text)), tokens.data(), tokens.size(), false, true);
    return n == 1 ? tokens[0] : -1;
}

} // namespace

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::~Model() = default;

std::shared_ptr<Model> Model::load(const ModelOptions & options, ProgressSink & progress, std::stop_token stop) {
    auto impl = std::make_unique<Impl>(load_weights(options, progress, stop));
    llama_model * model = impl->model.get();
    impl->vocab = llama_model_get_vocab(model);
    if (!llama_model_has_decoder(model) || llama_model_has_encoder(model) || llama_model_is_diffusion(model) ||
        llama_vocab_type(impl->vocab) == LLAMA_VOCAB_TYPE_NONE) {
        fail(ErrorKind::model,
             "{}: architecture '{}' does not generate text from left to right; give a causal language model",
             options.path, impl->info.architecture);
    }
    impl->recurrent = llama_model_is_recurrent(model) || llama_model_is_hybrid(model);
    impl->info.n_layer = llama_model_n_layer(model);
    impl->info.n_embd = llama_model_n_embd(model);
    impl->info.n_vocab = llama_vocab_n_tokens(impl->vocab);
    impl->info.n_ctx_train = llama_model_n_ctx_train(model);
    std::array<char, 256> description{};
    llama_model_desc(model, description.data(), description.size());
    impl->info.description = description.data();

    const char * own = llama_model_chat_template(model, nullptr);
    const std::string source = !options.chat_template.empty() ? options.chat_template : own != nullptr ? own : "";
    if (!source.empty()) {
        const auto piece = [&](llama_token token) {
            return token == LLAMA_TOKEN_NULL ? std::string() : common_token_to_piece(impl->vocab, token, true);
        };
        impl->chat = std::make_unique<ChatTemplate>(source, piece(llama_vocab_bos(impl->vocab)),
                                                    piece(llama_vocab_eos(impl->vocab)), options.chat_template_kwargs,
                                                    options.date);
    }
    impl->info.has_chat_template = impl->chat != nullptr;
    impl->think_open = single_token(impl->vocab, "<think>");
    impl->think_close = single_token(impl->vocab, "</think>");
    progress.message(LogLevel::debug,
                     fmt::format("{}: {}, {} blocks of {}, {} tokens of vocabulary, {} chat template, identity {:.12}",
                                 impl->info.name, impl->info.description, impl->info.n_layer, impl->info.n_embd,
                                 impl->info.n_vocab,
                                 impl->chat == nullptr           ? "no"
                                 : options.chat_template.empty() ? "its own"
                                                                 : "another",
                                 impl->info.identity));
    return std::shared_ptr<Model>(new Model(std::move(impl)));
}

const ModelInfo & Model::info() const {
    return impl_->info;
}

const ModelOptions & Model::options() const {
    return impl_->options;
}

std::vector<Token> Model::tokenize(std::string_view text, bool add_bos, bool parse_special) const {
    std::vector<Token> tokens(text.size() + 2);
    int n = llama_tokenize(impl_->vocab, text.data(), static_cast<std::int32_t>(text.size()), tokens.data(),
                           static_cast<std::int32_t>(tokens.size()), add_bos, parse_special);
    if (n < 0) {
        tokens.resize(static_cast<std::size_t>(-n));
        n = llama_tokenize(impl_->vocab, text.data(), static_cast<std::int32_t>(text.size()), tokens.data(),
                           static_cast<std::int32_t>(tokens.size()), add_bos, parse_special);
    }
    tokens.resize(static_cast<std::size_t>(std::max(n, 0)));
    if (add_bos && llama_vocab_get_add_eos(impl_->vocab) && !tokens.empty() &&
        tokens.back() == llama_vocab_eos(impl_->vocab)) {
        tokens.pop_back(); // a prompt goes on: an end-of-text token that the tokenizer adds would close it
    }
    return tokens;
}

std::string Model::detokenize(std::span<const Token> tokens, bool special) const {
    std::string text;
    for (const Token token : tokens) {
        text += common_token_to_piece(impl_->vocab, token, special);
    }
    return to_valid_utf8(text);
}

std::string Model::token_bytes(Token token, bool special) const {
    return common_token_to_piece(impl_->vocab, token, special);
}

bool Model::is_end_of_generation(Token token) const {
    return llama_vocab_is_eog(impl_->vocab, token);
}

RenderedPrompt Model::render_chat(const std::optional<std::string> & system, const std::string & user) const {
    std::vector<ChatMessage> messages;
    if (system) {
        messages.push_back({"system", *system});
    }
    messages.push_back({"user", user});
    return render_messages(messages);
}

RenderedPrompt Model::render_messages(std::span<const ChatMessage> messages) const {
    if (!impl_->chat) {
        fail(ErrorKind::model, "{}: has no chat template (a base model?); give one with --chat-template",
             impl_->options.path);
    }
    ChatTemplate::Rendered rendered = impl_->chat->render(messages);
    RenderedPrompt prompt = render_plain(rendered.text);
    prompt.system_merged = rendered.system_merged;
    return prompt;
}

RenderedPrompt Model::render_plain(const std::string & text) const {
    RenderedPrompt prompt;
    prompt.text = text;
    // Templates often write the BOS text themselves: adding another would shift everything after it.
    const llama_token bos = llama_vocab_bos(impl_->vocab);
    const bool has_bos =
        bos != LLAMA_TOKEN_NULL && !text.empty() && text.starts_with(common_token_to_piece(impl_->vocab, bos, true));
    prompt.tokens = tokenize(text, !has_bos, true);
    return prompt;
}

} // namespace valuelens
