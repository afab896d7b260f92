#include <cstdio> // what cld2 forgets to include

#include <cld2/public/compact_lang_det.h>

#include "base/utf8.h"
#include "evaluate/text.h"

namespace valuelens {

std::string language_of(std::string_view text) {
    // The statistics are of running text: capitals would count as names and acronyms.
    const std::string running = lower_case(to_valid_utf8(text));
    CLD2::Language languages[3];
    int percents[3];
    double scores[3];
    int bytes = 0;
    bool reliable = false;
    CLD2::ExtDetectLanguageSummary(running.data(), static_cast<int>(running.size()), /* is_plain_text = */ true,
                                   /* hints = */ nullptr, CLD2::kCLDFlagBestEffort, languages, percents, scores,
                                   /* chunks = */ nullptr, &bytes, &reliable);
    if (languages[0] == CLD2::UNKNOWN_LANGUAGE) {
        return {};
    }
    const std::string code = CLD2::LanguageCode(languages[0]);
    if (code == "iw") { // the old code of Hebrew
        return "he";
    }
    return code.starts_with("zh") ? "zh" : code;
}

std::span<const std::string_view> detected_languages() {
    // From CLD2's tables (kRecognizedLangScripts) and its scripts of one language alone (RTypeOne), which it names at
    // run time only once it meets them.
    static constexpr std::string_view codes[] = {
        "af", "ar",  "az", "be", "bg", "bh", "bn", "bs", "ca", "ceb", "chr", "cs", "cy", "da", "de",  "dv",
        "el", "en",  "es", "et", "eu", "fa", "fi", "fr", "ga", "gd",  "gl",  "gu", "he", "hi", "hmn", "hr",
        "ht", "hu",  "hy", "id", "is", "it", "iu", "ja", "jw", "ka",  "kk",  "km", "kn", "ko", "ku",  "ky",
        "lg", "lif", "lo", "lt", "lv", "mg", "mk", "ml", "mn", "mr",  "ms",  "mt", "my", "ne", "nl",  "no",
        "ny", "or",  "pa", "pl", "pt", "ro", "ru", "rw", "si", "sk",  "sl",  "sq", "sr", "st", "su",  "sv",
        "sw", "syr", "ta", "te", "tg", "th", "tl", "tr", "uk", "ur",  "uz",  "vi", "yi", "zh"};
    return codes;
}

} // namespace valuelens
