#include "pipeline/capture_file.h"

#include <fmt/format.h>

#include "store/activations.h"
#include "store/provenance.h"
#include "support/expect_error.h"
#include "support/golden.h"
#include "support/temp_folder.h"
#include "valuelens/vectors.h"

namespace valuelens {
namespace {

using test::Golden;

// llama.cpp on the same F32 weights agrees with PyTorch to about 4e-7 (means) and 4e-5 (logits); room for other
// kernels.
constexpr double mean_tolerance = 1e-5;
constexpr double logit_tolerance = 1e-3;

double relative_error(std::span<const float> found, std::span<const float> expected) {
    double difference = 0;
    double size = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        difference += (found[i] - expected[i]) * (found[i] - expected[i]);
        size += expected[i] * expected[i];
    }
    return std::sqrt(difference / size);
}

double max_difference(std::span<const float> a, std::span<const float> b) {
    double worst = 0;
    for (std::size_t i = 0; i < b.size(); ++i) {
        worst = std::max(worst, std::abs(static_cast<double>(a[i]) - b[i]));
    }
    return worst;
}

class CaptureFile : public testing::Test {
protected:
    void SetUp() override {
        options_.model.path = test::cached_model("smollm2-135m", "f32");
        if (options_.model.path.empty()) {
            FAIL() << "smollm2-135m:f32 is not in the cache; valuelens models fetch smollm2-135m --type f32";
        }
        if (!std::filesystem::exists(test::shared_dir() / "golden")) {
            GTEST_SKIP() << "no reference data at " << test::shared_dir();
        }
        golden_ = Golden::load();
        options_.input = folder_ / "transcripts.jsonl";
        options_.output = folder_ / "acts.safetensors";
        options_.scheduler.parallel = 8;
    }

    void write_transcripts(std::size_t n) const {
        std::string lines;
        for (std::size_t i = 0; i < n; ++i) {
            const auto & conversation = golden_.json["conversations"][i];
            lines += nlohmann::json({{"id", id(i)},
                                     {"system", conversation["system"]},
                                     {"user", conversation["user"]},
                                     {"response", conversation["response"]}})
                         .dump() +
                     "\n";
        }
        write_file(options_.input, lines);
    }

    static std::string id(std::size_t i) { return fmt::format("c{}", i); }

    std::span<const float> row(const std::string & name, std::size_t i) const {
        const std::vector<float> & tensor = golden_.tensors.at(name);
        const std::size_t width = tensor.size() / static_cast<std::size_t>(golden_.shapes.at(name)[0]);
        return std::span(tensor).subspan(i * width, width);
    }

    std::filesystem::path write_directions() const {
        const ModelInfo model = read_model_info(options_.model.path);
        Provenance provenance;
        provenance.model_name = model.name;
        provenance.model_hash = model.identity;
        const auto n_layer = static_cast<std::size_t>(model.n_layer);
        const auto n_embd = static_cast<std::size_t>(model.n_embd);
        const std::vector<FloatTensor> tensors = {{"v", {n_layer, n_embd}, golden_.tensors.at("v_prompted")},
                                                  {"u", {n_layer, n_embd}, golden_.tensors.at("u_shared")}};
        const auto path = folder_ / "directions.safetensors";
        write_safetensors(path, tensors, provenance_metadata(provenance));
        return path;
    }

    std::vector<float> captured_logits() const {
        capture_file(options_);
        const ActivationReader reader({options_.output});
        std::vector<float> logits(reader.shape().n_vocab);
        reader.read_last_logits(reader.find(id(0)).value(), logits);
        return logits;
    }

    TempFolder folder_;
    Golden golden_;
    CaptureFileOptions options_;
};

TEST_F(CaptureFile, HoldsTheReferenceMeansAndLogits) {
    const std::size_t n = golden_.json["conversations"].size();
    write_transcripts(n);
    options_.mlp_post = true;
    options_.last_logits = true;
    const CaptureFileResult result = capture_file(options_);
    EXPECT_EQ(result.captured, n);
    EXPECT_TRUE(result.too_long.empty());

    const ActivationReader reader({options_.output});
    ASSERT_EQ(reader.count(), n);
    EXPECT_EQ(reader.provenance().model_hash, read_model_info(options_.model.path).identity);
    EXPECT_EQ(reader.provenance().location, "resid_post");
    const ActivationShape & shape = reader.shape();
    std::vector<float> resid(shape.n_layer * shape.n_embd);
    std::vector<float> mlp(shape.n_layer * shape.n_ff);
    std::vector<float> logits(shape.n_vocab);
    for (std::size_t i = 0; i < n; ++i) {
        const std::size_t place = reader.find(id(i)).value();
        reader.read(place, resid);
        reader.read_mlp_post(place, mlp);
        reader.read_last_logits(place, logits);
        EXPECT_LT(relative_error(resid, row("resid_post_mean", i)), mean_tolerance) << id(i);
        EXPECT_LT(relative_error(mlp, row("mlp_post_mean", i)), 10 * mean_tolerance) << id(i);
        EXPECT_LT(max_difference(logits, row("last_logits", i)), logit_tolerance) << id(i);
    }
}

TEST_F(CaptureFile, SteeredLogitsAreTheReferenceOnes) {
    write_transcripts(1);
    options_.last_logits = true;
    const auto & how = golden_.json["intervention"];
    const std::string layers = ",layers=" + how["layer"].dump();
    const std::string file = write_directions().string();

    options_.steer = {file + ":v" + layers + ",alpha=" + how["alpha"].dump()};
    EXPECT_LT(max_difference(captured_logits(), golden_.tensors.at("logits_add")), logit_tolerance);
    options_.steer = {file + ":u" + layers + ",mode=ablate"};
    EXPECT_LT(max_difference(captured_logits(), golden_.tensors.at("logits_ablate")), logit_tolerance);
    // The two differ by far more than the tolerance: the test tells them apart.
    EXPECT_GT(max_difference(golden_.tensors.at("logits_add"), golden_.tensors.at("logits_ablate")),
              100 * logit_tolerance);
}

TEST_F(CaptureFile, ScaledNeuronsGiveTheReferenceLogits) {
    write_transcripts(1);
    options_.last_logits = true;
    const auto & how = golden_.json["intervention"];
    std::string csv = "layer,neuron\n";
    for (const float neuron : golden_.tensors.at("scaled_neurons")) {
        csv += how["layer"].dump() + "," + std::to_string(static_cast<int>(neuron)) + "\n";
    }
    const auto path = folder_ / "neurons.csv";
    write_file(path, csv);
    options_.scale_neurons = {path.string() + ",beta=" + how["beta"].dump()};
    EXPECT_LT(max_difference(captured_logits(), golden_.tensors.at("logits_neuron_scale")), logit_tolerance);
}

TEST_F(CaptureFile, TranscriptsThatDoNotFitAreCountedAndLeftOut) {
    write_transcripts(1);
    std::string lines = read_file(options_.input);
    std::string long_response;
    for (int i = 0; i < 200; ++i) {
        long_response += "and so on ";
    }
    lines += nlohmann::json({{"id", "long"}, {"prompt", "Once"}, {"response", long_response}}).dump() + "\n";
    write_file(options_.input, lines);
    options_.scheduler.ctx_size = 128;
    const CaptureFileResult result = capture_file(options_);
    EXPECT_EQ(result.captured, 1u);
    EXPECT_THAT(result.too_long, testing::ElementsAre("long"));
    EXPECT_THAT(ActivationReader({options_.output}).ids(), testing::ElementsAre(id(0)));

    options_.scheduler.ctx_size = 8;
    expect_error(ErrorKind::bad_input, {"transcripts.jsonl", "no transcript fits", "--ctx-size"},
                 [&] { capture_file(options_); });
}

TEST_F(CaptureFile, AStopRequestLeavesNoFile) {
    write_transcripts(4);
    std::stop_source stop;
    stop.request_stop();
    expect_error(ErrorKind::interrupted, {}, [&] { capture_file(options_, silent_progress(), stop.get_token()); });
    EXPECT_FALSE(std::filesystem::exists(options_.output));
}

// From the model to the vectors, by the way a user goes.
TEST_F(CaptureFile, VectorsOfCapturedTranscriptsAreTheReferenceVectors) {
    const std::size_t n = golden_.json["conversations"].size();
    write_transcripts(n);
    capture_file(options_);
    std::string lines;
    for (std::size_t i = 0; i < n; ++i) {
        const auto & conversation = golden_.json["conversations"][i];
        lines += nlohmann::json({{"id", id(i)},
                                 {"value", "benevolence"},
                                 {"condition", conversation["condition"]},
                                 {"expresses", conversation["expresses"]}})
                     .dump() +
                 "\n";
    }
    write_file(folder_ / "labels.jsonl", lines);
    VectorOptions options;
    options.min_count = 1;
    options.bootstraps = 0;
    const ValueVectorSet set =
        vectors_from_files({options_.output}, folder_ / "labels.jsonl", {"benevolence"}, options);
    for (std::size_t e = 0; e < 2; ++e) {
        const std::vector<float> & expected = golden_.tensors.at(e == 0 ? "v_intrinsic" : "v_prompted");
        ASSERT_EQ(set.vectors[e].vector.size(), expected.size());
        for (std::size_t layer = 0; layer < set.n_layer; ++layer) {
            const auto row = [&](const std::vector<float> & v) {
                return std::span(v).subspan(layer * set.n_embd, set.n_embd);
            };
            EXPECT_LT(relative_error(row(set.vectors[e].vector), row(expected)), 1e-4)
                << "condition " << e << " layer " << layer;
        }
    }
}

} // namespace
} // namespace valuelens
