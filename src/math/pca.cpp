#include "math/pca.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <Eigen/Eigenvalues>

#include "base/fail.h"

namespace valuelens {
namespace {

/// Turns the sign of a component as the header says.
void fix_sign(Eigen::Ref<Eigen::VectorXd, 0, Eigen::InnerStride<>> scores) {
    constexpr double equal = 1 - 1e-9;
    const double greatest = scores.cwiseAbs().maxCoeff();
    const auto first =
        std::find_if(scores.begin(), scores.end(), [&](double s) { return std::abs(s) >= equal * greatest; });
    if (first != scores.end() && *first < 0) {
        scores = -scores;
    }
}

/// `centred`: inner products of centred samples. Variance up to `nothing` is rounding.
Pca components(const RowMatrix & centred, std::size_t k, double nothing) {
    const Eigen::Index n = centred.rows();
    if (k < 1 || k > static_cast<std::size_t>(n)) {
        fail(ErrorKind::internal, "PCA of {} samples was asked for {} components", n, k);
    }
    Pca result;
    result.scores = RowMatrix::Zero(n, static_cast<Eigen::Index>(k));
    const double total = centred.trace();
    if (!(total > nothing)) {
        result.explained.assign(k, std::numeric_limits<double>::quiet_NaN());
        return result;
    }
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver{Eigen::MatrixXd(centred)};
    const double rounding = static_cast<double>(n) * std::numeric_limits<double>::epsilon() * total;
    for (std::size_t i = 0; i < k; ++i) {
        // The solver orders eigenvalues ascending.
        const Eigen::Index column = n - 1 - static_cast<Eigen::Index>(i);
        const double variance = solver.eigenvalues()[column];
        if (variance <= rounding) {
            result.explained.push_back(0);
            continue;
        }
        auto scores = result.scores.col(static_cast<Eigen::Index>(i));
        scores = std::sqrt(variance) * solver.eigenvectors().col(column);
        fix_sign(scores);
        result.explained.push_back(std::min(variance / total, 1.0));
    }
    return result;
}

} // namespace

Pca pca(const Eigen::Ref<const RowMatrix> & samples, std::size_t k) {
    for (Eigen::Index i = 0; i < samples.rows(); ++i) {
        if (!samples.row(i).allFinite()) {
            fail(ErrorKind::bad_input, "PCA: sample {} holds a number that is not finite", i);
        }
    }
    const RowMatrix centred = samples.rowwise() - samples.colwise().mean();
    constexpr double relative_spread = 1e-12;
    return components(centred * centred.transpose(), k, relative_spread * relative_spread * samples.squaredNorm());
}

Pca pca_of_gram(const Eigen::Ref<const RowMatrix> & gram, std::size_t k) {
    if (!gram.allFinite()) {
        fail(ErrorKind::bad_input, "PCA: the inner products hold a number that is not finite");
    }
    const Eigen::VectorXd row_mean = gram.rowwise().mean();
    RowMatrix centred = gram;
    centred.colwise() -= row_mean;
    centred.rowwise() -= row_mean.transpose();
    centred.array() += row_mean.mean();
    constexpr double relative_variance = 1e-12;
    return components(centred, k, relative_variance * gram.trace());
}

} // namespace valuelens
