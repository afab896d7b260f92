#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/random.h"
#include "explain/job.h"
#include "explain/planted_model.h"
#include "explain/rule_service.h"
#include "support/temp_folder.h"

namespace valuelens::test {

/// Stops the work once a stage has done so much.
class StopAfter : public ProgressSink {
public:
    StopAfter(std::string stage, std::uint64_t done) : stop_stage_(std::move(stage)), stop_done_(done) {}
    void start(std::string_view stage, std::uint64_t, std::string_view) override { stage_ = stage; }
    void advance(std::uint64_t done, std::string_view) override {
        if (stage_ == stop_stage_ && done >= stop_done_) {
            source.request_stop();
        }
    }
    std::stop_source source;

private:
    std::string stop_stage_;
    std::uint64_t stop_done_;
    std::string stage_;
};

/// Two neurons planted in a tiny model, one that fires on digits and one that does on loud marks, and a corpus with
/// some of each.
class PlantedJob : public testing::Test {
protected:
    void SetUp() override {
        Rng rng(11);
        std::string corpus;
        for (int i = 0; i < 400; ++i) {
            std::string text;
            for (int k = 0; k < 40; ++k) {
                text += static_cast<char>(rng.below(6) == 0 ? ' ' : 'a' + static_cast<char>(rng.below(26)));
            }
            // Of either kind hardly more than the top excerpts, so that random ones have none.
            const char * set = i % 18 == 5 ? "0123456789" : i % 18 == 11 ? "!?!?!?!?!?" : nullptr;
            for (int k = 0; set != nullptr && k < 2; ++k) {
                text[rng.below(40)] = set[rng.below(10)];
            }
            corpus += nlohmann::json({{"text", text}}).dump() + "\n";
        }
        write_file(folder_ / "corpus.jsonl", corpus);
        job_.subject = Model::load({.path = write_planted_model(folder_ / "m.gguf"), .threads = 1});
        job_.neurons = {{{0, -1, digit_neuron}, {{"care", "shared", 2}, {"power", "shared", 1}}},
                        {{0, -1, mark_neuron}, {{"care", "intrinsic", 3}}}};
        job_.corpus.files = {folder_ / "corpus.jsonl"};
        job_.explainer = "a rule";
        job_.output = folder_ / "explanations.jsonl";
        options_.negative = false;
        options_.lens_tokens = 3;
        options_.bootstraps = 50;
        options_.harvest.checkpoint_every = 1;
    }

    ExplainSummary run(FakeService::Answer answer, ProgressSink & progress = silent_progress(),
                       std::stop_token stop = {}) {
        FakeService service(std::move(answer));
        job_.service = &service;
        return run_explain(job_, options_, progress, std::move(stop));
    }

    std::vector<nlohmann::json> lines() const {
        std::vector<nlohmann::json> all;
        for_each_line(job_.output,
                      [&](std::string_view line, std::size_t) { all.push_back(nlohmann::json::parse(line)); });
        return all;
    }

    TempFolder folder_;
    ExplainJob job_;
    ExplainOptions options_;
};

} // namespace valuelens::test
