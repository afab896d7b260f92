// The stage over a real model: what tests with a fake cannot show.

#include "generate/generate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/hash.h"
#include "generate/toy_run.h"
#include "store/activations.h"
#include "support/expect_error.h"
#include "support/golden.h"
#include "support/temp_folder.h"

using namespace valuelens;

namespace {

class GenerateModel : public testing::Test {
protected:
    static void SetUpTestSuite() {
        const std::string path = test::cached_model("smollm2-135m", "f32");
        ASSERT_FALSE(path.empty()) << "smollm2-135m-f32 is not in the cache: `make test` fetches it";
        ModelOptions options;
        options.path = path;
        options.threads = 1; // several threads that wait for each other are slow on a busy machine
        model = Model::load(options);
        whole_folder = std::make_unique<TempFolder>();
        whole = std::make_unique<RunDb>(*whole_folder / "run.sqlite", RunDbMode::create);
        whole_result =
            run_generate(*whole, whole_folder->path(), plan(), *make_generator(model, {}), GenerateModel::options());
    }
    static void TearDownTestSuite() {
        whole.reset();
        whole_folder.reset();
        model.reset();
    }

    static GenerateOptions options() {
        GenerateOptions result;
        result.max_tokens = 6;
        result.sampling.temperature = 0.8f;
        result.slice_size = 6;
        result.seed = 3;
        return result;
    }

    static GenerationPlan plan() {
        // Of different lengths, so that the slices differ in what they need.
        std::vector<Query> queries{
            {"a", "Should I move to another city for a better job?", ""},
            {"b", "Hi", ""},
            {"c",
             "My brother and I inherited a house. He wants to sell it, I want to keep it for the "
             "children. How can we find a way that is fair to both of us?",
             ""},
            {"d", "Name a colour.", ""},
            {"e", "What is a good life?", ""}};
        return plan_generation(toy_concepts(), queries, toy_templates(3), options());
    }

    static std::vector<std::string> contents(const RunDb & db, const std::filesystem::path & folder) {
        std::vector<std::string> result;
        db.for_each_response({}, [&](const ResponseRow & row) {
            result.push_back(fmt::format("{} {} {} {:a}", row.id, row.prompt, row.text, row.logprob_sum));
        });
        for (const std::filesystem::path & path : shard_paths(db, folder)) {
            result.push_back(sha256_file(path));
        }
        return result;
    }

    static std::shared_ptr<Model> model;
    static std::unique_ptr<TempFolder> whole_folder; ///< of a run that was never interrupted
    static std::unique_ptr<RunDb> whole;
    static GenerateResult whole_result;
};

std::shared_ptr<Model> GenerateModel::model;
std::unique_ptr<TempFolder> GenerateModel::whole_folder;
std::unique_ptr<RunDb> GenerateModel::whole;
GenerateResult GenerateModel::whole_result;

/// Asks for a stop once so many responses are done.
class StopAfter : public ProgressSink {
public:
    explicit StopAfter(std::uint64_t n) : n_(n) {}
    void advance(std::uint64_t done, std::string_view) override {
        if (done == n_) {
            source.request_stop();
        }
    }
    std::stop_source source;

private:
    std::uint64_t n_;
};

} // namespace

TEST_F(GenerateModel, AnInterruptedRunEndsWithTheSameBytes) {
    EXPECT_EQ(whole_result.responses + whole_result.dropped, 15u);
    EXPECT_GT(whole_result.responses, 10u);

    TempFolder folder;
    RunDb db(folder / "run.sqlite", RunDbMode::create);
    StopAfter progress(8); // within the second slice
    expect_error(ErrorKind::interrupted, {}, [&] {
        run_generate(db, folder.path(), plan(), *make_generator(model, {}), options(), progress,
                     progress.source.get_token());
    });
    // The second slice is finished too when all its responses ended in one step.
    EXPECT_EQ(db.finished_slices().count(0), 1u);
    EXPECT_EQ(db.finished_slices().count(2), 0u);
    run_generate(db, folder.path(), plan(), *make_generator(model, {}), options());
    EXPECT_EQ(contents(db, folder.path()), contents(*whole, whole_folder->path()));
}

TEST_F(GenerateModel, StoredMeansAreThoseOfReadingTheResponseAgain) {
    const ActivationReader reader(shard_paths(*whole, whole_folder->path()));
    std::vector<Request> requests;
    whole->for_each_response({}, [&](const ResponseRow & row) {
        Request request;
        request.kind = RequestKind::continue_;
        request.prompt = row.prompt_tokens;
        request.response = row.tokens;
        request.capture.resid_post = true;
        requests.push_back(std::move(request));
    });
    ASSERT_EQ(reader.count(), requests.size());
    const std::vector<Response> again = Scheduler(model, {}).run_all(requests);
    std::vector<float> row(reader.shape().n_layer * reader.shape().n_embd);
    constexpr double batch_noise = 1e-4; // relative; other batches take other kernels
    for (std::size_t i = 0; i < again.size(); ++i) {
        reader.read(i, row);
        ASSERT_EQ(again[i].resid_post.size(), row.size());
        double difference = 0, norm = 0;
        for (std::size_t k = 0; k < row.size(); ++k) {
            difference += std::pow(static_cast<double>(row[k]) - again[i].resid_post[k], 2);
            norm += std::pow(static_cast<double>(row[k]), 2);
        }
        EXPECT_LT(std::sqrt(difference / norm), batch_noise) << reader.ids()[i];
    }
}
