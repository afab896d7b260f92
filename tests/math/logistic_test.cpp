#include "math/logistic.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "math/reference.h"
#include "valuelens/error.h"

namespace valuelens {
namespace {

/// Both solvers stop at a gradient near rounding; what is left is the conditioning of the problem.
constexpr double solver_tolerance = 1e-6;

RowMatrix to_matrix(const nlohmann::json & rows) {
    RowMatrix matrix(rows.size(), rows.at(0).size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        for (std::size_t j = 0; j < rows[i].size(); ++j) {
            matrix(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)) = rows[i][j].get<double>();
        }
    }
    return matrix;
}

struct Reference {
    nlohmann::json json = load_reference("logistic_reference.json");
    RowMatrix samples = to_matrix(json.at("samples"));
    std::vector<signed char> labels;
    std::size_t n_output = json.at("labels").at(0).size();

    Reference() {
        for (const auto & row : json.at("labels")) {
            for (const auto & label : row) {
                labels.push_back(label.get<signed char>());
            }
        }
    }
};

TEST(Standardizer, AgreesWithScikitLearnAndKeepsConstantsFinite) {
    const Reference reference;
    const Standardizer standardizer = Standardizer::fit(reference.samples);
    for (Eigen::Index j = 0; j < reference.samples.cols(); ++j) {
        EXPECT_NEAR(standardizer.mean[j], reference.json["mean"][j].get<double>(), 1e-12);
        EXPECT_NEAR(standardizer.scale[j], reference.json["scale"][j].get<double>(), 1e-12);
    }
    EXPECT_EQ(standardizer.scale[4], 1.0);
    const RowMatrix scaled = standardizer.transform(reference.samples);
    EXPECT_TRUE(scaled.allFinite());
    EXPECT_NEAR(scaled.col(1).squaredNorm(), double(scaled.rows()), 1e-9);
}

TEST(Logistic, AgreesWithScikitLearn) {
    const Reference reference;
    const RowMatrix scaled = Standardizer::fit(reference.samples).transform(reference.samples);
    const auto sample_weights = reference.json["sample_weights"].get<std::vector<double>>();
    for (const auto & example : reference.json["cases"]) {
        LogisticOptions options;
        options.c = example["c"].get<double>();
        options.balanced = example["balanced"].get<bool>();
        const std::vector<double> weights = example["weighted"].get<bool>() ? sample_weights : std::vector<double>{};
        const LogisticModel model = fit_one_vs_rest(scaled, reference.labels, reference.n_output, weights, options);
        EXPECT_TRUE(model.converged);
        EXPECT_LT((model.weights - to_matrix(example["weights"])).cwiseAbs().maxCoeff(), solver_tolerance)
            << example["c"];
        for (std::size_t k = 0; k < reference.n_output; ++k) {
            EXPECT_NEAR(model.intercept[static_cast<Eigen::Index>(k)], example["intercept"][k].get<double>(),
                        solver_tolerance);
        }
        EXPECT_LT((model.probabilities(scaled) - to_matrix(example["probabilities"])).cwiseAbs().maxCoeff(),
                  solver_tolerance);
    }
}

TEST(Logistic, RawSampleModelGivesTheSameProbabilities) {
    const Reference reference;
    const Standardizer standardizer = Standardizer::fit(reference.samples);
    const RowMatrix scaled = standardizer.transform(reference.samples);
    const LogisticModel model = fit_one_vs_rest(scaled, reference.labels, reference.n_output);
    const RowMatrix raw = model.for_raw_samples(standardizer).probabilities(reference.samples);
    EXPECT_LT((raw - model.probabilities(scaled)).cwiseAbs().maxCoeff(), 1e-12);
}

TEST(Logistic, ThreadsDoNotChangeABit) {
    const Reference reference;
    const LogisticModel one = fit_one_vs_rest(reference.samples, reference.labels, reference.n_output, {}, {}, 1);
    const LogisticModel three = fit_one_vs_rest(reference.samples, reference.labels, reference.n_output, {}, {}, 3);
    EXPECT_EQ(one.weights, three.weights);
    EXPECT_EQ(one.intercept, three.intercept);
}

TEST(Logistic, SeparableDataWithMoreFeaturesThanSamplesStaysFinite) {
    Rng rng(3);
    RowMatrix samples(40, 300);
    std::vector<signed char> labels;
    for (Eigen::Index i = 0; i < samples.rows(); ++i) {
        for (Eigen::Index j = 0; j < samples.cols(); ++j) {
            samples(i, j) = rng.normal();
        }
        labels.push_back(i % 2);
        samples(i, 0) += i % 2 ? 6 : -6;
    }
    LogisticOptions options;
    options.c = 1000;
    const LogisticModel model = fit_logistic(samples, labels, {}, options);
    EXPECT_TRUE(model.converged);
    EXPECT_TRUE(model.weights.allFinite());
    const RowMatrix p = model.probabilities(samples);
    for (Eigen::Index i = 0; i < samples.rows(); ++i) {
        EXPECT_EQ(p(i, 0) > 0.5, i % 2 == 1);
    }
}

TEST(Logistic, InterceptIsNotPenalised) {
    // With useless features and a vanishing C the intercept alone must still give the share of positives.
    const RowMatrix samples = RowMatrix::Zero(10, 2);
    const std::vector<signed char> labels{1, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    LogisticOptions options;
    options.c = 1e-3;
    options.tolerance = 1e-12;
    EXPECT_NEAR(fit_logistic(samples, labels, {}, options).probabilities(samples)(0, 0), 0.2, 1e-6);
}

TEST(Logistic, OneClassNoLabelsOrNaNAreBadInput) {
    RowMatrix samples = RowMatrix::Ones(3, 2);
    const auto kind = [&](std::vector<signed char> labels, std::vector<double> weights = {}) {
        try {
            fit_logistic(samples, labels, weights);
        } catch (const Error & error) {
            return error.kind();
        }
        return ErrorKind::internal;
    };
    EXPECT_EQ(kind({1, 1, 1}), ErrorKind::bad_input);
    EXPECT_EQ(kind({0, -1, 0}), ErrorKind::bad_input);
    EXPECT_EQ(kind({-1, -1, -1}), ErrorKind::bad_input);
    EXPECT_EQ(kind({1, 0, 0}, {0, 1, 1}), ErrorKind::bad_input);
    samples(1, 1) = std::nan("");
    EXPECT_EQ(kind({1, 0, 0}), ErrorKind::bad_input);
}

} // namespace
} // namespace valuelens
