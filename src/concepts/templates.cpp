#include "base/file.h"
#include "concepts/json_lines.h"
#include "concepts/shipped.h"
#include "concepts/text_slots.h"
#include "concepts/unique_ids.h"
#include "valuelens/concept_set.h"

namespace valuelens {

namespace {

constexpr std::string_view schema = R"({"id", "text"})";

std::vector<PromptTemplate> parse_templates(std::string_view text, const std::string & name) {
    std::vector<PromptTemplate> templates;
    UniqueIds ids;
    UniqueIds texts;
    for_each_json_record(text, name, schema, [&](const JsonRecord & record) {
        PromptTemplate parsed{record.identifier("id"), record.text("text")};
        ids.add(parsed.id, record.where);
        texts.add(parsed.text, record.where, "text");
        bool has_value = false;
        for (const TextSlot & slot : find_slots(parsed.text)) {
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
    return fill_slots(text, {{"value", concept_.name}, {"definition", concept_.definition}});
}

std::vector<PromptTemplate> shipped_templates() {
    const ShippedText shipped = shipped_text("templates/value_prompts.jsonl");
    return parse_templates(shipped.text, shipped.name);
}

std::vector<PromptTemplate> load_templates(const std::filesystem::path & path) {
    return parse_templates(read_file(path), path.string());
}

} // namespace valuelens
