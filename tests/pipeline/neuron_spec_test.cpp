#include "pipeline/neuron_spec.h"

#include <array>

#include "base/file.h"
#include "pipeline/steer_files.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"
#include "valuelens/neurons.h"

namespace valuelens {
namespace {

const std::string head = "value,layer,expert,neuron,norm,angle_shared,angle_intrinsic,angle_prompted,category\n";

class Neurons : public testing::Test {
protected:
    std::vector<NeuronScale> load(const std::string & contents, const std::string & options) const {
        const auto path = folder_ / "neurons.csv";
        write_file(path, contents);
        return load_neuron_scales({{parse_neuron_spec(path.string() + options)}}, toy_model());
    }
    void expect_refused(const std::string & contents, const std::string & options,
                        const std::vector<std::string> & words, ErrorKind kind = ErrorKind::bad_input) const {
        expect_error(kind, words, [&] { load(contents, options); });
    }
    TempFolder folder_;
};

std::vector<std::pair<int, int>> places(const std::vector<NeuronScale> & scales) {
    std::vector<std::pair<int, int>> list;
    for (const NeuronScale & scale : scales) {
        list.emplace_back(scale.layer, scale.neuron);
    }
    return list;
}

TEST_F(Neurons, AreChosenByValueCategoryAndLayer) {
    const std::string table = head + "power,2,,4,1.5,10,80,100,shared\npower,0,,1,1.5,10,80,100,shared\n"
                                     "power,1,,3,1.5,70,10,170,intrinsic\ncare,1,,2,1.5,10,80,100,shared\n";
    const auto scales = load(table, ",value=power,category=shared,beta=3");
    EXPECT_EQ(places(scales), (std::vector<std::pair<int, int>>{{0, 1}, {2, 4}}));
    EXPECT_EQ(scales[0].beta, 3.0f);
    EXPECT_EQ(places(load(table, ",value=power,category=shared,layers=1-2")),
              (std::vector<std::pair<int, int>>{{2, 4}}));
}

TEST_F(Neurons, APlainListIsTakenWhole) {
    const auto scales = load("layer,neuron\r\n1,0\r\n0,4\r\n", "");
    EXPECT_EQ(places(scales), (std::vector<std::pair<int, int>>{{0, 4}, {1, 0}}));
    EXPECT_EQ(scales[0].beta, 0.0f) << "without beta the neurons are switched off";
}

TEST_F(Neurons, FactorsOfSeveralSpecificationsMultiply) {
    const auto path = folder_ / "n.csv";
    write_file(path, "layer,neuron\n1,0\n");
    const std::vector<NeuronSpec> specs = {parse_neuron_spec(path.string() + ",beta=2"),
                                           parse_neuron_spec(path.string() + ",beta=3")};
    const auto scales = load_neuron_scales(specs, toy_model());
    ASSERT_EQ(scales.size(), 1u);
    EXPECT_EQ(scales[0].beta, 6.0f);
}

TEST_F(Neurons, BadTablesAreRefused) {
    expect_refused("", "", {"neurons.csv", "is empty"});
    expect_refused("layer,index\n1,2\n", "", {"neurons.csv:1", "\"neuron\" is missing"});
    expect_refused("layer,neuron\n1\n", "", {"neurons.csv:2", "1 cells"});
    expect_refused("layer,neuron\n1,x\n", "", {"neurons.csv:2", "\"neuron\" is \"x\""});
    expect_refused("layer,neuron\n3,0\n", "", {"neurons.csv:2", "layer 3", "0-2"});
    expect_refused("layer,neuron\n1,5\n", "", {"neurons.csv:2", "neuron 5", "0-4"});
    expect_refused("layer,neuron\n1,0\n1,0\n", "", {"neurons.csv:3", "comes twice"});
    expect_refused("layer,neuron\n1,0\n", ",value=power,category=shared", {"neurons.csv:1", "\"value\""});
    expect_refused(head + "power,2,7,4,1.5,10,80,100,shared\n", ",value=power,category=shared",
                   {"neurons.csv:2", "expert \"7\"", "no mixture"});
    expect_refused(head + "power,2,,4,1.5,10,80,100,shared\n", ",value=care,category=shared",
                   {"holds no neuron", "value=care"});
    expect_refused(head + "power,2,,4,1.5,10,80,100,shared\n", "", {"value=V,category=C"}, ErrorKind::usage);
    expect_refused("layer,neuron\n1,0\n", ",value=power", {"value and category"}, ErrorKind::usage);
    expect_refused("layer,neuron\n1,0\n", ",layers=2-9", {"layers=2-9", "0-2"}, ErrorKind::usage);
}

TEST_F(Neurons, ExpertsAreToldApart) {
    const std::string table = head + "power,1,2,900,1.5,10,80,100,shared\npower,1,0,900,1.5,10,80,100,shared\n"
                                     "power,1,shared,901,1.5,10,80,100,shared\npower,0,,4,1.5,10,80,100,shared\n";
    write_file(folder_ / "n.csv", table);
    ModelInfo mixture = toy_model();
    mixture.n_expert = 4;
    const NeuronSpec spec = parse_neuron_spec((folder_ / "n.csv").string() + ",value=power,category=shared,beta=2");
    const auto scales = load_neuron_scales({{spec}}, mixture);
    ASSERT_EQ(scales.size(), 4u);
    const std::vector<std::array<int, 3>> expected = {
        {0, dense_mlp, 4}, {1, shared_expert, 901}, {1, 0, 900}, {1, 2, 900}};
    for (std::size_t i = 0; i < 4; ++i) {
        EXPECT_EQ((std::array{scales[i].layer, scales[i].expert, scales[i].neuron}), expected[i]);
        EXPECT_EQ(scales[i].beta, 2.0f);
    }
    mixture.n_expert = 2;
    expect_error(ErrorKind::bad_input, {"n.csv:2", "expert 2", "0-1"}, [&] { load_neuron_scales({{spec}}, mixture); });
}

TEST_F(Neurons, TheFileBesideTheTableNamesItsModel) {
    const std::string table = "layer,neuron\n1,0\n";
    write_file(folder_ / "neurons.json", R"({"model_name": "other", "model_hash": "2222"})");
    expect_refused(table, "", {"neurons.csv", "made with model other", "toy"});
    write_file(folder_ / "neurons.json", R"({"model_name": "toy", "model_hash": "1111"})");
    EXPECT_EQ(load(table, "").size(), 1u);
    for (const char * unrelated : {"[1, 2]", "no JSON", R"({"rows": 3})"}) {
        write_file(folder_ / "neurons.json", unrelated);
        EXPECT_EQ(load(table, "").size(), 1u) << unrelated;
    }
}

TEST_F(Neurons, TheTableOfTheNeuronsStageIsTaken) {
    NeuronTable table;
    table.provenance.model_name = "toy";
    table.provenance.model_hash = "1111";
    table.values = {"power"};
    table.neurons = {{0, {2, -1, 3}, 1.5, 10, 80, 100, NeuronCategory::shared},
                     {0, {1, -1, 2}, 1.25, 60, 150, 30, NeuronCategory::none}};
    write_neurons_csv(folder_ / "n.csv", table);
    write_file(folder_ / "n.json", neurons_json({.provenance = table.provenance}));
    const NeuronSpec spec = parse_neuron_spec((folder_ / "n.csv").string() + ",value=power,category=shared");
    EXPECT_EQ(places(load_neuron_scales({{spec}}, toy_model())), (std::vector<std::pair<int, int>>{{2, 3}}));
    ModelInfo other = toy_model();
    other.identity = "3333";
    expect_error(ErrorKind::bad_input, {"n.csv", "use the same model file"},
                 [&] { load_neuron_scales({{spec}}, other); });
}

} // namespace
} // namespace valuelens
