#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "valuelens/model.h"
#include "valuelens/neurons.h"

namespace valuelens {

/// Activations of chosen neurons on one batch of windows.
struct NeuronActivations {
    std::size_t n_row = 0;                  ///< tokens of all windows, padding included
    std::vector<std::size_t> window_begins; ///< [windows] first row of each
    std::vector<float> values;              ///< [neurons, n_row]; padding rows hold numbers that mean nothing
    std::span<const float> of(std::size_t neuron) const { return {values.data() + neuron * n_row, n_row}; }
};

/// Puts windows of text through a model, stopping before what is not needed (the output head; blocks above the last
/// neuron), and reads the post-activations (mlp_post) of chosen neurons. Each window is a context of its own.
///
/// An expert's neuron is 0 at tokens that are not routed to it. Not thread-safe.
class NeuronReader {
public:
    /// `neurons`: none twice; may be empty (for timing: the model is run, nothing is read). `window`: most tokens in
    /// one. Throws Error(model), Error(usage) for neurons that the model does not have.
    NeuronReader(std::shared_ptr<Model> model, std::vector<NeuronId> neurons, std::size_t window,
                 std::size_t batch_size = 512);
    ~NeuronReader();
    NeuronReader(const NeuronReader &) = delete;
    NeuronReader & operator=(const NeuronReader &) = delete;

    /// Most windows of one call of read().
    std::size_t windows_at_once() const;

    /// The activations on up to windows_at_once() windows, valid until the next call. What is read depends on this list
    /// alone. Throws Error(interrupted), Error(model).
    const NeuronActivations & read(std::span<const std::vector<Token>> windows, std::stop_token stop = {});

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace valuelens
