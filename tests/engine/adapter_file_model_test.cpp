// What we export, loaded by llama.cpp itself, gives the logits of our own interventions.

#include <gtest/gtest.h>

#include <common.h>
#include <llama.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "base/random.h"
#include "engine/model_impl.h"
#include "steer/export_directions.h"
#include "steer/neuron_lora.h"
#include "support/golden.h"
#include "support/temp_folder.h"
#include "valuelens/request.h"

namespace valuelens {
namespace {

// Both sides compute in F32; they differ by the order of additions and the shape of the batch.
constexpr double same = 1e-3;
// An intervention that does less than this would pass by doing nothing.
constexpr double visible = 0.1;

double max_difference(std::span<const float> a, std::span<const float> b) {
    double worst = a.size() == b.size() ? 0 : INFINITY;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
        worst = std::max(worst, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    }
    return worst;
}

struct ContextDeleter {
    void operator()(llama_context * context) const { llama_free(context); }
    void operator()(llama_adapter_lora * adapter) const { llama_adapter_lora_free(adapter); }
};
using ContextPtr = std::unique_ptr<llama_context, ContextDeleter>;
using LoraPtr = std::unique_ptr<llama_adapter_lora, ContextDeleter>;

class LlamaCpp : public testing::Test {
protected:
    static void SetUpTestSuite() {
        const std::string path = test::cached_model("smollm2-135m", "f32");
        if (!path.empty()) {
            model = Model::load({.path = path, .threads = 1});
        }
    }
    static void TearDownTestSuite() { model.reset(); }
    void SetUp() override {
        if (!model) {
            FAIL() << "smollm2-135m-f32 is not in the cache; valuelens models fetch smollm2-135m --type f32";
        }
        request_.kind = RequestKind::continue_;
        request_.prompt = model->render_chat("", "What do you value most?").tokens;
        request_.response = model->tokenize("Honesty, and the people around me.", false, false);
        request_.capture.last_logits = true;
    }

    /// Beside a neighbour without it: our hooks make the intervention. Alone: llama.cpp's adapter may be taken.
    std::vector<float> ours(std::shared_ptr<const Intervention> intervention, bool alone = false) const {
        std::vector<Request> requests(alone ? 1 : 2, request_);
        requests[0].intervention = std::move(intervention);
        Scheduler scheduler(model, {.parallel = 2});
        return scheduler.run_all(requests).front().last_logits;
    }

    static ContextPtr make_context() {
        llama_context_params parameters = llama_context_default_params();
        parameters.n_ctx = 256;
        parameters.n_threads = 1;
        parameters.n_threads_batch = 1;
        parameters.type_k = GGML_TYPE_F32;
        parameters.type_v = GGML_TYPE_F32;
        parameters.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
        return ContextPtr(llama_init_from_model(model->impl().model.get(), parameters));
    }

    std::vector<float> theirs(llama_context * context) const {
        std::vector<llama_token> tokens = request_.prompt;
        tokens.insert(tokens.end(), request_.response.begin(), request_.response.end());
        EXPECT_EQ(llama_decode(context, llama_batch_get_one(tokens.data(), static_cast<std::int32_t>(tokens.size()))),
                  0);
        const float * logits = llama_get_logits_ith(context, -1);
        return {logits, logits + model->info().n_vocab};
    }

    /// Random vectors for every block, about a tenth as long as the stream is there.
    static Directions random_directions() {
        Directions directions;
        directions.key = "random";
        directions.n_embd = static_cast<std::size_t>(model->info().n_embd);
        Rng rng(7);
        for (int layer = 0; layer < model->info().n_layer; ++layer) {
            directions.layers.push_back(layer);
            for (std::size_t i = 0; i < directions.n_embd; ++i) {
                directions.rows.push_back(static_cast<float>(0.05 * rng.normal()));
            }
        }
        return directions;
    }

    static std::shared_ptr<Intervention> addition(const Directions & directions, float alpha, int first_layer) {
        auto add = std::make_shared<Intervention>();
        for (std::size_t i = 0; i < directions.layers.size(); ++i) {
            if (directions.layers[i] >= first_layer) {
                const auto row = directions.row(i);
                add->directions.push_back(
                    {directions.layers[i], {row.begin(), row.end()}, alpha, SteerMode::add, TokenScope::all});
            }
        }
        return add;
    }

    static std::shared_ptr<Model> model;
    Request request_;
    TempFolder folder_;
};

std::shared_ptr<Model> LlamaCpp::model;

TEST_F(LlamaCpp, OurControlVectorGivesOurLogits) {
    const Directions directions = random_directions();
    const std::string file = (folder_ / "cv.gguf").string();
    write_directions_gguf(file, directions, {});
    // Their loader and their addition, as --control-vector does it.
    const common_control_vector_data loaded = common_control_vector_load({{1.0f, file}});
    ASSERT_EQ(loaded.n_embd, model->info().n_embd);
    const ContextPtr context = make_context();
    ASSERT_EQ(llama_set_adapter_cvec(context.get(), loaded.data.data(), loaded.data.size(), loaded.n_embd, 1,
                                     model->info().n_layer),
              0);
    const std::vector<float> steered = theirs(context.get());
    EXPECT_LT(max_difference(ours(addition(directions, 1, 1)), steered), same);
    EXPECT_LT(max_difference(ours(addition(directions, 1, 1), /* alone = */ true), steered), same);
    EXPECT_GT(max_difference(ours(nullptr), steered), visible);
    // One block late, as llama.cpp's own generator writes it, would be seen here.
    Directions late = directions;
    std::rotate(late.rows.begin(), late.rows.begin() + static_cast<std::ptrdiff_t>(late.n_embd), late.rows.end());
    EXPECT_GT(max_difference(ours(addition(late, 1, 1)), steered), visible);
}

TEST_F(LlamaCpp, OurLoraGivesTheLogitsOfScaledNeurons) {
    auto scaled = std::make_shared<Intervention>();
    for (const int layer : {3, 14, 29}) {
        for (int neuron = layer; neuron < model->info().n_ff; neuron += 10 + layer) { // another rank in each block
            scaled->neurons.push_back({layer, neuron, neuron % 3 == 0 ? 0.0f : neuron % 3 == 1 ? 3.0f : 0.5f});
        }
    }
    const std::string file = (folder_ / "lora.gguf").string();
    write_neuron_lora_gguf(file, make_neuron_lora(model->info().path, scaled->neurons), {});
    LoraPtr adapter(llama_adapter_lora_init(model->impl().model.get(), file.c_str()));
    ASSERT_NE(adapter, nullptr);
    const ContextPtr context = make_context();
    llama_adapter_lora * adapters[] = {adapter.get()};
    float scales[] = {1.0f};
    ASSERT_EQ(llama_set_adapters_lora(context.get(), adapters, 1, scales), 0);
    const std::vector<float> changed = theirs(context.get());
    EXPECT_LT(max_difference(ours(scaled), changed), same);
    EXPECT_GT(max_difference(ours(nullptr), changed), visible);
}

} // namespace
} // namespace valuelens
