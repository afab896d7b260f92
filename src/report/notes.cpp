#include "report/notes.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "report/lookup.h"

namespace valuelens {

namespace {

constexpr std::string_view value_begin = "value '";
constexpr std::string_view condition_begin = ", condition ";

/// A text with each number as "#".
std::string without_numbers(const std::string & text) {
    std::string result;
    for (const char c : text) {
        const bool digit = std::isdigit(static_cast<unsigned char>(c)) != 0;
        if (!digit || !result.ends_with('#')) {
            result += digit ? '#' : c;
        }
    }
    return result;
}

bool is_value(const Json & model, const std::string & id) {
    const Json & values = model.at("concept_set").at("values");
    return std::any_of(values.begin(), values.end(), [&](const Json & value) { return value.at("id") == id; });
}

struct Reason {
    std::string key;
    std::vector<std::string> subjects;
    std::string text; ///< of the first
    bool alike = true;
};

std::string sentence_of(const Reason & reason) {
    if (reason.subjects.empty()) {
        return reason.text;
    }
    return fmt::format("{}: {}{}", fmt::join(reason.subjects, ", "), reason.text,
                       reason.alike ? "" : fmt::format(" (the numbers are those of {})", reason.subjects.front()));
}

} // namespace

Note note_without_subject(const Json & model, const std::string & note) {
    const std::size_t colon = note.find(": ");
    if (colon == std::string::npos) {
        return {"", note};
    }
    const std::string text = note.substr(colon + 2);
    if (!note.starts_with(value_begin)) {
        const std::string id = note.substr(0, colon);
        return is_value(model, id) ? Note{value_name(model, id), text} : Note{"", note};
    }
    const std::size_t quote = note.find('\'', value_begin.size());
    if (quote == std::string::npos || quote > colon) {
        return {"", note};
    }
    const std::string name = value_name(model, note.substr(value_begin.size(), quote - value_begin.size()));
    const std::string rest = note.substr(quote + 1, colon - quote - 1);
    if (rest.empty()) {
        return {name, text};
    }
    return rest.starts_with(condition_begin)
               ? Note{fmt::format("{} ({})", name, rest.substr(condition_begin.size())), text}
               : Note{"", note};
}

bool repeats(const std::string & text, const std::vector<std::string> & problems) {
    return std::any_of(problems.begin(), problems.end(), [&](const std::string & problem) {
        return !problem.empty() && text.find(problem) != std::string::npos;
    });
}

std::vector<std::string> joined_notes(const Json & model, const Json & notes,
                                      const std::vector<std::string> & problems) {
    std::vector<Reason> reasons;
    for (const Json & note : notes) {
        const std::string whole = note;
        if (repeats(whole, problems)) {
            continue;
        }
        Note one = note_without_subject(model, whole);
        // Notes without a subject are joined where they are the same to the letter alone.
        const std::string key = one.subject.empty() ? whole : "#: " + without_numbers(one.text);
        auto known =
            std::find_if(reasons.begin(), reasons.end(), [&](const Reason & other) { return other.key == key; });
        if (known == reasons.end()) {
            reasons.push_back({key, {}, one.text, true});
            known = std::prev(reasons.end());
        }
        known->alike = known->alike && known->text == one.text;
        if (!one.subject.empty() &&
            std::find(known->subjects.begin(), known->subjects.end(), one.subject) == known->subjects.end()) {
            known->subjects.push_back(std::move(one.subject));
        }
    }
    std::vector<std::string> sentences;
    std::transform(reasons.begin(), reasons.end(), std::back_inserter(sentences), sentence_of);
    return sentences;
}

} // namespace valuelens
