#include "concepts/refusals.h"

#include <algorithm>

#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"
#include "concepts/dictionary.h"
#include "concepts/shipped.h"
#include "concepts/text_lines.h"

namespace valuelens {
namespace {

/// In lower case, with plain apostrophes and single spaces.
std::string plain(std::string_view text) {
    constexpr std::string_view curly = "\u2019";
    std::string result;
    const std::string lower = lower_latin1(std::string(text));
    for (std::size_t i = 0; i < lower.size(); ++i) {
        if (lower.compare(i, curly.size(), curly) == 0) {
            result += '\'';
            i += curly.size() - 1;
        } else if (is_blank(lower.substr(i, 1))) {
            result += result.empty() || result.back() == ' ' ? "" : " ";
        } else {
            result += lower[i];
        }
    }
    return std::string(trimmed(result));
}

} // namespace

RefusalPhrases::RefusalPhrases(std::string_view lines, const std::string & name) {
    for_each_text_line(lines, [&](std::string_view line, std::size_t) {
        if (!is_blank(line) && !line.starts_with('#')) {
            phrases_.push_back(plain(line));
        }
    });
    if (phrases_.empty()) {
        fail(ErrorKind::bad_input, "{}: holds no phrase, expected one a line", name);
    }
}

bool RefusalPhrases::found_in(const std::string & answer) const {
    const std::string text = plain(answer);
    return text.empty() || std::any_of(phrases_.begin(), phrases_.end(), [&](const std::string & phrase) {
               return text.find(phrase) != std::string::npos;
           });
}

RefusalPhrases shipped_refusal_phrases() {
    const ShippedText shipped = shipped_text("compliance/refusal_phrases.txt");
    return RefusalPhrases(shipped.text, shipped.name);
}

RefusalPhrases load_refusal_phrases(const std::filesystem::path & path) {
    return path.empty() ? shipped_refusal_phrases() : RefusalPhrases(read_file(path), path.string());
}

} // namespace valuelens
