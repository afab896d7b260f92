#include "explain/harvester.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/file.h"
#include "base/random.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

struct Sample {
    CorpusWindow window;
    std::vector<float> values; ///< [neurons, tokens]
};

constexpr std::size_t n_neuron = 3;

/// Windows of 1 to 8 tokens; some come twice.
std::vector<Sample> samples(std::size_t n) {
    Rng rng(7);
    std::vector<Sample> all;
    for (std::size_t i = 0; i < n; ++i) {
        if (i % 11 == 10) {
            all.push_back(all[i / 2]);
            continue;
        }
        Sample sample;
        const std::size_t length = 1 + rng.below(8);
        for (std::size_t t = 0; t < length; ++t) {
            sample.window.tokens.push_back(static_cast<Token>(rng.below(5000)));
        }
        sample.window.first_seen = i % 2;
        for (std::size_t k = 0; k < n_neuron * length; ++k) {
            sample.values.push_back(static_cast<float>(rng.normal() * (k < length ? 1 : 5)));
        }
        all.push_back(std::move(sample));
    }
    return all;
}

HarvestOptions small_options() {
    HarvestOptions options;
    options.top = 5;
    options.random = 4;
    options.seed = 3;
    return options;
}

std::vector<NeuronId> ids() {
    return {{0, -1, 1}, {0, -1, 5}, {2, -1, 0}};
}

void feed(Harvester & harvester, std::span<const Sample> all) {
    for (const Sample & sample : all) {
        harvester.add(sample.window, sample.values.data(), sample.window.tokens.size());
    }
}

/// Peaks of all different windows, highest first.
std::vector<std::pair<float, std::size_t>> brute_force(std::span<const Sample> all, std::size_t neuron, Pole pole) {
    std::vector<std::pair<float, std::size_t>> peaks;
    std::map<std::vector<Token>, std::size_t> seen;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (!seen.try_emplace(all[i].window.tokens, i).second) {
            continue;
        }
        float peak = 0;
        const std::size_t n = all[i].window.tokens.size();
        for (std::size_t t = all[i].window.first_seen; t < n; ++t) {
            const float value = all[i].values[neuron * n + t];
            peak = std::max(peak, pole == Pole::positive ? value : -value);
        }
        if (peak > 0) {
            peaks.emplace_back(peak, i);
        }
    }
    std::stable_sort(peaks.begin(), peaks.end(), [](const auto & a, const auto & b) { return a.first > b.first; });
    peaks.resize(std::min<std::size_t>(peaks.size(), small_options().top));
    return peaks;
}

TEST(Harvester, TheTopExcerptsAreThoseOfABruteForceSearch) {
    const std::vector<Sample> all = samples(300);
    Harvester harvester(ids(), small_options());
    feed(harvester, all);
    EXPECT_EQ(harvester.windows(), 300u);
    for (std::size_t neuron = 0; neuron < n_neuron; ++neuron) {
        for (const Pole pole : {Pole::positive, Pole::negative}) {
            const auto expected = brute_force(all, neuron, pole);
            const std::vector<Excerpt> & got = harvester.of(neuron).top[static_cast<std::size_t>(pole)];
            ASSERT_EQ(got.size(), expected.size());
            for (std::size_t i = 0; i < got.size(); ++i) {
                const Sample & sample = all[expected[i].second];
                EXPECT_EQ(got[i].peak, expected[i].first);
                EXPECT_EQ(got[i].window, expected[i].second);
                EXPECT_EQ(got[i].tokens, sample.window.tokens);
                EXPECT_EQ(got[i].first_seen, sample.window.first_seen);
                for (std::size_t t = 0; t < got[i].tokens.size(); ++t) {
                    EXPECT_EQ(got[i].activations[t],
                              t < sample.window.first_seen ? 0.0f : sample.values[neuron * got[i].tokens.size() + t]);
                }
            }
        }
    }
}

TEST(Harvester, StatisticsAreThoseOfAllTokensThatAreLookedAt) {
    const std::vector<Sample> all = samples(400);
    Harvester harvester(ids(), small_options());
    feed(harvester, all);
    for (std::size_t neuron = 0; neuron < n_neuron; ++neuron) {
        std::vector<float> values;
        for (const Sample & sample : all) {
            const std::size_t n = sample.window.tokens.size();
            for (std::size_t t = sample.window.first_seen; t < n; ++t) {
                values.push_back(sample.values[neuron * n + t]);
            }
        }
        std::sort(values.begin(), values.end());
        EXPECT_EQ(harvester.tokens(), values.size());
        EXPECT_EQ(harvester.of(neuron).lowest, values.front());
        EXPECT_EQ(harvester.of(neuron).highest, values.back());
        double sum = 0;
        for (const float value : values) {
            sum += static_cast<double>(value);
        }
        EXPECT_NEAR(harvester.of(neuron).sum, sum, 1e-9 * static_cast<double>(values.size()));
        for (const double q : {0.0, 0.01, 0.1, 0.37, 0.5, 0.9, 0.99, 1.0}) {
            const double exact =
                static_cast<double>(values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))]);
            EXPECT_NEAR(harvester.of(neuron).sketch.quantile(q), exact, std::abs(exact) / 64 + 1e-4) << q;
        }
    }
}

// Each window is drawn with probability 4/n: over many seeds each stands there about equally often.
TEST(Harvester, RandomExcerptsAreDrawnFromTheWholeCorpus) {
    const std::vector<Sample> all = samples(40);
    std::vector<int> drawn(all.size());
    constexpr int n_seeds = 2000;
    for (int seed = 0; seed < n_seeds; ++seed) {
        HarvestOptions options = small_options();
        options.seed = static_cast<std::uint64_t>(seed);
        Harvester harvester({{0, -1, 0}}, options);
        feed(harvester, all);
        ASSERT_EQ(harvester.n_random(), 4u);
        for (std::size_t place = 0; place < 4; ++place) {
            const Excerpt excerpt = harvester.random_excerpt(0, place, Pole::positive);
            EXPECT_EQ(excerpt.tokens, all[excerpt.window].window.tokens);
            EXPECT_EQ(excerpt.first_seen, all[excerpt.window].window.first_seen);
            ++drawn[excerpt.window];
        }
    }
    const double expected = n_seeds * 4.0 / static_cast<double>(all.size());
    for (const int count : drawn) {
        EXPECT_NEAR(count, expected, 6 * std::sqrt(expected)); // six standard deviations
    }
}

TEST(Harvester, AStateThatWasReadBackGoesOnToTheSameBytes) {
    const TempFolder folder;
    const std::vector<Sample> all = samples(200);
    Harvester whole(ids(), small_options());
    feed(whole, all);
    whole.save(folder / "whole", "id", "{}");

    Harvester first(ids(), small_options());
    feed(first, std::span(all).first(77));
    first.save(folder / "first", "id", "some counts");
    Harvester second(ids(), small_options());
    std::string counts;
    EXPECT_FALSE(second.load(folder / "first", "another id", counts));
    EXPECT_EQ(second.windows(), 0u);
    ASSERT_TRUE(second.load(folder / "first", "id", counts));
    EXPECT_EQ(counts, "some counts");
    EXPECT_EQ(second.windows(), 77u);
    for (std::size_t place = 0; place < first.n_random(); ++place) {
        EXPECT_EQ(second.random_excerpt(0, place, Pole::positive).first_seen,
                  first.random_excerpt(0, place, Pole::positive).first_seen);
    }
    feed(second, std::span(all).subspan(77));
    second.save(folder / "second", "id", "{}");
    EXPECT_EQ(read_file(folder / "whole"), read_file(folder / "second"));
}

// What is saved is all that a harvester holds.
TEST(Harvester, ItsStateDoesNotGrowWithTheCorpus) {
    const TempFolder folder;
    std::vector<Sample> all = samples(4000);
    for (Sample & sample : all) { // windows of one length, so that those kept are as long as any others
        sample.window.tokens.resize(8, 1);
        sample.values.resize(n_neuron * 8, 0.5f);
    }
    Harvester harvester(ids(), small_options());
    feed(harvester, std::span(all).first(400));
    harvester.save(folder / "few", "id", "{}");
    feed(harvester, std::span(all).subspan(400));
    harvester.save(folder / "many", "id", "{}");
    const std::uintmax_t few = std::filesystem::file_size(folder / "few");
    EXPECT_NEAR(static_cast<double>(std::filesystem::file_size(folder / "many")), static_cast<double>(few), 16)
        << "but for the digits of two counts";
}

TEST(Harvester, ADamagedStateIsRefused) {
    const TempFolder folder;
    Harvester harvester(ids(), small_options());
    feed(harvester, samples(20));
    harvester.save(folder / "state", "id", "{}");
    Harvester fewer({{0, -1, 1}}, small_options());
    std::string counts;
    expect_error(ErrorKind::bad_input, {"state", "do not fit together", "remove the file"},
                 [&] { fewer.load(folder / "state", "id", counts); });
}

TEST(Harvester, AnActivationThatIsNoNumberIsAnErrorOfTheModel) {
    Harvester harvester(ids(), small_options());
    const std::vector<float> values = {1, 2, 3, std::numeric_limits<float>::quiet_NaN(), 5, 6};
    expect_error(ErrorKind::model, {"neuron 5 of layer 0", "not finite"}, [&] {
        harvester.add({{10, 11}, 0}, values.data(), 2);
    });
}

} // namespace
} // namespace valuelens
