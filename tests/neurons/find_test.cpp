#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <numbers>
#include <set>

#include "neurons/hypergeometric.h"
#include "neurons/tiny_model.h"
#include "support/expect_error.h"

namespace valuelens {
namespace {

using test::random_axes;
using test::TinyModel;
using test::write_dense;
using test::write_language_mixture;
using test::write_mixture;
using test::write_quantised_with_norm;

/// What sums in float lose, as a share of |w_out|; as an angle it is this over the norm in the plane.
constexpr double rounding = 3e-7;

/// The definition, neuron by neuron in double.
std::vector<ValueNeuron> by_definition(const TinyModel & model, const AxisSet & axes, std::size_t value,
                                       const NeuronOptions & options) {
    std::vector<std::vector<ValueNeuron>> layers(model.n_layer);
    const ValueAxes & entry = axes.axes[value];
    for (std::size_t layer = 0; layer < model.n_layer; ++layer) {
        if (std::isnan(entry.shared[layer * model.n_embd])) {
            continue;
        }
        for (const TinyModel::Neuron & neuron : model.neurons[layer]) {
            double p0 = 0;
            double p1 = 0;
            for (std::size_t d = 0; d < model.n_embd; ++d) {
                p0 += neuron.w_out[d] * static_cast<double>(entry.shared[layer * model.n_embd + d]);
                p1 += neuron.w_out[d] * static_cast<double>(entry.intrinsic[layer * model.n_embd + d]);
            }
            ValueNeuron found{value, neuron.id, std::hypot(p0, p1)};
            const auto degrees = [&](double x) {
                return std::acos(x / found.norm) * 180 / std::numbers::pi;
            };
            found.angle_shared = degrees(p0);
            found.angle_intrinsic = degrees(p1);
            found.angle_prompted = degrees(-p1);
            std::map<double, NeuronCategory> nearest = {{found.angle_shared, NeuronCategory::shared},
                                                        {found.angle_intrinsic, NeuronCategory::intrinsic},
                                                        {found.angle_prompted, NeuronCategory::prompted}};
            if (options.anti_shared) {
                nearest[degrees(-p0)] = NeuronCategory::anti_shared;
            }
            found.category =
                nearest.begin()->first < options.max_angle ? nearest.begin()->second : NeuronCategory::none;
            layers[layer].push_back(found);
        }
    }
    if (options.scope == NeuronScope::model) {
        for (std::size_t layer = 1; layer < layers.size(); ++layer) {
            layers[0].insert(layers[0].end(), layers[layer].begin(), layers[layer].end());
            layers[layer].clear();
        }
    }
    std::vector<ValueNeuron> kept;
    const auto by_norm = [](const ValueNeuron & a, const ValueNeuron & b) {
        return a.norm > b.norm;
    };
    for (std::vector<ValueNeuron> & all : layers) {
        std::sort(all.begin(), all.end(), by_norm);
        all.resize(static_cast<std::size_t>(std::ceil(options.top_percent / 100 * static_cast<double>(all.size()))));
        kept.insert(kept.end(), all.begin(), all.end());
    }
    std::sort(kept.begin(), kept.end(), by_norm);
    return kept;
}

void expect_defined(const TinyModel & model, const AxisSet & axes, const NeuronOptions & options) {
    const NeuronTable table = find_neurons(model.path, axes, options);
    ASSERT_EQ(table.values, axes.values);
    std::map<std::pair<std::size_t, NeuronId>, const ValueNeuron *> kept;
    for (std::size_t i = 0; i < table.neurons.size(); ++i) {
        kept[{table.neurons[i].value, table.neurons[i].id}] = &table.neurons[i];
        if (i > 0 && table.neurons[i].value == table.neurons[i - 1].value) {
            EXPECT_GE(table.neurons[i - 1].norm, table.neurons[i].norm);
        } else if (i > 0) {
            EXPECT_GT(table.neurons[i].value, table.neurons[i - 1].value);
        }
    }
    ASSERT_EQ(kept.size(), table.neurons.size());
    std::size_t n_expected = 0;
    for (std::size_t value = 0; value < table.values.size(); ++value) {
        std::vector<std::size_t> counts(5, 0);
        std::vector<std::vector<std::size_t>> layer_counts(model.n_layer, counts);
        for (const ValueNeuron & expected : by_definition(model, axes, value, options)) {
            const auto place = kept.find({value, expected.id});
            ASSERT_NE(place, kept.end());
            const ValueNeuron & found = *place->second;
            const double lost = rounding * std::sqrt(static_cast<double>(model.n_embd));
            const double turned = lost / expected.norm * 180 / std::numbers::pi;
            EXPECT_NEAR(found.norm, expected.norm, lost);
            EXPECT_NEAR(found.angle_shared, expected.angle_shared, turned);
            EXPECT_NEAR(found.angle_intrinsic, expected.angle_intrinsic, turned);
            EXPECT_NEAR(found.angle_prompted, expected.angle_prompted, turned);
            EXPECT_EQ(found.category, expected.category);
            ++counts[static_cast<std::size_t>(expected.category)];
            ++layer_counts[static_cast<std::size_t>(expected.id.layer)][static_cast<std::size_t>(expected.category)];
            ++n_expected;
        }
        EXPECT_EQ(table.layer_counts[value], layer_counts);
        for (std::size_t category = 0; category < 5; ++category) {
            EXPECT_EQ(table.counts[value][category].count, counts[category]);
        }
    }
    EXPECT_EQ(n_expected, table.neurons.size());
}

class FindNeurons : public testing::Test {
protected:
    std::filesystem::path path(const std::string & name = "tiny.gguf") const { return folder_ / name; }
    TempFolder folder_;
};

TEST_F(FindNeurons, AreThoseOfTheDefinition) {
    const TinyModel model = write_dense(path());
    const AxisSet axes = random_axes(model, {"care", "power", "care2"});
    for (const NeuronScope scope : {NeuronScope::model, NeuronScope::layer}) {
        for (const bool anti_shared : {false, true}) {
            expect_defined(model, axes,
                           {.top_percent = 7.3, .scope = scope, .anti_shared = anti_shared, .null_draws = 3});
        }
    }
    expect_defined(model, axes, {.top_percent = 100, .max_angle = 45, .null_draws = 0});
}

TEST_F(FindNeurons, OfAMixtureAreCountedOverAllExperts) {
    const TinyModel model = write_mixture(path());
    const AxisSet axes = random_axes(model, {"care", "power"});
    for (const NeuronScope scope : {NeuronScope::model, NeuronScope::layer}) {
        expect_defined(model, axes, {.top_percent = 20, .scope = scope, .null_draws = 2});
    }
    const NeuronTable table = find_neurons(model.path, axes, {.top_percent = 100, .null_draws = 0});
    EXPECT_EQ(table.n_neuron, (std::vector<std::size_t>{100, 150, 150}));
    std::set<int> experts;
    for (const ValueNeuron & neuron : table.neurons) {
        experts.insert(neuron.id.expert);
    }
    EXPECT_EQ(experts, (std::set<int>{-2, -1, 0, 1, 2, 3, 4}));
}

TEST_F(FindNeurons, OfAMixtureThatRunsAreThoseOfTheDefinition) {
    const TinyModel model = write_language_mixture(path());
    const AxisSet axes = random_axes(model, {"care", "power"});
    expect_defined(model, axes, {.top_percent = 15, .null_draws = 2});
    expect_defined(model, axes, {.top_percent = 100, .scope = NeuronScope::layer, .null_draws = 0});
}

TEST_F(FindNeurons, OfQuantisedWeightsCountWithTheGainsOfTheNormThatFollows) {
    const TinyModel model = write_quantised_with_norm(path());
    const AxisSet axes = random_axes(model, {"care", "power"});
    expect_defined(model, axes, {.top_percent = 10, .null_draws = 2});
    expect_defined(model, axes, {.top_percent = 100, .scope = NeuronScope::layer, .null_draws = 0});
}

TEST_F(FindNeurons, ThreadsChangeNothing) {
    const TinyModel model = write_dense(path());
    const AxisSet axes = random_axes(model, {"care", "power"});
    NeuronOptions options{.top_percent = 5, .null_draws = 5, .threads = 1};
    const NeuronTable one = find_neurons(model.path, axes, options);
    options.threads = 7;
    const NeuronTable many = find_neurons(model.path, axes, options);
    EXPECT_EQ(neurons_json(one), neurons_json(many));
    ASSERT_EQ(one.neurons.size(), many.neurons.size());
    for (std::size_t i = 0; i < one.neurons.size(); ++i) {
        EXPECT_EQ(one.neurons[i].id, many.neurons[i].id);
        EXPECT_EQ(one.neurons[i].norm, many.neurons[i].norm) << "to the last bit";
        EXPECT_EQ(one.neurons[i].angle_shared, many.neurons[i].angle_shared);
    }
    options.seed = 1;
    EXPECT_NE(neurons_json(find_neurons(model.path, axes, options)), neurons_json(one)) << "another draw of planes";
}

TEST_F(FindNeurons, RandomAxesLieWithinChance) {
    const TinyModel model = write_dense(path());
    const AxisSet axes = random_axes(model, {"care"});
    const NeuronTable table =
        find_neurons(model.path, axes, {.top_percent = 10, .null_draws = 60, .confidence = 0.999});
    double total = 0;
    for (std::size_t category = 0; category < 5; ++category) {
        const CategoryCount & count = table.counts[0][category];
        EXPECT_LE(count.null.low, count.null.mean);
        EXPECT_LE(count.null.mean, count.null.high);
        EXPECT_GE(static_cast<double>(count.count), count.null.low) << category;
        EXPECT_LE(static_cast<double>(count.count), count.null.high) << category;
        total += count.null.mean;
    }
    EXPECT_NEAR(total, 331, 1e-9) << "each draw keeps 10 % of 3303";
    // Isotropic weights: each of three axes owns 60 of 360 degrees.
    EXPECT_NEAR(table.counts[0][0].null.mean, 331.0 / 6, 5);
    EXPECT_NEAR(table.counts[0][2].null.mean, 331.0 / 6, 5);
}

TEST_F(FindNeurons, WithoutDrawsThereIsNoChanceLevel) {
    const TinyModel model = write_dense(path(), 1, 50, 8, 1);
    const NeuronTable table = find_neurons(model.path, random_axes(model, {"a", "b"}), {.null_draws = 0});
    EXPECT_TRUE(std::isnan(table.counts[0][0].null.mean));
    EXPECT_TRUE(std::isnan(table.overlaps[0].jaccard_null.mean));
}

TEST_F(FindNeurons, TiesWithTheLastAreKeptAndDeadNeuronsAreNot) {
    test::GgufWriter gguf("llama");
    gguf.number("llama.block_count", 1);
    gguf.number("llama.embedding_length", 2);
    // Columns (3, 0), (0, 1), (0, -1), (1, 0), (0, 0).
    gguf.tensor("blk.0.ffn_down.weight", {5, 2}, {3, 0, 0, 1, 0, /**/ 0, 1, -1, 0, 0});
    AxisSet axes;
    axes.provenance.model_hash = model_identity(gguf.write(path()));
    axes.n_layer = 1;
    axes.n_embd = 2;
    axes.values = {"care"};
    axes.axes.push_back({.value = "care", .shared = {1, 0}, .intrinsic = {0, 1}, .prompted = {0, -1}});
    const NeuronTable two = find_neurons(path(), axes, {.top_percent = 40, .null_draws = 0});
    ASSERT_EQ(two.neurons.size(), 4u) << "three neurons share the second place";
    EXPECT_EQ(two.neurons[0].id.neuron, 0);
    EXPECT_EQ(two.neurons[1].category, NeuronCategory::intrinsic);
    EXPECT_EQ(two.neurons[2].category, NeuronCategory::prompted);
    EXPECT_EQ(two.neurons[3].category, NeuronCategory::shared);
    EXPECT_TRUE(two.notes.empty());
    const NeuronTable all = find_neurons(path(), axes, {.top_percent = 100, .null_draws = 0});
    EXPECT_EQ(all.neurons.size(), 4u);
    ASSERT_EQ(all.notes.size(), 1u);
    EXPECT_EQ(all.notes[0], "care: 5 neurons were to be kept, only 4 write into its plane");
}

TEST_F(FindNeurons, UndefinedLayersHaveNoneAndAreNoted) {
    const TinyModel model = write_dense(path(), 1, 200, 16, 4);
    AxisSet axes =
        random_axes(model, {"care", "power", "gone", "broken"}, {{0, 1}, {0, 2}, {2, 0}, {2, 1}, {2, 2}, {2, 3}});
    axes.axes[3] = {.value = "broken", .problem = "no prompted vector"};
    const NeuronTable table = find_neurons(model.path, axes, {.top_percent = 10, .null_draws = 2});
    EXPECT_EQ(table.values, (std::vector<std::string>{"care", "power"}));
    EXPECT_EQ(table.notes, (std::vector<std::string>{"care: its axes are undefined at layers 1-2, no neurons there",
                                                     "gone: its axes are undefined at all layers",
                                                     "broken: no axes (no prompted vector)"}));
    const auto kept = [&](std::size_t value, std::size_t layer) {
        std::size_t n = 0;
        for (const std::size_t count : table.layer_counts[value][layer]) {
            n += count;
        }
        return n;
    };
    EXPECT_EQ(kept(0, 1) + kept(0, 2), 0u);
    EXPECT_EQ(kept(0, 0) + kept(0, 3), 40u) << "10 % of the neurons where the axes are defined";
    EXPECT_EQ(kept(1, 0) + kept(1, 1) + kept(1, 2) + kept(1, 3), 80u);
    double chance = 0;
    for (const CategoryCount & count : table.counts[0]) {
        chance += count.null.mean;
    }
    EXPECT_NEAR(chance, 40, 1e-9);
    // Compared in the two layers that both have.
    EXPECT_EQ(table.overlaps[0].size_a, 40u);
    EXPECT_EQ(table.overlaps[0].size_b, kept(1, 0) + kept(1, 3));
    EXPECT_NEAR(table.overlaps[0].expected, 40.0 * static_cast<double>(table.overlaps[0].size_b) / 400, 1e-12);
    EXPECT_TRUE(std::isnan(table.overlaps[0].jaccard_null.mean));
    EXPECT_NEAR(find_neurons(model.path, axes, {.values = {"power"}, .null_draws = 0}).neurons[0].norm,
                table.neurons[40].norm, 1e-12)
        << "a value alone is what it is among others";
}

TEST_F(FindNeurons, OverlapsAreThoseOfTheSets) {
    const TinyModel model = write_dense(path(), 1, 300, 16, 2);
    AxisSet axes = random_axes(model, {"a", "b", "c"});
    axes.axes[2] = axes.axes[0];
    axes.axes[2].value = "c";
    const NeuronTable table = find_neurons(model.path, axes, {.top_percent = 10, .null_draws = 6});
    EXPECT_EQ(table.overlaps.size(), 3u * 4u) << "all, shared, intrinsic, prompted";
    const auto set_of = [&](std::size_t value, std::optional<NeuronCategory> category) {
        std::set<NeuronId> set;
        for (const ValueNeuron & neuron : table.neurons) {
            if (neuron.value == value && (!category || neuron.category == *category)) {
                set.insert(neuron.id);
            }
        }
        return set;
    };
    for (const NeuronOverlap & overlap : table.overlaps) {
        const std::set<NeuronId> a = set_of(overlap.a, overlap.category);
        const std::set<NeuronId> b = set_of(overlap.b, overlap.category);
        std::vector<NeuronId> both;
        std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
        EXPECT_EQ(overlap.common, both.size());
        EXPECT_EQ(overlap.size_a, a.size());
        EXPECT_EQ(overlap.size_b, b.size());
        EXPECT_NEAR(overlap.jaccard,
                    static_cast<double>(both.size()) / static_cast<double>(a.size() + b.size() - both.size()), 1e-12);
        EXPECT_NEAR(overlap.expected, static_cast<double>(a.size() * b.size()) / 600, 1e-12);
        EXPECT_EQ(overlap.p, hypergeometric_tail(both.size(), 600, a.size(), b.size()));
        if (overlap.a == 0 && overlap.b == 2) {
            EXPECT_EQ(overlap.jaccard, 1.0);
            EXPECT_GT(overlap.jaccard, overlap.jaccard_null.high);
        }
        EXPECT_LE(overlap.jaccard_null.low, overlap.jaccard_null.high);
    }
}

TEST_F(FindNeurons, WhatDoesNotFitIsRefused) {
    const TinyModel model = write_dense(path(), 1, 20, 4, 2);
    const TinyModel other = write_dense(path("other.gguf"), 2, 20, 4, 2);
    const AxisSet axes = random_axes(model, {"care", "power"});
    const auto refuse = [&](ErrorKind kind, const std::vector<std::string> & words, const AxisSet & set,
                            const NeuronOptions & options = {}) {
        expect_error(kind, words, [&] { find_neurons(model.path, set, options); });
    };
    expect_error(ErrorKind::bad_input, {"made with model tiny", "same model file"},
                 [&] { find_neurons(other.path, axes); });
    expect_error(ErrorKind::model, {"none.gguf"}, [&] { find_neurons(path("none.gguf"), axes); });
    AxisSet changed = axes;
    changed.n_layer = 1;
    refuse(ErrorKind::bad_input, {"[1, 4]", "[2, 4]"}, changed);
    changed = axes;
    changed.provenance.location = "mlp_post";
    refuse(ErrorKind::bad_input, {"mlp_post", "resid_post"}, changed);
    changed = axes;
    changed.axes[1].shared[5] = 3;
    refuse(ErrorKind::bad_input, {"power/shared", "layer 1", "right angles"}, changed);
    changed.axes[1].shared.pop_back();
    refuse(ErrorKind::bad_input, {"power", "7 and 8", "[2, 4]"}, changed);
    refuse(ErrorKind::bad_input, {"\"honour\"", "care, power"}, axes, {.values = {"honour"}});
    refuse(ErrorKind::bad_input, {"\"care\"", "twice"}, axes, {.values = {"care", "care"}});
    changed = axes;
    changed.axes[0].problem = "no vector";
    refuse(ErrorKind::bad_input, {"no value has axes", "no vector"}, changed, {.values = {"care"}});
    for (const double percent : {0.0, -1.0, 100.5, std::nan("")}) {
        refuse(ErrorKind::usage, {"top_percent"}, axes, {.top_percent = percent});
    }
    for (const double angle : {0.0, 45.5}) {
        refuse(ErrorKind::usage, {"max_angle"}, axes, {.max_angle = angle});
    }
    refuse(ErrorKind::usage, {"confidence"}, axes, {.confidence = 1});
    std::stop_source stop;
    stop.request_stop();
    expect_error(ErrorKind::interrupted, {"stopped"},
                 [&] { find_neurons(model.path, axes, {}, silent_progress(), stop.get_token()); });
}

TEST_F(FindNeurons, AWeightThatIsNoNumberIsNamed) {
    const TinyModel model = write_dense(path(), 1, 20, 4, 2);
    std::string bytes = read_file(path());
    const float nan = std::numeric_limits<float>::quiet_NaN();
    std::memcpy(bytes.data() + bytes.size() - 13 * sizeof(float), &nan, sizeof(nan)); // row 3 of block 1, column 7
    write_file(path(), bytes);
    expect_error(ErrorKind::model, {"blk.1.ffn_down.weight", "neuron 7", "not a finite number"},
                 [&] { find_neurons(path(), random_axes(model, {"care"}), {}); });
}

} // namespace
} // namespace valuelens
