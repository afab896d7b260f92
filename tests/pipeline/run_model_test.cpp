// Whole runs over a real model: what is done is left alone, what was stopped goes on, and the bytes are the same.

#include "valuelens/run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <sstream>

#include "base/hash.h"
#include "math/vector_ops.h"
#include "pipeline/small_run.h"
#include "store/run_db.h"
#include "support/expect_error.h"
#include "valuelens/decompose.h"

namespace valuelens {
namespace {

namespace fs = std::filesystem;
using test::SmallRun;

/// Remembers messages, and asks to stop once so many slices of responses are written.
class Watch : public ProgressSink {
public:
    void start(std::string_view stage, std::uint64_t, std::string_view) override { stages.emplace_back(stage); }
    void message(LogLevel level, std::string_view text) override {
        if (level == LogLevel::warning) {
            warnings.emplace_back(text);
        }
    }
    void advance(std::uint64_t done, std::string_view) override {
        if (stages.back() == stop_in && done > stop_after) {
            stop.request_stop();
        }
    }

    std::vector<std::string> stages;
    std::vector<std::string> warnings;
    std::string stop_in;
    std::uint64_t stop_after = 0;
    std::stop_source stop;
};

class Run : public testing::Test {
protected:
    static void SetUpTestSuite() {
        ASSERT_TRUE(SmallRun::has_model())
            << "smollm2-135m-bf16 is not in the cache: valuelens models fetch smollm2-135m";
        whole = std::make_unique<SmallRun>();
        summary = execute_run(request(*whole), silent_progress());
    }
    static void TearDownTestSuite() { whole.reset(); }

    static RunRequest request(const SmallRun & files) {
        RunRequest result;
        result.folder = files.run();
        result.config = files.config();
        return result;
    }

    /// A finished run to damage, in its own folder.
    static RunRequest copy_of_whole(const SmallRun & files) {
        fs::copy(whole->run(), files.run(), fs::copy_options::recursive);
        RunRequest result;
        result.folder = files.run();
        return result;
    }

    static std::string vectors(const SmallRun & files) { return sha256_file(files.run() / "vectors.safetensors"); }

    static void stop_after_first_slice(const SmallRun & files) {
        Watch watch;
        watch.stop_in = "generate";
        watch.stop_after = 6;
        expect_error(ErrorKind::interrupted, {}, [&] { execute_run(request(files), watch, watch.stop.get_token()); });
    }

    static std::unique_ptr<SmallRun> whole;
    static RunSummary summary;
};

std::unique_ptr<SmallRun> Run::whole;
RunSummary Run::summary;

TEST_F(Run, CompletesAndSaysWhatItFound) {
    EXPECT_EQ(summary.responses, 18u);
    EXPECT_EQ(summary.queries, 6u);
    EXPECT_EQ(summary.undecided, 0u);
    EXPECT_TRUE(summary.dropped.empty());
    EXPECT_EQ(summary.n_layer, 30);
    EXPECT_EQ(summary.layer, 15);
    EXPECT_THAT(summary.model, testing::HasSubstr("BF16"));
    EXPECT_THAT(summary.judge, testing::HasSubstr("labels.jsonl"));
    ASSERT_EQ(summary.values.size(), 2u);
    const ValueSummary & grandparent = summary.values[0];
    EXPECT_EQ(grandparent.value, "grandparent");
    for (int condition = 0; condition < 2; ++condition) {
        EXPECT_EQ(grandparent.expressing[condition], 3u);
        EXPECT_EQ(grandparent.not_expressing[condition], 3u);
        EXPECT_EQ(grandparent.problem[condition], "");
        EXPECT_GT(grandparent.norm[condition].value, 0);
    }
    EXPECT_EQ(summary.values[1].expressing[0], 2u);
    EXPECT_EQ(summary.values[1].not_expressing[0], 4u);
    for (const char * file :
         {"config.toml", "run.sqlite", "vectors.safetensors", "activations/shard-00000.safetensors"}) {
        EXPECT_TRUE(fs::exists(whole->run() / file)) << file;
    }
    const ValueVectorSet set = read_value_vectors(whole->run() / "vectors.safetensors");
    EXPECT_EQ(set.values, (std::vector<std::string>{"grandparent", "pirate"}));
    EXPECT_EQ(set.n_responses, 18u);
    EXPECT_EQ(set.vectors[0].vector.size(), 30u * 576u);
}

TEST_F(Run, TheDatabaseHoldsWhatWasSaid) {
    const RunDb db(whole->run() / "run.sqlite", RunDbMode::read_only);
    EXPECT_EQ(db.meta("slices_planned"), "3");
    std::size_t n = 0;
    db.for_each_response(std::nullopt, [&](const ResponseRow & row) {
        ++n;
        EXPECT_GE(row.tokens.size(), 1u) << row.id;
        EXPECT_LE(row.tokens.size(), 6u) << row.id;
        EXPECT_EQ(row.system.empty(), row.condition == Condition::intrinsic) << row.id;
        EXPECT_NE(row.prompt.find("<|im_start|>system\n" + row.system), std::string::npos) << row.id;
    });
    EXPECT_EQ(n, 18u);
    EXPECT_EQ(db.labels().size(), 24u);
}

TEST_F(Run, AgainDoesNothingAnew) {
    const std::string before = vectors(*whole);
    const auto shard = whole->run() / "activations/shard-00000.safetensors";
    const auto written = fs::last_write_time(shard);
    const auto vectors_written = fs::last_write_time(whole->run() / "vectors.safetensors");
    Watch watch;
    const RunSummary again = execute_run(request(*whole), watch);
    EXPECT_THAT(watch.stages, testing::IsEmpty()) << "not even a model is loaded";
    EXPECT_EQ(again.responses, 18u);
    EXPECT_EQ(vectors(*whole), before);
    EXPECT_EQ(fs::last_write_time(shard), written);
    EXPECT_EQ(fs::last_write_time(whole->run() / "vectors.safetensors"), vectors_written);
    EXPECT_EQ(run_status(whole->run()).next, "nothing");
}

TEST_F(Run, AStoppedRunGoesOnAndEndsWithTheSameBytes) {
    const SmallRun files;
    stop_after_first_slice(files);
    const RunStatus stopped = run_status(files.run());
    EXPECT_EQ(stopped.slices_planned, 3u);
    EXPECT_GE(stopped.slices_generated, 1u);
    EXPECT_LT(stopped.slices_generated, 3u);
    EXPECT_EQ(stopped.slices_judged, 0u);
    EXPECT_FALSE(stopped.has_vectors);
    EXPECT_EQ(stopped.next, "generate");
    EXPECT_THAT(stopped.events.back(), testing::HasSubstr("generate interrupted"));
    const auto shard = files.run() / "activations/shard-00000.safetensors";
    const auto written = fs::last_write_time(shard);

    execute_run(request(files), silent_progress());
    EXPECT_EQ(fs::last_write_time(shard), written) << "a finished slice is left alone";
    for (const char * file : {"vectors.safetensors", "axes.safetensors", "geometry.json", "neurons.csv", "neurons.json",
                              "activations/shard-00000.safetensors", "activations/shard-00002.safetensors"}) {
        EXPECT_EQ(sha256_file(files.run() / file), sha256_file(whole->run() / file)) << file;
    }
    EXPECT_EQ(run_status(files.run()).next, "nothing");
}

TEST_F(Run, ItsOwnFolderIsEnoughToGoOn) {
    const SmallRun files;
    RunRequest again = copy_of_whole(files);
    fs::remove(files.run() / "vectors.safetensors");
    EXPECT_EQ(run_status(files.run()).next, "vectors");
    const RunSummary result = execute_run(again, silent_progress());
    EXPECT_EQ(result.values.size(), 2u);
    EXPECT_EQ(vectors(files), vectors(*whole));
}

TEST_F(Run, StagesCanBeRunOneByOne) {
    const SmallRun files;
    RunRequest one = request(files);
    one.stages = {Stage::judge};
    expect_error(ErrorKind::usage, {"no responses", "valuelens generate"},
                 [&] { execute_run(one, silent_progress()); });
    for (const Stage stage : {Stage::generate, Stage::judge, Stage::vectors}) {
        one.stages = {stage};
        EXPECT_EQ(execute_run(one, silent_progress()).values.empty(), stage != Stage::vectors);
    }
    EXPECT_EQ(vectors(files), vectors(*whole));
}

TEST_F(Run, WithoutActivationsTheVectorsAreTheSame) {
    const SmallRun files;
    RunRequest none = request(files);
    none.override_config = [](RunConfig & config) {
        config.activations = "none";
    };
    none.stages = {Stage::generate};
    execute_run(none, silent_progress());
    EXPECT_EQ(run_status(files.run()).next, "vectors") << "judged while generating";
    none.stages = {Stage::judge, Stage::vectors, Stage::decompose};
    execute_run(none, silent_progress());
    EXPECT_FALSE(fs::exists(files.run() / "activations/shard-00000.safetensors"));
    const ValueVectorSet sums = read_value_vectors(files.run() / "vectors.safetensors");
    const ValueVectorSet kept = read_value_vectors(whole->run() / "vectors.safetensors");
    ASSERT_EQ(sums.vectors.size(), kept.vectors.size());
    for (std::size_t i = 0; i < kept.vectors.size(); ++i) {
        ASSERT_EQ(sums.vectors[i].vector.size(), kept.vectors[i].vector.size());
        EXPECT_GT(cosine(sums.vectors[i].vector, kept.vectors[i].vector), 1 - 1e-9);
    }
    none.rejudge = true;
    expect_error(ErrorKind::usage, {"kept no activations", "another run"},
                 [&] { execute_run(none, silent_progress()); });
}

TEST_F(Run, AnotherConfigIsRefusedByTheNameOfTheKey) {
    RunRequest other = request(*whole);
    other.override_config = [](RunConfig & config) {
        config.max_tokens = 7;
        config.seed = 4;
    };
    expect_error(ErrorKind::usage,
                 {whole->run().string(), "seed (was 3, now 4)", "generate.max_tokens (was 6, now 7)", "--run"},
                 [&] { execute_run(other, silent_progress()); });
    EXPECT_EQ(run_status(whole->run()).next, "nothing");
    EXPECT_EQ(load_run_config(whole->run() / "config.toml").max_tokens, 6) << "the run keeps its own";
}

TEST_F(Run, OtherInputsUnderTheSameNamesAreRefused) {
    const SmallRun files;
    stop_after_first_slice(files);
    files.write("queries.jsonl", "{\"id\": \"q0\", \"text\": \"Something else?\"}\n");
    expect_error(ErrorKind::usage, {"queries"}, [&] { execute_run(request(files), silent_progress()); });
}

TEST_F(Run, AnotherModelIsRefused) {
    if (test::cached_model("smollm2-135m", "original").empty()) {
        GTEST_SKIP() << "smollm2-135m (original) is not in the cache";
    }
    const SmallRun files;
    stop_after_first_slice(files);
    RunRequest other = request(files);
    other.override_config = [](RunConfig & config) {
        config.model = "smollm2-135m:original";
    };
    // Both have the same general.name, so that alone would tell nothing.
    expect_error(ErrorKind::usage, {files.run().string(), "another --run", "BF16", "Q4_1"},
                 [&] { execute_run(other, silent_progress()); });
    execute_run(request(files), silent_progress());
    EXPECT_EQ(vectors(files), vectors(*whole)) << "the right one goes on";
}

TEST_F(Run, ADamagedShardIsSaidAndMadeAgain) {
    const SmallRun files;
    const RunRequest again = copy_of_whole(files);
    const auto damaged = files.run() / "activations/shard-00001.safetensors";
    {
        std::fstream file(damaged, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(-4, std::ios::end);
        file.write("\x01\x02\x03\x04", 4);
    }
    const auto missing = files.run() / "activations/shard-00002.safetensors";
    fs::remove(missing);
    Watch watch;
    execute_run(again, watch);
    EXPECT_THAT(watch.warnings, testing::Contains(testing::AllOf(testing::HasSubstr("shard-00001.safetensors"),
                                                                 testing::HasSubstr("damaged"))));
    EXPECT_THAT(watch.warnings, testing::Contains(testing::AllOf(testing::HasSubstr("shard-00002.safetensors"),
                                                                 testing::HasSubstr("missing"))));
    EXPECT_EQ(sha256_file(damaged), sha256_file(whole->run() / "activations/shard-00001.safetensors"));
    EXPECT_EQ(vectors(files), vectors(*whole));
    EXPECT_EQ(run_status(files.run()).slices_judged, 3u) << "their labels came back, too";
}

TEST_F(Run, ADamagedVectorsFileIsMadeAgain) {
    const SmallRun files;
    const RunRequest again = copy_of_whole(files);
    write_file(files.run() / "vectors.safetensors", "damaged");
    execute_run(again, silent_progress());
    EXPECT_EQ(vectors(files), vectors(*whole));
}

TEST_F(Run, AxesAndNeuronsAreMadeAgainWhenWhatTheyRestOnChanges) {
    const SmallRun files;
    RunRequest again = copy_of_whole(files);
    again.config.reset();
    const std::string axes = sha256_file(files.run() / "axes.safetensors");
    const std::string neurons = sha256_file(files.run() / "neurons.csv");
    write_file(files.run() / "axes.safetensors", "damaged");
    execute_run(again, silent_progress());
    EXPECT_EQ(sha256_file(files.run() / "axes.safetensors"), axes) << "a damaged file is made again";
    EXPECT_EQ(sha256_file(files.run() / "neurons.csv"), neurons);

    again.stages = {Stage::decompose};
    again.override_config = [](RunConfig & config) {
        config.normalize = true;
    };
    execute_run(again, silent_progress());
    EXPECT_NE(sha256_file(files.run() / "axes.safetensors"), axes);
    EXPECT_TRUE(read_axes(files.run() / "axes.safetensors").options.normalize);
    EXPECT_EQ(run_status(files.run()).next, "neurons") << "they rest on the axes";
    again.stages = {Stage::neurons};
    execute_run(again, silent_progress());
    EXPECT_NE(sha256_file(files.run() / "neurons.csv"), neurons);
    EXPECT_EQ(run_status(files.run()).next, "nothing");

    again.stages = {Stage::decompose};
    again.override_config = [](RunConfig & config) {
        config.normalize = false;
        config.decompose_layers = "3-5";
    };
    execute_run(again, silent_progress());
    EXPECT_EQ(read_axes(files.run() / "axes.safetensors").options.first_layer, 3u);
    again.override_config = [](RunConfig & config) {
        config.decompose_layers = "5-3";
    };
    expect_error(ErrorKind::usage, {"decompose.layers", "5-3", "A-B"}, [&] { execute_run(again, silent_progress()); });
}

TEST_F(Run, TooFewExpressingIsNamedAndTheOthersGoOn) {
    const SmallRun files;
    files.write_labels(false);
    RunRequest again = copy_of_whole(files);
    again.rejudge = true;
    // The run's config names the labels of the run it was copied from.
    std::string config = read_file(files.run() / "config.toml");
    const std::string old_labels = (whole->folder / "labels.jsonl").string();
    config.replace(config.find(old_labels), old_labels.size(), (files.folder / "labels.jsonl").string());
    write_file(files.run() / "config.toml", config);
    const RunSummary result = execute_run(again, silent_progress());
    ASSERT_EQ(result.values.size(), 2u);
    EXPECT_EQ(result.values[1].value, "pirate");
    EXPECT_EQ(result.values[1].problem[0], "");
    EXPECT_THAT(result.values[1].problem[1], testing::HasSubstr("0"));
    EXPECT_EQ(result.values[1].expressing[1], 0u);
    EXPECT_EQ(result.values[1].not_expressing[1], 6u);
    EXPECT_EQ(result.values[0].problem[1], "");
    EXPECT_THAT(result.judge, testing::HasSubstr(files.folder.path().string())) << "the new judge is named";
}

TEST_F(Run, AnotherJudgeNeedsRejudge) {
    const SmallRun files;
    RunRequest again = copy_of_whole(files);
    std::string config = read_file(files.run() / "config.toml");
    const std::string old_band = "undecided_low = 0.4";
    config.replace(config.find(old_band), old_band.size(), "undecided_low = 0.1");
    write_file(files.run() / "config.toml", config);
    expect_error(ErrorKind::usage, {"judge"}, [&] { execute_run(again, silent_progress()); });
    EXPECT_EQ(run_status(files.run()).expressing + run_status(files.run()).not_expressing, 24u)
        << "the labels are still there";
    again.rejudge = true;
    execute_run(again, silent_progress());
    EXPECT_THAT(run_status(files.run()).judge, testing::HasSubstr("0.1-0.6"));
}

TEST_F(Run, HowWellTheJudgeAgreesWithPeopleIsKeptWithItsLabels) {
    const SmallRun files;
    EXPECT_THAT(summarize_run(whole->run()).judge_quality, testing::Not(testing::HasSubstr("AUROC")))
        << "labels from a file say nothing of their quality";
    files.write("words.json", R"({"grandparent": ["tea"], "pirate": ["sea"]})");
    const auto check_on = [&](const std::string & name, bool right) {
        std::string texts;
        for (int i = 0; i < 8; ++i) {
            const bool first = (i % 2 == 0) == right;
            texts +=
                fmt::format("{{\"text\": \"{} number {}\", \"labels\": {{\"grandparent\": {}, \"pirate\": {}}}}}\n",
                            i % 2 == 0 ? "Tea" : "Sea", i, first, !first);
        }
        files.write(name, texts);
        return (files.folder / name).string();
    };
    RunRequest again = copy_of_whole(files);
    again.rejudge = true;
    again.stages = {Stage::judge};
    const auto judged_with = [&](const std::string & check) {
        again.override_config = [&](RunConfig & config) {
            config.judge_kind = "dictionary";
            config.judge_file = (files.folder / "words.json").string();
            config.judge_check = check;
        };
        execute_run(again, silent_progress());
        return summarize_run(files.run()).judge_quality;
    };
    EXPECT_THAT(judged_with(check_on("right.jsonl", true)),
                testing::AllOf(testing::HasSubstr("1.00"), testing::HasSubstr("right.jsonl")));
    EXPECT_THAT(judged_with(check_on("wrong.jsonl", false)),
                testing::AllOf(testing::HasSubstr("0.00"), testing::HasSubstr("wrong.jsonl")));
}

TEST_F(Run, RejudgingKeepsTheLabelsWhereTheNewJudgeCannotBeOpened) {
    const SmallRun files;
    RunRequest again = copy_of_whole(files);
    std::string config = read_file(files.run() / "config.toml");
    const std::string old_labels = (whole->folder / "labels.jsonl").string();
    config.replace(config.find(old_labels), old_labels.size(), (files.folder / "none.jsonl").string());
    write_file(files.run() / "config.toml", config);
    again.rejudge = true;
    expect_error(ErrorKind::bad_input, {"none.jsonl"}, [&] { execute_run(again, silent_progress()); });
    EXPECT_EQ(run_status(files.run()).expressing + run_status(files.run()).not_expressing, 24u);
}

TEST_F(Run, ATextWithoutAListedWordDoesNotExpressTheValue) {
    const SmallRun files;
    // A word of one response: most others will not have it.
    std::string word;
    RunDb(whole->run() / "run.sqlite", RunDbMode::read_only).for_each_response(0, [&](const ResponseRow & row) {
        std::stringstream words(row.text);
        for (std::string next; std::getline(words, next, ' ');) {
            const bool plain =
                std::all_of(next.begin(), next.end(), [](unsigned char c) { return std::isalpha(c) != 0; });
            word = plain && next.size() > word.size() ? next : word;
        }
    });
    ASSERT_NE(word, "");
    files.write("words.json", fmt::format(R"({{"grandparent": ["{}"], "pirate": ["{}"]}})", word, word));
    RunRequest words = copy_of_whole(files);
    std::string config = read_file(files.run() / "config.toml");
    const std::string old_labels = (whole->folder / "labels.jsonl").string();
    config.replace(config.find(old_labels), old_labels.size(), (files.folder / "words.json").string());
    config.replace(config.find("kind = \"file\""), 13, "kind = \"dictionary\"");
    write_file(files.run() / "config.toml", config);
    words.rejudge = true;
    words.stages = {Stage::judge};
    execute_run(words, silent_progress());
    std::size_t with_word = 0;
    std::size_t without_word = 0;
    std::size_t wrong = 0;
    for (const StoredLabel & stored : RunDb(files.run() / "run.sqlite", RunDbMode::read_only).labels()) {
        const bool has_word = stored.label.probability.value_or(-1) > 0;
        (has_word ? with_word : without_word) += 1;
        wrong += stored.label.expresses == has_word ? 0 : 1;
    }
    EXPECT_EQ(wrong, 0u) << "of " << with_word + without_word;
    EXPECT_GT(with_word, 0u);
    EXPECT_GT(without_word, with_word);
}

TEST_F(Run, FoldersThatAreNoRunAreRefusedAndLeftAlone) {
    const TempFolder folder;
    RunRequest nothing;
    nothing.folder = folder / "typo";
    expect_error(ErrorKind::usage, {"typo", "is not a run"}, [&] { execute_run(nothing, silent_progress()); });
    EXPECT_FALSE(fs::exists(folder / "typo")) << "a mistyped name leaves no folder";
    expect_error(ErrorKind::bad_input, {"typo", "is not a run"}, [&] { run_status(folder / "typo"); });
    expect_error(ErrorKind::bad_input, {"typo", "is not a run"}, [&] { summarize_run(folder / "typo"); });
}

TEST_F(Run, AConfigThatCannotBeUsedLeavesNoRun) {
    const SmallRun files;
    files.write("config.toml", "sede = 1\n");
    expect_error(ErrorKind::usage, {"config.toml:1", "sede"}, [&] { execute_run(request(files), silent_progress()); });
    EXPECT_FALSE(fs::exists(files.run())) << "nothing was begun";
}

TEST_F(Run, ShardsOfARunAreWhatTheWholeRunHas) {
    const SmallRun files;
    RunRequest part = request(files);
    part.shard = "1/2";
    part.stages = {Stage::generate};
    execute_run(part, silent_progress());
    EXPECT_FALSE(fs::exists(files.run() / "activations/shard-00000.safetensors"));
    EXPECT_EQ(sha256_file(files.run() / "activations/shard-00001.safetensors"),
              sha256_file(whole->run() / "activations/shard-00001.safetensors"));
    EXPECT_EQ(run_status(files.run()).slices_generated, 1u);
    for (const char * wrong : {"2/2", "x", "1/0", "-1/2", "1/2/3"}) {
        part.shard = wrong;
        expect_error(ErrorKind::usage, {"--shard", wrong}, [&] { execute_run(part, silent_progress()); });
    }
}

} // namespace
} // namespace valuelens
