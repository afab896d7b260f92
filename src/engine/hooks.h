#pragma once

#include <ggml.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

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

/// What the names of a model's graph mean, learned from a first decode.
struct GraphNames {
    std::vector<bool> has_block_output; ///< per block: a node named l_out-<block> exists
    std::vector<std::string> mlp_post;  ///< per block: the node that is the input of the down projection; empty: none
    bool mlp_is_mixture = false;
    std::vector<bool> adds_vector; ///< per block: its output is what llama.cpp's control vector was just added to
};

/// Reads and edits activations while llama.cpp computes: the eval callback of one context.
///
/// Block outputs are the nodes l_out-<block>; MLP post-activations are found by the graph (the second operand of the
/// multiplication by blk.<block>.ffn_down.weight), which works for any architecture. Tensors are reached through
/// ggml-backend where they do not lie in host memory.
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

    /// Drops what was prepared for interventions; to be called before any of them may have been destroyed and its
    /// address reused.
    void forget_interventions();
    /// The same for one of them.
    void forget_intervention(const Intervention * intervention) { prepared_.erase(intervention); }

    /// After each decode: throws Error(internal) if the graph's rows were not those announced.
    void end();

    /// Throws Error(model) where the model's graph lacks what the requests ask for.
    void require(const Request & request, const std::string & model_path) const;

    /// Seconds spent inside since construction.
    double seconds() const { return seconds_; }

private:
    bool on_ask(const ggml_tensor * node);
    bool on_value(ggml_tensor * node);
    void learn_from(const ggml_tensor * node);
    void check_rows(const ggml_tensor * tokens);
    void visit_block_output(ggml_tensor * node, int layer);
    void visit_mlp(ggml_tensor * node, int layer);
    std::vector<std::size_t> rows_of(const ggml_tensor * node);
    const PreparedIntervention & prepare(const Intervention & intervention);

    int n_layer_;
    int n_embd_;
    bool learning_ = false;
    GraphNames names_;
    std::map<std::string, int, std::less<>> mlp_layers_; ///< node name -> block

    const std::vector<BatchRow> * rows_ = nullptr;
    int last_layer_ = -1;
    bool wants_resid_ = false;
    bool wants_mlp_ = false;
    std::vector<bool> projects_;    ///< per block, by the rows of this decode
    std::vector<bool> edits_resid_; ///< per block, by the rows of this decode
    std::vector<bool> edits_mlp_;
    bool rows_checked_ = false;
    bool touched_ = false; ///< rows of this decode were read or edited
    std::string broken_;
    const Intervention * in_graph_ = nullptr;
    std::map<const Intervention *, std::unique_ptr<PreparedIntervention>> prepared_;
    std::vector<float> staging_;
    double seconds_ = 0;
};

} // namespace valuelens
