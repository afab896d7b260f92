#include "generate/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>

#include "base/file.h"
#include "base/hash.h"
#include "contrast/slice_sums.h"
#include "generate/fake_generator.h"
#include "generate/toy_run.h"
#include "store/activations.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"

using namespace valuelens;

namespace {

class Messages : public ProgressSink {
public:
    void start(std::string_view, std::uint64_t total, std::string_view) override { expected = total; }
    void advance(std::uint64_t count, std::string_view) override { done = count; }
    void finish() override { ++finished; }
    void message(LogLevel level, std::string_view text) override {
        if (level == LogLevel::warning) {
            warnings.emplace_back(text);
        }
    }
    std::uint64_t expected = 0, done = 0;
    int finished = 0;
    std::vector<std::string> warnings;
};

/// A run folder with its database.
struct ToyRun {
    explicit ToyRun(std::vector<Query> with = toy_queries(6)) : queries(std::move(with)) {
        options.slice_size = 6; // two queries of three responses
        options.max_tokens = 8;
        options.sampling.temperature = 0.7f;
        options.seed = 5;
    }

    GenerateResult generate(std::stop_token stop = {}) {
        return run_generate(db, folder.path(), plan(), generator, options, messages, std::move(stop));
    }
    GenerationPlan plan() const { return plan_generation(toy_concepts(), queries, toy_templates(5), options); }

    /// All that a run yields: rows without the timing, and checksums of the shards.
    std::vector<std::string> contents() const {
        std::vector<std::string> result;
        db.for_each_response({}, [&](const ResponseRow & row) {
            result.push_back(fmt::format("{} {} {} {} {} {} {} {} {} {} {}", row.id, row.position, row.slice,
                                         row.query_id, row.value_id.value_or("-"), row.template_id.value_or("-"),
                                         row.prompt, row.text, fmt::join(row.tokens, ","), row.logprob_sum,
                                         row.finish));
        });
        for (const std::filesystem::path & path : shard_paths(db, folder.path())) {
            result.push_back(path.filename().string() + " " + sha256_file(path));
        }
        return result;
    }

    TempFolder folder;
    RunDb db{folder / "run.sqlite", RunDbMode::create};
    std::vector<Query> queries;
    GenerateOptions options;
    FakeGenerator generator;
    Messages messages;
};

} // namespace

TEST(Generate, FillsDatabaseAndShards) {
    ToyRun run;
    const GenerateResult result = run.generate();
    EXPECT_EQ(result.slices_done, 3u);
    EXPECT_EQ(result.responses, 18u);
    EXPECT_EQ(result.dropped, 0u);
    EXPECT_EQ(run.messages.expected, 18u);
    EXPECT_EQ(run.messages.done, 18u);
    EXPECT_EQ(run.messages.finished, 1);
    EXPECT_TRUE(run.messages.warnings.empty());

    const ActivationReader reader(shard_paths(run.db, run.folder.path()));
    EXPECT_EQ(reader.provenance().model_hash, "0123456789abcdef");
    EXPECT_EQ(reader.provenance().tool_version, VALUELENS_VERSION);
    std::size_t index = 0;
    std::uint64_t tokens = 0;
    run.db.for_each_response({}, [&](const ResponseRow & row) {
        EXPECT_EQ(reader.ids()[index++], row.id);
        EXPECT_EQ(row.text, run.generator.detokenize(row.tokens));
        EXPECT_FLOAT_EQ(static_cast<float>(row.logprob_sum), -0.5f * static_cast<float>(row.tokens.size()));
        EXPECT_EQ(row.prompt_tokens.size(), row.prompt.size());
        EXPECT_EQ(row.finish, "end_of_turn");
        tokens += row.tokens.size();
        if (row.condition == Condition::intrinsic) {
            EXPECT_EQ(row.prompt.rfind("<s><u>", 0), 0u) << "the system message is empty, not absent";
        }
    });
    EXPECT_EQ(index, 18u);
    EXPECT_EQ(result.stats.generated_tokens, tokens);

    // The last slice's prompts as messages, for generators elsewhere.
    ASSERT_EQ(run.generator.last_chats.size(), 6u);
    EXPECT_EQ(run.generator.last_chats[0].system, "");
    EXPECT_EQ(run.generator.last_chats[0].user, "Question 4?");
    EXPECT_EQ(run.generator.last_chats[1].system.rfind("Template ", 0), 0u);
}

TEST(Generate, EachResponseHasASeedOfItsOwn) {
    ToyRun run;
    std::map<std::uint64_t, int> seeds;
    run.generator.before_request = [&](const Request & request) {
        ++seeds[request.sampling.seed];
        EXPECT_TRUE(request.capture.resid_post);
        EXPECT_EQ(request.max_tokens, 8);
        EXPECT_EQ(request.sampling.temperature, 0.7f);
    };
    run.generate();
    EXPECT_EQ(seeds.size(), 18u);
    EXPECT_EQ(seeds.count(derive_seed(5, "q3/care")), 1u);
}

TEST(Generate, TwoRunsGiveTheSameBytes) {
    for (const StoredActivations kind : {StoredActivations::f32, StoredActivations::f16}) {
        ToyRun one, two;
        one.options.activations = two.options.activations = kind;
        one.generate();
        two.generate();
        EXPECT_EQ(one.contents(), two.contents());
    }
}

TEST(Generate, AnInterruptedRunGoesOnAndEndsTheSame) {
    ToyRun whole;
    whole.generate();

    ToyRun run;
    std::stop_source source;
    int seen = 0;
    run.generator.before_request = [&](const Request &) {
        if (++seen == 9) { // in the middle of the second slice
            source.request_stop();
        }
    };
    expect_error(ErrorKind::interrupted, {}, [&] { run.generate(source.get_token()); });
    EXPECT_EQ(run.db.finished_slices(), (std::set<std::size_t>{0}));
    EXPECT_EQ(run.messages.finished, 1);

    // What a killed process leaves while it writes the next shard.
    write_file(run.folder / "activations/shard-00001.safetensors.1.2.partial", "half");
    run.generator.before_request = {};
    const GenerateResult rest = run.generate();
    EXPECT_EQ(rest.slices_before, 1u);
    EXPECT_EQ(rest.slices_done, 2u);
    EXPECT_EQ(run.messages.expected, 12u);
    EXPECT_EQ(run.contents(), whole.contents());
    EXPECT_FALSE(std::filesystem::exists(run.folder / "activations/shard-00001.safetensors.1.2.partial"));

    const int runs = run.generator.runs;
    EXPECT_EQ(run.generate().slices_done, 0u);
    EXPECT_EQ(run.generator.runs, runs);
}

TEST(Generate, StopsBeforeTheFirstSlice) {
    ToyRun run;
    std::stop_source source;
    source.request_stop();
    expect_error(ErrorKind::interrupted, {"the same command"}, [&] { run.generate(source.get_token()); });
    EXPECT_EQ(run.generator.runs, 0);
}

TEST(Generate, ShardsTogetherMakeTheRun) {
    ToyRun whole;
    whole.generate();
    std::vector<std::string> parts;
    for (int index = 0; index < 2; ++index) {
        ToyRun part;
        part.options.shard_count = 2;
        part.options.shard_index = index;
        part.generate();
        EXPECT_EQ(part.db.finished_slices(), index == 0 ? (std::set<std::size_t>{0, 2}) : (std::set<std::size_t>{1}));
        const std::vector<std::string> contents = part.contents();
        parts.insert(parts.end(), contents.begin(), contents.end());
    }
    std::vector<std::string> expected = whole.contents();
    std::sort(expected.begin(), expected.end());
    std::sort(parts.begin(), parts.end());
    EXPECT_EQ(parts, expected);
}

TEST(Generate, WhatCannotBeUsedIsCounted) {
    std::vector<Query> queries = toy_queries(4);
    queries[0].text = "[empty]";
    queries[2].text = "[long]";
    queries[3].text = "[long] too"; // the second slice keeps nothing
    ToyRun run(queries);
    const GenerateResult result = run.generate();
    EXPECT_EQ(result.responses, 3u);
    EXPECT_EQ(result.dropped, 9u);
    const RunCounts counts = run.db.counts();
    ASSERT_EQ(counts.dropped.size(), 2u);
    EXPECT_EQ(counts.dropped[0].reason, "no response tokens");
    EXPECT_EQ(counts.dropped[0].n, 3u);
    EXPECT_EQ(counts.dropped[1].n, 6u);
    EXPECT_EQ(run.db.dropped()[1].item, "q0/power");
    ASSERT_EQ(run.messages.warnings.size(), 1u);
    EXPECT_NE(run.messages.warnings[0].find("9 of 12"), std::string::npos);

    EXPECT_EQ(run.db.slices()[1].shard, std::nullopt);
    EXPECT_EQ(ActivationReader(shard_paths(run.db, run.folder.path())).count(), 3u);
    EXPECT_TRUE(verify_shards(run.db, run.folder.path()).empty());
    EXPECT_EQ(run.generate().slices_done, 0u);
}

TEST(Generate, DamagedShardsAreMadeAgain) {
    ToyRun run;
    run.generate();
    const std::vector<std::string> before = run.contents();
    EXPECT_TRUE(verify_shards(run.db, run.folder.path(), run.messages).empty());
    EXPECT_TRUE(run.messages.warnings.empty());

    std::filesystem::remove(run.folder / "activations/shard-00000.safetensors");
    std::string bytes = read_file(run.folder / "activations/shard-00002.safetensors");
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    write_file(run.folder / "activations/shard-00002.safetensors", bytes);

    EXPECT_EQ(verify_shards(run.db, run.folder.path(), run.messages), (std::vector<std::size_t>{0, 2}));
    ASSERT_EQ(run.messages.warnings.size(), 2u);
    EXPECT_NE(run.messages.warnings[0].find("shard-00000.safetensors: the file is missing"), std::string::npos);
    EXPECT_NE(run.messages.warnings[1].find("shard-00002.safetensors: the file is damaged"), std::string::npos);
    EXPECT_EQ(run.generate().slices_done, 2u);
    EXPECT_EQ(run.contents(), before);
}

TEST(Generate, ARunCannotChangeMidway) {
    ToyRun run;
    run.generate();
    run.options.max_tokens = 9;
    expect_error(ErrorKind::usage, {"max_tokens = 8", "now it is 9", "--run"}, [&] { run.generate(); });
    run.options.max_tokens = 8;
    run.queries[0].text = "Other?";
    expect_error(ErrorKind::usage, {"generate.plan"}, [&] { run.generate(); });
}

TEST(Generate, WithoutActivationsSumsAreKeptByTheLabelsOfTheSlice) {
    ToyRun run;
    run.options.activations = StoredActivations::none;
    std::size_t calls = 0;
    // Every other response expresses its value; of intrinsic ones the first value alone is judged, one is undecided.
    const SliceLabeller labeller = [&](std::span<const ResponseRow> responses) {
        ++calls;
        std::vector<LabelRow> labels;
        for (const ResponseRow & row : responses) {
            const std::string value = row.value_id.value_or(toy_concepts().concepts[0].id);
            const bool undecided = row.position == 0;
            labels.push_back({row.id, value, 0.5, undecided ? std::nullopt : std::optional(row.position % 2 == 0)});
        }
        return labels;
    };
    run_generate(run.db, run.folder.path(), run.plan(), run.generator, run.options, run.messages, {}, labeller);
    EXPECT_EQ(calls, 3u);
    EXPECT_EQ(run.db.finished_judge_slices().size(), 3u) << "labels are stored with their slice";
    EXPECT_EQ(run.db.counts().labels, 18u);

    // The same responses with activations kept say what the sums must be.
    ToyRun kept;
    kept.generate();
    const ActivationReader reader(shard_paths(kept.db, kept.folder.path()));
    std::map<std::pair<std::string, Condition>, std::array<std::vector<double>, 2>> expected;
    std::vector<float> row(2 * 3);
    kept.db.for_each_response({}, [&](const ResponseRow & response) {
        if (response.position == 0) {
            return;
        }
        reader.read(*reader.find(response.id), row);
        auto & sum = expected[{response.value_id.value_or(toy_concepts().concepts[0].id), response.condition}]
                             [response.position % 2 == 0];
        sum.resize(row.size());
        std::transform(row.begin(), row.end(), sum.begin(), sum.begin(), std::plus<>());
    });
    std::map<std::pair<std::string, Condition>, std::array<std::vector<double>, 2>> found;
    std::size_t n_responses = 0;
    for (const std::filesystem::path & path : shard_paths(run.db, run.folder.path())) {
        EXPECT_EQ(path.filename().string().rfind("sums-", 0), 0u);
        const SliceSumsFile sums(path);
        n_responses += sums.n_responses();
        for (const Concept & value : toy_concepts().concepts) {
            for (const Condition condition : {Condition::intrinsic, Condition::prompted}) {
                for (std::size_t expresses = 0; expresses < 2; ++expresses) {
                    if (sums.count(value.id, condition)[expresses] == 0) {
                        continue;
                    }
                    auto & sum = found[{value.id, condition}][expresses];
                    sum.resize(row.size());
                    for (std::size_t layer = 0; layer < 2; ++layer) {
                        std::vector<float> part(3);
                        sums.read(value.id, condition, expresses != 0, layer, part);
                        std::transform(part.begin(), part.end(), sum.begin() + 3 * layer, sum.begin() + 3 * layer,
                                       std::plus<>());
                    }
                }
            }
        }
    }
    EXPECT_EQ(n_responses, 18u);
    ASSERT_EQ(found.size(), expected.size());
    for (const auto & [key, classes] : expected) {
        for (std::size_t expresses = 0; expresses < 2; ++expresses) {
            EXPECT_THAT(found.at(key)[expresses], testing::Pointwise(testing::DoubleNear(1e-4), classes[expresses]))
                << key.first;
        }
    }
}
