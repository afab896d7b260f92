#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/random.h"
#include "cli/program.h"
#include "store/activations.h"
#include "valuelens/decompose.h"
#include "valuelens/vectors.h"

namespace valuelens {
namespace {

using test::ProgramResult;
using test::run_program;
using testing::AllOf;
using testing::HasSubstr;

constexpr std::size_t n_layer = 4;
constexpr std::size_t n_embd = 12;

/// Three of Schwartz's values, each with an axis of its own; what is prompted adds a common one.
class DecomposeCommand : public testing::Test {
protected:
    void SetUp() override {
        Rng rng(1);
        std::vector<std::string> ids;
        std::vector<std::vector<float>> rows;
        std::string labels;
        for (std::size_t i = 0; i < 120; ++i) {
            const bool prompted = i % 2 == 1;
            const std::size_t value = i / 2 % 3;
            const bool expresses = i / 6 % 2 == 0;
            ids.push_back(fmt::format("r{}", i));
            std::vector<float> & row = rows.emplace_back(n_layer * n_embd);
            for (std::size_t j = 0; j < row.size(); ++j) {
                const bool planted = expresses && (j % n_embd == value || (prompted && j % n_embd == 5));
                row[j] = static_cast<float>(rng.normal()) + (planted ? 4.0f : 0.0f);
            }
            labels += nlohmann::json({{"id", ids.back()},
                                      {"value", values_[value]},
                                      {"condition", prompted ? "prompted" : "intrinsic"},
                                      {"expresses", expresses}})
                          .dump() +
                      "\n";
        }
        write_file(labels_, labels);
        const Provenance provenance{"toy", "1111", "resid_post", "0-based block output", "0"};
        ActivationWriter writer(activations_, {.n_layer = n_layer, .n_embd = n_embd}, provenance, ActivationFormat::f32,
                                ids);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            writer.write(i, rows[i]);
        }
        writer.commit();
        VectorOptions options;
        options.bootstraps = 30;
        write_value_vectors(vectors_, vectors_from_files({activations_}, labels_, {}, options));
    }

    ProgramResult decompose(const std::vector<std::string> & more) const {
        std::vector<std::string> arguments = {"decompose", "--vectors", vectors_.string(), "--output", output_.string(),
                                              "-t",        "1"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run_program(arguments);
    }

    void expect_refused(const ProgramResult & result, int exit_code, const std::vector<std::string> & words) const {
        EXPECT_EQ(result.exit_code, exit_code) << result.err;
        EXPECT_EQ(result.out, "");
        for (const std::string & word : words) {
            EXPECT_THAT(result.last_error_line(), HasSubstr(word));
        }
        EXPECT_FALSE(std::filesystem::exists(output_));
    }

    const std::array<std::string, 3> values_ = {"benevolence", "power", "security"};
    TempFolder folder_;
    std::filesystem::path activations_ = folder_ / "acts.safetensors";
    std::filesystem::path labels_ = folder_ / "labels.jsonl";
    std::filesystem::path vectors_ = folder_ / "vectors.safetensors";
    std::filesystem::path output_ = folder_ / "axes.safetensors";
};

TEST_F(DecomposeCommand, JsonHasEverythingAndTheFileTheAxes) {
    const ProgramResult result =
        decompose({"--json", "--activations", activations_.string(), "--labels", labels_.string(), "--bootstraps", "30",
                   "--permutations", "19", "--null-draws", "20", "--layers", "1-2", "--seed", "3"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const auto json = nlohmann::json::parse(result.out);
    EXPECT_EQ(json["output"], output_.string());
    EXPECT_EQ(json["headline"]["layers"], (nlohmann::json{1, 2}));
    EXPECT_EQ(json["values"], (nlohmann::json{"benevolence", "power", "security"}));
    const auto & cosine = json["axes"][0]["layers"]["cosine"][2];
    EXPECT_LE(cosine[1], cosine[0]);
    EXPECT_GE(cosine[2], cosine[0]);
    // The vectors stage resamples the same queries.
    const Estimate of_vectors = read_value_vectors(vectors_).condition_cosine.at(2);
    EXPECT_NEAR(cosine[1].get<double>(), of_vectors.low, 1e-9);
    EXPECT_NEAR(cosine[2].get<double>(), of_vectors.high, 1e-9);
    EXPECT_GT(json["axes"][1]["layers"]["stability_shared"][0], 0.8);
    EXPECT_GT(json["compliance"]["explained"][1][0], json["compliance"]["explained_null"][1][2]);
    EXPECT_EQ(json["circles"][0]["kind"], "shared");
    EXPECT_EQ(json["options"]["seed"], 3);

    const AxisSet set = read_axes(output_);
    EXPECT_EQ(set.n_layer, n_layer);
    EXPECT_EQ(set.options.bootstraps, 30u);
    // The first value's own axis and the common one.
    EXPECT_GT(std::abs(set.axes[0].shared[0]), 0.5);
    EXPECT_GT(set.axes[0].prompted[5], 0.5);
}

TEST_F(DecomposeCommand, TextHasATableAndItsReasons) {
    ValueVectorSet vectors = read_value_vectors(vectors_);
    vectors.vectors[3].vector = vectors.vectors[2].vector; // power: parallel
    vectors.vectors[4].problem = "value 'security', condition intrinsic: too few";
    vectors.vectors[4].norm.clear();
    vectors.vectors[4].split_half_cosine.clear();
    vectors.vectors[4].auroc.clear();
    write_value_vectors(vectors_, vectors);
    const ProgramResult result = decompose({"--quiet", "--normalize"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, AllOf(HasSubstr("layer 1 of 4"), HasSubstr("SVD of unit vectors"), HasSubstr("benevolence"),
                                  HasSubstr("the two vectors are parallel"), HasSubstr("no axes: value 'security'"),
                                  HasSubstr("compliance direction"), HasSubstr("no circle"),
                                  HasSubstr("no intervals and stabilities"), HasSubstr(output_.string())));
    EXPECT_TRUE(read_axes(output_).options.normalize);
}

TEST_F(DecomposeCommand, GeometryIsAFileOfItsOwn) {
    const auto geometry = folder_ / "geometry.json";
    const ProgramResult result = decompose({"--geometry", geometry.string(), "--compare", vectors_.string()});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_TRUE(nlohmann::json::parse(read_file(geometry)).is_object());
}

TEST_F(DecomposeCommand, WrongUseExitsWithTwo) {
    expect_refused(run_program({"decompose", "--vectors", vectors_.string()}), 2, {"--output"});
    expect_refused(decompose({"--labels", labels_.string()}), 2, {"--activations"});
    expect_refused(decompose({"--activations", activations_.string()}), 2, {"labels"});
    expect_refused(decompose({"--compare", vectors_.string()}), 2, {"--geometry"});
    expect_refused(decompose({"--confidence", "95"}), 2, {"confidence", "95"});
    for (const char * layers : {"2-1", "a-b", "-1", "1-", "1-2-3"}) {
        expect_refused(decompose({fmt::format("--layers={}", layers)}), 2, {"--layers", layers});
    }
    expect_refused(decompose({"--layers", "2-4"}), 2, {"2-4", "0-3"});
}

TEST_F(DecomposeCommand, BadInputExitsWithThree) {
    const std::vector<std::string> source = {"--activations", activations_.string(), "--labels", labels_.string()};
    write_file(labels_, read_file(labels_) + "{\"id\": \"r1\",\n");
    expect_refused(decompose(source), 3, {"labels.jsonl:121"});
    std::string labels = read_file(labels_);
    labels = labels.substr(labels.find('\n') + 1); // without the first response and the broken line
    write_file(labels_, labels.substr(0, labels.rfind("{")));
    expect_refused(decompose(source), 3, {"labels.jsonl", "'benevolence'", "intrinsic", "rests on 10 and 10"});
    expect_refused(decompose({"--concepts", (folder_ / "none.toml").string()}), 3, {"none.toml"});
    write_file(vectors_, "no tensors");
    expect_refused(decompose({}), 3, {"vectors.safetensors"});
    std::filesystem::remove(vectors_);
    expect_refused(decompose({}), 3, {"vectors.safetensors"});
}

} // namespace
} // namespace valuelens
