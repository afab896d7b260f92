#include "concepts/questionnaire.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/text.h"
#include "concepts/json_lines.h"
#include "concepts/shipped.h"
#include "concepts/text_slots.h"
#include "concepts/toml_table.h"
#include "concepts/unique_ids.h"

namespace valuelens {

namespace {

constexpr std::size_t option_count = 6;
constexpr std::string_view portrait_schema = R"({"id", "value", "text": {"<language>": "...", ...}})";

/// Each slot once, and no other.
void check_slots(const TomlTable & table, const std::string & text, const std::vector<std::string_view> & wanted) {
    std::vector<std::string_view> missing = wanted;
    for (const TextSlot & slot : find_slots(text)) {
        const auto found = std::find(missing.begin(), missing.end(), slot.name);
        if (found == missing.end()) {
            table.bad(table.line_of("text"), "slot {{{}}} is unknown or used twice in \"text\"; the slots are {{{}}}",
                      slot.name, fmt::join(wanted, "}, {"));
        }
        missing.erase(found);
    }
    if (!missing.empty()) {
        table.bad(table.line_of("text"), "\"text\" has no {{{}}}", missing.front());
    }
}

std::vector<QuestionFrame> parse_frames(const TomlTable & parent, const char * key,
                                        const std::vector<std::string_view> & slots) {
    std::vector<QuestionFrame> frames;
    UniqueIds ids;
    UniqueIds texts;
    for (const TomlTable & table : parent.tables(key)) {
        table.allow_only({"id", "text"});
        frames.push_back({table.text("id"), table.text("text")});
        const auto place = [&](const char * name) {
            return fmt::format("{}:{}", table.file(), table.line_of(name));
        };
        ids.add(frames.back().id, place("id"));
        texts.add(frames.back().text, place("text"), "text");
        check_slots(table, frames.back().text, slots);
    }
    return frames;
}

std::vector<std::string> parse_options(const TomlTable & table) {
    std::vector<std::string> options = table.texts("options");
    if (options.size() != option_count) {
        table.bad(table.line_of("options"),
                  "\"options\" has {} answers, expected {}, from the closest likeness to none", options.size(),
                  option_count);
    }
    UniqueIds labels;
    for (const std::string & option : options) {
        labels.add(option, fmt::format("{}:{}", table.file(), table.line_of("options")), "option");
    }
    return options;
}

QuestionnaireTexts parse_texts(std::string_view text, const std::string & file) {
    const toml::table document = parse_toml(text, file);
    const TomlTable root(document, file, 1, "the texts of a questionnaire");
    root.allow_only({"language", "name", "options", "question", "freeform", "similarity"});
    QuestionnaireTexts texts;
    texts.language = root.text("language");
    texts.name = root.text("name");
    texts.likeness = {parse_options(root), parse_frames(root, "question", {"item", "options"})};
    texts.freeform = parse_frames(root, "freeform", {"item"});
    if (root.has("similarity")) {
        const TomlTable similarity = root.table("similarity");
        similarity.allow_only({"options", "question"});
        texts.similarity = AnswerScale{parse_options(similarity),
                                       parse_frames(similarity, "question", {"query", "response", "options"})};
    }
    return texts;
}

/// `text` may be a string, which serves any language, or an object with a text for each.
std::string text_in(const JsonRecord & record, const std::string & language) {
    const auto found = record.object.find("text");
    std::string text;
    if (found != record.object.end() && found->is_object()) {
        const JsonRecord languages{*found, record.where + ": \"text\"", record.number, record.schema};
        text = languages.text(language.c_str());
    } else {
        text = record.text("text");
    }
    if (is_blank(text)) {
        record.bad("\"text\" is empty in \"{}\"", language);
    }
    return text;
}

Questionnaire parse_portraits(std::string_view text, const std::string & name, const std::string & language,
                              const std::vector<std::string> * values) {
    Questionnaire questionnaire;
    questionnaire.language = language;
    UniqueIds ids;
    for_each_json_record(text, name, portrait_schema, [&](const JsonRecord & record) {
        QuestionnaireItem item{record.identifier("id"), record.text("value"), text_in(record, language)};
        ids.add(item.id, record.where);
        if (values != nullptr && std::find(values->begin(), values->end(), item.value) == values->end()) {
            record.bad("\"value\" is \"{}\", which is not in the concept set; known: {}", item.value,
                       fmt::join(*values, ", "));
        }
        questionnaire.items.push_back(std::move(item));
    });
    return questionnaire;
}

std::string embedded_texts(const std::string & language) {
    const std::vector<std::string> languages = questionnaire_languages();
    if (std::find(languages.begin(), languages.end(), language) == languages.end()) {
        fail(ErrorKind::usage, "there is no questionnaire in \"{}\"; shipped: {}", language,
             fmt::join(languages, ", "));
    }
    return fmt::format("questionnaires/{}.toml", language);
}

} // namespace

std::vector<std::string> questionnaire_languages() {
    constexpr std::string_view folder = "questionnaires/";
    constexpr std::string_view extension = ".toml";
    std::vector<std::string> languages;
    for (const EmbeddedFile & file : embedded_files()) {
        if (file.path.starts_with(folder) && file.path.ends_with(extension)) {
            const std::string_view stem =
                file.path.substr(folder.size(), file.path.size() - folder.size() - extension.size());
            if (stem.find('/') == std::string_view::npos) {
                languages.emplace_back(stem);
            }
        }
    }
    std::sort(languages.begin(), languages.end());
    return languages;
}

Questionnaire shipped_portraits(const std::string & language) {
    embedded_texts(language);
    const ShippedText shipped = shipped_text("questionnaires/portraits40.jsonl");
    Questionnaire questionnaire = parse_portraits(shipped.text, shipped.name, language, nullptr);
    questionnaire.name = "portraits40";
    return questionnaire;
}

QuestionnaireTexts shipped_questionnaire_texts(const std::string & language) {
    const ShippedText shipped = shipped_text(embedded_texts(language));
    return parse_texts(shipped.text, shipped.name);
}

QuestionnaireTexts load_questionnaire_texts(const std::filesystem::path & path) {
    return parse_texts(read_file(path), path.string());
}

Questionnaire load_portraits(const std::filesystem::path & path, const std::string & language,
                             const std::vector<std::string> & values) {
    Questionnaire questionnaire = parse_portraits(read_file(path), path.string(), language, &values);
    questionnaire.name = path.stem().string();
    return questionnaire;
}

std::string lettered_options(const std::vector<std::string> & labels) {
    constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    if (labels.size() > letters.size()) {
        fail(ErrorKind::internal, "{} options are more than there are letters", labels.size());
    }
    std::string lines;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        lines += fmt::format("{}{}. {}", i == 0 ? "" : "\n", letters[i], labels[i]);
    }
    return lines;
}

std::string ask(const QuestionFrame & frame, const std::string & item, const std::string & options) {
    return fill_slots(frame.text, {{"item", item}, {"options", options}});
}

std::string ask(const QuestionFrame & freeform, const std::string & item) {
    return fill_slots(freeform.text, {{"item", item}});
}

std::string ask_similarity(const QuestionFrame & frame, const std::string & query, const std::string & response,
                           const std::string & options) {
    return fill_slots(frame.text, {{"query", query}, {"response", response}, {"options", options}});
}

} // namespace valuelens
