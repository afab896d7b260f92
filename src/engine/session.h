#pragma once

#include <llama.h>

#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/hooks.h"
#include "engine/model_impl.h"

namespace valuelens {

struct SessionOptions {
    bool unified = false; ///< one cache for all sequences (cheap prefix sharing) instead of one each (cheap attention)
    int n_sequences = 1;
    int n_cells = 0; ///< unified: of the whole cache; else of each sequence
    int batch_size = 512;
    int max_outputs = 512; ///< most rows with output in one decode
    std::string kv_type = "f16";
    bool flash_attention = true;
    bool operator==(const SessionOptions &) const = default;
};

/// One llama.cpp context with our hooks on it.
class Session {
public:
    Session(std::shared_ptr<Model> model, const SessionOptions & options);

    const SessionOptions & options() const { return options_; }
    Hooks & hooks() const { return *hooks_; }

    /// Puts rows through the model. Throws Error(interrupted) on a stop request, Error(model) when the context fails.
    void decode(const std::vector<BatchRow> & rows, int last_layer, std::stop_token stop);

    /// Logits of a row of the last decode that asked for them, [n_vocab].
    std::span<const float> logits(std::size_t row) const;

    /// Leaves the additions of an intervention, on every row of every decode to come, to llama.cpp's control vector:
    /// no row has to be read back, and the graph runs in one piece. Block 0 has no place there and stays with the
    /// hooks. Clears the cache. False, and nothing is changed, where the architecture does not add control vectors to
    /// the output of each of the blocks. Throws as PreparedIntervention does.
    bool share_addition(const Intervention & intervention);

    /// Ends that, and forgets what was prepared for interventions; to be called before any of them may have been
    /// destroyed and its address reused.
    void forget_interventions();

    void clear();
    /// Forgets the tokens of a sequence from this position on.
    void remove(int sequence, int from);
    /// Makes `to` hold the first `length` tokens of `from`; what `to` held is lost.
    void copy_prefix(int from, int to, int length);
    /// Empties the cache of all but these sequences, the numbers in it included: what is not finite in a free cell
    /// would still reach whoever reads beside it (0 × NaN).
    void scrub(std::span<const int> keep);

    double decode_seconds() const { return decode_seconds_; }

    static ggml_type kv_type_from_string(const std::string & text);

private:
    void learn();

    struct PoolDeleter {
        void operator()(ggml_threadpool * pool) const;
    };

    std::shared_ptr<Model> model_;
    SessionOptions options_;
    std::unique_ptr<Hooks> hooks_;
    std::unique_ptr<ggml_threadpool, PoolDeleter> pool_; // outlives the context
    ContextPtr context_;
    std::stop_token stop_;
    bool shares_addition_ = false;
    double decode_seconds_ = 0;

    std::vector<llama_token> tokens_;
    std::vector<llama_pos> positions_;
    std::vector<std::int32_t> n_ids_;
    std::vector<llama_seq_id> ids_;
    std::vector<llama_seq_id *> id_pointers_;
    std::vector<std::int8_t> outputs_;
};

} // namespace valuelens
