#include "engine/neuron_reader.h"

#include <algorithm>
#include <array>
#include <map>

#include "base/fail.h"
#include "engine/session.h"
#include "engine/session_plan.h"

namespace valuelens {

namespace {

/// A neuron of one block and where its activations go.
struct Wanted {
    int expert = dense_mlp;
    std::size_t neuron = 0;
    std::size_t index = 0;
};

class Columns : public MlpSink {
public:
    Columns(std::span<const NeuronId> neurons, int n_layer) {
        wanted_.fill(std::vector<std::vector<Wanted>>(static_cast<std::size_t>(n_layer)));
        for (std::size_t i = 0; i < neurons.size(); ++i) {
            const NeuronId & id = neurons[i];
            wanted_[static_cast<std::size_t>(mlp_kind(id.expert))][static_cast<std::size_t>(id.layer)].push_back(
                {id.expert, static_cast<std::size_t>(id.neuron), i});
        }
        for (auto & layers : wanted_) {
            for (std::vector<Wanted> & block : layers) {
                std::sort(block.begin(), block.end(),
                          [](const Wanted & a, const Wanted & b) { return a.neuron < b.neuron; });
            }
        }
    }

    bool wants(MlpPlace place) const override { return !of(place).empty(); }

    void take(MlpPlace place, const MlpRows & rows) override {
        const std::vector<Wanted> & wanted = of(place);
        for (std::size_t r = 0; r < rows.n_row; ++r) {
            if (place.kind == MlpKind::experts) {
                for (std::size_t k = 0; k < rows.n_used; ++k) {
                    const std::size_t at = r * rows.n_used + k;
                    for (const Wanted & neuron : wanted) {
                        if (neuron.expert == rows.experts[at]) {
                            put(neuron, r, rows.values[at * rows.stride + neuron.neuron]);
                        }
                    }
                }
                continue;
            }
            const float * row = rows.values + r * rows.stride;
            for (const Wanted & neuron : wanted) {
                put(neuron, r, row[neuron.neuron]);
            }
        }
    }

    NeuronActivations found;

private:
    const std::vector<Wanted> & of(MlpPlace place) const {
        return wanted_[static_cast<std::size_t>(place.kind)][static_cast<std::size_t>(place.layer)];
    }
    void put(const Wanted & neuron, std::size_t row, float value) {
        found.values[neuron.index * found.n_row + row] = value;
    }

    std::array<std::vector<std::vector<Wanted>>, 3> wanted_; ///< [MlpKind][block]
};

void require_neurons(const GraphNames & names, std::span<const NeuronId> neurons, const ModelInfo & model) {
    for (const NeuronId & id : neurons) {
        if (id.layer < 0 || id.layer >= model.n_layer) {
            fail(ErrorKind::usage, "neuron {} of layer {}: the model has the layers 0-{}", id.neuron, id.layer,
                 model.n_layer - 1);
        }
        names.require_neuron(id, "harvested", model.path);
    }
}

} // namespace

struct NeuronReader::Impl {
    std::shared_ptr<Model> model;
    std::vector<NeuronId> neurons;
    std::size_t window;
    int last_layer = -1;          ///< nothing above it is computed; -1: it has no name to stop at
    bool last_block_rows = false; ///< rows must be outputs, or the last block drops them
    std::size_t at_once = 1;
    std::unique_ptr<Session> session;
    std::unique_ptr<Columns> columns;
    std::vector<BatchRow> rows;
};

NeuronReader::NeuronReader(std::shared_ptr<Model> model, std::vector<NeuronId> neurons, std::size_t window,
                           std::size_t batch_size)
    : impl_(new Impl{std::move(model), std::move(neurons), window}) {
    Impl & it = *impl_;
    const int n_layer = it.model->info().n_layer;
    int deepest = -1;
    for (const NeuronId & id : it.neurons) {
        deepest = std::max(deepest, id.layer);
    }
    it.last_block_rows = deepest == n_layer - 1;
    it.at_once = std::max<std::size_t>(1, batch_size / window);
    const SchedulerOptions options{.parallel = static_cast<int>(it.at_once),
                                   .batch_size = static_cast<int>(std::max(batch_size, window))};
    SessionOptions plan = plan_session(*it.model, options, window, it.at_once, /* unified = */ false);
    it.at_once = static_cast<std::size_t>(plan.n_sequences);
    if (it.last_block_rows) {
        it.at_once =
            std::max<std::size_t>(1, std::min(it.at_once, static_cast<std::size_t>(plan.max_outputs) / window));
        plan.max_outputs = std::max(plan.max_outputs, static_cast<int>(window));
    }
    it.session = std::make_unique<Session>(it.model, plan);
    const GraphNames & names = it.session->hooks().names();
    require_neurons(names, it.neurons, it.model->info());
    if (deepest >= 0) {
        it.last_layer = names.has_block_output[static_cast<std::size_t>(deepest)] ? deepest : -1;
        it.columns = std::make_unique<Columns>(it.neurons, n_layer);
        it.session->hooks().feed(it.columns.get());
    } else {
        it.columns = std::make_unique<Columns>(std::span<const NeuronId>(), n_layer);
    }
}

NeuronReader::~NeuronReader() = default;

std::size_t NeuronReader::windows_at_once() const {
    return impl_->at_once;
}

const NeuronActivations & NeuronReader::read(std::span<const std::vector<Token>> windows, std::stop_token stop) {
    Impl & it = *impl_;
    std::size_t length = 0;
    for (const std::vector<Token> & tokens : windows) {
        length = std::max(length, tokens.size());
    }
    if (windows.size() > it.at_once || length == 0 || length > it.window) {
        fail(ErrorKind::internal, "{} windows of up to {} tokens were given to a reader of {} windows of {}",
             windows.size(), length, it.at_once, it.window);
    }
    // llama.cpp takes separate sequences whole and in order only with equally many tokens each; what stands behind a
    // window does not reach it.
    it.rows.clear();
    NeuronActivations & found = it.columns->found;
    found.window_begins.clear();
    for (std::size_t w = 0; w < windows.size(); ++w) {
        found.window_begins.push_back(it.rows.size());
        for (std::size_t i = 0; i < length; ++i) {
            BatchRow row;
            row.token = windows[w][std::min(i, windows[w].size() - 1)];
            row.position = static_cast<std::int32_t>(i);
            row.sequence = static_cast<int>(w);
            row.output = it.last_block_rows;
            it.rows.push_back(row);
        }
    }
    found.n_row = it.rows.size();
    found.values.assign(it.neurons.size() * found.n_row, 0.0f);
    it.session->decode(it.rows, it.last_layer, std::move(stop));
    for (std::size_t w = 0; w < windows.size(); ++w) {
        it.session->remove(static_cast<int>(w), 0);
    }
    return found;
}

} // namespace valuelens
