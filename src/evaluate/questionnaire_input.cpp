#include "evaluate/questionnaire_input.h"

#include <algorithm>

#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"
#include "evaluate/task.h"

namespace valuelens {
namespace {

Questionnaire load(const std::filesystem::path & input, const std::string & key, const std::string & language,
                   const std::vector<std::string> & values) {
    if (!key.empty()) {
        if (input.empty()) {
            fail(ErrorKind::usage,
                 "--key {}: the statements of published questionnaires are not shipped; give them with --input", key);
        }
        return load_questionnaire(input, std::filesystem::exists(key) ? load_questionnaire_key(key, values)
                                                                      : shipped_questionnaire_key(key));
    }
    if (input.empty()) {
        return shipped_portraits(language);
    }
    if (input.extension() != ".jsonl" && input.extension() != ".json") {
        if (is_blank(read_file(input))) { // a folder, or no file at all, is said there
            fail(ErrorKind::bad_input, "{}: is empty, statements were expected", input.string());
        }
        fail(ErrorKind::usage,
             "--input {}: which statement belongs to which value? Give --key (pvq40, pvq-rr or a TOML file), or JSONL "
             "that names the values",
             input.string());
    }
    return load_portraits(input, language, values);
}

} // namespace

Questionnaire load_questionnaire_input(const std::filesystem::path & input, const std::string & key,
                                       const std::string & language, const ConceptSet & concepts) {
    const std::vector<std::string> values = concept_ids(concepts);
    Questionnaire questionnaire = load(input, key, language, values);
    for (const QuestionnaireItem & item : questionnaire.items) {
        if (std::find(values.begin(), values.end(), item.value) == values.end()) {
            fail(ErrorKind::usage,
                 "the questionnaire {} measures \"{}\", which is not in the concept set {}; give statements for its "
                 "concepts with --input",
                 questionnaire.name, item.value, concepts.name);
        }
    }
    return questionnaire;
}

} // namespace valuelens
