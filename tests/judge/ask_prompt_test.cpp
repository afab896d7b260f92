#include "judge/ask_prompt.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

TEST(AskPrompt, AModelThatNoShippedPromptNamesGetsTheDefault) {
    const AskPrompt prompt = shipped_ask_prompt("some other model");
    EXPECT_THAT(prompt.user, testing::HasSubstr("{text}"));
    EXPECT_EQ(prompt.yes, "Yes");
    EXPECT_EQ(prompt.no, "No");
    EXPECT_EQ(load_ask_prompt("auto", "some other model").user, prompt.user);
    EXPECT_TRUE(prompt.quality.empty()) << "measured with no particular model";
}

TEST(AskPrompt, AModelWithAWordingOfItsOwnGetsItAndHowItWasMeasured) {
    const AskPrompt small = shipped_ask_prompt("Qwen2.5 Coder 0.5B Instruct GGUF");
    EXPECT_EQ(small.name, "name and definition");
    EXPECT_THAT(small.quality, testing::HasSubstr("\"mean_auroc\":0.568"));
    const AskPrompt large = shipped_ask_prompt("Qwen2.5 Coder 1.5B Instruct GGUF");
    EXPECT_NE(large.user, small.user);
    EXPECT_THAT(large.quality, testing::HasSubstr("mean_auroc_interval"));
}

TEST(AskPrompt, IsReadFromAFile) {
    const TempFolder folder;
    write_file(folder / "mine.toml", "user = \"{text}\\nAbout {short}?\"\nyes = \"True\"\nno = \"False\"\n");
    const AskPrompt prompt = load_ask_prompt((folder / "mine.toml").string(), "any");
    EXPECT_EQ(prompt.name, "mine");
    EXPECT_EQ(prompt.user, "{text}\nAbout {short}?");
    EXPECT_EQ(prompt.yes, "True");
    EXPECT_EQ(prompt.no, "False");
}

TEST(AskPrompt, ABadFileIsSaidWithItsLine) {
    const TempFolder folder;
    const auto load = [&](const std::string & text) {
        write_file(folder / "bad.toml", text);
        load_ask_prompt((folder / "bad.toml").string(), "any");
    };
    expect_error(ErrorKind::bad_input, {"bad.toml:2", "not TOML"},
                 [&] { load("user = \"{text} {value}\"\nyes = \n"); });
    expect_error(ErrorKind::bad_input, {"bad.toml:2", "unknown key", "maybe"},
                 [&] { load("user = \"{text} {value}\"\nmaybe = \"Perhaps\"\n"); });
    expect_error(ErrorKind::bad_input, {"bad.toml", "`user`"}, [&] { load("yes = \"Ja\"\n"); });
    expect_error(ErrorKind::usage, {"bad.toml", "{text}", "{definition}"}, [&] { load("user = \"{text}, good?\"\n"); });
    expect_error(ErrorKind::usage, {"bad.toml", "{text}"}, [&] { load("user = \"Is {value} good?\"\n"); });
    expect_error(ErrorKind::bad_input, {"absent.toml"},
                 [&] { load_ask_prompt((folder / "absent.toml").string(), ""); });
}

} // namespace
} // namespace valuelens
