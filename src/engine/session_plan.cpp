#include "engine/session_plan.h"

#include <llama.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/fail.h"
#include "engine/model_impl.h"

namespace valuelens {
namespace {

constexpr std::uint64_t kv_budget_bytes = 4ULL << 30;      // of the cache of all sequences in flight
constexpr std::uint64_t live_kv_budget_bytes = 2ULL << 30; // of a cache that is there from the start, needed or not
constexpr std::uint64_t logits_budget_bytes = 64ULL << 20; // of the rows whose logits one batch returns
constexpr int default_ctx_limit = 8192;
constexpr int least_live_ctx = 2048;     // rather fewer sequences than a context shorter than this
constexpr int cell_step = 256;           // llama.cpp rounds its caches up to this
constexpr int least_unified_cells = 512; // room for two prefixes and their suffixes

int round_up(std::size_t n, int step) {
    return static_cast<int>((n + static_cast<std::size_t>(step) - 1) / static_cast<std::size_t>(step)) * step;
}

// Flash attention on a CPU rounds to half precision on the way: 1e-4 of a residual, where an F32 model is accurate to
// 4e-7.
bool is_exact(const Model & model) {
    return llama_model_ftype(model.impl().model.get()) == LLAMA_FTYPE_ALL_F32;
}

std::uint64_t kv_bytes_per_cell(const Model & model, const SchedulerOptions & options) {
    const llama_model * raw = model.impl().model.get();
    // Heads may be wider than n_embd / n_head (Gemma 3, Qwen3): the file then says how wide.
    const auto stated = [&](const char * key) {
        std::array<char, 32> text{};
        const std::string name = model.info().architecture + key;
        return llama_model_meta_val_str(raw, name.c_str(), text.data(), text.size()) > 0 ? std::atoi(text.data()) : 0;
    };
    const int usual = model.info().n_embd / std::max(1, llama_model_n_head(raw));
    const int key_width = std::max(usual, stated(".attention.key_length"));
    const int value_width = std::max(usual, stated(".attention.value_length"));
    const ggml_type type = Session::kv_type_from_string(kv_type_for(model, options));
    const auto numbers = static_cast<std::uint64_t>(std::max(1, llama_model_n_head_kv(raw))) *
                         static_cast<std::uint64_t>(key_width + value_width);
    return static_cast<std::uint64_t>(model.info().n_layer) * numbers * ggml_type_size(type) /
           static_cast<std::uint64_t>(ggml_blck_size(type));
}

SessionOptions common_options(const Model & model, const SchedulerOptions & options) {
    SessionOptions session;
    session.kv_type = kv_type_for(model, options);
    session.flash_attention = !is_exact(model);
    session.batch_size = options.batch_size;
    return session;
}

int sequences_within(std::uint64_t budget, int wanted, int n_cells, std::uint64_t cell_bytes) {
    const std::uint64_t per_sequence = static_cast<std::uint64_t>(n_cells) * cell_bytes;
    return std::max(1, std::min(wanted, static_cast<int>(budget / std::max<std::uint64_t>(1, per_sequence))));
}

void set_batch_limits(SessionOptions & session, const Model & model) {
    session.batch_size = std::max(session.batch_size, session.n_sequences);
    const auto rows =
        static_cast<int>(logits_budget_bytes / (sizeof(float) * static_cast<std::uint64_t>(model.info().n_vocab)));
    const int least = std::max(32, session.n_sequences);
    session.max_outputs = std::clamp(rows, least, std::max(session.batch_size, least));
}

} // namespace

std::string kv_type_for(const Model & model, const SchedulerOptions & options) {
    return options.kv_type != "auto" ? options.kv_type : is_exact(model) ? "f32" : "f16";
}

int context_limit(const Model & model, const SchedulerOptions & options) {
    const int trained = model.info().n_ctx_train > 0 ? model.info().n_ctx_train : default_ctx_limit;
    return options.ctx_size > 0 ? options.ctx_size : std::min(trained, default_ctx_limit);
}

void check_options(const Model & model, const SchedulerOptions & options) {
    Session::kv_type_from_string(kv_type_for(model, options)); // a wrong name is said at once
    if (options.parallel < 1 || options.parallel > 256) {
        fail(ErrorKind::usage, "--parallel {}: expected 1 to 256 sequences in flight", options.parallel);
    }
    if (options.batch_size < 1 || options.ctx_size < 0) {
        fail(ErrorKind::usage, "the batch size must be at least 1 and --ctx-size at least 0");
    }
}

void check_request(const Model & model, const Request & request, std::size_t index) {
    const auto bad = [&](const std::string & what) {
        fail(ErrorKind::internal, "request {}: {}", index, what);
    };
    const auto in_vocabulary = [&](const std::vector<Token> & tokens) {
        return std::all_of(tokens.begin(), tokens.end(),
                           [&](Token token) { return token >= 0 && token < model.info().n_vocab; });
    };
    if (request.prompt.empty() && (request.kind != RequestKind::continue_ || request.logprobs)) {
        bad("its prompt has no tokens");
    }
    if (request.kind == RequestKind::continue_ && request.response.empty()) {
        bad("its response has no tokens");
    }
    if (request.kind == RequestKind::choose && request.choices.empty()) {
        bad("no choices are given");
    }
    if (request.kind == RequestKind::generate && request.max_tokens < 1) {
        bad("max_tokens must be at least 1");
    }
    if (!in_vocabulary(request.prompt) || !in_vocabulary(request.response) || !in_vocabulary(request.choices)) {
        bad("a token lies outside the vocabulary");
    }
    for (std::size_t i = 0; i < request.capture.layers.size(); ++i) {
        const int layer = request.capture.layers[i];
        if (layer < 0 || layer >= model.info().n_layer || (i > 0 && layer <= request.capture.layers[i - 1])) {
            bad(fmt::format("capture.layers must ascend within 0-{}", model.info().n_layer - 1));
        }
    }
    if (request.top_logprobs < 0 || (request.top_logprobs > 0 && !request.logprobs)) {
        bad("top_logprobs needs logprobs and cannot be negative");
    }
    if (request.entropies && !request.logprobs) {
        bad("entropies need logprobs");
    }
    if (const Projector * projector = request.capture.projector.get()) {
        for (const Projector::Row & row : projector->rows) {
            if (row.direction >= projector->n_directions || row.layer < 0 || row.layer >= model.info().n_layer ||
                row.vector.size() != static_cast<std::size_t>(model.info().n_embd)) {
                bad(fmt::format("a direction to project on lies beyond blocks 0-{} or is not {} wide",
                                model.info().n_layer - 1, model.info().n_embd));
            }
        }
        if (projector->n_directions == 0) {
            bad("there is no direction to project on");
        }
    }
}

SessionOptions plan_session(const Model & model, const SchedulerOptions & options, std::size_t longest,
                            std::size_t n_requests, bool unified) {
    SessionOptions session = common_options(model, options);
    session.unified = unified;
    session.n_sequences =
        static_cast<int>(std::min<std::size_t>(static_cast<std::size_t>(std::max(1, options.parallel)), n_requests));
    session.n_cells = round_up(longest, cell_step);
    if (unified) {
        session.n_cells = std::max(least_unified_cells, session.n_cells);
    } else {
        session.n_sequences =
            sequences_within(kv_budget_bytes, session.n_sequences, session.n_cells, kv_bytes_per_cell(model, options));
    }
    set_batch_limits(session, model);
    return session;
}

SessionOptions plan_live_session(const Model & model, const SchedulerOptions & options) {
    SessionOptions session = common_options(model, options);
    const std::uint64_t cell_bytes = std::max<std::uint64_t>(1, kv_bytes_per_cell(model, options));
    const auto wanted = static_cast<std::uint64_t>(options.parallel);
    const int limit = context_limit(model, options);
    int cells = limit;
    if (options.ctx_size == 0) {
        const auto fitting = static_cast<int>(
            std::min<std::uint64_t>(live_kv_budget_bytes / (cell_bytes * wanted), static_cast<std::uint64_t>(limit)));
        cells = std::max(fitting / cell_step * cell_step, std::min(limit, least_live_ctx));
    }
    session.n_cells = round_up(static_cast<std::size_t>(cells), cell_step);
    const std::uint64_t budget = options.ctx_size == 0 ? live_kv_budget_bytes : kv_budget_bytes;
    session.n_sequences = sequences_within(budget, options.parallel, session.n_cells, cell_bytes);
    set_batch_limits(session, model);
    return session;
}

} // namespace valuelens
