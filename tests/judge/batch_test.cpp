#include "judge/batch.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "generate/toy_run.h"
#include "judge/batch_results.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

using nlohmann::json;

/// A run of toy_concepts() ("power", "care") with two slices: an intrinsic response and one prompted for care in each.
class Batch : public testing::Test {
protected:
    void SetUp() override {
        questions.prompt = {"test", "<{text}> {value}?", "Yes", "No", ""};
        db.store_inputs(toy_concepts(), toy_queries(2), toy_templates(1));
        for (std::size_t slice = 0; slice < 2; ++slice) {
            std::vector<ResponseRow> rows(2);
            for (std::size_t i = 0; i < 2; ++i) {
                ResponseRow & row = rows[i];
                row.query_id = "q" + std::to_string(slice);
                row.position = 2 * slice + i;
                row.slice = slice;
                row.id = row.query_id + (i == 0 ? "/intrinsic" : "/care");
                row.text = "text of " + row.id;
                row.tokens = {1};
                row.finish = "length";
            }
            rows[1].condition = Condition::prompted;
            rows[1].value_id = "care";
            rows[1].template_id = "t0";
            db.commit_slice({slice, 2, 2 * slice, "shard", "hash", "{}"}, rows, {});
        }
    }

    BatchExport export_all(std::size_t max_lines = 1000) {
        return export_batch(db, toy_concepts(), questions, "m", requests, answered, max_lines);
    }
    std::vector<json> lines(const std::filesystem::path & file) const {
        std::vector<json> list;
        for_each_line(file, [&](std::string_view line, std::size_t) { list.push_back(json::parse(line)); });
        return list;
    }
    using Answer = std::function<json(const std::string & id)>;
    /// What a batch API would return for the exported questions, in another order.
    void answer_all(const Answer & answer) {
        std::string text;
        std::vector<json> asked = lines(requests);
        for (std::size_t i = asked.size(); i-- > 0;) {
            if (const json line = answer(asked[i]["custom_id"]); !line.is_null()) {
                text += line.dump() + "\n";
            }
        }
        write_file(results, text);
    }
    static json result(const std::string & id, const json & body, int status = 200) {
        return {{"id", "r"},
                {"custom_id", id},
                {"response", {{"status_code", status}, {"request_id", "x"}, {"body", body}}},
                {"error", nullptr}};
    }
    static json first_token(const std::string & id, double yes, double no) {
        const json top = {{{"token", "Yes"}, {"logprob", std::log(yes)}}, {{"token", "No"}, {"logprob", std::log(no)}}};
        return result(id, {{"model", "m"},
                           {"choices",
                            {{{"message", {{"content", "Yes"}}},
                              {"logprobs", {{"content", {{{"token", "Yes"}, {"top_logprobs", top}}}}}}}}}});
    }
    /// Even odds for the empty text, 0.9 for all others.
    static json sure(const std::string & id) {
        return id.find("//") != std::string::npos ? first_token(id, 0.5, 0.5) : first_token(id, 0.9, 0.1);
    }
    BatchImport import_all(bool accept_missing = false) {
        return import_batch(db, toy_concepts(), questions, "m", {}, std::vector{results}, accept_missing,
                            silent_progress());
    }

    TempFolder folder;
    RunDb db{folder / "run.sqlite", RunDbMode::create};
    ServerQuestions questions;
    std::filesystem::path requests = folder / "requests.jsonl";
    std::filesystem::path results = folder / "results.jsonl";
    std::vector<std::filesystem::path> answered;
};

TEST_F(Batch, ExportWritesOneRequestForEachPair) {
    const BatchExport exported = export_all();
    ASSERT_EQ(exported.files.size(), 1u);
    EXPECT_EQ(exported.files[0].string(), requests.string());
    EXPECT_EQ(exported.responses, 4u);
    const std::vector<json> written = lines(requests);
    ASSERT_EQ(written.size(), 2u + 6); // two values about nothing, three pairs in each slice
    EXPECT_EQ(exported.cost.requests, 8u);
    EXPECT_EQ(exported.cost.completion_tokens, 8u);
    EXPECT_GT(exported.cost.prompt_tokens, 8u);
    const std::string tag = batch_tag(questions, "m");
    EXPECT_EQ(tag.size(), 8u);
    EXPECT_EQ(written[0]["custom_id"], tag + "//power");
    EXPECT_EQ(written[2]["custom_id"], tag + "/q0/intrinsic/power");
    EXPECT_EQ(written[4]["custom_id"], tag + "/q0/care/care");
    EXPECT_EQ(written[4]["method"], "POST");
    EXPECT_EQ(written[4]["url"], "/v1/chat/completions");
    EXPECT_EQ(written[4]["body"],
              json::parse(chat_body(questions.ask(toy_concepts().concepts[1], "text of q0/care"), "m")));
}

TEST_F(Batch, MoreLinesThanAllowedGoOnInAnotherFile) {
    const BatchExport exported = export_all(3);
    ASSERT_EQ(exported.files.size(), 3u);
    EXPECT_EQ(exported.files[2].string(), (folder / "requests-3.jsonl").string());
    EXPECT_EQ(lines(exported.files[0]).size(), 3u);
    EXPECT_EQ(lines(exported.files[2]).size(), 2u);
}

TEST_F(Batch, ImportLabelsEachSliceAndIsCalibrated) {
    export_all();
    answer_all([](const std::string & id) { return id.ends_with("//care") ? first_token(id, 0.9, 0.1) : sure(id); });
    const BatchImport imported = import_all();
    EXPECT_EQ(imported.stage.slices_done, 2u);
    EXPECT_EQ(imported.stage.labels, 6u);
    EXPECT_EQ(imported.missing + imported.failed + imported.unreadable + imported.doubled + imported.unexpected, 0u);
    for (const StoredLabel & stored : db.labels()) {
        EXPECT_NEAR(*stored.label.probability, stored.label.value_id == "care" ? 0.5 : 0.9, 1e-9);
    }
    EXPECT_TRUE(judge_stage_done(db));
    EXPECT_EQ(db.meta("judge")->find(questions.describe("m")), 0u);
}

TEST_F(Batch, ASliceWithMissingAnswersIsLeftAndTheRestIsExportedAgain) {
    export_all();
    answer_all([](const std::string & id) {
        if (id.ends_with("/q1/care/care")) {
            return json();
        }
        return id.ends_with("/q1/intrinsic/care") ? result(id, {{"error", {{"message", "overloaded"}}}}, 500)
                                                  : sure(id);
    });
    const BatchImport imported = import_all();
    EXPECT_EQ(imported.stage.slices_done, 1u);
    EXPECT_EQ(imported.slices_left, 1u);
    EXPECT_EQ(imported.missing, 2u);
    EXPECT_EQ(imported.missing_ids, (std::vector<std::string>{"q1/intrinsic/care", "q1/care/care"}));
    EXPECT_EQ(imported.failed, 1u);
    ASSERT_EQ(imported.failures.size(), 1u);
    EXPECT_THAT(imported.failures[0], testing::HasSubstr("overloaded"));
    EXPECT_FALSE(judge_stage_done(db));

    answered = {results};
    const BatchExport rest = export_all();
    EXPECT_EQ(rest.cost.requests, 2u);
    EXPECT_EQ(rest.answered, 2u + 1);
    const std::filesystem::path first = results;
    results = folder / "rest.jsonl";
    answer_all(sure);
    const BatchImport whole =
        import_batch(db, toy_concepts(), questions, "m", {}, std::vector{first, results}, false, silent_progress());
    EXPECT_EQ(whole.stage.slices_done, 1u);
    EXPECT_EQ(whole.unexpected, 3u); // those of the slice that has its labels
    EXPECT_TRUE(judge_stage_done(db));
}

TEST_F(Batch, AcceptedMissingAnswersAreNoOpinion) {
    export_all();
    answer_all([](const std::string & id) {
        if (id.ends_with("/q1/care/care")) {
            return json();
        }
        return id.ends_with("/q0/care/care")
                   ? result(id, json::parse(R"({"choices": [{"message": {"content": "Hm"}}]})"))
                   : sure(id);
    });
    const BatchImport imported = import_all(true);
    EXPECT_EQ(imported.stage.slices_done, 2u);
    EXPECT_EQ(imported.slices_left, 0u);
    EXPECT_EQ(imported.missing, 1u);
    EXPECT_EQ(imported.unreadable, 1u);
    EXPECT_EQ(db.counts().no_opinion, 2u);
}

TEST_F(Batch, WithNothingToLabelNobodyIsTheJudge) {
    export_all();
    answer_all([](const std::string & id) { return id.find("//") != std::string::npos ? sure(id) : json(); });
    EXPECT_EQ(import_all().slices_left, 2u);
    EXPECT_FALSE(db.meta("judge"));
}

TEST_F(Batch, ASecondAnswerCountsWhereTheFirstStatedNothing) {
    export_all();
    answer_all(sure);
    const std::string id = batch_id(batch_tag(questions, "m"), "q0/care", "care");
    const std::string mute = result(id, json::parse(R"({"choices": [{"message": {"content": "Hm"}}]})")).dump() + "\n";
    write_file(results, mute + read_file(results) + mute);
    const BatchImport imported = import_all();
    EXPECT_EQ(imported.unreadable, 0u);
    EXPECT_EQ(imported.doubled, 1u);
    EXPECT_EQ(imported.stage.labels, 6u);
    EXPECT_EQ(db.counts().no_opinion, 0u);
}

TEST_F(Batch, ForeignResultsAreRefusedByLine) {
    export_all();
    const auto refused = [&](const std::string & text, const std::vector<std::string> & words) {
        write_file(results, "\n" + text + "\n");
        expect_error(ErrorKind::bad_input, words, [&] { import_all(); });
    };
    const std::string tag = batch_tag(questions, "m");
    refused("{", {"results.jsonl:2", "custom_id"});
    refused(R"({"id": "x"})", {"results.jsonl:2", "custom_id"});
    refused(sure("00000000/q0/care/care").dump(), {"results.jsonl:2", "other questions", tag});
    json other = sure(tag + "/q0/care/care");
    other["response"]["body"]["model"] = "quite-another";
    refused(other.dump(), {"results.jsonl:2", "'quite-another'"});
    refused(sure(tag + "/q0/care/care").dump(), {"an empty text for power, care", tag + "//power"});
    EXPECT_TRUE(db.labels().empty());
}

} // namespace
} // namespace valuelens
