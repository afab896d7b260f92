#include "evaluate/text.h"

#include <unicode/brkiter.h>
#include <unicode/filteredbrk.h>
#include <unicode/regex.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>

#include "base/fail.h"

namespace valuelens {
namespace {

icu::UnicodeString unicode(std::string_view text) {
    return icu::UnicodeString::fromUTF8(icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())));
}

std::string utf8(const icu::UnicodeString & text) {
    std::string result;
    text.toUTF8String(result);
    return result;
}

void require(UErrorCode status, const char * what) {
    if (U_FAILURE(status)) {
        fail(ErrorKind::internal, "ICU: {} ({})", what, u_errorName(status));
    }
}

bool is_word_character(UChar32 c) {
    return u_isalpha(c) || c == '_' || (U_GET_GC_MASK(c) & U_GC_N_MASK) != 0;
}

bool any_character(const icu::UnicodeString & text, const std::function<bool(UChar32)> & has) {
    for (std::int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
        if (has(text.char32At(i))) {
            return true;
        }
    }
    return false;
}

bool is_upper(const icu::UnicodeString & text) {
    return any_character(text, [](UChar32 c) { return u_isUUppercase(c) != 0; }) &&
           !any_character(text, [](UChar32 c) { return u_isULowercase(c) || u_charType(c) == U_TITLECASE_LETTER; });
}

/// What Python's str.isspace() holds of: Unicode's white space and the four separators of ASCII.
bool is_space(UChar32 c) {
    return u_isUWhiteSpace(c) != 0 || (c >= 0x1C && c <= 0x1F);
}

/// ICU ends no sentence at a full stop before a small letter, which is right only where capitals tell where one begins.
void capitalise_sentences(icu::UnicodeString & text) {
    if (any_character(text, [](UChar32 c) { return u_isUUppercase(c) != 0; })) {
        return;
    }
    static const icu::UnicodeString stops = unicode(".!?\u2026");
    static const icu::UnicodeString closing = unicode("\"')]\u2019\u201D");
    bool ended = false;
    bool space = false;
    for (std::int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
        const UChar32 c = text.char32At(i);
        if (is_space(c)) {
            space = true;
            continue;
        }
        if (ended && space) {
            text.replace(i, U16_LENGTH(c), u_toupper(c));
        }
        ended = stops.indexOf(c) >= 0 || (ended && closing.indexOf(c) >= 0);
        space = false;
    }
}

/// Calls `take` for each piece between the boundaries of `breaks`, with the tag of the rule that ended it.
void for_each_piece(icu::BreakIterator & breaks, const icu::UnicodeString & text,
                    const std::function<void(const icu::UnicodeString &, std::int32_t)> & take) {
    breaks.setText(text);
    std::int32_t begin = breaks.first();
    for (std::int32_t end = breaks.next(); end != icu::BreakIterator::DONE; begin = end, end = breaks.next()) {
        take(text.tempSubStringBetween(begin, end), breaks.getRuleStatus());
    }
}

/// Each evaluation of a text works on its own copy: iterators hold a place.
std::unique_ptr<icu::BreakIterator> word_breaks() {
    UErrorCode status = U_ZERO_ERROR;
    static const std::unique_ptr<icu::BreakIterator> model(
        icu::BreakIterator::createWordInstance(icu::Locale::getRoot(), status));
    require(status, "cannot find words");
    return std::unique_ptr<icu::BreakIterator>(model->clone());
}

std::unique_ptr<icu::BreakIterator> sentence_breaks() {
    UErrorCode status = U_ZERO_ERROR;
    static const std::unique_ptr<icu::BreakIterator> model = [&] {
        const icu::Locale english("en");
        const std::unique_ptr<icu::FilteredBreakIteratorBuilder> builder(
            icu::FilteredBreakIteratorBuilder::createInstance(english, status));
        std::unique_ptr<icu::BreakIterator> plain(icu::BreakIterator::createSentenceInstance(english, status));
        require(status, "cannot find sentences");
        for (const char * more : {"Dr.", "Mrs.", "Ms.", "St.", "Prof.", "Jr.", "Sr.", "vs."}) {
            builder->suppressBreakAfter(more, status);
        }
        return std::unique_ptr<icu::BreakIterator>(builder->build(plain.release(), status));
    }();
    require(status, "cannot find sentences");
    return std::unique_ptr<icu::BreakIterator>(model->clone());
}

/// What separates tokens beside white space, wherever it stands.
bool separates(UChar32 c) {
    static const icu::UnicodeString separators = unicode(";@#$%&?!\"()[]{}<>\u201C\u201D\u00AB\u00BB\u2026\u2014");
    return separators.indexOf(c) >= 0;
}

/// Full stops, commas, colons and quotes at the ends of a token are none of it.
icu::UnicodeString without_ends(icu::UnicodeString token) {
    const auto at_end = [](UChar32 c) {
        return c == '.' || c == ',' || c == ':' || c == '\'' || c == 0x2018 || c == 0x2019 || c == '`';
    };
    while (!token.isEmpty() && at_end(token.char32At(0))) {
        token.remove(0, 1);
    }
    while (!token.isEmpty() && at_end(token.char32At(token.length() - 1))) {
        token.truncate(token.length() - 1);
    }
    return token;
}

/// 2 where an English contraction ends the token ("I'M", "DON'T"), else 1.
std::size_t parts_of(const icu::UnicodeString & token) {
    static const std::array<icu::UnicodeString, 7> endings = {"'S", "'M", "'D", "'LL", "'RE", "'VE", "N'T"};
    icu::UnicodeString plain = token;
    plain.findAndReplace(icu::UnicodeString(static_cast<UChar32>(0x2019)), "'");
    const bool contracted = std::any_of(endings.begin(), endings.end(), [&](const icu::UnicodeString & ending) {
        return plain.length() > ending.length() && plain.endsWith(ending);
    });
    return contracted ? 2 : 1;
}

} // namespace

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    for_each_piece(*word_breaks(), unicode(text), [&](const icu::UnicodeString & piece, std::int32_t tag) {
        if (tag >= UBRK_WORD_NONE_LIMIT) {
            words.push_back(utf8(icu::UnicodeString(piece).toLower(icu::Locale::getRoot())));
        }
    });
    return words;
}

std::string first_words(std::string_view text, std::size_t n) {
    std::string kept;
    std::size_t words = 0;
    for_each_piece(*word_breaks(), unicode(text), [&](const icu::UnicodeString & piece, std::int32_t tag) {
        if (words < n) {
            words += tag >= UBRK_WORD_NONE_LIMIT ? 1 : 0;
            kept += utf8(piece);
        }
    });
    return words < n ? std::string(text) : kept;
}

std::size_t count_word_runs(std::string_view text) {
    const icu::UnicodeString characters = unicode(text);
    std::size_t n = 0;
    bool inside = false;
    for (std::int32_t i = 0; i < characters.length(); i = characters.moveIndex32(i, 1)) {
        const bool word = is_word_character(characters.char32At(i));
        n += word && !inside ? 1 : 0;
        inside = word;
    }
    return n;
}

std::size_t count_sentences(std::string_view text) {
    icu::UnicodeString one_line = unicode(text);
    one_line.findAndReplace("\r", " ");
    one_line.findAndReplace("\n", " ");
    capitalise_sentences(one_line);
    std::size_t n = 0;
    for_each_piece(*sentence_breaks(), one_line, [&](const icu::UnicodeString & piece, std::int32_t) {
        n += any_character(piece, is_word_character) ? 1 : 0;
    });
    return n;
}

std::size_t count_capital_tokens(std::string_view text) {
    const icu::UnicodeString characters = unicode(text);
    std::size_t n = 0;
    icu::UnicodeString token;
    const auto finish = [&] {
        token = without_ends(token);
        n += is_upper(token) ? parts_of(token) : 0;
        token.remove();
    };
    for (std::int32_t i = 0; i < characters.length(); i = characters.moveIndex32(i, 1)) {
        const UChar32 c = characters.char32At(i);
        const auto digit_after = [&] {
            return u_isdigit(characters.char32At(characters.moveIndex32(i, 1))) != 0;
        };
        const bool dashes =
            c == '-' && (characters.char32At(i + 1) == '-' || (i > 0 && characters.char32At(i - 1) == '-'));
        if (u_isUWhiteSpace(c) || separates(c) || dashes || ((c == ',' || c == ':') && !digit_after())) {
            finish();
        } else {
            token.append(c);
        }
    }
    finish();
    return n;
}

std::string lower_case(std::string_view text) {
    return utf8(unicode(text).toLower(icu::Locale::getRoot()));
}

std::string_view without_outer_space(std::string_view text) {
    const auto size = static_cast<std::int32_t>(text.size());
    UChar32 c = 0;
    std::int32_t begin = 0;
    for (std::int32_t next = 0; next < size; begin = next) {
        U8_NEXT(text.data(), next, size, c);
        if (!is_space(c)) {
            break;
        }
    }
    std::int32_t end = size;
    for (std::int32_t before = size; before > begin; end = before) {
        U8_PREV(text.data(), begin, before, c);
        if (!is_space(c)) {
            break;
        }
    }
    return text.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
}

bool is_upper_case(std::string_view text) {
    return is_upper(unicode(text));
}

bool is_lower_case(std::string_view text) {
    const icu::UnicodeString characters = unicode(text);
    return any_character(characters, [](UChar32 c) { return u_isULowercase(c) != 0; }) &&
           !any_character(characters,
                          [](UChar32 c) { return u_isUUppercase(c) || u_charType(c) == U_TITLECASE_LETTER; });
}

std::vector<std::string> split_at(std::string_view text, std::string_view separator) {
    std::vector<std::string> pieces;
    std::size_t begin = 0;
    for (std::size_t at = text.find(separator); at != std::string_view::npos; at = text.find(separator, begin)) {
        pieces.emplace_back(text.substr(begin, at - begin));
        begin = at + separator.size();
    }
    pieces.emplace_back(text.substr(begin));
    return pieces;
}

struct Pattern::Impl {
    std::unique_ptr<icu::RegexPattern> pattern;

    /// Calls `take` with the beginning and end of each match.
    void for_each(const icu::UnicodeString & text,
                  const std::function<void(std::int32_t begin, std::int32_t end)> & take) const {
        UErrorCode status = U_ZERO_ERROR;
        const std::unique_ptr<icu::RegexMatcher> matcher(pattern->matcher(text, status));
        require(status, "cannot match");
        while (matcher->find(status)) {
            take(matcher->start(status), matcher->end(status));
        }
        require(status, "cannot match");
    }
};

Pattern::Pattern(std::string_view pattern, int flags) : impl_(std::make_unique<Impl>()) {
    UErrorCode status = U_ZERO_ERROR;
    UParseError where;
    std::uint32_t icu_flags = UREGEX_UNIX_LINES;
    if ((flags & ignore_case) != 0) {
        icu_flags |= UREGEX_CASE_INSENSITIVE;
    }
    if ((flags & multiline) != 0) {
        icu_flags |= UREGEX_MULTILINE;
    }
    impl_->pattern.reset(icu::RegexPattern::compile(unicode(pattern), icu_flags, where, status));
    if (U_FAILURE(status)) {
        fail(ErrorKind::bad_input, "\"{}\" is no regular expression ({})", pattern, u_errorName(status));
    }
}

Pattern::~Pattern() = default;
Pattern::Pattern(Pattern &&) noexcept = default;
Pattern & Pattern::operator=(Pattern &&) noexcept = default;

std::vector<std::string> Pattern::matches(std::string_view text) const {
    const icu::UnicodeString characters = unicode(text);
    std::vector<std::string> found;
    impl_->for_each(characters, [&](std::int32_t begin, std::int32_t end) {
        found.push_back(utf8(characters.tempSubStringBetween(begin, end)));
    });
    return found;
}

std::size_t Pattern::count(std::string_view text) const {
    std::size_t n = 0;
    impl_->for_each(unicode(text), [&](std::int32_t, std::int32_t) { ++n; });
    return n;
}

std::vector<std::string> Pattern::split(std::string_view text) const {
    const icu::UnicodeString characters = unicode(text);
    std::vector<std::string> pieces;
    std::int32_t last = 0;
    impl_->for_each(characters, [&](std::int32_t begin, std::int32_t end) {
        pieces.push_back(utf8(characters.tempSubStringBetween(last, begin)));
        last = end;
    });
    pieces.push_back(utf8(characters.tempSubStringBetween(last, characters.length())));
    return pieces;
}

} // namespace valuelens
