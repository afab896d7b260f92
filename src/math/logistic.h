#pragma once

#include <cstddef>
#include <span>

#include <Eigen/Core>

#include "math/row_matrix.h"

namespace valuelens {

/// Centres features and gives them unit variance.
struct Standardizer {
    Eigen::VectorXd mean; ///< [n_feature]
    Eigen::VectorXd
        scale; ///< [n_feature] population standard deviation; 1 for a feature that is constant up to rounding

    /// Estimates both from samples (at least one).
    static Standardizer fit(const Eigen::Ref<const RowMatrix> & samples);

    RowMatrix transform(const Eigen::Ref<const RowMatrix> & samples) const;
};

struct LogisticOptions {
    double c = 1.0;           ///< inverse strength of the regularisation, scikit-learn's C
    bool balanced = false;    ///< further weigh each class by n / (2 n_class) (scikit-learn's class_weight="balanced")
    int max_iterations = 200; ///< of Newton's method; a handful is typical
    double tolerance = 1e-8;  ///< stop where |gradient| <= tolerance * max(1, |gradient at zero|)
};

/// One or several logistic regressions: P(output k | x) = 1 / (1 + exp(-(weights[k] . x + intercept[k]))).
struct LogisticModel {
    RowMatrix weights;         ///< [n_output, n_feature]
    Eigen::VectorXd intercept; ///< [n_output]
    bool converged = true;     ///< every output reached the tolerance

    /// [n_sample, n_output] probabilities.
    RowMatrix probabilities(const Eigen::Ref<const RowMatrix> & samples) const;

    /// The same model for samples as they are, of one that was fitted on `standardizer.transform(samples)`.
    LogisticModel for_raw_samples(const Standardizer & standardizer) const;
};

/// Minimises 0.5 w'w + C sum_i weight_i log(1 + exp(-y_i (w'x_i + b))), y_i = ±1, over w and the unpenalised b (the
/// objective of scikit-learn's LogisticRegression) by Newton's method with conjugate gradients. Deterministic.
///
/// `labels`: one per sample; 1 yes, 0 no, -1 not stated (the sample is left out). `sample_weights`: one
/// per sample, >= 0, or empty for all 1. Throws Error(bad_input) where a class has no weight or a feature is not
/// finite.
LogisticModel fit_logistic(const Eigen::Ref<const RowMatrix> & samples, std::span<const signed char> labels,
                           std::span<const double> sample_weights = {}, const LogisticOptions & options = {});

/// One regression per column of `labels` ([n_sample, n_output], row-major, values as above), fitted on up to `threads`
/// threads (0: all cores); the result does not depend on their number.
LogisticModel fit_one_vs_rest(const Eigen::Ref<const RowMatrix> & samples, std::span<const signed char> labels,
                              std::size_t n_output, std::span<const double> sample_weights = {},
                              const LogisticOptions & options = {}, unsigned threads = 0);

} // namespace valuelens
