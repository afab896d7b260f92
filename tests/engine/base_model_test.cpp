// A base model, which has no chat template of its own.

#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/golden.h"
#include "valuelens/model.h"

namespace valuelens {
namespace {

class BaseModel : public testing::Test {
protected:
    void SetUp() override {
        path = test::cached_model("gemma3-270m", "original");
        if (path.empty()) {
            FAIL() << "gemma3-270m is not in the cache: valuelens models fetch gemma3-270m --type original";
        }
    }

    std::string path;
};

TEST_F(BaseModel, NeedsATemplateForChats) {
    const auto model = Model::load({.path = path, .threads = 1});
    EXPECT_FALSE(model->info().has_chat_template);
    EXPECT_FALSE(read_model_info(path).has_chat_template);
    expect_error(ErrorKind::model, {"gemma3-270m", "no chat template", "--chat-template"},
                 [&] { model->render_chat("", "Hi"); });
}

TEST_F(BaseModel, TakesTheTemplateGivenAndAddsOneBos) {
    const std::string chat_template = "{{ bos_token }}{% for message in messages %}{{ message['role'] }}: {{ "
                                      "message['content'] }}\n{% endfor %}assistant:";
    const auto model = Model::load({.path = path, .threads = 1, .chat_template = chat_template});
    EXPECT_TRUE(model->info().has_chat_template);
    const RenderedPrompt prompt = model->render_chat("Be kind.", "Hi");
    EXPECT_EQ(prompt.text, "<bos>system: Be kind.\nuser: Hi\nassistant:");
    const std::vector<Token> bos = model->tokenize("", true, false);
    ASSERT_EQ(bos.size(), 1u);
    EXPECT_EQ(prompt.tokens.front(), bos.front());
    EXPECT_EQ(std::count(prompt.tokens.begin(), prompt.tokens.end(), bos.front()), 1);
    // A prompt taken as it is gets the BOS that the model wants, unless it has one.
    EXPECT_EQ(model->render_plain("Once upon").tokens, model->render_plain("<bos>Once upon").tokens);
}

TEST_F(BaseModel, ABrokenTemplateIsFoundOnLoading) {
    expect_error(ErrorKind::usage, {"chat template", "--chat-template"},
                 [&] { Model::load({.path = path, .threads = 1, .chat_template = "{% for %}"}); });
}

} // namespace
} // namespace valuelens
