#pragma once

#include <ggml.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/graph_names.h"
#include "engine/mlp_sink.h"
#include "engine/steering.h"
#include "valuelens/request.h"

namespace valuelens {

/// Sums over response tokens of one sequence, in double: thousands of tokens lose nothing.
struct CaptureSums {
    std::vector<double> resid_post; ///< [n_layer, n_embd]; empty: not wanted
    std::vector<double> mlp_post;   ///< [n_layer, n_ff]; empty: not wanted
    std::vector<float> resid_last;  ///< [n_layer, n_embd] of the last token; empty: not wanted
    std::size_t n_tokens = 0;       ///< in the sums
    const Projector * projector = nullptr;
    std::vector<float> projected; ///< [rows handed out, n_directions]
};

/// One row of a batch: one token of one sequence.
struct BatchRow {
    Token token = 0;
    std::int32_t position = 0;
    int sequence = 0;
    bool output = false; ///< the last block keeps this row
    bool needs_logits = false;
    bool is_response = false;        ///< a response token (else of the prompt)
    CaptureSums * capture = nullptr; ///< record this row there
    bool in_mean = false;            ///< ... in its sums
    bool is_last = false;            ///< ... as its last token
    const Intervention * intervention = nullptr;
    int projected = -1; ///< the row of capture->projected that takes this row's projections; -1: not wanted
};

/// Reads and edits activations while llama.cpp computes: the eval callback of one context.
///
/// What is read and edited where is told by GraphNames; which experts a token was routed to, by the graph at hand.
/// Tensors are reached through ggml-backend where they do not lie in host memory.
class Hooks {
public:
    Hooks(int n_layer, int n_embd);

    /// For llama_context_params::cb_eval, with `this` as user data.
    static bool callback(ggml_tensor * node, bool ask, void * user_data);

    /// Before a first decode: learn the names only. Afterwards `names()` is filled.
    void learn();
    const GraphNames & names() const { return names_; }

    /// Before each decode. `rows` in the order of the batch, alive until the decode is over. `last_layer`: the graph
    /// may end after this block's output, -1: it runs to the end.
    void begin(const std::vector<BatchRow> & rows, int last_layer);

    /// The additions of this intervention are in the graph itself (Session::share_addition), except those to block 0:
    /// they are not made a second time. Null: none is.
    void leave_to_graph(const Intervention * intervention) { in_graph_ = intervention; }

    /// Hands post-activations of every decode to come to `sink` (null: to none), which outlives them.
    void feed(MlpSink * sink) { sink_ = sink; }

    /// Drops what was prepared for interventions; to be called before any of them may have been destroyed and its
    /// address reused.
    void forget_interventions();
    /// The same for one of them.
    void forget_intervention(const Intervention * intervention) { prepared_.erase(intervention); }

    /// After each decode: throws Error(internal) if the graph's rows were not those announced.
    void end();

    /// Throws as GraphNames::require() does.
    void require(const Request & request, const std::string & model_path) const;

    /// Seconds spent inside since construction.
    double seconds() const { return seconds_; }

private:
    bool on_ask(const ggml_tensor * node);
    bool on_value(ggml_tensor * node);
    void check_rows(const ggml_tensor * tokens);
    void visit_block_output(ggml_tensor * node, int layer);
    void visit_mlp(ggml_tensor * node, MlpPlace place);
    void visit_experts(ggml_tensor * node, int layer);
    void feed_sink(const ggml_tensor * node, MlpPlace place);
    std::span<const std::size_t> rows_of(std::int64_t n);
    const PreparedIntervention * prepare(const Intervention & intervention);

    int n_layer_;
    int n_embd_;
    bool learning_ = false;
    GraphNames names_;
    std::vector<const ggml_tensor *> expert_ids_; ///< per block, of the graph at hand: [n_used, n_token] I32

    const std::vector<BatchRow> * rows_ = nullptr;
    int last_layer_ = -1;
    bool wants_resid_ = false;
    bool wants_mlp_ = false;
    std::vector<bool> projects_;                 ///< per block, by the rows of this decode
    std::vector<bool> edits_resid_;              ///< per block, by the rows of this decode
    std::array<std::vector<bool>, 3> edits_mlp_; ///< [MlpKind][block]
    bool edits_any_mlp_ = false;
    std::vector<const PreparedIntervention *> row_edits_; ///< of each row; null: none
    std::vector<std::size_t> all_rows_;
    std::vector<std::size_t> output_rows_;
    bool rows_checked_ = false;
    bool touched_ = false; ///< rows of this decode were read or edited
    std::string broken_;
    const Intervention * in_graph_ = nullptr;
    MlpSink * sink_ = nullptr;
    std::map<const Intervention *, std::unique_ptr<PreparedIntervention>> prepared_;
    std::vector<float> staging_;
    double seconds_ = 0;
};

} // namespace valuelens
