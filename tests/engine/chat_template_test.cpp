#include "engine/chat_template.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace valuelens {
namespace {

const std::string chatml =
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nBe helpful<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

// As Gemma's: the system role is an error.
const std::string no_system =
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}<start_of_turn>{{ message['role'] }}\n{{ message['content'] }}"
    "<end_of_turn>\n{% endfor %}{{ '<start_of_turn>model\n' }}";

// Drops the system text without a word.
const std::string silent_system =
    "{% for message in messages %}{% if message['role'] == 'user' %}[{{ message['content'] }}]{% endif %}{% endfor %}";

const std::string thinking =
    "{% for message in messages %}{{ message['role'] }}:{{ message['content'] }};{% endfor %}"
    "{% if enable_thinking is defined and enable_thinking is false %}<think></think>{% endif %}";

ChatTemplate make(const std::string & source, const std::string & kwargs = "",
                  const std::string & date = "2024-07-26") {
    return ChatTemplate(source, "<bos>", "<eos>", kwargs, date);
}

TEST(ChatTemplate, WritesSystemUserAndTheAssistantsHeader) {
    const ChatTemplate chat = make(chatml);
    EXPECT_TRUE(chat.has_system_role());
    const auto rendered = chat.render("Be kind.", "Hi");
    EXPECT_EQ(rendered.text,
              "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
    EXPECT_FALSE(rendered.system_merged);
}

TEST(ChatTemplate, AnExplicitEmptySystemTextDiffersFromNone) {
    const ChatTemplate chat = make(chatml);
    EXPECT_EQ(chat.render("", "Hi").text,
              "<|im_start|>system\n<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
    EXPECT_EQ(chat.render(std::nullopt, "Hi").text,
              "<|im_start|>system\nBe helpful<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
}

TEST(ChatTemplate, TextsAreNotReadAsTemplates) {
    EXPECT_EQ(make(silent_system).render(std::nullopt, "{{ bos_token }} {% if %} \"ä\"\n").text,
              "[{{ bos_token }} {% if %} \"ä\"\n]");
}

TEST(ChatTemplate, WithoutASystemRoleTheSystemTextStandsBeforeTheUsers) {
    for (const std::string & source : {no_system, silent_system}) {
        const ChatTemplate chat = make(source);
        EXPECT_FALSE(chat.has_system_role());
        const auto merged = chat.render("Be kind.", "Hi");
        EXPECT_NE(merged.text.find("Be kind.\n\nHi"), std::string::npos) << merged.text;
        EXPECT_TRUE(merged.system_merged);
        EXPECT_EQ(chat.render("", "Hi").text, chat.render(std::nullopt, "Hi").text) << "an empty one adds nothing";
    }
    EXPECT_EQ(make(no_system).render("Be kind.", "Hi").text,
              "<bos><start_of_turn>user\nBe kind.\n\nHi<end_of_turn>\n<start_of_turn>model\n");
}

TEST(ChatTemplate, TheDateIsTheOneGiven) {
    const std::string source =
        "{{ strftime_now('%d %b %Y') }} {% for message in messages %}{{ message['content'] }}{% endfor %}";
    EXPECT_EQ(make(source).render(std::nullopt, "Hi").text, "26 Jul 2024 Hi");
    EXPECT_EQ(make(source, "", "2031-01-02").render(std::nullopt, "Hi").text, "02 Jan 2031 Hi");
    for (const char * wrong : {"26.07.2024", "2024-07-26T12:00", "2024-13-01", ""}) {
        expect_error(ErrorKind::usage, {"--date", "YYYY-MM-DD"}, [&] { make(source, "", wrong); });
    }
}

TEST(ChatTemplate, ThinkingIsOffWhereTheTemplateKnowsIt) {
    EXPECT_EQ(make(thinking).render(std::nullopt, "Hi").text, "user:Hi;<think></think>");
    EXPECT_EQ(make(thinking, R"({"enable_thinking": true})").render(std::nullopt, "Hi").text, "user:Hi;");
    EXPECT_EQ(make(thinking, R"({"enable_thinking": false})").render(std::nullopt, "Hi").text,
              "user:Hi;<think></think>");
}

TEST(ChatTemplate, ArgumentsReachTheTemplate) {
    const std::string source =
        "{{ tone }}/{{ level }} {% for message in messages %}{{ message['content'] }}{% endfor %}";
    EXPECT_EQ(make(source, R"({"tone": "warm", "level": 3})").render(std::nullopt, "Hi").text, "warm/3 Hi");
}

TEST(ChatTemplate, ArgumentsThatAreNoObjectAreAUsageError) {
    for (const char * wrong : {"[1]", "{", "3", "enable_thinking=false"}) {
        expect_error(ErrorKind::usage, {"--chat-template-kwargs", wrong, "JSON object"}, [&] { make(chatml, wrong); });
    }
}

TEST(ChatTemplate, BrokenTemplatesAreAUsageError) {
    for (const char * broken : {"{% for message in messages %}", "{{ messages[ }}", "{% if %}x{% endif %}"}) {
        expect_error(ErrorKind::usage, {"chat template", "--chat-template"}, [&] { make(broken); });
    }
}

TEST(ChatTemplate, ATemplateThatLosesTheUsersTextIsAUsageError) {
    expect_error(ErrorKind::usage, {"the user's text does not appear", "--chat-template"},
                 [] { make("always the same"); });
    expect_error(ErrorKind::usage, {"never", "--chat-template"}, [] { make("{{ raise_exception('never') }}"); });
}

} // namespace
} // namespace valuelens
