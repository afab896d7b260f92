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
    return code.starts_with("zh") ? "zh" : code;
}

} // namespace valuelens
