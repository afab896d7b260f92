#include "contrast/stored_activations.h"

#include <algorithm>

#include "contrast/memory_source.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

class JoinLabels : public testing::Test {
protected:
    const TempFolder folder;
    const Scene scene = make_scene(1, 2, 1.0);
    const std::filesystem::path path = folder / "a.safetensors";

    void write(const std::vector<std::string> & ids, ActivationFormat format = ActivationFormat::f32) const {
        ActivationWriter writer(path, {scene.source.n_layer(), scene.source.n_embd(), 0, 0}, scene.source.provenance(),
                                format, ids);
        for (std::size_t i = 0; i < ids.size(); ++i) {
            writer.write(i, scene.source.rows[i]);
        }
        writer.commit();
    }

    JoinedLabels join(const std::vector<Label> & labels, const std::vector<std::string> & values = {}) const {
        return join_labels(ActivationReader({path}), labels, values, "labels.jsonl", files_name({path}));
    }
};

TEST_F(JoinLabels, OneLayerReadsAsPartOfTheWholeRowInEveryFormat) {
    for (const ActivationFormat format : {ActivationFormat::f32, ActivationFormat::f16_scaled}) {
        write({"a", "b"}, format);
        const ActivationReader reader({path});
        const ActivationShape shape = reader.shape();
        std::vector<float> row(shape.n_layer * shape.n_embd);
        std::vector<float> part(shape.n_embd);
        for (std::size_t index = 0; index < 2; ++index) {
            reader.read(index, row);
            for (std::size_t layer = 0; layer < shape.n_layer; ++layer) {
                StoredActivationSource(reader).read(index, layer, part);
                EXPECT_TRUE(std::equal(part.begin(), part.end(), row.begin() + long(layer * shape.n_embd)));
            }
        }
    }
}

TEST_F(JoinLabels, ResponsesComeInTheOrderOfTheActivationsAndValuesSorted) {
    write({"a", "b", "c"});
    const JoinedLabels joined = join({{"c", "z", Condition::prompted, true, ""},
                                      {"a", "z", Condition::intrinsic, true, "q"},
                                      {"a", "y", Condition::intrinsic, false, ""}});
    EXPECT_EQ(joined.values, (std::vector<std::string>{"y", "z"}));
    ASSERT_EQ(joined.responses.size(), 2u);
    EXPECT_EQ(joined.responses[0].row, 0u);
    EXPECT_EQ(joined.responses[0].query, "q");
    EXPECT_EQ(joined.responses[0].labels, (std::vector<std::pair<std::size_t, bool>>{{1, true}, {0, false}}));
    EXPECT_EQ(joined.responses[1].row, 2u);
    EXPECT_EQ(joined.responses[1].condition, Condition::prompted);
    ASSERT_EQ(joined.notes.size(), 1u);
    EXPECT_THAT(joined.notes[0], testing::HasSubstr("'b'"));
}

TEST_F(JoinLabels, ALabelThatComesTwiceIsNamed) {
    write({"id0"});
    expect_error(ErrorKind::bad_input, {"labels.jsonl", "'id0'", "twice", "'v'"}, [&] {
        join({{"id0", "v", Condition::intrinsic, true, ""}, {"id0", "v", Condition::intrinsic, true, ""}});
    });
}

TEST_F(JoinLabels, AValueThatIsNotAmongThoseGivenIsNamed) {
    write({"id0"});
    expect_error(ErrorKind::bad_input, {"labels.jsonl", "'v'", "one of a, b"}, [&] {
        join({{"id0", "v", Condition::intrinsic, true, ""}}, {"a", "b"});
    });
}

TEST(FilesName, TellsHowManyMoreThereAre) {
    EXPECT_EQ(files_name({"a/b"}), "a/b");
    EXPECT_EQ(files_name({"a/b", "c", "d"}), "a/b and 2 more");
}

} // namespace
} // namespace valuelens
