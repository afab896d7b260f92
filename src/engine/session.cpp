#include "engine/session.h"

#include <ggml-backend.h>
#include <ggml-cpu.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "base/fail.h"
#include "engine/backend.h"

namespace valuelens {
namespace {

// ggml's CPU backend may be a plug-in: its thread pool is reached through the registry.
template <typename Function>
Function cpu_function(const char * name) {
    ggml_backend_dev_t device = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    if (device == nullptr) {
        return nullptr;
    }
    return reinterpret_cast<Function>(ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(device), name));
}

} // namespace

void Session::PoolDeleter::operator()(ggml_threadpool * pool) const {
    if (const auto release = cpu_function<decltype(&ggml_threadpool_free)>("ggml_threadpool_free")) {
        release(pool);
    }
}

ggml_type Session::kv_type_from_string(const std::string & text) {
    static constexpr std::array<std::pair<const char *, ggml_type>, 9> types{{{"f32", GGML_TYPE_F32},
                                                                              {"f16", GGML_TYPE_F16},
                                                                              {"bf16", GGML_TYPE_BF16},
                                                                              {"q8_0", GGML_TYPE_Q8_0},
                                                                              {"q5_1", GGML_TYPE_Q5_1},
                                                                              {"q5_0", GGML_TYPE_Q5_0},
                                                                              {"q4_1", GGML_TYPE_Q4_1},
                                                                              {"q4_0", GGML_TYPE_Q4_0},
                                                                              {"iq4_nl", GGML_TYPE_IQ4_NL}}};
    std::string names;
    for (const auto & [name, type] : types) {
        if (text == name) {
            return type;
        }
        names += names.empty() ? name : std::string(", ") + name;
    }
    fail(ErrorKind::usage, "--kv-type '{}' is not known; one of {}", text, names);
}

Session::Session(std::shared_ptr<Model> model, const SessionOptions & options)
    : model_(std::move(model)), options_(options) {
    Model::Impl & impl = model_->impl();
    hooks_ = std::make_unique<Hooks>(impl.info.n_layer, impl.info.n_embd);

    llama_context_params parameters = llama_context_default_params();
    parameters.n_seq_max = static_cast<std::uint32_t>(options.n_sequences);
    parameters.n_ctx =
        static_cast<std::uint32_t>(options.unified ? options.n_cells : options.n_cells * options.n_sequences);
    parameters.kv_unified = options.unified;
    // One physical batch per decode: a batch that llama.cpp splits comes back in another order (Hooks::check_rows).
    parameters.n_batch = static_cast<std::uint32_t>(options.batch_size);
    parameters.n_ubatch = parameters.n_batch;
    parameters.n_outputs_max = static_cast<std::uint32_t>(options.max_outputs);
    parameters.n_threads = impl.options.threads;
    parameters.n_threads_batch = impl.options.threads;
    parameters.type_k = kv_type_from_string(options.kv_type);
    parameters.type_v = parameters.type_k;
    parameters.flash_attn_type = options.flash_attention ? LLAMA_FLASH_ATTN_TYPE_AUTO : LLAMA_FLASH_ATTN_TYPE_DISABLED;
    parameters.swa_full = true; // a copied or cut-back prefix needs every cell
    parameters.no_perf = true;
    parameters.cb_eval = &Hooks::callback;
    parameters.cb_eval_user_data = hooks_.get();
    parameters.abort_callback = [](void * user_data) {
        return static_cast<Session *>(user_data)->stop_.stop_requested();
    };
    parameters.abort_callback_data = this;

    take_backend_errors();
    context_.reset(llama_init_from_model(impl.model.get(), parameters));
    if (!context_) {
        const std::string cause = take_backend_errors();
        fail(ErrorKind::model,
             "{}: no context of {} sequences × {} tokens could be made{}; try a smaller --parallel or --ctx-size",
             impl.options.path, options.n_sequences, options.n_cells, cause.empty() ? "" : " (" + cause + ")");
    }

    // Without a pool of its own ggml starts and joins threads for every piece of graph between two hooks.
    const auto make_pool = cpu_function<decltype(&ggml_threadpool_new)>("ggml_threadpool_new");
    if (make_pool != nullptr) {
        ggml_threadpool_params pool_parameters = ggml_threadpool_params_default(impl.options.threads);
        pool_.reset(make_pool(&pool_parameters));
        llama_attach_threadpool(context_.get(), pool_.get(), pool_.get());
    }

    learn();
}

// One decode that shows the names in the graph and leaves nothing behind.
void Session::learn() {
    const double before = decode_seconds_;
    const llama_token bos = llama_vocab_bos(model_->impl().vocab);
    hooks_->learn();
    decode({BatchRow{bos == LLAMA_TOKEN_NULL ? 0 : bos, 0, 0, true, false, false, nullptr, false, false, nullptr}}, -2,
           {});
    clear();
    decode_seconds_ = before;
}

bool Session::share_addition(const Intervention & intervention) {
    const auto n_layer = static_cast<std::size_t>(model_->info().n_layer);
    const auto n_embd = static_cast<std::size_t>(model_->info().n_embd);
    const PreparedIntervention checked(intervention, model_->info().n_layer, model_->info().n_embd);
    std::vector<float> sums((n_layer - 1) * n_embd); // row l is of block l+1
    std::vector<bool> used(n_layer);
    for (const LayerDirection & direction : intervention.directions) {
        if (direction.layer > 0) {
            const auto layer = static_cast<std::size_t>(direction.layer);
            used[layer] = true;
            for (std::size_t i = 0; i < n_embd; ++i) {
                sums[(layer - 1) * n_embd + i] += direction.alpha * direction.vector[i];
            }
        }
    }
    const auto first = std::find(used.begin(), used.end(), true);
    if (first == used.end()) {
        return false;
    }
    const auto last = std::find(used.rbegin(), used.rend(), true);
    shares_addition_ = true;
    const std::int32_t status = llama_set_adapter_cvec(
        context_.get(), sums.data(), sums.size(), static_cast<std::int32_t>(n_embd),
        static_cast<std::int32_t>(first - used.begin()), static_cast<std::int32_t>(used.rend() - last - 1));
    if (status == 0) {
        learn();
    }
    const std::vector<bool> & adds = hooks_->names().adds_vector;
    for (std::size_t layer = 1; layer < n_layer; ++layer) {
        if (status != 0 || (used[layer] && !adds[layer])) {
            forget_interventions();
            return false;
        }
    }
    hooks_->leave_to_graph(&intervention);
    return true;
}

void Session::forget_interventions() {
    hooks_->forget_interventions();
    if (shares_addition_) {
        llama_set_adapter_cvec(context_.get(), nullptr, 0, model_->info().n_embd, 0, 0);
        shares_addition_ = false;
    }
}

void Session::decode(const std::vector<BatchRow> & rows, int last_layer, std::stop_token stop) {
    const auto n = rows.size();
    tokens_.resize(n);
    positions_.resize(n);
    n_ids_.assign(n, 1);
    ids_.resize(n);
    id_pointers_.resize(n);
    outputs_.resize(n);
    for (std::size_t i = 0; i < n; ++i) {
        tokens_[i] = rows[i].token;
        positions_[i] = rows[i].position;
        ids_[i] = rows[i].sequence;
        id_pointers_[i] = &ids_[i];
        outputs_[i] = rows[i].output ? 1 : 0;
    }
    llama_batch batch{};
    batch.n_tokens = static_cast<std::int32_t>(n);
    batch.token = tokens_.data();
    batch.pos = positions_.data();
    batch.n_seq_id = n_ids_.data();
    batch.seq_id = id_pointers_.data();
    batch.logits = outputs_.data();

    if (last_layer != -2) { // the first decode only learns names
        hooks_->begin(rows, last_layer);
    }
    stop_ = std::move(stop);
    const auto begin = std::chrono::steady_clock::now();
    const std::int32_t status = llama_decode(context_.get(), batch);
    decode_seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (last_layer != -2) {
        hooks_->end();
    }
    if (status == 2 || (status != 0 && stop_.stop_requested())) {
        fail(ErrorKind::interrupted, "stopped");
    }
    if (status == 1) {
        fail(ErrorKind::internal, "the key-value cache has no room for a batch of {} tokens", n);
    }
    if (status != 0) {
        const std::string cause = take_backend_errors();
        fail(ErrorKind::model, "{}: llama.cpp failed on a batch of {} tokens (status {}{})", model_->info().path, n,
             status, cause.empty() ? "" : ": " + cause);
    }
}

std::span<const float> Session::logits(std::size_t row) const {
    const float * data = llama_get_logits_ith(context_.get(), static_cast<std::int32_t>(row));
    if (data == nullptr) {
        fail(ErrorKind::internal, "no logits for row {}", row);
    }
    return {data, static_cast<std::size_t>(model_->info().n_vocab)};
}

void Session::clear() {
    llama_memory_clear(llama_get_memory(context_.get()), true);
}

void Session::remove(int sequence, int from) {
    llama_memory_seq_rm(llama_get_memory(context_.get()), sequence, from, -1);
}

void Session::copy_prefix(int from, int to, int length) {
    llama_memory_t memory = llama_get_memory(context_.get());
    llama_memory_seq_rm(memory, to, -1, -1);
    if (options_.unified) {
        llama_memory_seq_cp(memory, from, to, 0, length);
    } else { // between separate streams only whole ones can be copied
        llama_memory_seq_cp(memory, from, to, -1, -1);
        llama_memory_seq_rm(memory, to, length, -1);
    }
}

void Session::scrub(std::span<const int> keep) {
    std::vector<std::vector<std::uint8_t>> states;
    for (const int sequence : keep) {
        std::vector<std::uint8_t> & state = states.emplace_back(llama_state_seq_get_size(context_.get(), sequence));
        state.resize(llama_state_seq_get_data(context_.get(), state.data(), state.size(), sequence));
    }
    clear();
    for (std::size_t i = 0; i < keep.size(); ++i) {
        if (llama_state_seq_set_data(context_.get(), states[i].data(), states[i].size(), keep[i]) == 0) {
            fail(ErrorKind::internal, "the cache of sequence {} could not be put back", keep[i]);
        }
    }
}

} // namespace valuelens
