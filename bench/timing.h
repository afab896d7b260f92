#pragma once

#include <algorithm>
#include <vector>

namespace valuelens::bench {

struct Spread {
    double low = 0;
    double median = 0;
    double high = 0;
};

/// Least, median and largest of some figures (at least one).
inline Spread spread(std::vector<double> figures) {
    std::sort(figures.begin(), figures.end());
    const std::size_t n = figures.size();
    const double median = n % 2 == 1 ? figures[n / 2] : (figures[n / 2 - 1] + figures[n / 2]) / 2;
    return {figures.front(), median, figures.back()};
}

} // namespace valuelens::bench
