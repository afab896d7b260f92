#include "math/logistic.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <vector>

#include "base/fail.h"
#include "math/parallel_for.h"

namespace valuelens {
namespace {

double sigmoid(double x) {
    return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}

/// log(1 + exp(x)) without overflow.
double softplus(double x) {
    return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}

/// The stated samples of one output. Parameters are [w, b], size n_feature + 1.
struct Problem {
    RowMatrix samples;      ///< [n, n_feature]
    Eigen::VectorXd target; ///< [n] 0 or 1
    Eigen::VectorXd cost;   ///< [n] C * weight

    Eigen::VectorXd margins(const Eigen::VectorXd & parameters) const {
        const Eigen::Index n_feature = samples.cols();
        return ((samples * parameters.head(n_feature)).array() + parameters[n_feature]).matrix();
    }

    double objective(const Eigen::VectorXd & parameters, const Eigen::VectorXd & margin) const {
        double loss = 0.5 * parameters.head(samples.cols()).squaredNorm();
        for (Eigen::Index i = 0; i < margin.size(); ++i) {
            loss += cost[i] * softplus(target[i] > 0 ? -margin[i] : margin[i]);
        }
        return loss;
    }

    /// samples' r with sum(r) below it, plus the penalty's part.
    Eigen::VectorXd pull_back(const Eigen::VectorXd & parameters, const Eigen::VectorXd & residual) const {
        Eigen::VectorXd result(parameters.size());
        result.head(samples.cols()).noalias() = samples.transpose() * residual;
        result.head(samples.cols()) += parameters.head(samples.cols());
        result[samples.cols()] = residual.sum();
        return result;
    }

    Eigen::VectorXd gradient(const Eigen::VectorXd & parameters, const Eigen::VectorXd & margin) const {
        return pull_back(parameters, (cost.array() * (margin.array().unaryExpr(&sigmoid) - target.array())).matrix());
    }

    /// Diagonal of the Hessian with respect to the margins.
    Eigen::VectorXd curvature(const Eigen::VectorXd & margin) const {
        const Eigen::ArrayXd p = margin.array().unaryExpr(&sigmoid);
        return (cost.array() * p * (1 - p)).matrix();
    }
};

/// Conjugate gradients for H step = -gradient, to a relative residual of `tolerance`.
Eigen::VectorXd newton_step(const Problem & problem, const Eigen::VectorXd & curvature,
                            const Eigen::VectorXd & gradient, double tolerance) {
    constexpr int max_steps = 500;
    Eigen::VectorXd step = Eigen::VectorXd::Zero(gradient.size());
    Eigen::VectorXd residual = -gradient;
    Eigen::VectorXd direction = residual;
    double squared = residual.squaredNorm();
    const double goal = tolerance * tolerance * squared;
    for (int i = 0; i < max_steps && squared > goal; ++i) {
        const Eigen::VectorXd product =
            problem.pull_back(direction, (curvature.array() * problem.margins(direction).array()).matrix());
        const double bend = direction.dot(product);
        // With all probabilities saturated the intercept has no curvature left: keep what was found, or go downhill.
        if (!(bend > std::numeric_limits<double>::min())) {
            return i == 0 ? direction : step;
        }
        const double length = squared / bend;
        step += length * direction;
        residual -= length * product;
        const double next = residual.squaredNorm();
        direction = residual + (next / squared) * direction;
        squared = next;
    }
    return step;
}

struct Fit {
    Eigen::VectorXd parameters;
    bool converged = false;
};

Fit minimise(const Problem & problem, const LogisticOptions & options) {
    Eigen::VectorXd parameters = Eigen::VectorXd::Zero(problem.samples.cols() + 1);
    Eigen::VectorXd margin = problem.margins(parameters);
    double objective = problem.objective(parameters, margin);
    Eigen::VectorXd gradient = problem.gradient(parameters, margin);
    const double first = gradient.norm();
    const double goal = options.tolerance * std::max(1.0, first);

    for (int iteration = 0; iteration < options.max_iterations; ++iteration) {
        if (gradient.norm() <= goal) {
            return {parameters, true};
        }
        // A loose step far from the solution, a tight one near it: quadratic convergence at the end.
        const double looseness = std::min(0.1, gradient.norm() / first);
        const Eigen::VectorXd step = newton_step(problem, problem.curvature(margin), gradient, looseness);

        // Backtrack until the objective falls enough (Armijo). Margins are linear in the parameters.
        const double slope = gradient.dot(step);
        const Eigen::VectorXd margin_step = problem.margins(step);
        double length = 1;
        bool fell = false;
        while (length > 1e-12 && !fell) {
            const Eigen::VectorXd candidate = parameters + length * step;
            const Eigen::VectorXd candidate_margin = margin + length * margin_step;
            const double value = problem.objective(candidate, candidate_margin);
            // Near the solution the fall is below rounding.
            const double slack = 1e-14 * std::abs(objective);
            if (value <= objective + 1e-4 * length * slope + slack) {
                parameters = candidate;
                margin = candidate_margin;
                objective = value;
                fell = true;
            }
            length /= 2;
        }
        if (!fell) {
            break;
        }
        gradient = problem.gradient(parameters, margin);
    }
    return {parameters, gradient.norm() <= goal};
}

Problem make_problem(const Eigen::Ref<const RowMatrix> & samples, std::span<const signed char> labels,
                     std::size_t stride, std::size_t output, std::span<const double> weights,
                     const LogisticOptions & options) {
    std::vector<Eigen::Index> stated;
    double class_weight[2] = {0, 0};
    for (Eigen::Index i = 0; i < samples.rows(); ++i) {
        const signed char label = labels[static_cast<std::size_t>(i) * stride + output];
        const double weight = weights.empty() ? 1.0 : weights[static_cast<std::size_t>(i)];
        if (label >= 0 && weight > 0) {
            stated.push_back(i);
            class_weight[label > 0] += weight;
        }
    }
    if (class_weight[0] <= 0 || class_weight[1] <= 0) {
        fail(ErrorKind::bad_input,
             "logistic regression, output {}: expected samples of both classes, got only {} of {} samples; add some of "
             "the other",
             output,
             stated.empty()        ? "unlabelled ones"
             : class_weight[1] > 0 ? "positive ones"
                                   : "negative ones",
             samples.rows());
    }
    Problem problem;
    const auto n = static_cast<Eigen::Index>(stated.size());
    problem.samples.resize(n, samples.cols());
    problem.target.resize(n);
    problem.cost.resize(n);
    for (Eigen::Index i = 0; i < n; ++i) {
        const Eigen::Index row = stated[static_cast<std::size_t>(i)];
        const bool yes = labels[static_cast<std::size_t>(row) * stride + output] > 0;
        const double weight = weights.empty() ? 1.0 : weights[static_cast<std::size_t>(row)];
        const double balance = options.balanced ? (class_weight[0] + class_weight[1]) / (2 * class_weight[yes]) : 1.0;
        problem.samples.row(i) = samples.row(row);
        problem.target[i] = yes;
        problem.cost[i] = options.c * weight * balance;
    }
    if (!problem.samples.allFinite()) {
        fail(ErrorKind::bad_input, "logistic regression: expected finite features, got NaN or infinity");
    }
    return problem;
}

} // namespace

Standardizer Standardizer::fit(const Eigen::Ref<const RowMatrix> & samples) {
    assert(samples.rows() > 0);
    const auto n = static_cast<double>(samples.rows());
    constexpr double epsilon = std::numeric_limits<double>::epsilon();
    Standardizer result;
    result.mean = samples.colwise().mean().transpose();
    result.scale.resize(samples.cols());
    for (Eigen::Index j = 0; j < samples.cols(); ++j) {
        const double mean = result.mean[j];
        const double variance = (samples.col(j).array() - mean).square().mean();
        // What rounding alone makes of a constant feature (scikit-learn's StandardScaler has the same bound).
        const double rounding = n * epsilon * variance + std::pow(n * mean * epsilon, 2);
        result.scale[j] = variance <= rounding ? 1.0 : std::sqrt(variance);
    }
    return result;
}

RowMatrix Standardizer::transform(const Eigen::Ref<const RowMatrix> & samples) const {
    assert(samples.cols() == mean.size());
    return ((samples.rowwise() - mean.transpose()).array().rowwise() / scale.transpose().array()).matrix();
}

RowMatrix LogisticModel::probabilities(const Eigen::Ref<const RowMatrix> & samples) const {
    RowMatrix margin = samples * weights.transpose();
    margin.rowwise() += intercept.transpose();
    return margin.unaryExpr(&sigmoid);
}

LogisticModel LogisticModel::for_raw_samples(const Standardizer & standardizer) const {
    LogisticModel raw = *this;
    raw.weights = (weights.array().rowwise() / standardizer.scale.transpose().array()).matrix();
    raw.intercept = intercept - raw.weights * standardizer.mean;
    return raw;
}

LogisticModel fit_one_vs_rest(const Eigen::Ref<const RowMatrix> & samples, std::span<const signed char> labels,
                              std::size_t n_output, std::span<const double> sample_weights,
                              const LogisticOptions & options, unsigned threads) {
    const auto n_sample = static_cast<std::size_t>(samples.rows());
    if (labels.size() != n_sample * n_output || (!sample_weights.empty() && sample_weights.size() != n_sample)) {
        fail(ErrorKind::internal, "logistic regression: {} labels and {} weights for {} samples and {} outputs",
             labels.size(), sample_weights.size(), n_sample, n_output);
    }
    std::vector<Fit> fits(n_output);
    parallel_for(n_output, threads, [&](std::size_t output) {
        fits[output] = minimise(make_problem(samples, labels, n_output, output, sample_weights, options), options);
    });

    LogisticModel model;
    model.weights.resize(static_cast<Eigen::Index>(n_output), samples.cols());
    model.intercept.resize(static_cast<Eigen::Index>(n_output));
    for (std::size_t output = 0; output < n_output; ++output) {
        const auto k = static_cast<Eigen::Index>(output);
        model.weights.row(k) = fits[output].parameters.head(samples.cols()).transpose();
        model.intercept[k] = fits[output].parameters[samples.cols()];
        model.converged = model.converged && fits[output].converged;
    }
    return model;
}

LogisticModel fit_logistic(const Eigen::Ref<const RowMatrix> & samples, std::span<const signed char> labels,
                           std::span<const double> sample_weights, const LogisticOptions & options) {
    return fit_one_vs_rest(samples, labels, 1, sample_weights, options, 1);
}

} // namespace valuelens
