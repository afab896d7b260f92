#include "concepts/rater_prompts.h"

#include "concepts/files.h"
#include "support/expect_error.h"

namespace valuelens {
namespace {

TEST(RaterPrompts, ShippedOnesHaveWhatTheyNeed) {
    for (const RaterQuestion question :
         {RaterQuestion::freeform, RaterQuestion::dilemmas, RaterQuestion::compliance, RaterQuestion::classifier}) {
        EXPECT_EQ(shipped_rater_prompt(question).name, "shipped");
    }
    EXPECT_EQ(shipped_rater_prompt(RaterQuestion::classifier).no, "No");
}

TEST(RaterPrompts, OnesOwnIsCheckedSlotBySlot) {
    const FileFolder files;
    const auto load = [&](RaterQuestion question, const std::string & text) {
        return load_rater_prompt(question, files.write("mine.toml", text));
    };
    const auto expect_refused = [&](RaterQuestion question, const std::string & text,
                                    const std::vector<std::string> & words) {
        expect_error(ErrorKind::bad_input, words, [&] { load(question, text); });
    };
    const RaterPrompt mine =
        load(RaterQuestion::classifier, "user = \"{request} {answer} {\\\"a\\\": 1}\"\nyes = \"ja\"\nno = \"nein\"\n");
    EXPECT_EQ(mine.name, "mine");
    EXPECT_EQ(mine.yes, "ja");
    EXPECT_EQ(load(RaterQuestion::freeform, "user = \"{question} {answer} {short}\"").yes, "Yes");

    expect_refused(RaterQuestion::freeform, "\nuser = \"{answer} {value}\"", {"mine.toml:2", "{question}"});
    expect_refused(RaterQuestion::freeform, "user = \"{question} {answer}\"", {"mine.toml:1", "no value"});
    expect_refused(RaterQuestion::compliance, "user = \"{request} {answer} {value}\"", {"{value}", "unknown"});
    expect_refused(RaterQuestion::compliance, "user = \"{request} {answer}\"\nyes = \"y\"", {"yes"});
    expect_refused(RaterQuestion::classifier, "user = \"{request} {answer}\"\nno = \"Yes\"", {"mine.toml:2", "same"});
    expect_refused(RaterQuestion::dilemmas, "text = \"x\"", {"text"});
}

} // namespace
} // namespace valuelens
