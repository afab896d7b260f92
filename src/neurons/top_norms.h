#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace valuelens {

/// A neuron's projection into a plane.
struct Projection {
    double norm = 0;
    float first = 0;          ///< <w, u_shared>
    float second = 0;         ///< <w, u_intrinsic>
    std::uint64_t neuron = 0; ///< position among all neurons of the model
};

/// The projections whose norm is at least the k-th largest of all that were added; ties with it are kept, projections
/// of norm 0 never are. Holds about 2 k at a time, whatever the number added.
class TopNorms {
public:
    explicit TopNorms(std::size_t k = 0) : k_(k), limit_(std::max<std::size_t>(2 * k, 1024)) {}

    void add(const Projection & projection) {
        if (projection.norm > 0 && projection.norm >= bound_) {
            kept_.push_back(projection);
            if (kept_.size() >= limit_) {
                cut();
            }
        }
    }

    /// Descending norm, then ascending neuron. Leaves nothing behind.
    std::vector<Projection> take() {
        cut();
        std::sort(kept_.begin(), kept_.end(), [](const Projection & a, const Projection & b) {
            return a.norm != b.norm ? a.norm > b.norm : a.neuron < b.neuron;
        });
        bound_ = 0;
        return std::exchange(kept_, {});
    }

private:
    void cut() {
        if (k_ == 0 || kept_.size() <= k_) {
            return;
        }
        const auto last = kept_.begin() + static_cast<std::ptrdiff_t>(k_ - 1);
        std::nth_element(kept_.begin(), last, kept_.end(),
                         [](const Projection & a, const Projection & b) { return a.norm > b.norm; });
        bound_ = last->norm;
        std::erase_if(kept_, [this](const Projection & projection) { return projection.norm < bound_; });
        limit_ = std::max(limit_, 2 * kept_.size()); // many ties must not make each addition a cut
    }

    std::size_t k_ = 0;
    std::size_t limit_ = 0;
    double bound_ = 0;
    std::vector<Projection> kept_;
};

} // namespace valuelens
