#include "engine/next_token_reader.h"

#include <gtest/gtest.h>

#include "support/temp_folder.h"
#include "support/tiny_language_model.h"

namespace valuelens {
namespace {

constexpr double same = 1e-4; // log-probabilities; other batches round otherwise

// In one reading what one request for each place tells.
TEST(NextTokenReader, TellsWhatChooseTells) {
    const TempFolder folder;
    const std::shared_ptr<Model> model =
        Model::load({.path = test::TinyLanguageModel::dense().write(folder / "m.gguf"), .threads = 1});
    const std::vector<Token> tokens = model->tokenize("some text to read, long enough for two batches", true, false);
    const std::vector<Token> candidates = {3 + '0', 3 + 'a', 3 + ' '};
    const std::vector<std::size_t> places = {0, 3, 4, 17, tokens.size() - 1};
    NextTokenReader reader(model, {.batch_size = 16});
    const std::vector<std::vector<float>> found = reader.read(tokens, places, candidates);
    ASSERT_EQ(found.size(), places.size());
    std::vector<Request> requests;
    for (const std::size_t place : places) {
        Request & request = requests.emplace_back();
        request.kind = RequestKind::choose;
        request.prompt.assign(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(place + 1));
        request.choices = candidates;
    }
    const std::vector<Response> expected = Scheduler(model, {}).run_all(requests);
    for (std::size_t p = 0; p < places.size(); ++p) {
        for (std::size_t c = 0; c < candidates.size(); ++c) {
            EXPECT_NEAR(static_cast<double>(found[p][c]), static_cast<double>(expected[p].choice_logprobs[c]), same);
        }
    }
    EXPECT_EQ(reader.read(tokens, places, candidates), found) << "nothing of the first reading stays behind";
}

} // namespace
} // namespace valuelens
