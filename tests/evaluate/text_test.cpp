#include "evaluate/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "support/expect_error.h"

namespace valuelens {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Text, WordsOfAnyLanguage) {
    EXPECT_THAT(words_of("The cat's hat, isn't it? 3.5!"), ElementsAre("the", "cat's", "hat", "isn't", "it", "3.5"));
    EXPECT_THAT(words_of("我喜欢吃苹果。"), ElementsAre("我", "喜欢", "吃", "苹果"));
    EXPECT_THAT(words_of("나는 사과를 좋아한다."), ElementsAre("나는", "사과를", "좋아한다"));
    EXPECT_THAT(words_of("ÉCOLE"), ElementsAre("école"));
    EXPECT_THAT(words_of(" ... !"), IsEmpty());
    EXPECT_THAT(words_of(""), IsEmpty());
    EXPECT_THAT(words_of("a\xFF"), ElementsAre("a")) << "a broken byte is no word";
}

TEST(Text, TheFirstWordsEndWithTheWord) {
    EXPECT_EQ(first_words("Yes, we do. Really!", 2), "Yes, we");
    EXPECT_EQ(first_words("Yes, we do.", 0), "");
    EXPECT_EQ(first_words("Yes, we do.", 9), "Yes, we do.");
    EXPECT_EQ(first_words("我喜欢吃苹果", 2), "我喜欢");
}

TEST(Text, SentencesKnowAbbreviations) {
    EXPECT_EQ(count_sentences("Dr. Smith and Mr. Jones met at 5 p.m. on Monday. They talked."), 2u);
    EXPECT_EQ(count_sentences("One. Two! Three?"), 3u);
    EXPECT_EQ(count_sentences("no end"), 1u);
    EXPECT_EQ(count_sentences(" \n"), 0u);
}

TEST(Text, CasesOfLetters) {
    EXPECT_TRUE(is_upper_case("ÀB 1!"));
    EXPECT_FALSE(is_upper_case("ÀBc"));
    EXPECT_FALSE(is_upper_case("12"));
    EXPECT_TRUE(is_lower_case("àb 1!"));
    EXPECT_FALSE(is_lower_case("àB"));
    EXPECT_FALSE(is_lower_case("我"));
}

TEST(Text, PatternsKnowOneLineEnd) {
    EXPECT_THAT(Pattern("b.*$", Pattern::multiline).matches("abc\nbd\xC2\x85x"), ElementsAre("bc", "bd\xC2\x85x"));
    EXPECT_THAT(Pattern("\\s?-\\s?").split("a - b-c"), ElementsAre("a", "b", "c"));
    EXPECT_EQ(Pattern("É", Pattern::ignore_case).count("éÉe"), 2u);
    expect_error(ErrorKind::bad_input, {"\"(\"", "regular expression"}, [] { Pattern("("); });
}

TEST(Text, LanguagesThatInstructionsAskFor) {
    const std::pair<const char *, const char *> samples[] = {{"en", "a short poem about cats"},
                                                             {"en", "THIS IS IN CAPITAL LETTERS"},
                                                             {"ar", "مرحبا بكم في هذا النص القصير"},
                                                             {"bg", "Това е кратък текст на български език"},
                                                             {"bn", "এটি একটি ছোট বাংলা লেখা"},
                                                             {"de", "Das ist ein kurzer deutscher Text"},
                                                             {"fa", "این یک متن کوتاه فارسی است"},
                                                             {"fi", "Tämä on lyhyt suomenkielinen teksti"},
                                                             {"gu", "આ એક ટૂંકું ગુજરાતી લખાણ છે"},
                                                             {"hi", "यह एक छोटा हिंदी पाठ है"},
                                                             {"it", "Questo è un breve testo in italiano"},
                                                             {"kn", "ಇದು ಒಂದು ಸಣ್ಣ ಕನ್ನಡ ಪಠ್ಯ"},
                                                             {"ko", "이것은 짧은 한국어 글입니다"},
                                                             {"mr", "हा एक छोटा मराठी मजकूर आहे"},
                                                             {"ne", "यो एउटा छोटो नेपाली पाठ हो"},
                                                             {"pa", "ਇਹ ਇੱਕ ਛੋਟਾ ਪੰਜਾਬੀ ਪਾਠ ਹੈ"},
                                                             {"pt", "Este é um texto curto em português"},
                                                             {"ru", "Это короткий русский текст"},
                                                             {"sw", "Hii ni maandishi mafupi ya Kiswahili"},
                                                             {"ta", "இது ஒரு சிறிய தமிழ் உரை"},
                                                             {"te", "ఇది ఒక చిన్న తెలుగు పాఠం"},
                                                             {"th", "นี่คือข้อความสั้นภาษาไทย"},
                                                             {"ur", "یہ ایک مختصر اردو متن ہے"},
                                                             {"vi", "Đây là một đoạn văn ngắn tiếng Việt"},
                                                             {"zh", "这是一段简短的中文"},
                                                             {"", "123 456 !!!"},
                                                             {"", ""}};
    for (const auto & [language, text] : samples) {
        EXPECT_EQ(language_of(text), language) << text;
        EXPECT_TRUE(*language == 0 || std::ranges::binary_search(detected_languages(), std::string_view(language)))
            << language;
    }
}

} // namespace
} // namespace valuelens
