#include "vectors/compute.h"

#include <cmath>

#include "base/file.h"
#include "math/vector_ops.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"
#include "vectors/memory_source.h"

namespace valuelens {
namespace {

/// Sums in double, results in float.
constexpr double float_rounding = 1e-6;

std::span<const float> at_layer(const ValueVectorSet & set, const ValueVector & entry, std::size_t layer) {
    return {entry.vector.data() + layer * set.n_embd, set.n_embd};
}

TEST(ComputeVectors, IsTheDifferenceOfMeansOfTheClasses) {
    Scene scene{MemorySource(1, 2), {}, {"care"}};
    scene.source.rows = {{1, 0}, {3, 2}, {10, 10}, {0, 0}, {8, 1}, {4, 4}};
    for (std::size_t row = 0; row < 6; ++row) {
        scene.responses.push_back(
            {row, "", row < 4 ? Condition::intrinsic : Condition::prompted, {{0, row < 2 || row == 4}}});
    }
    VectorOptions options;
    options.min_count = 1;
    const ValueVectorSet set = compute(scene, options);
    ASSERT_EQ(set.vectors.size(), 2u);
    EXPECT_EQ(set.vectors[0].vector, (std::vector<float>{2 - 5, 1 - 5}));
    EXPECT_EQ(set.vectors[1].vector, (std::vector<float>{4, -3}));
    EXPECT_EQ(set.vectors[0].n_expressing, 2u);
    EXPECT_EQ(set.vectors[0].n_not_expressing, 2u);
    EXPECT_DOUBLE_EQ(set.vectors[1].norm[0].value, 5);
    EXPECT_NEAR(set.condition_cosine[0].value, 0, 1e-15);
    const double lengths = 1 + std::sqrt(13.0) + std::sqrt(200.0) + 0 + std::sqrt(65.0) + std::sqrt(32.0);
    EXPECT_NEAR(set.resid_norm[0], lengths / 6, 1e-5);
    EXPECT_EQ(set.n_queries, 6u);
}

TEST(ComputeVectors, PlantedDirectionIsFoundWithAurocNearOne) {
    const Scene scene = make_scene(200, 2, 8.0);
    const ValueVectorSet set = compute(scene);
    for (const ValueVector & entry : set.vectors) {
        const std::size_t axis = entry.value == "value0" ? 0 : 1;
        for (std::size_t layer = 0; layer < set.n_layer; ++layer) {
            std::vector<float> planted(set.n_embd, 0);
            planted[axis] = 1;
            EXPECT_GT(cosine(at_layer(set, entry, layer), planted), 0.95);
            EXPECT_NEAR(entry.norm[layer].value, 8, 1);
            EXPECT_LE(entry.norm[layer].low, entry.norm[layer].value);
            EXPECT_GE(entry.norm[layer].high, entry.norm[layer].value);
            EXPECT_GT(entry.auroc[layer].value, 0.99);
            EXPECT_GT(entry.auroc[layer].low, 0.97);
            EXPECT_GT(entry.split_half_cosine[layer], 0.9);
            EXPECT_GT(set.condition_cosine[axis * set.n_layer + layer].low, 0.85);
        }
    }
}

TEST(ComputeVectors, RandomLabelsGiveChanceAuroc) {
    const ValueVectorSet set = compute(make_scene(250, 2, 0.0));
    std::size_t covered = 0;
    std::size_t all = 0;
    double mean = 0;
    for (const ValueVector & entry : set.vectors) {
        for (const Estimate & auroc : entry.auroc) {
            covered += auroc.low <= 0.5 && 0.5 <= auroc.high;
            mean += auroc.value;
            ++all;
        }
    }
    // Twelve 95 % intervals: fewer than ten that cover the truth would come once in fifty times.
    EXPECT_GE(covered, all - 2);
    EXPECT_NEAR(mean / double(all), 0.5, 0.1);
}

TEST(ComputeVectors, OrderOfResponsesAndRowsChangesNothing) {
    const Scene scene = make_scene(60, 2, 1.0);
    Scene shuffled = scene;
    std::vector<std::size_t> order(scene.source.rows.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
        order[i] = i;
    }
    Rng rng(99);
    rng.shuffle(order);
    for (std::size_t i = 0; i < order.size(); ++i) {
        shuffled.source.rows[i] = scene.source.rows[order[i]];
        shuffled.source.ids[i] = scene.source.ids[order[i]];
        shuffled.responses[i] = scene.responses[order[i]];
        shuffled.responses[i].row = i;
    }
    VectorOptions options;
    options.resample_groups = 20;
    const ValueVectorSet a = compute(scene, options);
    const ValueVectorSet b = compute(shuffled, options);
    for (std::size_t i = 0; i < a.vectors.size(); ++i) {
        for (std::size_t j = 0; j < a.vectors[i].vector.size(); ++j) {
            EXPECT_NEAR(a.vectors[i].vector[j], b.vectors[i].vector[j], float_rounding);
        }
        for (std::size_t layer = 0; layer < a.n_layer; ++layer) {
            EXPECT_NEAR(a.vectors[i].norm[layer].low, b.vectors[i].norm[layer].low, 1e-9);
            EXPECT_NEAR(a.vectors[i].norm[layer].high, b.vectors[i].norm[layer].high, 1e-9);
            EXPECT_NEAR(a.vectors[i].split_half_cosine[layer], b.vectors[i].split_half_cosine[layer], 1e-9);
            EXPECT_EQ(a.vectors[i].auroc[layer].value, b.vectors[i].auroc[layer].value);
            EXPECT_EQ(a.vectors[i].auroc[layer].high, b.vectors[i].auroc[layer].high);
        }
    }
}

TEST(ComputeVectors, ScalingActivationsScalesTheVector) {
    const Scene scene = make_scene(60, 1, 1.0);
    Scene scaled = scene;
    for (auto & row : scaled.source.rows) {
        for (float & element : row) {
            element *= 4; // a power of two: exact
        }
    }
    const ValueVectorSet a = compute(scene);
    const ValueVectorSet b = compute(scaled);
    for (std::size_t j = 0; j < a.vectors[0].vector.size(); ++j) {
        EXPECT_EQ(4 * a.vectors[0].vector[j], b.vectors[0].vector[j]);
    }
    EXPECT_DOUBLE_EQ(4 * a.vectors[0].norm[1].high, b.vectors[0].norm[1].high);
    EXPECT_EQ(a.vectors[0].auroc[1].value, b.vectors[0].auroc[1].value);
    EXPECT_NEAR(a.condition_cosine[1].low, b.condition_cosine[1].low, 1e-12);
    EXPECT_EQ(4 * a.resid_norm[2], b.resid_norm[2]);
}

TEST(ComputeVectors, BytesDependNeitherOnThreadsNorOnMemory) {
    const Scene scene = make_scene(80, 3, 0.5);
    const TempFolder folder;
    const auto bytes = [&](unsigned threads, std::size_t memory_mb) {
        VectorOptions options;
        options.bootstraps = 50;
        options.resample_groups = 30;
        options.threads = threads;
        options.memory_mb = memory_mb;
        write_value_vectors(folder / "vectors.safetensors", compute(scene, options));
        return read_file(folder / "vectors.safetensors");
    };
    const std::string one = bytes(1, 256);
    EXPECT_EQ(one, bytes(1, 256));
    EXPECT_EQ(one, bytes(2, 256));
    EXPECT_EQ(one, bytes(7, 1024));
    EXPECT_EQ(one, bytes(7, 0));
}

TEST(ComputeVectors, TooFewOfAClassIsNamedAndTheOthersGoOn) {
    Scene scene = make_scene(40, 2, 1.0);
    for (LabelledResponse & response : scene.responses) {
        if (response.condition == Condition::prompted && response.labels[0].first == 1) {
            response.labels[0].second = response.row < 9; // the first three queries
        }
    }
    const ValueVectorSet set = compute(scene);
    const ValueVector & poor = set.vectors[3];
    EXPECT_THAT(poor.problem, testing::AllOf(testing::HasSubstr("value 'value1'"), testing::HasSubstr("prompted"),
                                             testing::HasSubstr("3 expressing"), testing::HasSubstr("37 not"),
                                             testing::HasSubstr("8")));
    EXPECT_TRUE(poor.vector.empty());
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(set.vectors[i].problem, "");
        EXPECT_EQ(set.vectors[i].vector.size(), set.n_layer * set.n_embd);
    }
    EXPECT_FALSE(std::isnan(set.condition_cosine[0].value));
    EXPECT_TRUE(std::isnan(set.condition_cosine[set.n_layer].value));

    VectorOptions options;
    options.min_count = 3;
    EXPECT_EQ(compute(scene, options).vectors[3].problem, "");
}

TEST(ComputeVectors, NoVectorAtAllIsAnError) {
    Scene scene = make_scene(40, 2, 1.0);
    for (LabelledResponse & response : scene.responses) {
        for (auto & label : response.labels) {
            label.second = true;
        }
    }
    expect_error(ErrorKind::bad_input, {"value0", "intrinsic", "40 expressing", "0 not expressing", "8"},
                 [&] { compute(scene); });
    scene.responses.clear();
    VectorOptions options;
    options.min_count = 0;
    expect_error(ErrorKind::bad_input, {"0 expressing"}, [&] { compute(scene, options); });
}

TEST(ComputeVectors, HeldOutWithoutBothClassesIsNotedAndNaN) {
    Scene scene = make_scene(40, 1, 1.0);
    for (LabelledResponse & response : scene.responses) {
        response.labels[0].second = response.row == 0; // a single expressing response
    }
    VectorOptions options;
    options.min_count = 1;
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
        options.seed = seed;
        scene.responses[1].labels[0].second = true;
        const ValueVectorSet set = compute(scene, options);
        EXPECT_NE(set.vectors[0].note, "");
        EXPECT_THAT(set.vectors[0].note, testing::HasSubstr("no AUROC"));
        EXPECT_TRUE(std::isnan(set.vectors[0].auroc[0].value) && std::isnan(set.vectors[0].auroc[0].low));
        EXPECT_TRUE(std::isfinite(set.vectors[0].norm[0].value));
        // Two expressing queries of forty: (38/40)^40 of the resamples hold neither.
        EXPECT_THAT(set.notes, testing::Contains(testing::HasSubstr("resamples hold no response of one class")));
    }
    options.held_out = 0;
    EXPECT_THAT(compute(make_scene(40, 1, 1.0), options).vectors[0].note,
                testing::HasSubstr("held-out queries have 0"));
}

TEST(ComputeVectors, BrokenActivationIsNamed) {
    Scene scene = make_scene(40, 1, 1.0);
    scene.source.rows[5][1 * 16 + 3] = NAN;
    expect_error(ErrorKind::bad_input, {"id5", "layer 1"}, [&] { compute(scene); });
}

TEST(ComputeVectors, StopRequestInterrupts) {
    const Scene scene = make_scene(40, 1, 1.0);
    std::stop_source stop;
    stop.request_stop();
    expect_error(ErrorKind::interrupted, {"stopped"}, [&] {
        compute_value_vectors(scene.source, scene.responses, scene.values, {}, silent_progress(), stop.get_token());
    });
}

TEST(ComputeVectors, OptionsOutOfRangeAreUsageErrors) {
    const Scene scene = make_scene(40, 1, 1.0);
    const auto with = [&](auto change) {
        VectorOptions options;
        change(options);
        return [&scene, options] {
            compute(scene, options);
        };
    };
    expect_error(ErrorKind::usage, {"held_out", "1"}, with([](VectorOptions & o) { o.held_out = 1; }));
    expect_error(ErrorKind::usage, {"held_out"}, with([](VectorOptions & o) { o.held_out = NAN; }));
    expect_error(ErrorKind::usage, {"confidence"}, with([](VectorOptions & o) { o.confidence = 95; }));
    expect_error(ErrorKind::usage, {"resample_groups"}, with([](VectorOptions & o) { o.resample_groups = 1; }));
}

TEST(ComputeVectors, WithoutBootstrapsThereAreEstimatesButNoIntervals) {
    VectorOptions options;
    options.bootstraps = 0;
    options.split_halves = 0;
    const ValueVectorSet set = compute(make_scene(40, 1, 2.0), options);
    EXPECT_TRUE(std::isfinite(set.vectors[0].norm[0].value) && std::isfinite(set.vectors[0].auroc[0].value));
    EXPECT_TRUE(std::isnan(set.vectors[0].norm[0].low) && std::isnan(set.vectors[0].auroc[0].high));
    EXPECT_TRUE(std::isnan(set.vectors[0].split_half_cosine[0]));
}

TEST(ComputeVectors, GroupedQueriesGiveIntervalsOfTheSameWidth) {
    const Scene scene = make_scene(1200, 1, 3.0, 5, 2);
    VectorOptions options;
    options.bootstraps = 400;
    options.resample_groups = 100000;
    const ValueVectorSet exact = compute(scene, options);
    options.resample_groups = 300;
    const ValueVectorSet grouped = compute(scene, options);
    EXPECT_EQ(exact.vectors[0].vector, grouped.vectors[0].vector);
    for (std::size_t layer = 0; layer < exact.n_layer; ++layer) {
        const Estimate & a = exact.vectors[0].norm[layer];
        const Estimate & b = grouped.vectors[0].norm[layer];
        // Each width has a Monte Carlo error of some 7 %.
        EXPECT_NEAR((b.high - b.low) / (a.high - a.low), 1.0, 0.3);
        EXPECT_EQ(exact.vectors[0].auroc[layer].low, grouped.vectors[0].auroc[layer].low);
    }
}

} // namespace
} // namespace valuelens
