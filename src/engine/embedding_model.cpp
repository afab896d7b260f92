#include "valuelens/embedding_model.h"

#include <llama.h>

#include <common.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <utility>

#include "base/fail.h"
#include "engine/backend.h"
#include "engine/load_weights.h"

namespace valuelens {
namespace {

/// Tokens and texts that go through the model together at most. llama.cpp keeps room for logits of each token of a
/// batch, of encoders too, so a longer batch costs memory that nobody reads.
constexpr std::size_t batch_tokens = 512;
constexpr std::size_t batch_texts = 32;

bool stop_requested(void * stop) {
    return static_cast<const std::stop_token *>(stop)->stop_requested();
}

/// llama.cpp's number of the pooling that a file states. Asked of the file and not of a context: one of a pooling that
/// llama.cpp does not know ends the process.
std::optional<int> stated_pooling(const llama_model * model, const std::string & architecture) {
    std::array<char, 32> text{};
    if (llama_model_meta_val_str(model, (architecture + ".pooling_type").c_str(), text.data(), text.size()) < 0) {
        return std::nullopt;
    }
    return std::atoi(text.data());
}

} // namespace

struct EmbeddingModel::Impl : LoadedWeights {
    enum llama_pooling_type pooling = LLAMA_POOLING_TYPE_MEAN; // the type's name is a function's as well
    std::string pooling_text;

    void choose_pooling(ProgressSink & progress) {
        const std::optional<int> stated = stated_pooling(model.get(), info.architecture);
        if (!stated) {
            progress.message(
                LogLevel::warning,
                fmt::format("{}: says nothing of pooling, so it may be no embedding model; the mean of its "
                            "final states is taken",
                            options.path));
            pooling_text = "mean (not stated)";
            return;
        }
        switch (*stated) {
        case LLAMA_POOLING_TYPE_MEAN:
            pooling_text = "mean";
            break;
        case LLAMA_POOLING_TYPE_CLS:
            pooling_text = "cls";
            break;
        case LLAMA_POOLING_TYPE_LAST:
            pooling_text = "last";
            break;
        case LLAMA_POOLING_TYPE_RANK:
            fail(ErrorKind::model, "{}: is a reranker, which scores pairs of texts; give an embedding model",
                 options.path);
        default:
            fail(ErrorKind::model,
                 "{}: {}.pooling_type is {}, which gives no vector of a text; give an embedding model that pools by "
                 "mean (1), cls (2) or last (3)",
                 options.path, info.architecture, *stated);
        }
        pooling = static_cast<enum llama_pooling_type>(*stated);
    }

    /// A context whose batches hold so many tokens or some more.
    ContextPtr make_context(std::size_t tokens, const std::stop_token & stop) const {
        // A multiple of the sequences: llama.cpp rounds the tokens of the graph that it reserves up to one, and not its
        // outputs, and mean pooling then ends the process (its issue 27175).
        const std::size_t rounded = (tokens + batch_texts - 1) / batch_texts * batch_texts;
        llama_context_params parameters = llama_context_default_params();
        parameters.embeddings = true;
        parameters.pooling_type = pooling;
        parameters.n_seq_max = batch_texts;
        parameters.kv_unified = true;
        // A text has to be read in one piece where attention goes both ways.
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = static_cast<std::uint32_t>(rounded);
        parameters.n_outputs_max = parameters.n_batch;
        parameters.n_threads = parameters.n_threads_batch = options.threads;
        // Keys and values at full precision, which flash attention rounds: what a text is must not change with what is
        // read beside it, and texts are short.
        parameters.type_k = parameters.type_v = GGML_TYPE_F32;
        parameters.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
        parameters.swa_full = true;
        parameters.no_perf = true;
        parameters.abort_callback = stop_requested;
        parameters.abort_callback_data = const_cast<std::stop_token *>(&stop);
        take_backend_errors();
        ContextPtr context(llama_init_from_model(model.get(), parameters));
        if (!context) {
            const std::string cause = take_backend_errors();
            fail(ErrorKind::model, "{}: no context of {} tokens could be made{}", options.path, rounded,
                 cause.empty() ? "" : " (" + cause + ")");
        }
        return context;
    }

    /// Reads texts together and puts their vectors where they belong.
    void embed_batch(llama_context * context, std::span<const std::size_t> batch,
                     const std::vector<std::vector<llama_token>> & texts, std::vector<std::vector<float>> & embeddings,
                     const std::stop_token & stop) const {
        std::vector<llama_token> tokens;
        std::vector<llama_pos> positions;
        std::vector<llama_seq_id> ids;
        for (std::size_t sequence = 0; sequence < batch.size(); ++sequence) {
            const std::vector<llama_token> & text = texts[batch[sequence]];
            for (std::size_t position = 0; position < text.size(); ++position) {
                tokens.push_back(text[position]);
                positions.push_back(static_cast<llama_pos>(position));
                ids.push_back(static_cast<llama_seq_id>(sequence));
            }
        }
        std::vector<std::int32_t> n_ids(tokens.size(), 1);
        std::vector<std::int8_t> outputs(tokens.size(), 1);
        std::vector<llama_seq_id *> id_pointers;
        for (llama_seq_id & id : ids) {
            id_pointers.push_back(&id);
        }
        llama_batch rows{};
        rows.n_tokens = static_cast<std::int32_t>(tokens.size());
        rows.token = tokens.data();
        rows.pos = positions.data();
        rows.n_seq_id = n_ids.data();
        rows.seq_id = id_pointers.data();
        rows.logits = outputs.data();
        if (llama_memory_t memory = llama_get_memory(context)) { // encoders of the BERT kind have none
            llama_memory_clear(memory, true);
        }
        // T5's encoder attends both ways in llama_encode() alone.
        const std::int32_t status =
            llama_model_has_encoder(model.get()) ? llama_encode(context, rows) : llama_decode(context, rows);
        if (stop.stop_requested()) {
            fail(ErrorKind::interrupted, "stopped");
        }
        if (status != 0) {
            const std::string cause = take_backend_errors();
            fail(ErrorKind::model, "{}: llama.cpp failed on a batch of {} texts (status {}{})", options.path,
                 batch.size(), status, cause.empty() ? "" : ": " + cause);
        }
        const auto width = static_cast<std::size_t>(info.n_embd);
        for (std::size_t sequence = 0; sequence < batch.size(); ++sequence) {
            const float * data = llama_get_embeddings_seq(context, static_cast<llama_seq_id>(sequence));
            if (data == nullptr) {
                fail(ErrorKind::internal, "no embedding of text {} of a batch", sequence);
            }
            embeddings[batch[sequence]].assign(data, data + width);
        }
    }
};

EmbeddingModel::EmbeddingModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EmbeddingModel::~EmbeddingModel() = default;

std::shared_ptr<EmbeddingModel> EmbeddingModel::load(const ModelOptions & options, ProgressSink & progress,
                                                     std::stop_token stop) {
    auto impl = std::make_unique<Impl>(load_weights(options, progress, stop));
    llama_model * model = impl->model.get();
    if ((llama_model_has_encoder(model) && llama_model_has_decoder(model)) || llama_model_is_diffusion(model) ||
        llama_vocab_type(llama_model_get_vocab(model)) == LLAMA_VOCAB_TYPE_NONE) {
        fail(ErrorKind::model, "{}: architecture '{}' gives no embeddings of texts; give an embedding model",
             options.path, impl->info.architecture);
    }
    impl->info.n_embd = llama_model_n_embd_out(model);
    impl->info.n_ctx_train = llama_model_n_ctx_train(model);
    impl->choose_pooling(progress);
    return std::shared_ptr<EmbeddingModel>(new EmbeddingModel(std::move(impl)));
}

const ModelInfo & EmbeddingModel::info() const {
    return impl_->info;
}

const std::string & EmbeddingModel::pooling() const {
    return impl_->pooling_text;
}

std::vector<std::vector<float>> EmbeddingModel::embed(const std::string & stage, std::span<const std::string> texts,
                                                      ProgressSink & progress, std::stop_token stop) const {
    const llama_vocab * vocab = llama_model_get_vocab(impl_->model.get());
    const std::size_t most = std::min(max_tokens, static_cast<std::size_t>(std::max(0, impl_->info.n_ctx_train)));
    std::vector<std::vector<llama_token>> tokens;
    std::vector<std::size_t> order; // of the texts that are read, longest first
    for (const std::string & text : texts) {
        tokens.push_back(text.empty() ? std::vector<llama_token>() : common_tokenize(vocab, text, true, false));
        if (!tokens.back().empty() && tokens.back().size() <= most) {
            order.push_back(tokens.size() - 1);
        }
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return tokens[a].size() > tokens[b].size(); });
    std::vector<std::vector<float>> embeddings(texts.size());
    ContextPtr context;
    std::size_t capacity = 0;
    progress.start(stage, order.size(), "texts");
    for (std::size_t first = 0; first < order.size();) {
        // Few texts are long: those that are have a context to themselves, and do not swell that of all others.
        const std::size_t wanted = std::max(batch_tokens, tokens[order[first]].size());
        if (context == nullptr || wanted < capacity) {
            context.reset();
            context = impl_->make_context(wanted, stop);
            capacity = wanted;
        }
        std::size_t last = first;
        for (std::size_t used = 0; last < order.size() && last - first < batch_texts; ++last) {
            used += tokens[order[last]].size();
            if (used > capacity) {
                break;
            }
        }
        impl_->embed_batch(context.get(), std::span(order).subspan(first, last - first), tokens, embeddings, stop);
        first = last;
        progress.advance(first);
    }
    progress.finish();
    return embeddings;
}

} // namespace valuelens
