#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/text.h"
#include "concepts/json_lines.h"
#include "concepts/touche.h"
#include "concepts/unique_ids.h"
#include "valuelens/records.h"

namespace valuelens {

namespace {

constexpr std::string_view schema = R"({"id"?, "text", "group"?, "labels": {"<value>": true or false, ...}})";

LabelledText parse_labelled(const JsonRecord & record, const std::vector<std::string> & values) {
    LabelledText text;
    text.id = record.optional_identifier("id").value_or(fmt::format("n{}", record.number));
    text.text = record.text("text");
    if (is_blank(text.text)) {
        record.bad("\"text\" is empty");
    }
    text.group = record.optional_identifier("group").value_or("");
    const auto labels = record.object.find("labels");
    if (labels == record.object.end() || !labels->is_object()) {
        record.bad("\"labels\" is missing or no object; expected {}", record.schema);
    }
    const JsonRecord label_record{*labels, record.where + ": \"labels\"", record.number, schema};
    text.labels.assign(values.size(), -1);
    for (const auto & [value, label] : labels->items()) {
        const auto found = std::find(values.begin(), values.end(), value);
        if (found == values.end()) {
            record.bad("\"labels\" names \"{}\", which is not in the concept set; known: {}", value,
                       fmt::join(values, ", "));
        }
        if (!label.is_null()) {
            text.labels[static_cast<std::size_t>(found - values.begin())] = label_record.boolean(value.c_str()) ? 1 : 0;
        }
    }
    return text;
}

} // namespace

std::vector<LabelledText> load_labelled_texts(const std::filesystem::path & path,
                                              const std::vector<std::string> & values) {
    if (std::filesystem::is_directory(path) || path.extension() == ".tsv") {
        return load_touche(path, values);
    }
    std::vector<LabelledText> texts;
    UniqueIds ids;
    for_each_json_record(read_file(path), path.string(), schema, [&](const JsonRecord & record) {
        texts.push_back(parse_labelled(record, values));
        ids.add(texts.back().id, record.where);
    });
    return texts;
}

} // namespace valuelens
