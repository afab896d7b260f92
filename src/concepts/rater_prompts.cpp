#include "concepts/rater_prompts.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "concepts/shipped.h"
#include "concepts/text_slots.h"
#include "concepts/toml_table.h"

namespace valuelens {
namespace {

struct QuestionKind {
    RaterQuestion question;
    const char * table; ///< of the shipped file
    std::vector<std::string_view> needed;
    bool about_value;
    bool two_words;
};

const QuestionKind & kind_of(RaterQuestion question) {
    static const std::vector<QuestionKind> kinds = {
        {RaterQuestion::freeform, "freeform", {"question", "answer"}, true, false},
        {RaterQuestion::dilemmas, "dilemmas", {"situation", "first", "second"}, true, false},
        {RaterQuestion::compliance, "compliance", {"request", "answer"}, false, false},
        {RaterQuestion::classifier, "classifier", {"request", "answer"}, false, true},
    };
    return *std::find_if(kinds.begin(), kinds.end(),
                         [&](const QuestionKind & each) { return each.question == question; });
}

constexpr std::string_view value_slots[] = {"value", "definition", "short"};

void check_slots(const TomlTable & table, const std::string & text, const QuestionKind & kind) {
    std::vector<std::string_view> known = kind.needed;
    if (kind.about_value) {
        known.insert(known.end(), std::begin(value_slots), std::end(value_slots));
    }
    std::vector<std::string_view> found;
    for (const TextSlot & slot : find_slots(text)) {
        if (std::find(known.begin(), known.end(), slot.name) == known.end()) {
            table.bad(table.line_of("user"), "slot {{{}}} is unknown; the slots are {{{}}}", slot.name,
                      fmt::join(known, "}, {"));
        }
        found.push_back(slot.name);
    }
    const auto has = [&](std::string_view name) {
        return std::find(found.begin(), found.end(), name) != found.end();
    };
    for (const std::string_view name : kind.needed) {
        if (!has(name)) {
            table.bad(table.line_of("user"), "\"user\" has no {{{}}}", name);
        }
    }
    if (kind.about_value && std::none_of(std::begin(value_slots), std::end(value_slots), has)) {
        table.bad(table.line_of("user"), "\"user\" has none of {{{}}}, so it asks about no value",
                  fmt::join(value_slots, "}, {"));
    }
}

RaterPrompt read_prompt(const TomlTable & table, const QuestionKind & kind, std::string name) {
    kind.two_words ? table.allow_only({"user", "yes", "no"}) : table.allow_only({"user"});
    RaterPrompt prompt;
    prompt.name = std::move(name);
    prompt.user = table.text("user");
    check_slots(table, prompt.user, kind);
    if (table.has("yes")) {
        prompt.yes = table.text("yes");
    }
    if (table.has("no")) {
        prompt.no = table.text("no");
    }
    if (prompt.yes == prompt.no) {
        table.bad(table.line_of("no"), "\"yes\" and \"no\" are the same word \"{}\"", prompt.no);
    }
    return prompt;
}

} // namespace

RaterPrompt shipped_rater_prompt(RaterQuestion question) {
    const ShippedText shipped = shipped_text("rater_prompts.toml");
    const toml::table document = parse_toml(shipped.text, shipped.name);
    const QuestionKind & kind = kind_of(question);
    return read_prompt(TomlTable(document, shipped.name, 1, "the judge's questions").table(kind.table), kind,
                       "shipped");
}

RaterPrompt load_rater_prompt(RaterQuestion question, const std::filesystem::path & path) {
    if (path.empty()) {
        return shipped_rater_prompt(question);
    }
    const toml::table document = parse_toml(read_file(path), path.string());
    return read_prompt(TomlTable(document, path.string(), 1, "a judge's question"), kind_of(question),
                       path.stem().string());
}

} // namespace valuelens
