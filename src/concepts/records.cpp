#include "valuelens/records.h"

#include "base/file.h"
#include "base/text.h"
#include "concepts/json_lines.h"
#include "concepts/unique_ids.h"

namespace valuelens {

namespace {

constexpr std::string_view response_schema = R"({"id", "system"?, "user", "response"} or {"id", "prompt", "response"})";
constexpr std::string_view prompt_schema = R"({"id", "system"?, "user"} or {"id", "prompt"})";
constexpr std::string_view label_schema =
    R"({"id", "value", "condition": "intrinsic" or "prompted", "expresses": true or false, "query"?})";

void refuse_blank(const std::string & text, const JsonRecord & record, const char * key) {
    if (is_blank(text)) {
        record.bad("\"{}\" is empty", key);
    }
}

Transcript parse_transcript(const JsonRecord & record, bool require_response) {
    Transcript transcript;
    transcript.id = record.identifier("id");
    transcript.line = record.number;
    transcript.system = record.optional_text("system");
    transcript.prompt = record.optional_text("prompt");
    const std::optional<std::string> user = record.optional_text("user");
    if (transcript.prompt && (user || transcript.system)) {
        record.bad("has \"prompt\" beside \"{}\"; expected {}", user ? "user" : "system", record.schema);
    }
    if (!transcript.prompt && !user) {
        record.bad("\"user\" (or \"prompt\") is missing; expected {}", record.schema);
    }
    if (transcript.prompt) {
        refuse_blank(*transcript.prompt, record, "prompt");
    } else {
        refuse_blank(*user, record, "user");
        transcript.user = *user;
    }
    transcript.response = record.optional_text("response");
    if (require_response) {
        refuse_blank(record.text("response"), record, "response");
    }
    return transcript;
}

Label parse_label(const JsonRecord & record) {
    Label label;
    label.id = record.identifier("id");
    label.value = record.text("value");
    refuse_blank(label.value, record, "value");
    const std::string condition = record.text("condition");
    if (condition != to_string(Condition::intrinsic) && condition != to_string(Condition::prompted)) {
        record.bad("\"condition\" is \"{}\", expected \"intrinsic\" or \"prompted\"", condition);
    }
    label.condition = condition_from_string(condition);
    label.expresses = record.boolean("expresses");
    label.query = record.optional_identifier("query").value_or("");
    return label;
}

} // namespace

const char * to_string(Condition condition) {
    return condition == Condition::intrinsic ? "intrinsic" : "prompted";
}

Condition condition_from_string(const std::string & text) {
    for (const Condition condition : {Condition::intrinsic, Condition::prompted}) {
        if (text == to_string(condition)) {
            return condition;
        }
    }
    fail(ErrorKind::bad_input, "\"{}\" is no condition, expected \"intrinsic\" or \"prompted\"", text);
}

std::vector<Transcript> load_transcripts(const std::filesystem::path & path, bool require_response) {
    std::vector<Transcript> transcripts;
    UniqueIds ids;
    for_each_json_record(read_file(path), path.string(), require_response ? response_schema : prompt_schema,
                         [&](const JsonRecord & record) {
                             transcripts.push_back(parse_transcript(record, require_response));
                             ids.add(transcripts.back().id, record.where);
                         });
    return transcripts;
}

std::vector<Label> load_labels(const std::filesystem::path & path) {
    std::vector<Label> labels;
    UniqueIds ids;
    for_each_json_record(read_file(path), path.string(), label_schema, [&](const JsonRecord & record) {
        labels.push_back(parse_label(record));
        const Label & label = labels.back();
        ids.add(fmt::format("{} / {} / {}", label.id, label.value, to_string(label.condition)), record.where,
                "id / value / condition");
    });
    return labels;
}

} // namespace valuelens
