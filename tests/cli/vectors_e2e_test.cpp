#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "store/activations.h"
#include "valuelens/vectors.h"

namespace valuelens {
namespace {

using test::ProgramResult;
using test::run_program;
using testing::HasSubstr;

constexpr std::size_t n_responses = 40;

/// Responses whose first element is 3 where they express the value and 1 where they do not.
class VectorsCommand : public testing::Test {
protected:
    void SetUp() override {
        std::vector<std::string> ids;
        std::string labels;
        for (std::size_t i = 0; i < n_responses; ++i) {
            ids.push_back(fmt::format("r{}", i));
            labels +=
                nlohmann::json(
                    {{"id", ids.back()}, {"value", "care"}, {"condition", "intrinsic"}, {"expresses", expresses(i)}})
                    .dump() +
                "\n";
        }
        write_file(labels_, labels);
        Provenance provenance;
        provenance.model_name = "toy";
        provenance.model_hash = "1111";
        provenance.tool_version = "0";
        ActivationWriter writer(activations_, {.n_layer = 2, .n_embd = 2}, provenance, ActivationFormat::f32, ids);
        for (std::size_t i = 0; i < n_responses; ++i) {
            const float first = expresses(i) ? 3.0f : 1.0f;
            const float other = static_cast<float>(i % 5);
            writer.write(i, std::vector<float>{first, other, other, first});
        }
        writer.commit();
    }

    static bool expresses(std::size_t i) { return i % 2 == 0; }

    ProgramResult vectors(const std::vector<std::string> & more) const {
        std::vector<std::string> arguments = {"vectors",        "--activations", activations_.string(), "--labels",
                                              labels_.string(), "--output",      output_.string()};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run_program(arguments);
    }

    TempFolder folder_;
    std::filesystem::path activations_ = folder_ / "acts.safetensors";
    std::filesystem::path labels_ = folder_ / "labels.jsonl";
    std::filesystem::path output_ = folder_ / "vectors.safetensors";
};

TEST_F(VectorsCommand, WritesTheDifferenceOfMeans) {
    const ProgramResult result = vectors({"--json", "-t", "1", "--bootstraps", "20"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const auto json = nlohmann::json::parse(result.out);
    EXPECT_EQ(json["output"], output_.string());
    EXPECT_EQ(json["n_responses"], n_responses);
    EXPECT_EQ(json["vectors"][0]["value"], "care");
    EXPECT_EQ(json["vectors"][0]["n_expressing"], n_responses / 2);
    const std::vector<float> vector = SafetensorsFile(output_).read_f32("care/intrinsic");
    ASSERT_EQ(vector.size(), 4u);
    EXPECT_NEAR(vector[0], 2.0, 1e-6);
    EXPECT_NEAR(vector[3], 2.0, 1e-6);
}

TEST_F(VectorsCommand, TextNamesCountsAndFile) {
    const ProgramResult result = vectors({"--quiet"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, testing::AllOf(HasSubstr("care"), HasSubstr("intrinsic"), HasSubstr("20 express"),
                                           HasSubstr(output_.string())));
}

TEST_F(VectorsCommand, TooFewOfAClassExitsWithThree) {
    const ProgramResult result = vectors({"--min-count", "21"});
    EXPECT_EQ(result.exit_code, 3);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, testing::AllOf(HasSubstr("care"), HasSubstr("21")));
    EXPECT_FALSE(std::filesystem::exists(output_));
}

TEST_F(VectorsCommand, ABrokenLineIsNamed) {
    write_file(labels_, read_file(labels_) + "{\"id\": \"r1\",\n");
    const ProgramResult result = vectors({});
    EXPECT_EQ(result.exit_code, 3);
    EXPECT_THAT(result.last_error_line(), HasSubstr("labels.jsonl:41"));
}

} // namespace
} // namespace valuelens
