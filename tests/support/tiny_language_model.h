#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "support/gguf_writer.h"

namespace valuelens::test {

/// A language model of random weights that llama.cpp loads, a few hundred kilobytes small: F32, a vocabulary of bytes.
/// Its weights can be changed before it is written, so that what an intervention does can be had by weights as well.
class TinyLanguageModel {
public:
    static constexpr std::size_t n_embd = 32;
    static constexpr std::size_t n_head = 4;
    static constexpr std::size_t n_head_kv = 2;
    static constexpr std::size_t n_vocab = 260; ///< unknown, begin, end, bytes, and the space of SentencePiece

    struct Tensor {
        std::vector<std::uint64_t> sizes; ///< the contiguous dimension first
        std::vector<float> values;
    };

    /// A dense model of architecture llama, with biases on its output projections.
    static TinyLanguageModel dense(std::size_t n_layer = 3, std::size_t n_ff = 48, std::uint64_t seed = 1) {
        TinyLanguageModel model("llama", n_layer, n_ff, seed);
        for (std::size_t layer = 0; layer < n_layer; ++layer) {
            const std::string block = fmt::format("blk.{}.", layer);
            model.add(block + "ffn_gate.weight", {n_embd, n_ff});
            model.add(block + "ffn_up.weight", {n_embd, n_ff});
            model.add(block + "ffn_down.weight", {n_ff, n_embd});
            model.add(block + "attn_output.bias", {n_embd});
            model.add(block + "ffn_down.bias", {n_embd});
        }
        return model;
    }

    static constexpr std::size_t n_expert = 5;
    static constexpr std::size_t n_used = 2;
    static constexpr std::size_t n_ff_expert = 16;
    static constexpr std::size_t n_ff_shared = 24;

    /// A mixture of experts with a shared one in each block (architecture qwen2moe).
    static TinyLanguageModel mixture(std::size_t n_layer = 3, std::uint64_t seed = 1) {
        TinyLanguageModel model("qwen2moe", n_layer, n_ff_shared, seed);
        for (std::size_t layer = 0; layer < n_layer; ++layer) {
            const std::string block = fmt::format("blk.{}.", layer);
            for (const char * name : {"attn_q.bias", "attn_k.bias", "attn_v.bias"}) {
                model.add(block + name, {name[5] == 'q' ? n_embd : n_embd / n_head * n_head_kv});
            }
            model.add(block + "ffn_gate_inp.weight", {n_embd, n_expert});
            model.add(block + "ffn_gate_exps.weight", {n_embd, n_ff_expert, n_expert});
            model.add(block + "ffn_up_exps.weight", {n_embd, n_ff_expert, n_expert});
            model.add(block + "ffn_down_exps.weight", {n_ff_expert, n_embd, n_expert});
            model.add(block + "ffn_gate_inp_shexp.weight", {n_embd});
            model.add(block + "ffn_gate_shexp.weight", {n_embd, n_ff_shared});
            model.add(block + "ffn_up_shexp.weight", {n_embd, n_ff_shared});
            model.add(block + "ffn_down_shexp.weight", {n_ff_shared, n_embd});
        }
        return model;
    }

    std::size_t n_layer() const { return n_layer_; }
    Tensor & tensor(const std::string & name) { return tensors_.at(name); }
    const Tensor & tensor(const std::string & name) const { return tensors_.at(name); }
    void remove(const std::string & name) { tensors_.erase(name); }

    std::string write(const std::filesystem::path & path) const {
        GgufWriter gguf(architecture_);
        const auto number = [&](const char * key, std::size_t value) {
            gguf.number(architecture_ + "." + key, static_cast<std::uint32_t>(value));
        };
        gguf.text("general.name", "tiny " + architecture_);
        gguf.number("general.file_type", 0);
        number("block_count", n_layer_);
        number("context_length", 4096);
        number("embedding_length", n_embd);
        number("feed_forward_length", n_ff_);
        number("attention.head_count", n_head);
        number("attention.head_count_kv", n_head_kv);
        gguf.real(architecture_ + ".attention.layer_norm_rms_epsilon", 1e-5f);
        if (architecture_ == "qwen2moe") {
            number("expert_count", n_expert);
            number("expert_used_count", n_used);
            number("expert_feed_forward_length", n_ff_expert);
            number("expert_shared_feed_forward_length", n_ff_shared);
        }
        write_vocabulary(gguf);
        for (const auto & [name, tensor] : tensors_) {
            gguf.tensor(name, tensor.sizes, tensor.values);
        }
        return gguf.write(path);
    }

private:
    TinyLanguageModel(std::string architecture, std::size_t n_layer, std::size_t n_ff, std::uint64_t seed)
        : architecture_(std::move(architecture)), n_layer_(n_layer), n_ff_(n_ff), seed_(seed) {
        add("token_embd.weight", {n_embd, n_vocab});
        add("output_norm.weight", {n_embd});
        add("output.weight", {n_embd, n_vocab});
        for (std::size_t layer = 0; layer < n_layer; ++layer) {
            const std::string block = fmt::format("blk.{}.", layer);
            constexpr std::uint64_t n_kv = n_embd / n_head * n_head_kv;
            add(block + "attn_norm.weight", {n_embd});
            add(block + "ffn_norm.weight", {n_embd});
            add(block + "attn_q.weight", {n_embd, n_embd});
            add(block + "attn_k.weight", {n_embd, n_kv});
            add(block + "attn_v.weight", {n_embd, n_kv});
            add(block + "attn_output.weight", {n_embd, n_embd});
        }
    }

    /// Matrices keep the size of what they multiply; biases are a tenth of it, gains of norms lie around 1.
    void add(const std::string & name, const std::vector<std::uint64_t> & sizes) {
        Rng rng(derive_seed(seed_, name));
        std::size_t count = 1;
        for (const std::uint64_t size : sizes) {
            count *= size;
        }
        const bool embedding = name == "token_embd.weight";
        const bool gain = name.ends_with("norm.weight");
        const double scale = embedding ? 1 : sizes.size() == 1 ? 0.1 : 1 / std::sqrt(static_cast<double>(sizes[0]));
        Tensor & tensor = tensors_[name];
        tensor.sizes = sizes;
        for (std::size_t i = 0; i < count; ++i) {
            tensor.values.push_back(static_cast<float>((gain ? 1 : 0) + scale * rng.normal()));
        }
    }

    static void write_vocabulary(GgufWriter & gguf) {
        std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
        std::vector<std::int32_t> types = {2, 3, 3};
        for (int byte = 0; byte < 256; ++byte) {
            tokens.push_back(fmt::format("<0x{:02X}>", byte));
            types.push_back(6);
        }
        tokens.emplace_back("\xe2\x96\x81");
        types.push_back(1);
        gguf.text("tokenizer.ggml.model", "llama");
        gguf.texts("tokenizer.ggml.tokens", tokens);
        gguf.reals("tokenizer.ggml.scores", std::vector<float>(tokens.size(), 0.0f));
        gguf.numbers("tokenizer.ggml.token_type", types);
        gguf.number("tokenizer.ggml.unknown_token_id", 0);
        gguf.number("tokenizer.ggml.bos_token_id", 1);
        gguf.number("tokenizer.ggml.eos_token_id", 2);
        gguf.flag("tokenizer.ggml.add_space_prefix", false);
        gguf.text("tokenizer.chat_template",
                  "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
                  "{% if add_generation_prompt %}assistant: {% endif %}");
    }

    std::string architecture_;
    std::size_t n_layer_;
    std::size_t n_ff_;
    std::uint64_t seed_;
    std::map<std::string, Tensor> tensors_;
};

} // namespace valuelens::test
