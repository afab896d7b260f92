// Neurons of experts are scaled where a token is routed to them: the same as in a model whose weights were changed.

#include <gtest/gtest.h>

#include <llama.h>

#include <algorithm>
#include <cmath>

#include "engine/model_impl.h"
#include "steer/neuron_lora.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"
#include "support/tiny_language_model.h"
#include "valuelens/request.h"

namespace valuelens {
namespace {

using test::TinyLanguageModel;

constexpr double same = 1e-4;
constexpr double visible = 0.05;

double max_difference(const std::vector<float> & a, const std::vector<float> & b) {
    double worst = a.size() == b.size() && !a.empty() ? 0 : INFINITY;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
        worst = std::max(worst, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    }
    return worst;
}

class Mixture : public testing::Test {
protected:
    std::shared_ptr<Model> load(const TinyLanguageModel & weights, const std::string & name) const {
        return Model::load({.path = weights.write(folder_ / name), .threads = 1});
    }

    static std::vector<Request> requests_for(const Model & model) {
        std::vector<Request> requests;
        for (const char * text : {"What matters most?", "Name a colour that you like.", "Hm"}) {
            Request request;
            request.kind = RequestKind::continue_;
            request.prompt = model.render_chat("", text).tokens;
            request.response = model.tokenize("People and what they build together.", false, false);
            request.capture = {.resid_post = true, .last_logits = true};
            requests.push_back(std::move(request));
        }
        return requests;
    }

    static std::vector<Response> run(const std::shared_ptr<Model> & model, const std::vector<Request> & requests) {
        return Scheduler(model, {.parallel = 3}).run_all(requests);
    }

    TempFolder folder_;
    TinyLanguageModel weights_ = TinyLanguageModel::mixture();
};

/// Column `neuron` of a down projection, of one expert, times `beta`.
void scale_column(TinyLanguageModel::Tensor & down, std::size_t expert, std::size_t neuron, float beta) {
    const std::size_t width = down.sizes[0];
    for (std::size_t row = 0; row < down.sizes[1]; ++row) {
        down.values[(expert * down.sizes[1] + row) * width + neuron] *= beta;
    }
}

TEST_F(Mixture, ScaledNeuronsOfExpertsGiveTheLogitsOfChangedWeights) {
    auto scaled = std::make_shared<Intervention>();
    TinyLanguageModel changed = weights_;
    for (int layer = 0; layer < 3; ++layer) {
        for (int expert = 0; expert < 3; ++expert) { // experts 3 and 4 stay as they are
            for (int neuron = expert; neuron < 16; neuron += 3) {
                const float beta = neuron % 2 == 0 ? 0.0f : 3.0f;
                scaled->neurons.push_back({layer, neuron, beta, expert});
                scale_column(changed.tensor(fmt::format("blk.{}.ffn_down_exps.weight", layer)),
                             static_cast<std::size_t>(expert), static_cast<std::size_t>(neuron), beta);
            }
        }
    }
    const std::shared_ptr<Model> model = load(weights_, "m.gguf");
    std::vector<Request> requests = requests_for(*model);
    const std::vector<Response> expected = run(load(changed, "changed.gguf"), requests);
    const std::vector<Response> base = run(model, requests);
    requests[0].intervention = requests[2].intervention = scaled;
    const std::vector<Response> got = run(model, requests);
    for (const std::size_t i : {0u, 2u}) {
        EXPECT_LT(max_difference(got[i].last_logits, expected[i].last_logits), same);
        EXPECT_LT(max_difference(got[i].resid_post, expected[i].resid_post), same);
        EXPECT_GT(max_difference(got[i].last_logits, base[i].last_logits), visible);
    }
    EXPECT_LT(max_difference(got[1].last_logits, base[1].last_logits), same) << "a neighbour sees nothing of it";
}

TEST_F(Mixture, SharedExpertsAreScaledAtEveryToken) {
    auto scaled = std::make_shared<Intervention>();
    TinyLanguageModel changed = weights_;
    for (int neuron = 0; neuron < 24; neuron += 2) {
        scaled->neurons.push_back({1, neuron, 0.0f, shared_expert});
        scale_column(changed.tensor("blk.1.ffn_down_shexp.weight"), 0, static_cast<std::size_t>(neuron), 0.0f);
    }
    const std::shared_ptr<Model> model = load(weights_, "m.gguf");
    std::vector<Request> requests = requests_for(*model);
    const std::vector<Response> expected = run(load(changed, "changed.gguf"), requests);
    const std::vector<Response> base = run(model, requests);
    for (Request & request : requests) {
        request.intervention = scaled;
    }
    const std::vector<Response> got = run(model, requests);
    for (std::size_t i = 0; i < got.size(); ++i) {
        EXPECT_LT(max_difference(got[i].last_logits, expected[i].last_logits), same);
        EXPECT_GT(max_difference(got[i].last_logits, base[i].last_logits), visible);
    }
}

TEST_F(Mixture, ExportedLoraGivesTheLogitsOfScaledNeurons) {
    auto scaled = std::make_shared<Intervention>();
    scaled->neurons = {{0, 1, 0.0f, shared_expert}, {0, 5, 3.0f, shared_expert}};
    for (int neuron = 0; neuron < 16; ++neuron) {
        scaled->neurons.push_back({0, neuron, neuron % 2 == 0 ? 0.0f : 2.0f, 0});
    }
    scaled->neurons.push_back({0, 3, 4.0f, 2}); // fewer than expert 0
    scaled->neurons.push_back({2, 7, 0.0f, 4});
    const std::shared_ptr<Model> model = load(weights_, "m.gguf");
    const NeuronLora lora = make_neuron_lora(model->info().path, scaled->neurons);
    ASSERT_EQ(lora.pairs.size(), 3u);
    EXPECT_EQ(lora.pairs[1].weight, "blk.0.ffn_down_exps.weight");
    EXPECT_EQ(lora.pairs[1].rank, 16u);
    EXPECT_EQ(lora.pairs[1].n_expert, 5u);
    expect_error(ErrorKind::usage, {"qwen2moe"}, [&] { write_neuron_lora_peft(folder_ / "peft", lora, {}); });
    const std::string file = (folder_ / "lora.gguf").string();
    write_neuron_lora_gguf(file, lora, {});

    std::vector<Request> requests = requests_for(*model);
    const std::vector<Response> base = run(model, requests);
    for (Request & request : requests) {
        request.intervention = scaled;
    }
    const std::vector<Response> ours = run(model, requests);
    const std::unique_ptr<llama_adapter_lora, void (*)(llama_adapter_lora *)> adapter(
        llama_adapter_lora_init(model->impl().model.get(), file.c_str()), llama_adapter_lora_free);
    ASSERT_NE(adapter, nullptr);
    llama_context_params parameters = llama_context_default_params();
    parameters.n_ctx = 512;
    parameters.n_threads = parameters.n_threads_batch = 1;
    parameters.type_k = parameters.type_v = GGML_TYPE_F32;
    parameters.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    const std::unique_ptr<llama_context, void (*)(llama_context *)> context(
        llama_init_from_model(model->impl().model.get(), parameters), llama_free);
    llama_adapter_lora * adapters[] = {adapter.get()};
    float scales[] = {1.0f};
    ASSERT_EQ(llama_set_adapters_lora(context.get(), adapters, 1, scales), 0);
    std::vector<llama_token> tokens = requests[0].prompt;
    tokens.insert(tokens.end(), requests[0].response.begin(), requests[0].response.end());
    ASSERT_EQ(llama_decode(context.get(), llama_batch_get_one(tokens.data(), static_cast<std::int32_t>(tokens.size()))),
              0);
    const float * logits = llama_get_logits_ith(context.get(), -1);
    const std::vector<float> theirs(logits, logits + model->info().n_vocab);
    EXPECT_LT(max_difference(ours[0].last_logits, theirs), same);
    EXPECT_GT(max_difference(base[0].last_logits, theirs), visible);
}

TEST_F(Mixture, GeneratesTheSameTokensBesideAnyNeighbours) {
    auto scaled = std::make_shared<Intervention>();
    for (int neuron = 0; neuron < 16; ++neuron) {
        scaled->neurons.push_back({2, neuron, 2.5f, 1});
        scaled->neurons.push_back({0, neuron, 0.0f, 4});
    }
    const std::shared_ptr<Model> model = load(weights_, "m.gguf");
    std::vector<Request> requests = requests_for(*model);
    for (Request & request : requests) {
        request.kind = RequestKind::generate;
        request.response.clear();
        request.capture = {};
        request.max_tokens = 12;
        request.ignore_eos = true;
    }
    requests[1].intervention = scaled;
    const std::vector<Response> together = run(model, requests);
    for (std::size_t i = 0; i < requests.size(); ++i) {
        EXPECT_EQ(run(model, {requests[i]})[0].tokens, together[i].tokens) << i;
    }
}

TEST_F(Mixture, WhatItDoesNotHaveIsNamed) {
    const std::shared_ptr<Model> model = load(weights_, "m.gguf");
    const auto refuse = [&](ErrorKind kind, const std::vector<std::string> & words, const NeuronScale & scale) {
        std::vector<Request> requests = requests_for(*model);
        auto intervention = std::make_shared<Intervention>();
        intervention->neurons = {scale};
        requests[0].intervention = intervention;
        expect_error(kind, words, [&] { run(model, requests); });
    };
    refuse(ErrorKind::model, {"m.gguf", "block 1", "blk.1.ffn_down.weight"}, {1, 0, 0.0f});
    refuse(ErrorKind::usage, {"layer 1", "neuron 16 of expert 2", "0-15"}, {1, 16, 0.0f, 2});
    refuse(ErrorKind::usage, {"layer 1", "neuron 3 of expert 5", "0-4"}, {1, 3, 0.0f, 5});
    refuse(ErrorKind::usage, {"layer 0", "neuron 24", "0-23"}, {0, 24, 0.0f, shared_expert});
    std::vector<Request> requests = requests_for(*model);
    requests[0].capture.mlp_post = true;
    expect_error(ErrorKind::model, {"m.gguf", "mixture of experts", "mlp_post"}, [&] { run(model, requests); });
}

} // namespace
} // namespace valuelens
