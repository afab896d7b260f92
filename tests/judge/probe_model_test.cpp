// Probes over real models: the shipped ones against numbers from elsewhere, and one trained here.

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "judge/fake_judge.h"
#include "judge/probe.h"
#include "judge/train.h"
#include "support/expect_error.h"
#include "support/golden.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

using nlohmann::json;

std::shared_ptr<Model> load(const std::string & name, const std::string & type) {
    const std::string path = test::cached_model(name, type);
    if (path.empty()) {
        return nullptr;
    }
    ModelOptions options;
    options.path = path;
    options.threads = 1; // several threads that wait for each other are slow on a busy machine
    return Model::load(options);
}

struct Agreement {
    double largest = 0;
    double mean = 0;
};

/// The shipped probe's probabilities against tests/judge/probe_reference.json.
Agreement compare_with_reference(const std::string & probe, const std::shared_ptr<Model> & model) {
    const json reference =
        json::parse(read_file(std::filesystem::path(VALUELENS_SOURCE_DIR) / "tests/judge/probe_reference.json"));
    const ConceptSet concepts = schwartz10();
    const auto judge = make_probe_judge(load_probe(probe), model, {.parallel = 8}, concepts, ProbePrior::training);
    std::vector<JudgeItem> items;
    for (const json & text : reference["texts"]) {
        items.push_back({std::to_string(items.size()), text, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}});
    }
    const auto answers = judge->judge(items, silent_progress(), {});
    Agreement agreement;
    for (std::size_t i = 0; i < items.size(); ++i) {
        for (std::size_t value = 0; value < concepts.concepts.size(); ++value) {
            EXPECT_EQ(reference["values"][value], concepts.concepts[value].id);
            const double difference = std::abs(answers[i][value] - reference["probes"][probe][i][value].get<double>());
            agreement.largest = std::max(agreement.largest, difference);
            agreement.mean += difference / static_cast<double>(items.size() * concepts.concepts.size());
        }
    }
    return agreement;
}

TEST(ShippedProbe, OnBf16WeightsAgreesWithNumpy) {
    const auto model = load("smollm2-135m", "bf16");
    ASSERT_TRUE(model) << "smollm2-135m-bf16 is not in the cache: valuelens models fetch smollm2-135m";
    const Agreement agreement = compare_with_reference("smollm2-135m", model);
    // The reference computed in float32 from the same weights. In BF16 another make-up of the batch alone was seen to
    // move a probability by 0.003.
    EXPECT_LT(agreement.largest, 0.01);
    EXPECT_LT(agreement.mean, 0.002);
}

TEST(ShippedProbe, OnQuantisedWeightsAgreesRoughly) {
    const auto model = load("gemma3-270m", "original");
    if (!model) {
        FAIL() << "gemma3-270m is not in the cache: valuelens models fetch gemma3-270m --type original";
    }
    const Agreement agreement = compare_with_reference("gemma3-270m", model);
    // The reference dequantised the same file. llama.cpp's Q4_K kernels quantise the activations to 8 bits,
    // too, which was seen to move single probabilities by some hundredths.
    EXPECT_LT(agreement.largest, 0.08);
    EXPECT_LT(agreement.mean, 0.02);
}

class ProbeModel : public testing::Test {
protected:
    static void SetUpTestSuite() {
        model = load("smollm2-135m", "bf16");
        ASSERT_TRUE(model) << "smollm2-135m-bf16 is not in the cache: valuelens models fetch smollm2-135m";
    }
    static void TearDownTestSuite() { model.reset(); }

    static std::unique_ptr<Judge> shipped(const ConceptSet & concepts, ProbePrior prior = ProbePrior::training) {
        return make_probe_judge(load_probe("smollm2-135m"), model, {.parallel = 4}, concepts, prior);
    }

    static std::shared_ptr<Model> model;
};

std::shared_ptr<Model> ProbeModel::model;

/// Some of Schwartz's values, in another order than the probe's.
ConceptSet some_values() {
    const ConceptSet all = schwartz10();
    return {"some", "", "", {all.concepts[*all.find("universalism")], all.concepts[*all.find("power")]}};
}

TEST_F(ProbeModel, ValuesAreMatchedByIdWhateverTheirOrder) {
    const std::string text = "We must protect the forests and treat all people alike.";
    const ConceptSet all = schwartz10();
    const std::vector<JudgeItem> whole = {{"a", text, {*all.find("power"), *all.find("universalism")}}};
    const std::vector<JudgeItem> part = {{"a", text, {0, 1}}};
    const auto expected = shipped(all)->judge(whole, silent_progress(), {});
    const auto answers = shipped(some_values())->judge(part, silent_progress(), {});
    EXPECT_EQ(answers[0], (std::vector<double>{expected[0][1], expected[0][0]}));
    EXPECT_GT(answers[0][0], answers[0][1]) << "it speaks of universalism";
}

TEST_F(ProbeModel, TheBalancedPriorShiftsTheLogOddsByTheBaseRate) {
    const std::vector<JudgeItem> items = {{"a", "He wants to lead the company and be obeyed.", {0, 1}}};
    const auto training = shipped(some_values(), ProbePrior::training)->judge(items, silent_progress(), {});
    const auto balanced = shipped(some_values(), ProbePrior::balanced)->judge(items, silent_progress(), {});
    const Probe probe = load_probe("smollm2-135m");
    const auto odds = [](double p) {
        return std::log(p / (1 - p));
    };
    const double rates[] = {probe.base_rate[9], probe.base_rate[4]}; // universalism, power
    for (std::size_t value = 0; value < 2; ++value) {
        EXPECT_NEAR(odds(balanced[0][value]), odds(training[0][value]) - odds(rates[value]), 1e-9) << value;
    }
}

TEST_F(ProbeModel, ATextWithoutTokensOrTooLongIsNoOpinion) {
    std::string endless;
    for (int i = 0; i < 400; ++i) {
        endless += "and so on ";
    }
    const auto judge = make_probe_judge(load_probe("smollm2-135m"), model, {.parallel = 2, .ctx_size = 64},
                                        some_values(), ProbePrior::training);
    const std::vector<JudgeItem> items = {{"a", "", {0, 1}}, {"b", endless, {0}}, {"c", "Hi", {0}}};
    const auto answers = judge->judge(items, silent_progress(), {});
    ASSERT_EQ(answers[0].size(), 2u);
    EXPECT_TRUE(std::isnan(answers[0][0]));
    EXPECT_TRUE(std::isnan(answers[1][0]));
    EXPECT_FALSE(std::isnan(answers[2][0]));
}

TEST_F(ProbeModel, ConceptsAndModelsThatDoNotFitAreRefused) {
    expect_error(ErrorKind::usage, {"smollm2-135m", "'care'", "universalism", "judge-train"},
                 [&] { shipped(test::two_concepts()); });
    expect_error(ErrorKind::model, {"gemma3-270m", "18 blocks", "30 blocks"},
                 [&] { make_probe_judge(load_probe("gemma3-270m"), model, {}, schwartz10(), ProbePrior::training); });
    Probe deep = load_probe("smollm2-135m");
    deep.reading.features[0].block = 30;
    const auto judge = make_probe_judge(deep, model, {}, schwartz10(), ProbePrior::training);
    const std::vector<JudgeItem> items = {{"a", "Hi", {0}}};
    expect_error(ErrorKind::usage, {"block 30", "0-29"}, [&] { judge->judge(items, silent_progress(), {}); });
}

/// Sixty texts on cooking ("care") and sailing ("power"), both or neither, in six groups.
std::vector<LabelledText> made_up_texts() {
    const std::vector<std::string> cooking = {"I fry onions in butter", "she bakes bread with rye",
                                              "we simmer a thick soup", "he peels carrots for the stew",
                                              "they season the roast",  "you whisk eggs and sugar"};
    const std::vector<std::string> sailing = {"we hoist the mainsail",         "he steers the boat into the wind",
                                              "the harbour lies to the north", "she ties the jib sheet",
                                              "waves break over the bow",      "they drop the anchor in the bay"};
    const std::vector<std::string> other = {"the train was late again",      "he reads the paper",
                                            "her phone needs a new battery", "we painted the fence",
                                            "the exam begins at nine",       "they bought a used car"};
    std::vector<LabelledText> texts;
    for (std::size_t i = 0; i < 60; ++i) {
        const bool cooks = i % 2 == 0;
        const bool sails = i % 3 == 0;
        const std::size_t group = i / 10;
        std::string text = other[(i + group) % 6];
        text += cooks ? "; " + cooking[(i + 2 * group) % 6] : "";
        text += sails ? "; " + sailing[(i + 5 * group) % 6] : "";
        texts.push_back({std::to_string(i),
                         text + ".",
                         "group " + std::to_string(group),
                         {static_cast<signed char>(cooks), static_cast<signed char>(sails)}});
    }
    return texts;
}

TrainOptions train_options() {
    TrainOptions options;
    options.reading.features = {{ProbeFeature::Pooling::text_mean, 7}, {ProbeFeature::Pooling::text_mean, 15}};
    options.reading.skip_first_token = true;
    options.threads = 1;
    return options;
}

TEST_F(ProbeModel, TrainingFindsWhatIsThereAndTheFileJudgesTheSame) {
    const std::vector<LabelledText> texts = made_up_texts();
    Scheduler scheduler(model, {.parallel = 8});
    TrainResult result =
        train_probe(*model, scheduler, test::two_concepts(), texts, train_options(), silent_progress(), {});
    EXPECT_EQ(result.n_texts, 60u);
    EXPECT_EQ(result.n_unread, 0u);
    ASSERT_EQ(result.trials.size(), 4u);
    ASSERT_EQ(result.auroc.size(), 2u);
    EXPECT_GT(result.auroc[0], 0.8);
    EXPECT_GT(result.auroc[1], 0.8);
    double best = 0;
    for (const TrainTrial & trial : result.trials) {
        best = std::max(best, trial.mean_auroc);
    }
    EXPECT_NEAR(best, (result.auroc[0] + result.auroc[1]) / 2, 1e-12) << "the best strength is kept";
    Probe & probe = result.probe;
    EXPECT_EQ(probe.values, (std::vector<std::string>{"care", "power"}));
    EXPECT_EQ(probe.model_name, model->info().name);
    EXPECT_FLOAT_EQ(probe.base_rate[0], 0.5f);
    EXPECT_FLOAT_EQ(probe.base_rate[1], 20.0f / 60);

    TempFolder folder;
    probe.name = "made-up";
    probe.quality = R"({"cv_auroc": 1})";
    save_probe(folder / "p.safetensors", probe);
    const std::vector<JudgeItem> unseen = {{"a", "She fries fish with garlic.", {0, 1}},
                                           {"b", "The sailors trim the sails in a gale.", {0, 1}}};
    const auto answers_of = [&](Probe from) {
        return make_probe_judge(std::move(from), model, {.parallel = 2}, test::two_concepts(), ProbePrior::balanced)
            ->judge(unseen, silent_progress(), {});
    };
    const auto before = answers_of(probe);
    const auto after = answers_of(load_probe((folder / "p.safetensors").string()));
    for (std::size_t i = 0; i < unseen.size(); ++i) {
        for (std::size_t value = 0; value < 2; ++value) {
            EXPECT_NEAR(after[i][value], before[i][value], 2e-3) << "weights are stored in 16 bits";
        }
    }
    EXPECT_GT(before[0][0], before[1][0]) << "cooking";
    EXPECT_GT(before[1][1], before[0][1]) << "sailing";
}

TEST_F(ProbeModel, TrainingIsReproducible) {
    const auto train = [&] {
        Scheduler scheduler(model, {.parallel = 8});
        return train_probe(*model, scheduler, test::two_concepts(), made_up_texts(), train_options(), silent_progress(),
                           {})
            .probe;
    };
    const Probe a = train();
    const Probe b = train();
    EXPECT_EQ(a.weights, b.weights);
    EXPECT_EQ(a.bias, b.bias);
}

TEST_F(ProbeModel, TextsThatCannotTeachAreRefused) {
    Scheduler scheduler(model, {.parallel = 8});
    const auto train = [&](const std::vector<LabelledText> & texts, const TrainOptions & options) {
        return train_probe(*model, scheduler, test::two_concepts(), texts, options, silent_progress(), {});
    };
    std::vector<LabelledText> one_class = made_up_texts();
    for (LabelledText & text : one_class) {
        text.labels[1] = 0;
    }
    expect_error(ErrorKind::bad_input, {"'power'", "0 texts that express it", "60 that do not"},
                 [&] { train(one_class, train_options()); });
    TrainOptions nothing = train_options();
    nothing.reading.features.clear();
    expect_error(ErrorKind::usage, {"at least one feature"}, [&] { train(made_up_texts(), nothing); });
    expect_error(ErrorKind::bad_input, {"'care'"}, [&] { train({}, train_options()); });
}

TEST_F(ProbeModel, AStopRequestEndsTraining) {
    std::stop_source stop;
    stop.request_stop();
    Scheduler scheduler(model, {.parallel = 8});
    expect_error(ErrorKind::interrupted, {}, [&] {
        train_probe(*model, scheduler, test::two_concepts(), made_up_texts(), train_options(), silent_progress(),
                    stop.get_token());
    });
}

TEST_F(ProbeModel, TextsOfOneGroupCannotBeHeldOut) {
    Scheduler scheduler(model, {.parallel = 8});
    std::vector<LabelledText> one_group = made_up_texts();
    for (LabelledText & text : one_group) {
        text.group = "the only one";
    }
    expect_error(ErrorKind::bad_input, {"group"}, [&] {
        train_probe(*model, scheduler, test::two_concepts(), one_group, train_options(), silent_progress(), {});
    });
    // Enough groups, but one of them holds all that expresses a value.
    std::vector<LabelledText> lopsided = made_up_texts();
    for (std::size_t i = 0; i < lopsided.size(); ++i) {
        lopsided[i].group = lopsided[i].labels[1] == 1 ? "power" : std::to_string(i);
    }
    expect_error(ErrorKind::bad_input, {"'power'", "group"}, [&] {
        train_probe(*model, scheduler, test::two_concepts(), lopsided, train_options(), silent_progress(), {});
    });
}

} // namespace
} // namespace valuelens
