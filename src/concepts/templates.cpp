#include <algorithm>

#include "base/file.h"
#include "concepts/json_lines.h"
#include "concepts/shipped.h"
#include "concepts/text_lines.h"
#include "concepts/unique_ids.h"
#include "valuelens/concept_set.h"

namespace valuelens {

namespace {

constexpr std::string_view schema = R"({"id", "text"})";

/// A word in braces. Braces around anything else are plain text.
struct Slot {
    std::size_t begin;
    std::size_t end; ///< past the closing brace
    std::string_view name;
};

bool is_word_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

std::vector<Slot> find_slots(std::string_view text) {
    std::vector<Slot> slots;
    for (std::size_t open = text.find('{'); open != std::string_view::npos; open = text.find('{', open + 1)) {
        const std::size_t close = text.find_first_of("{}", open + 1);
        if (close == std::string_view::npos || text[close] != '}') {
            continue;
        }
        const std::string_view name = text.substr(open + 1, close - open - 1);
        if (!name.empty() && std::all_of(name.begin(), name.end(), is_word_character)) {
            slots.push_back({open, close + 1, name});
        }
    }
    return slots;
}

std::vector<PromptTemplate> parse_templates(std::string_view text, const std::string & name) {
    std::vector<PromptTemplate> templates;
    UniqueIds ids;
    UniqueIds texts;
    for_each_json_record(text, name, schema, [&](const JsonRecord & record) {
        PromptTemplate parsed{record.identifier("id"), record.text("text")};
        ids.add(parsed.id, record.where);
        texts.add(parsed.text, record.where, "text");
        bool has_value = false;
        for (const Slot & slot : find_slots(parsed.text)) {
            if (slot.name != "value" && slot.name != "definition") {
                record.bad("unknown slot {{{}}} in \"text\"; a template has {{value}} and {{definition}}", slot.name);
            }
            has_value = has_value || slot.name == "value";
        }
        if (!has_value) {
            record.bad("\"text\" has no {{value}}, so it would be the same for every value");
        }
        templates.push_back(std::move(parsed));
    });
    return templates;
}

} // namespace

std::string PromptTemplate::fill(const Concept & concept_) const {
    std::string filled;
    std::size_t copied = 0;
    for (const Slot & slot : find_slots(text)) {
        if (slot.name != "value" && slot.name != "definition") {
            continue;
        }
        filled += text.substr(copied, slot.begin - copied);
        filled += slot.name == "value" ? concept_.name : concept_.definition;
        copied = slot.end;
    }
    return filled + text.substr(copied);
}

std::vector<PromptTemplate> shipped_templates() {
    const ShippedText shipped = shipped_text("templates/value_prompts.jsonl");
    return parse_templates(shipped.text, shipped.name);
}

std::vector<PromptTemplate> load_templates(const std::filesystem::path & path) {
    return parse_templates(read_file(path), path.string());
}

} // namespace valuelens
