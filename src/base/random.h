#pragma once

#include <cstdint>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

namespace valuelens {

/// A seeded random stream that gives the same numbers on every platform: the standard fixes the
/// engine's output but not its distributions, so those are spelled out here.
class Rng {
public:
    explicit Rng(std::uint64_t seed) : engine_(seed) {}

    std::uint64_t next() { return engine_(); }

    /// Uniform in [0, 1), 53 random bits.
    double uniform() { return static_cast<double>(engine_() >> 11) * 0x1.0p-53; }

    /// Uniform in {0, ..., bound - 1}, without modulo bias. bound > 0.
    std::uint64_t below(std::uint64_t bound) {
        const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
        std::uint64_t draw = engine_();
        while (draw >= limit) {
            draw = engine_();
        }
        return draw % bound;
    }

    /// Standard normal (Box-Muller, one of the pair).
    double normal();

    template <typename T>
    void shuffle(std::vector<T> & items) {
        for (std::size_t i = items.size(); i > 1; --i) {
            std::swap(items[i - 1], items[below(i)]);
        }
    }

private:
    std::mt19937_64 engine_;
};

/// A seed for a named sub-stream ("templates", a query id, ...): streams of different names are
/// independent, and adding one does not shift another.
std::uint64_t derive_seed(std::uint64_t seed, std::string_view name);

} // namespace valuelens
