#include <algorithm>

#include <fmt/format.h>

#include "base/file.h"
#include "store/activations.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"
#include "vectors/memory_source.h"

namespace valuelens {
namespace {

class VectorsFromFiles : public testing::Test {
protected:
    const TempFolder folder;
    const Scene scene = make_scene(30, 2, 1.0);
    std::string labels = label_lines(scene);

    static std::string label_line(const std::string & id, const std::string & value, Condition condition,
                                  bool expresses, const std::string & query) {
        return fmt::format(R"({{"id": "{}", "value": "{}", "condition": "{}", "expresses": {}, "query": "{}"}})"
                           "\n",
                           id, value, to_string(condition), expresses, query);
    }

    static std::string label_lines(const Scene & scene) {
        std::string lines;
        for (const LabelledResponse & response : scene.responses) {
            for (const auto & [value, expresses] : response.labels) {
                lines += label_line(scene.source.id(response.row), scene.values[value], response.condition, expresses,
                                    response.query);
            }
        }
        return lines;
    }

    std::filesystem::path write_activations(const std::string & name, std::size_t first, std::size_t last,
                                            const std::string & location = "resid_post") const {
        Provenance provenance = scene.source.provenance();
        provenance.location = location;
        ActivationWriter writer(folder / name, {scene.source.n_layer(), scene.source.n_embd(), 0, 0}, provenance,
                                ActivationFormat::f32,
                                {scene.source.ids.begin() + long(first), scene.source.ids.begin() + long(last)});
        for (std::size_t row = first; row < last; ++row) {
            writer.write(row - first, scene.source.rows[row]);
        }
        writer.commit();
        return folder / name;
    }

    ValueVectorSet run(const std::vector<std::filesystem::path> & activations,
                       const std::vector<std::string> & values = {}) const {
        write_file(folder / "labels.jsonl", labels);
        return vectors_from_files(activations, folder / "labels.jsonl", values);
    }
};

TEST_F(VectorsFromFiles, EqualWhatIsComputedFromMemoryOverShards) {
    const ValueVectorSet expected = compute(scene);
    for (const auto & paths : std::vector<std::vector<std::filesystem::path>>{
             {write_activations("all.safetensors", 0, 90)},
             {write_activations("one.safetensors", 0, 31), write_activations("two.safetensors", 31, 90)}}) {
        const ValueVectorSet set = run(paths);
        EXPECT_TRUE(set.notes.empty());
        EXPECT_EQ(set.values, expected.values);
        EXPECT_EQ(set.provenance.model_name, "toy");
        for (std::size_t i = 0; i < 4; ++i) {
            EXPECT_EQ(set.vectors[i].vector, expected.vectors[i].vector);
            EXPECT_EQ(set.vectors[i].norm[1].low, expected.vectors[i].norm[1].low);
        }
        EXPECT_EQ(set.resid_norm, expected.resid_norm);
    }
}

TEST_F(VectorsFromFiles, GivenValuesSetTheOrder) {
    const ValueVectorSet set = run({write_activations("a.safetensors", 0, 90)}, {"value1", "value0", "absent"});
    EXPECT_EQ(set.values, (std::vector<std::string>{"value1", "value0", "absent"}));
    EXPECT_EQ(set.vectors[0].vector, compute(scene).vectors[2].vector);
    EXPECT_THAT(set.vectors[4].problem, testing::HasSubstr("'absent'"));
}

TEST_F(VectorsFromFiles, WhatHasNoCounterpartIsCounted) {
    labels += label_line("ghost", "value0", Condition::intrinsic, true, "q");
    labels += label_line("ghost", "value1", Condition::intrinsic, true, "q");
    labels.erase(0, 2 * (labels.find('\n') + 1)); // both labels of id0
    const ValueVectorSet set = run({write_activations("a.safetensors", 0, 90)});
    ASSERT_EQ(set.notes.size(), 2u);
    EXPECT_THAT(set.notes[0],
                testing::AllOf(testing::HasSubstr("1 labelled responses (2 labels)"), testing::HasSubstr("'ghost'")));
    EXPECT_THAT(set.notes[1], testing::AllOf(testing::HasSubstr("1 of 90"), testing::HasSubstr("'id0'")));
    EXPECT_EQ(set.n_responses, 90u);
}

TEST_F(VectorsFromFiles, NoCommonIdIsAnError) {
    labels = label_line("ghost", "value0", Condition::intrinsic, true, "q");
    const auto path = write_activations("a.safetensors", 0, 90);
    expect_error(ErrorKind::bad_input, {"labels.jsonl", "a.safetensors", "'ghost'", "'id0'"}, [&] { run({path}); });
    labels.clear();
    expect_error(ErrorKind::bad_input, {"labels.jsonl"}, [&] { run({path}); });
}

TEST_F(VectorsFromFiles, ContradictoryLabelsAreErrors) {
    const auto path = write_activations("a.safetensors", 0, 90);
    const std::string good = labels;
    labels = good + label_line("id0", "value0", Condition::prompted, true, "query0");
    expect_error(ErrorKind::bad_input, {"'id0'", "both intrinsic and prompted"}, [&] { run({path}); });
    labels = good + label_line("id1", "value1", Condition::prompted, true, "other");
    expect_error(ErrorKind::bad_input, {"'id1'", "two queries", "'other'"}, [&] { run({path}); });
    labels = good + label_line("id0", "refusal", Condition::intrinsic, true, "query0");
    expect_error(ErrorKind::bad_input, {"'refusal'", "value0, value1"}, [&] { run({path}, {"value0", "value1"}); });
}

TEST_F(VectorsFromFiles, ActivationsFromElsewhereInTheBlockAreRefused) {
    const auto path = write_activations("a.safetensors", 0, 90, "attn_out");
    expect_error(ErrorKind::bad_input, {"attn_out", "resid_post"}, [&] { run({path}); });
}

} // namespace
} // namespace valuelens
